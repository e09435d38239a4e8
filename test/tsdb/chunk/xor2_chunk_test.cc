#include "libtsdb/chunk/xor2_chunk.h"

#include <catch2/catch.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "narthex/base/budget.h"
#include "narthex/model/columns.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/chunk.h"
#include "test/tsdb/chunk/histogram_lab.h"

namespace narthex::tsdb {
namespace {

struct StartedSample {
  int64_t t = 0;
  double v = 0;
  int64_t start = 0;
};

std::string Encode(const std::vector<StartedSample>& samples) {
  Xor2Appender appender;
  for (const StartedSample& s : samples) appender.Append(s.t, s.v, s.start);
  return std::string(appender.bytes());
}

void RequireRoundTrip(const std::vector<StartedSample>& samples) {
  MemoryBudget budget;
  SampleColumns columns(budget);
  REQUIRE(columns.ReserveStartTimes().ok());
  REQUIRE(DecodeChunk(ChunkEncoding::kXor2, Encode(samples), {}, columns).ok());
  REQUIRE(columns.size() == samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    CAPTURE(i);
    REQUIRE(columns.t()[i].ms == samples[i].t);
    REQUIRE(Bits(columns.v()[i]) == Bits(samples[i].v));
    REQUIRE(columns.st()[i].ms == samples[i].start);
  }
}

}  // namespace

TEST_CASE("an XOR2 chunk has the bytes that were computed by hand") {
  // 00 05, 00: five samples, no start timestamps.  d0 0f: the varint 1000; 1.0;
  // 0f: delta 15.  Then bit by bit: 0 the same value | 10 1 00001 001011
  // 11111111111 (dod 0; 1.0 ^ 2.0 in a new window) | 110 0000000000001 0 (dod
  // 1, the same value) | 11111 a stale marker, dod 0.
  REQUIRE(Hex(Encode({{1000, 1.0, 0},
                      {1015, 1.0, 0},
                      {1030, 2.0, 0},
                      {1046, 2.0, 0},
                      {1062, StaleNaN(), 0}})) ==
          "000500"
          "d00f"
          "3ff0000000000000"
          "0f"
          "5097fff0005f");
}

TEST_CASE("start timestamps are written from their first change on") {
  // 82: the first one is known, the first change is at sample 2.  After 1.0
  // the varint 600 = 1000 - 400 (b0 09); 0f.  Then 0 the same value | 0 the
  // same again, and 110 111011: 1015 - 1020 in full | 0, and 110 001111: 1030 -
  // 1020 is 15 more.
  REQUIRE(Hex(Encode({{1000, 1.0, 400},
                      {1015, 1.0, 400},
                      {1030, 1.0, 1020},
                      {1045, 1.0, 1020}})) ==
          "000482"
          "d00f"
          "3ff0000000000000"
          "b009"
          "0f"
          "376c78");
}

TEST_CASE("a stale marker leaves XOR2's values alone, even as the first one") {
  RequireRoundTrip({{0, StaleNaN(), 0},
                    {15, 0.0, 0},
                    {30, StaleNaN(), 0},
                    {45, 0.0, 0},
                    {61, StaleNaN(), 0},
                    {75, 1.5, 0}});
}

TEST_CASE("the 128th sample carries a start timestamp, needed or not") {
  std::vector<StartedSample> samples;
  for (int64_t i = 0; i < 127; ++i) samples.push_back({i * 15000, 1.0, 0});
  REQUIRE(Encode(samples)[2] == 0);
  samples.push_back({127 * 15000, 1.0, 0});
  REQUIRE(Encode(samples)[2] == 127);
  samples.push_back({128 * 15000, 1.0, 128 * 15000 - 1});
  RequireRoundTrip(samples);
}

TEST_CASE("XOR2 gives back any times, values and starts") {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<StartedSample> samples;
    StartedSample s{static_cast<int64_t>(random() % 1000000) - 500000, 1, 0};
    for (size_t i = 0; i < 1 + random() % 300; ++i) {
      const int64_t steps[] = {15000, 15001, 20000, 600000, int64_t{1} << 40};
      s.t += steps[random() % 10 < 7 ? 0 : random() % 5];
      if (random() % 3 == 0) s.v = FromBits(random());
      if (seed % 3 != 0 && random() % 20 == 0) {
        s.start = s.t - static_cast<int64_t>(random() % (1u << random() % 30));
      }
      samples.push_back(s);
      if (random() % 9 == 0) samples.back().v = StaleNaN();
    }
    RequireRoundTrip(samples);
  }
}

TEST_CASE("a damaged XOR2 chunk is refused or read, never more") {
  std::vector<StartedSample> samples;
  for (int64_t i = 0; i < 40; ++i) {
    samples.push_back({i * i * 1000, static_cast<double>(i % 7) / 3, i * 900});
  }
  const std::string bytes = Encode(samples);
  MemoryBudget budget;
  SampleColumns columns(budget);
  for (size_t n = 0; n < bytes.size(); ++n) {
    columns.Clear();
    REQUIRE_FALSE(
        DecodeChunk(ChunkEncoding::kXor2, std::string(bytes, 0, n), {}, columns)
            .ok());
    REQUIRE(columns.empty());
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    columns.Clear();
    (void)DecodeChunk(ChunkEncoding::kXor2, flipped, {}, columns);
  }
}

}  // namespace narthex::tsdb
