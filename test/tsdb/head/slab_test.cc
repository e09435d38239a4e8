#include <catch2/catch.hpp>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/head/slab.h"

namespace narthex::tsdb {

TEST_CASE("slots keep their bytes while others come and go", "[tsdb][head]") {
  Slab slab;
  struct Owned {
    SlabHandle handle;
    std::string bytes;
  };
  std::vector<Owned> owned;
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    if (owned.empty() || random() % 3 != 0) {
      std::string bytes(1 + random() % 1500, static_cast<char>(random()));
      const SlabHandle handle = slab.Allocate(bytes.size());
      REQUIRE(handle != 0);
      REQUIRE(slab.Capacity(handle) >= bytes.size());
      std::memcpy(slab.Data(handle), bytes.data(), bytes.size());
      owned.push_back({handle, std::move(bytes)});
    } else {
      const size_t at = random() % owned.size();
      Owned& it = owned[at];
      REQUIRE(std::memcmp(slab.Data(it.handle), it.bytes.data(),
                          it.bytes.size()) == 0);
      if (random() % 2 == 0) {  // grow
        const size_t used = it.bytes.size();
        it.bytes.append(random() % 300, 'x');
        it.handle = slab.Resize(it.handle, used, it.bytes.size());
        REQUIRE(std::memcmp(slab.Data(it.handle), it.bytes.data(), used) == 0);
        std::memcpy(slab.Data(it.handle), it.bytes.data(), it.bytes.size());
      } else {
        slab.Free(it.handle);
        it = owned.back();
        owned.pop_back();
      }
    }
  }
  for (const Owned& it : owned) {
    REQUIRE(std::memcmp(slab.Data(it.handle), it.bytes.data(),
                        it.bytes.size()) == 0);
  }
}

TEST_CASE("a freed slot is used again", "[tsdb][head]") {
  Slab slab;
  const SlabHandle a = slab.Allocate(100);
  const size_t reserved = slab.reserved_bytes();
  slab.Free(a);
  for (int i = 0; i < 1000; ++i) slab.Free(slab.Allocate(100));
  REQUIRE(slab.reserved_bytes() == reserved);
  REQUIRE(slab.Capacity(slab.Allocate(Slab::kMaxSize)) == Slab::kMaxSize);
}

}  // namespace narthex::tsdb
