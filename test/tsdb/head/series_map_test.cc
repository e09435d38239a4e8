#include <catch2/catch.hpp>

#include <random>
#include <unordered_map>
#include <vector>

#include "libtsdb/head/series_map.h"

namespace narthex::tsdb {

TEST_CASE("slots are found by number", "[tsdb][head]") {
  SlotsById map;
  map.Set(1, MakeSlot(3, 7));
  map.Set(1000000, MakeSlot(15, 9));
  REQUIRE(map.Find(1) == MakeSlot(3, 7));
  REQUIRE(map.Find(2) == kNoSlot);
  REQUIRE(map.Find(0xffffffff) == kNoSlot);
  const SeriesRef refs[] = {SeriesRef{101}, SeriesRef{1000100}, SeriesRef{5},
                            SeriesRef{uint64_t{1} << 40}};
  Slot slots[4];
  map.FindAll(refs, /*base=*/100, slots);
  REQUIRE(slots[0] == MakeSlot(3, 7));
  REQUIRE(slots[1] == MakeSlot(15, 9));
  REQUIRE(slots[2] == kNoSlot);  // below the base
  REQUIRE(slots[3] == kNoSlot);
  const size_t bytes = map.bytes();
  map.Erase(1000000);
  REQUIRE(map.Find(1000000) == kNoSlot);
  REQUIRE(map.bytes() < bytes);  // its page is gone
}

TEST_CASE("a stripe finds what was added and not erased", "[tsdb][head]") {
  SlotsByHash map;
  SlotsByHash::Stripe& stripe = map.Of(0);
  std::unordered_map<Slot, uint64_t> all;
  std::mt19937_64 random(3);
  absl::MutexLock lock(&stripe.mu);
  for (Slot i = 0; i < 20000; ++i) {
    // Many share the upper half, so slots must be told apart by `is`.
    const uint64_t hash = (random() % 3000 * 1'431'655) << 32;
    stripe.Add(hash, i);
    all.emplace(i, hash);
    if (i % 3 == 0) {
      const auto it = all.begin();
      stripe.Erase(it->second, it->first);
      all.erase(it);
    }
  }
  for (Slot i = 0; i < 20000; ++i) {
    const auto it = all.find(i);
    const uint64_t hash = it == all.end() ? (uint64_t{i} << 32) : it->second;
    const Slot found = stripe.Find(hash, [i](Slot s) { return s == i; });
    REQUIRE(found == (it == all.end() ? kNoSlot : i));
  }
  // A table is neither too full to search nor much too large.
  REQUIRE(stripe.bytes() < all.size() * 8 * 2);
}

}  // namespace narthex::tsdb
