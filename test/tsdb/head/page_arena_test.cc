#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "libtsdb/head/page_arena.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kPage = PageArena::kPageBytes;
constexpr size_t kPerRegion = PageArena::kRegionBytes / kPage;

}  // namespace

TEST_CASE("pages are apart, and keep their bytes", "[tsdb][head]") {
  PageArena arena;
  struct Owned {
    char* memory;
    char byte;
  };
  std::vector<Owned> owned;
  std::mt19937 random(11);
  // Past the regions of ordinary pages, so that some are huge if there are any.
  const size_t most = (PageArena::kPlainRegions + 2) * kPerRegion;
  size_t peak = 0;
  for (int i = 0; i < 8000; ++i) {
    const bool grow = owned.size() < most && (i < 4000 || random() % 3 == 0);
    if (owned.empty() || grow) {
      char* const memory = arena.Allocate(kPage);
      REQUIRE(reinterpret_cast<uintptr_t>(memory) % 64 == 0);
      const auto byte = static_cast<char>(random());
      std::memset(memory, byte, kPage);
      owned.push_back({memory, byte});
      peak = std::max(peak, owned.size());
    } else {
      Owned& it = owned[random() % owned.size()];
      for (const size_t at : {size_t{0}, kPage / 2, kPage - 1}) {
        REQUIRE(it.memory[at] == it.byte);
      }
      arena.Free(it.memory);
      it = owned.back();
      owned.pop_back();
    }
    REQUIRE(arena.used_bytes() == owned.size() * kPage);
  }
  REQUIRE(peak == most);
  REQUIRE(arena.regions() <= PageArena::kPlainRegions + 2);
  for (const Owned& it : owned) arena.Free(it.memory);
  REQUIRE(arena.used_bytes() == 0);
  REQUIRE(arena.regions() == 1);
}

TEST_CASE("a region without pages in use goes back to the system",
          "[tsdb][head]") {
  PageArena arena;
  std::vector<char*> pages;
  for (size_t i = 0; i < 8 * kPerRegion; ++i) {
    pages.push_back(arena.Allocate(kPage));
  }
  REQUIRE(arena.regions() == 8);
  // Every other page: no region is empty, and what comes next fits into them.
  for (size_t i = 0; i < pages.size(); i += 2) arena.Free(pages[i]);
  REQUIRE(arena.regions() == 8);
  for (size_t i = 0; i < pages.size(); i += 2) pages[i] = arena.Allocate(kPage);
  REQUIRE(arena.regions() == 8);
  REQUIRE(std::set<char*>(pages.begin(), pages.end()).size() == pages.size());
  for (size_t i = 0; i < pages.size(); ++i) arena.Free(pages[i]);
  REQUIRE(arena.regions() == 1);
}

TEST_CASE("other sizes than a page are no part of a region", "[tsdb][head]") {
  PageArena arena;
  char* const memory = arena.Allocate(3 * kPage);
  std::memset(memory, 1, 3 * kPage);
  REQUIRE(arena.used_bytes() == 0);
  REQUIRE(arena.regions() == 0);
  arena.Free(memory);
  arena.Free(nullptr);
}

TEST_CASE("threads share an arena", "[tsdb][head]") {
  PageArena arena;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&arena, t] {
      std::vector<char*> mine;
      for (int i = 0; i < 400; ++i) {
        mine.push_back(arena.Allocate(kPage));
        std::memset(mine.back(), t, 64);
      }
      for (char* memory : mine) {
        if (memory[63] != t) std::abort();
        arena.Free(memory);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(arena.used_bytes() == 0);
}

}  // namespace narthex::tsdb
