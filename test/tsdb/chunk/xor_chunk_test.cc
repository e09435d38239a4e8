#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/model/sample.h"
#include "test/support/hex.h"

namespace narthex::tsdb {
namespace {

std::string Encode(const std::vector<Sample>& samples) {
  XorAppender chunk;
  for (const Sample& sample : samples) chunk.Append(sample.t, sample.v);
  return std::string(chunk.bytes());
}

// Bits that the last of three samples adds when its delta of deltas is `dod`.
size_t BitsOfDod(int64_t dod) {
  XorState state;
  char buffer[128] = {};
  uint32_t pos = XorPut(buffer, 16, 0, state, 0, 0);
  pos = XorPut(buffer, pos, 1, state, 1 << 22, 0);
  return XorPut(buffer, pos, 2, state, (2 << 22) + dod, 0) - pos;
}

}  // namespace

TEST_CASE("an xor chunk has the bytes that were computed by hand") {
  // 00 04: four samples.  d0 0f: zig-zag varint of 1000; 1.0.  0f: delta 15;
  // then bit by bit: 0 (same value) | 0 (dod 0) 11 00001 001011 11111111111
  // (1.0 ^ 2.0: 1 leading zero, 11 bits) | 10 00000000000001 (dod 1) 0.
  REQUIRE(Hex(Encode({{1000, 1.0}, {1015, 1.0}, {1030, 2.0}, {1046, 2.0}})) ==
          "0004"
          "d00f"
          "3ff0000000000000"
          "0f"
          "3097ffe00040");
}

TEST_CASE("an empty xor chunk is a count of zero") {
  REQUIRE(Hex(Encode({})) == "0000");
}

TEST_CASE("times and deltas of the first two samples are varints") {
  REQUIRE(Hex(Encode({{-1, 0}})) ==
          "0001"
          "01"
          "0000000000000000");
  REQUIRE(Hex(Encode({{0, 0}, {300, 0}})) ==
          "0002"
          "00"
          "0000000000000000"
          "ac02"
          "00");
}

TEST_CASE("each delta of deltas takes the least code that holds it") {
  REQUIRE(BitsOfDod(0) == 1 + 1);
  // The ranges are not symmetric: 2^(n-1) fits n bits, -2^(n-1) doesn't.
  REQUIRE(BitsOfDod(8192) == 2 + 14 + 1);
  REQUIRE(BitsOfDod(-8191) == 2 + 14 + 1);
  REQUIRE(BitsOfDod(8193) == 3 + 17 + 1);
  REQUIRE(BitsOfDod(-8192) == 3 + 17 + 1);
  REQUIRE(BitsOfDod(65536) == 3 + 17 + 1);
  REQUIRE(BitsOfDod(-65535) == 3 + 17 + 1);
  REQUIRE(BitsOfDod(65537) == 4 + 20 + 1);
  REQUIRE(BitsOfDod(-65536) == 4 + 20 + 1);
  REQUIRE(BitsOfDod(524288) == 4 + 20 + 1);
  REQUIRE(BitsOfDod(-524287) == 4 + 20 + 1);
  REQUIRE(BitsOfDod(524289) == 4 + 64 + 1);
  REQUIRE(BitsOfDod(-524288) == 4 + 64 + 1);
}

TEST_CASE("a value's window is reused, not narrowed") {
  XorState state;
  char buffer[256] = {};
  uint32_t pos = XorPut(buffer, 16, 0, state, 0, 0);
  pos = XorPut(buffer, pos, 1, state, 1, 0x00ff00);
  REQUIRE(state.lead == 31);  // 40 zeros, of which 31 can be written
  REQUIRE(state.trail == 8);
  const uint32_t before = pos;
  pos = XorPut(buffer, pos, 2, state, 2, 0x00ff00 ^ 0x000100);
  REQUIRE(pos - before == 1 + 2 + (64 - 31 - 8));
  REQUIRE(state.lead == 31);
  REQUIRE(state.trail == 8);
  const uint32_t wider = pos;
  pos = XorPut(buffer, pos, 3, state, 3, 0x00ff00 ^ 0x000101);
  REQUIRE(pos - wider == 1 + 13 + (64 - 31));
  REQUIRE(state.trail == 0);
}

TEST_CASE("a chunk made in a scratch buffer sample by sample is the same") {
  std::mt19937_64 random(7);
  XorAppender whole;
  std::string bytes(2, '\0');
  uint32_t pos = 16;
  XorState state;
  int64_t t = 1699999200000;
  for (uint32_t i = 0; i < 200; ++i) {
    t += static_cast<int64_t>(random() % 20000);
    const uint64_t v = random() % 3 == 0 ? random() : state.v;
    whole.Append(t, FromBits(v));
    char scratch[kXorPutRoom] = {};
    const uint32_t used = pos % 8;
    if (used != 0) scratch[0] = bytes.back();
    const uint32_t end = XorPut(scratch, used, i, state, t, v);
    if (used != 0) bytes.pop_back();
    bytes.append(scratch, (end + 7) / 8);
    pos += end - used;
    StoreBE16(bytes.data(), static_cast<uint16_t>(i + 1));
    REQUIRE(Hex(bytes) == Hex(whole.bytes()));
  }
}

}  // namespace narthex::tsdb
