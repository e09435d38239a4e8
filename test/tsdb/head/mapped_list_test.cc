#include "libtsdb/head/mapped_list.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace narthex::tsdb {
namespace {

std::string Packed(const std::vector<MappedChunk>& chunks) {
  MappedHead head;
  std::string list(sizeof(head), '\0');
  for (const MappedChunk& chunk : chunks) {
    char bytes[kMaxMappedSize];
    list.append(bytes, PackMapped(chunk, head, bytes));
  }
  std::copy_n(reinterpret_cast<const char*>(&head), sizeof(head), list.begin());
  return list;
}

bool Same(const MappedChunk& a, const MappedChunk& b) {
  return a.ref == b.ref && a.min_t == b.min_t && a.max_t == b.max_t &&
         a.samples == b.samples;
}

TEST_CASE("A list of mapped chunks reads the same from either end") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<MappedChunk> chunks;
    // Differences of one byte and of ten, and times before 1970.
    const auto below = [&] { return random() >> (random() % 64); };
    uint64_t t = uint64_t{1} << 63 | (below() >> 2);
    uint64_t ref = 0;
    for (size_t n = random() % 40; n > 0; --n) {
      MappedChunk chunk;
      chunk.min_t = static_cast<int64_t>(t += below() >> 8);
      chunk.max_t = static_cast<int64_t>(t += below() >> 8);
      chunk.ref = ref += below() >> 6;
      chunk.samples = static_cast<uint32_t>(below() >> 40) + 1;
      chunks.push_back(chunk);
    }
    const std::string list = Packed(chunks);
    std::vector<MappedChunk> forwards, backwards;
    UnpackMapped(list, forwards);
    MappedBackwards walk(list);
    for (MappedChunk chunk; walk.Next(chunk);) backwards.push_back(chunk);
    std::reverse(backwards.begin(), backwards.end());
    CHECK(std::equal(chunks.begin(), chunks.end(), forwards.begin(),
                     forwards.end(), Same));
    CHECK(std::equal(chunks.begin(), chunks.end(), backwards.begin(),
                     backwards.end(), Same));
  }
}

}  // namespace
}  // namespace narthex::tsdb
