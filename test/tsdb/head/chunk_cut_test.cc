// Where chunks end, held against the rule written down once more (storage.md
// A5), and their bytes against the encoder's.

#include <catch2/catch.hpp>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/model/sample.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::ChunkShape;
using test::HeadLab;

// The chunks of a series whose samples come one by one, in order.
std::vector<ChunkShape> Expected(const std::vector<Sample>& samples,
                                 int64_t range) {
  std::vector<ChunkShape> chunks;
  XorAppender appender;
  int64_t min_t = 0, max_t = 0, next_at = 0;
  const auto put_away = [&] {
    if (appender.samples() != 0) {
      chunks.push_back({min_t, max_t, std::string(appender.bytes())});
    }
    appender.Clear();
  };
  for (const Sample& sample : samples) {
    const int64_t t = sample.t.ms;
    const auto begin = [&] {
      put_away();
      min_t = t;
      next_at = t / range * range + range;
    };
    if (appender.samples() == 0 || appender.bytes().size() > 1005) begin();
    if (appender.samples() == 30) {
      const double n = static_cast<double>(next_at - min_t) /
                       (static_cast<double>(max_t - min_t + 1) * 4);
      if (n > 1) {
        next_at = static_cast<int64_t>(static_cast<double>(min_t) +
                                       static_cast<double>(next_at - min_t) /
                                           std::floor(n));
      }
    }
    if (appender.samples() != 0 &&
        (t >= next_at || appender.samples() >= 240)) {
      begin();
    }
    appender.Append(t, sample.v);
    max_t = t;
  }
  put_away();
  return chunks;
}

}  // namespace

TEST_CASE("chunks are cut where Prometheus cuts them, with its bytes",
          "[tsdb][head]") {
  const Labels labels = {{"__name__", "m"}};
  std::mt19937_64 random(20);
  for (int round = 0; round < 40; ++round) {
    const int64_t range = round % 4 == 0 ? 10'000 : 7'200'000;
    const int64_t step = int64_t{1} << random() % 18;
    const int kind = static_cast<int>(random() % 5);
    INFO("round " << round << " step " << step << " kind " << kind);
    std::vector<Sample> samples;
    int64_t t = 1'700'000'000'000 + static_cast<int64_t>(random() % 7'200'000);
    double v = 5;
    for (int i = 0; i < 700; ++i) {
      t +=
          step + (random() % 10 == 0 ? static_cast<int64_t>(random() % 50) : 0);
      switch (kind) {
        case 0:
          break;  // constant
        case 1:
          v += 1;
          break;
        case 2:
          v = std::bit_cast<double>(random());
          break;  // any bits
        case 3:
          v = random() % 20 == 0 ? StaleNaN() : std::round(v) + 0.01;
          break;
        default:
          v = static_cast<double>(random() % 1000) / 100;
          break;
      }
      samples.push_back({t, v});
    }
    HeadLab lab(range);
    for (const Sample& s : samples) {
      REQUIRE(lab.Append(labels, s.t.ms, s.v) == Appended::kStored);
    }
    const std::vector<ChunkShape> expected = Expected(samples, range);
    const std::vector<ChunkShape> actual = lab.Chunks(labels);
    REQUIRE(actual.size() == expected.size());
    REQUIRE(actual == expected);
    const auto points = lab.Read(labels);
    REQUIRE(points.size() == samples.size());
    for (size_t i = 0; i < points.size(); ++i) {
      REQUIRE(points[i] == test::Point{samples[i].t.ms, Bits(samples[i].v)});
    }
  }
}

TEST_CASE("steps longer than 49 days are kept exactly", "[tsdb][head]") {
  const Labels labels = {{"__name__", "m"}};
  constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1000;
  HeadLab lab(/*chunk_range=*/100 * kYear);
  std::vector<Sample> samples;
  for (int i = 0; i < 50; ++i) {
    samples.push_back({1000 + i * kYear + (i % 3), 1.0 * (i % 4)});
    REQUIRE(lab.Append(labels, samples.back().t.ms, samples.back().v) ==
            Appended::kStored);
  }
  REQUIRE(lab.Chunks(labels) == Expected(samples, 100 * kYear));
}

TEST_CASE("a series may have thousands of full chunks", "[tsdb][head]") {
  const Labels labels = {{"__name__", "m"}};
  HeadLab lab(/*chunk_range=*/3);  // two or three samples a chunk
  std::vector<Sample> samples;
  for (int64_t t = 1; t < 30000; ++t) {
    samples.push_back({t, static_cast<double>(t % 3)});
    REQUIRE(lab.Append(labels, t, samples.back().v) == Appended::kStored);
  }
  REQUIRE(lab.Read(labels).size() == samples.size());
  REQUIRE(lab.Chunks(labels) == Expected(samples, 3));
}

}  // namespace narthex::tsdb
