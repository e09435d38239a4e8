#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/xor_encode.h"

namespace narthex::tsdb {
namespace {

struct Columns {
  std::vector<int64_t> times = {};
  std::vector<uint64_t> values = {};

  void Add(int64_t t, double v) {
    times.push_back(t);
    values.push_back(std::bit_cast<uint64_t>(v));
  }
};

std::string SampleBySample(const Columns& columns) {
  XorAppender appender;
  for (size_t i = 0; i < columns.times.size(); ++i) {
    appender.Append(Timestamp(columns.times[i]),
                    std::bit_cast<double>(columns.values[i]));
  }
  return std::string(appender.bytes());
}

void Check(const Columns& columns) {
  std::string out = "what was there";
  EncodeXorChunk(columns.times, columns.values, out);
  REQUIRE(out == SampleBySample(columns));
}

}  // namespace

TEST_CASE("a chunk at once is that of its samples one by one",
          "[tsdb][chunk]") {
  std::mt19937_64 random(3);
  const int64_t starts[] = {0, -5, 1'700'000'000'123,
                            std::numeric_limits<int64_t>::min(),
                            std::numeric_limits<int64_t>::max() - 7};
  for (int round = 0; round < 4000; ++round) {
    Columns columns;
    int64_t t = starts[random() % 5];
    double v = static_cast<double>(random() % 1000);
    const uint64_t jitter = uint64_t{1} << random() % 24;
    const size_t n = 1 + random() % (round % 50 == 0 ? 5000 : 130);
    for (size_t i = 0; i < n; ++i) {
      columns.Add(t, v);
      // Wraps, as the encoder does.
      t = static_cast<int64_t>(static_cast<uint64_t>(t) + 15'000 +
                               (random() % 3 == 0 ? random() % jitter : 0) +
                               (random() % 200 == 0 ? random() : 0));
      switch (random() % 8) {
        case 0:
          v += static_cast<double>(random() % 50);
          break;
        case 1:
          v = std::round(v * 100 + 1) / 100;
          break;
        case 2:
          v = std::bit_cast<double>(random());
          break;
        case 3:
          v = std::bit_cast<double>(std::bit_cast<uint64_t>(v) ^
                                    uint64_t{1} << random() % 64);
          break;
        default:
          break;
      }
    }
    Check(columns);
  }
}

TEST_CASE("chunks of no and of one sample are encoded at once, too",
          "[tsdb][chunk]") {
  Columns columns;
  std::string out;
  EncodeXorChunk(columns.times, columns.values, out);
  REQUIRE(out == std::string(2, '\0'));
  columns.Add(-1, -0.0);
  Check(columns);
}

}  // namespace narthex::tsdb
