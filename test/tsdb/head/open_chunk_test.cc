// Whatever the codec, what leaves an open chunk is the XOR chunk of its
// samples, byte for byte, and what is read are the samples.

#include "libtsdb/head/open_chunk.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/budget.h"
#include "narthex/model/sample.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::Point;

// A shard whose lines are fed by hand, each beside a plain XOR chunk.
class ChunkLab {
 public:
  explicit ChunkLab(size_t series) : beside_(series), points_(series) {
    absl::MutexLock lock(&shard_.mu);
    for (size_t i = 0; i < series; ++i) {
      shard_.AddLine(static_cast<SeriesId>(i), 0);
    }
    rules_.chunk_range = int64_t{1} << 50;
    rules_.samples_per_chunk = 10'000;
    rules_.isolated = false;
  }
  void Begin(int64_t t) {
    absl::MutexLock lock(&shard_.mu);
    shard_.BeginBatch(t);
  }
  void End() {
    absl::MutexLock lock(&shard_.mu);
    shard_.EndBatch();
  }
  void Append(uint32_t line, int64_t t, double v) {
    absl::MutexLock lock(&shard_.mu);
    StoreCounts counts;
    REQUIRE(shard_.Store(line, t, Bits(v), rules_, counts));
    beside_[line].Append(t, v);
    points_[line].push_back({t, Bits(v)});
  }
  void Check(uint32_t line, uint32_t hidden = 0) {
    SeriesCopy copy;
    std::string sealed;
    {
      absl::MutexLock lock(&shard_.mu);
      HotSeries& series = shard_.Line(line);
      sealed = OpenChunk::Seal(shard_, series);
      CHECK((series.xor_bits + 7u) / 8 == sealed.size());
      OpenChunk::Copy(shard_, series, series.samples - hidden, copy);
    }
    CHECK(sealed == beside_[line].bytes());
    std::vector<Point> seen = points_[line];
    seen.resize(seen.size() - hidden);
    if (!copy.open_times.empty()) {
      MemoryBudget budget;
      SampleColumns columns(budget);
      const TimeRange range{seen.front().t + 1, seen.back().t};
      REQUIRE(OpenChunk::Read(copy, range, columns).ok());
      REQUIRE(columns.size() == seen.size() - 1);
      for (size_t i = 0; i < columns.size(); ++i) {
        REQUIRE(columns.t()[i].ms == seen[i + 1].t);
        REQUIRE(Bits(columns.v()[i]) == seen[i + 1].bits);
      }
    }
    OpenChunk::MakeXor(copy);
    XorAppender appender;
    for (const Point& p : seen) {
      appender.Append(p.t, std::bit_cast<double>(p.bits));
    }
    if (hidden == 0) CHECK(copy.open == appender.bytes());
    CHECK(copy.open_samples == seen.size());
  }
  OpenCodec codec(uint32_t line) {
    absl::MutexLock lock(&shard_.mu);
    return static_cast<OpenCodec>(shard_.Line(line).codec);
  }
  bool shares(uint32_t a, uint32_t b) {
    absl::MutexLock lock(&shard_.mu);
    return shard_.Line(a).ts_group != 0 &&
           shard_.Line(a).ts_group == shard_.Line(b).ts_group;
  }
  void Drop(uint32_t line) {
    absl::MutexLock lock(&shard_.mu);
    shard_.DropChunks(line);
    beside_[line].Clear();
    points_[line].clear();
  }
  size_t bytes() {
    absl::MutexLock lock(&shard_.mu);
    return shard_.slab_bytes() + shard_.line_bytes();
  }

 private:
  SeriesShard shard_;
  StoreRules rules_;
  std::vector<XorAppender> beside_;
  std::vector<std::vector<Point>> points_;
};

}  // namespace

TEST_CASE("each kind of values finds its codec", "[tsdb][head]") {
  ChunkLab lab(6);
  for (int i = 0; i < 100; ++i) {
    const int64_t t = 1'700'000'000'123 + i * 15'000 + i % 3;
    lab.Begin(t);
    lab.Append(0, t, 42.5);
    lab.Append(1, t, 1000.0 + i * 37 + i % 5);
    lab.Append(2, t, std::round(i * 12.75 * 100) / 100);
    lab.Append(3, t, std::sin(i));
    lab.Append(4, t, i < 25 ? 7 : i < 50 ? i : i < 75 ? i + 0.25 : i / 3.0);
    lab.Append(5, t, i == 60 ? std::numeric_limits<double>::infinity() : -i);
    lab.End();
    for (uint32_t line = 0; line < 6; ++line) lab.Check(line);
  }
  CHECK(lab.codec(0) == OpenCodec::kConstant);
  CHECK(lab.codec(1) == OpenCodec::kInteger);
  CHECK(lab.codec(2) == OpenCodec::kDecimal2);
  CHECK(lab.codec(3) == OpenCodec::kXorValues);
  CHECK(lab.codec(4) == OpenCodec::kXorValues);
  CHECK(lab.codec(5) == OpenCodec::kXorValues);
  for (uint32_t line = 1; line < 6; ++line) CHECK(lab.shares(0, line));
  for (uint32_t line = 0; line < 6; ++line) lab.Check(line, 3);
}

TEST_CASE("a series that misses its group's time goes on alone, and comes back",
          "[tsdb][head]") {
  ChunkLab lab(3);
  const auto batch = [&lab](int64_t t, std::vector<uint32_t> lines) {
    lab.Begin(t);
    for (const uint32_t line : lines) {
      lab.Append(line, t, static_cast<double>(t % 7 * line));
    }
    lab.End();
  };
  batch(1000, {0, 1, 2});
  batch(2000, {0, 1, 2});
  batch(3000, {0, 2});
  batch(4000, {1, 0, 2});
  CHECK(lab.codec(1) == OpenCodec::kXorFull);
  CHECK(lab.shares(0, 2));
  // A time of its own.
  lab.Append(2, 4500, 1);
  CHECK(lab.codec(2) == OpenCodec::kXorFull);
  // A stale marker.
  lab.Begin(5000);
  lab.Append(0, 5000, StaleNaN());
  lab.End();
  CHECK(lab.codec(0) == OpenCodec::kXorFull);
  for (uint32_t line = 0; line < 3; ++line) lab.Check(line);
  lab.Drop(0);
  lab.Drop(1);
  batch(6000, {0, 1, 2});
  CHECK(lab.shares(0, 1));
  for (uint32_t line = 0; line < 3; ++line) lab.Check(line);
}

TEST_CASE("a sleeping series does not make its group's times grow for ever",
          "[tsdb][head]") {
  ChunkLab lab(3);
  const auto batch = [&lab](int64_t t, std::vector<uint32_t> lines) {
    lab.Begin(t);
    for (const uint32_t line : lines) lab.Append(line, t, 1);
    lab.End();
  };
  batch(0, {0, 1, 2});
  size_t before = 0;
  for (int64_t t = 1; t < 100'000; ++t) {
    if (t % 120 == 0) lab.Drop(1);
    if (t % 120 == 60) lab.Drop(2);
    batch(t, {1, 2});
    if (t == 2000) before = lab.bytes();
  }
  CHECK(lab.bytes() <= before + 4096);
  for (uint32_t line = 0; line < 3; ++line) lab.Check(line);
}

TEST_CASE("random values and random steps come out as they went in",
          "[tsdb][head]") {
  std::mt19937_64 random(20261121);
  const auto one_of = [&random](uint64_t n) { return random() % n; };
  for (int round = 0; round < 200; ++round) {
    ChunkLab lab(8);
    std::vector<double> last(8);
    int64_t t = static_cast<int64_t>(one_of(3)) * 1'000'000'000;
    const uint64_t steps = 1 + one_of(100);
    for (uint64_t i = 0; i < steps; ++i) {
      t += 1 + static_cast<int64_t>(one_of(10) == 0 ? one_of(uint64_t{1} << 40)
                                                    : one_of(50));
      lab.Begin(t);
      for (uint32_t line = 0; line < 8; ++line) {
        if (one_of(40) == 0) continue;
        double& v = last[line];
        switch (one_of(5 + line)) {
          case 0:
            v += static_cast<double>(one_of(1000));
            break;
          case 1:
            v = std::round(v * 100 + one_of(99)) / 100;
            break;
          case 2:
            v = line < 4 ? v : std::bit_cast<double>(random());
            break;
          default:
            break;
        }
        lab.Append(line, t, one_of(200) == 0 ? StaleNaN() : v);
      }
      lab.End();
    }
    for (uint32_t line = 0; line < 8; ++line) lab.Check(line);
  }
}

}  // namespace narthex::tsdb
