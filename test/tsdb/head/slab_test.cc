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

TEST_CASE("memory of one size serves another, and can be packed",
          "[tsdb][head]") {
  Slab slab;
  std::vector<SlabHandle> handles;
  for (int i = 0; i < 20000; ++i) {
    handles.push_back(slab.Allocate(64));
    std::memcpy(slab.Data(handles.back()), &i, sizeof(i));
  }
  // All grow in step: what they leave is used for what they move to.
  for (size_t size : {96, 128, 160, 192}) {
    for (SlabHandle& handle : handles) handle = slab.Resize(handle, 64, size);
  }
  REQUIRE(slab.used_bytes() == 20000 * 192);
  REQUIRE(slab.reserved_bytes() <
          slab.used_bytes() + slab.used_bytes() / 10 + 16 * 16 * 1024);
  // Nine of ten go; what is left is scattered.
  for (size_t i = 0; i < handles.size(); ++i) {
    if (i % 10 == 0) continue;
    slab.Free(handles[i]);
    handles[i] = 0;
  }
  REQUIRE(slab.reserved_bytes() > 2 * slab.used_bytes());
  REQUIRE(slab.CloseSparse());
  for (SlabHandle& handle : handles) handle = slab.Move(handle);
  slab.Open();
  REQUIRE(slab.reserved_bytes() <
          slab.used_bytes() + slab.used_bytes() / 4 + 20 * 16 * 1024);
  for (int i = 0; i < 20000; i += 10) {
    int value;
    std::memcpy(&value, slab.Data(handles[static_cast<size_t>(i)]),
                sizeof(value));
    REQUIRE(value == i);
  }
  REQUIRE_FALSE(slab.CloseSparse());
}

}  // namespace narthex::tsdb
