#include "libtsdb/chunk/histogram_chunk.h"

#include <catch2/catch.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/chunk/cut_rule.h"
#include "libtsdb/chunk/histogram_reader.h"
#include "narthex/base/budget.h"
#include "narthex/model/columns.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/chunk.h"
#include "test/tsdb/chunk/histogram_lab.h"

namespace narthex::tsdb {
namespace {

Histogram Stale() {
  Histogram h;
  h.sum = StaleNaN();
  return h;
}

// Count 5: two in the zero bucket, one and two in the buckets 0 and 1.
Histogram Five() {
  Histogram h;
  h.schema = 1;
  h.zero_threshold = 0x1p-128;
  h.zero_count = 2;
  h.count = 5;
  h.sum = 18.5;
  h.positive_spans = {{0, 2}};
  h.positive_deltas = {1, 1};
  return h;
}

// What a chunk has, one histogram per sample.
template <typename H>
std::vector<std::pair<int64_t, FloatHistogram>> All(
    const HistogramAppender<H>& appender, std::string_view bytes) {
  MemoryBudget budget;
  SampleColumns columns(budget);
  REQUIRE(DecodeChunk(appender.encoding(), bytes, {}, columns).ok());
  std::vector<std::pair<int64_t, FloatHistogram>> out;
  for (size_t i = 0; i < columns.histograms().points.size(); ++i) {
    out.emplace_back(columns.histograms().points[i].t.ms,
                     ToFloatHistogram(columns.histograms(), i));
  }
  return out;
}

// Appends what a counter might do, and reads it all back.
template <typename H>
void RoundTrip(uint32_t seed, bool start_times) {
  CAPTURE(seed, start_times);
  std::mt19937_64 random(seed);
  HistogramAppender<H> appender(start_times);
  BucketModel model;
  model.schema = static_cast<int32_t>(random() % 13) - 4;
  model.zero_threshold = 0.001;
  if (random() % 3 == 0) model.hint = CounterResetHint::kGauge;
  std::vector<std::pair<int64_t, FloatHistogram>> want, got;
  std::vector<Timestamp> starts, got_starts;
  std::string full;
  MemoryBudget budget;
  SampleColumns columns(budget);
  REQUIRE(columns.ReserveStartTimes().ok());
  const auto take = [&](std::string_view bytes) {
    for (auto& sample : All(appender, bytes)) got.push_back(std::move(sample));
    REQUIRE(DecodeChunk(appender.encoding(), bytes, {}, columns).ok());
  };
  int64_t t = static_cast<int64_t>(random() % 1000000) - 500000;
  Timestamp start = t - 10;
  for (int i = 0; i < 150;
       ++i, t += 15000 + static_cast<int64_t>(random() % 5)) {
    Observe(random, model);
    if (random() % 40 == 0) {  // a reset, or a gauge that falls
      for (auto& [index, count] : model.positive) count /= 2;
      start = t - 3;
    }
    if (random() % 40 == 0 && !model.positive.empty()) {
      model.positive.erase(model.positive.begin());
    }
    H h;
    if constexpr (std::is_same_v<H, Histogram>) {
      h = model.Integer();
    } else {
      h = model.Float();
    }
    if (random() % 50 == 0) h.sum = StaleNaN();
    const bool first = appender.samples() == 0;
    if (appender.Append(t, h, full, start) == HistogramStep::kBegun && !first) {
      take(full);
    }
    want.emplace_back(t, AsFloat(h));
    starts.push_back(start_times ? start : Timestamp(0));
  }
  take(appender.bytes());
  REQUIRE(got.size() == want.size());
  REQUIRE(columns.histograms().points.size() == want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i);
    REQUIRE(columns.histograms().points[i].st == starts[i]);
    const FloatHistogram &a = want[i].second, &b = got[i].second;
    REQUIRE(got[i].first == want[i].first);
    REQUIRE(Bits(a.sum) == Bits(b.sum));
    if (IsStale(a.sum)) {
      REQUIRE(b.positive_spans.empty());
      continue;
    }
    REQUIRE(a.count == b.count);
    REQUIRE(a.zero_count == b.zero_count);
    REQUIRE(a.zero_threshold == b.zero_threshold);
    REQUIRE(a.schema == b.schema);
    REQUIRE(Buckets(a, true) == Buckets(b, true));
    REQUIRE(Buckets(a, false) == Buckets(b, false));
  }
}

}  // namespace

TEST_CASE("a histogram chunk has the bytes that were computed by hand") {
  HistogramAppender<Histogram> appender;
  std::string full = "left alone only if nothing ends";
  REQUIRE(appender.Append(1000, Five(), full) == HistogramStep::kBegun);
  REQUIRE(full.empty());
  // One sample, header unknown, 0x74 for 2^-128; then bit by bit: 10001 schema
  // 1 | 10001 one span | 10010 of two buckets | 0 offset 0 | 0 no negative span
  // | 11110 001111101000 time | 10101 count | 10010 zero count | sum | 10001
  // 10001 buckets.
  REQUIRE(Hex(appender.bytes()) == "000100748c6478fa2b240328000000000008c4");
  Histogram more = Five();
  more.count = 9;
  more.positive_deltas = {2, 3};
  REQUIRE(appender.Append(2000, more, full) == HistogramStep::kContinued);
  // 11110 001111101000 delta 1000 | 10100 count + 4 | 0 zero count | 0 the same
  // sum | 10001 10010 buckets + 1 and + 2.
  REQUIRE(Hex(appender.bytes()) ==
          "000200748c6478fa2b240328000000000008c7c7d14232");
  REQUIRE(appender.Append(3000, Stale(), full) == HistogramStep::kContinued);
  // 0 dod 0 | 0 0 for the counts | 11 00001 111101 and 61 bits of the sum's
  // change | no buckets.
  REQUIRE(Hex(appender.bytes()) ==
          "000300748c6478fa2b240328000000000008c7c7d1423218bdff0a000000000008");
}

TEST_CASE("a chunk of float histograms has 64 bits a number and XOR deltas") {
  HistogramAppender<FloatHistogram> appender;
  std::string full;
  FloatHistogram h = Five().ToFloat();
  h.count = 9;
  h.positive_buckets = {2, 5};
  h.hint = CounterResetHint::kGauge;
  appender.Append(1000, h, full);
  appender.Append(2000, h, full);
  // c0: a gauge.  After the layout and the time 9.0, 2.0, 18.5, 2.0, 5.0; the
  // second sample is a delta of 1000 and five zero bits.
  REQUIRE(
      Hex(appender.bytes()) ==
      "0002c0748c6478fa10088000000000001000000000000000100ca0000000000010000"
      "0000000000010050000000000003c7d00");
}

TEST_CASE("start timestamps stand behind the samples, bounds in the layout") {
  Histogram h;
  h.schema = kCustomBucketsSchema;
  h.custom_values = {0.5, 1e9};
  h.positive_spans = {{0, 1}};
  h.positive_deltas = {1};
  h.count = 1;
  h.sum = 0.25;
  HistogramAppender<Histogram> appender(/*start_times=*/true);
  std::string full;
  appender.Append(1000, h, full, 900);
  appender.Append(2000, h, full, 900);
  appender.Append(3000, h, full, 2500);
  // 82: the first one is known, the next change is at sample 2.  Schema -53 is
  // 1110 111001011; the bounds are 1110 111110101 (501 thousandths and one) and
  // 0 with 64 bits.  Sample 0 ends in c8 01, the varint 100; sample 2 in 1110
  // 000001100 ... : 2000 - 2500.
  REQUIRE(
      Hex(appender.bytes()) ==
      "00038200ee5c624bbea41cdcd6500000000f1f4447fa00000000000011c801f1f4003"
      "dc180");
  REQUIRE(SampleCount(appender.encoding(), appender.bytes()) == 3);
}

TEST_CASE("histograms of all kinds are read back as they were written") {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    RoundTrip<Histogram>(seed, false);
    RoundTrip<FloatHistogram>(seed, false);
    RoundTrip<Histogram>(seed, true);
    RoundTrip<FloatHistogram>(seed, true);
  }
}

TEST_CASE("a bucket that appears makes the chunk be encoded anew") {
  HistogramAppender<Histogram> appender;
  std::string full;
  appender.Append(1000, Five(), full);
  Histogram wider = Five();
  wider.count = 6;
  wider.positive_spans = {{0, 2}, {3, 1}};
  wider.positive_deltas = {1, 1, -1};
  REQUIRE(appender.Append(2000, wider, full) == HistogramStep::kRecoded);
  REQUIRE(appender.samples() == 2);
  const auto all = All(appender, appender.bytes());
  REQUIRE(all[0].second.positive_buckets == std::vector<double>{1, 2, 0});
  REQUIRE(all[1].second.positive_buckets == std::vector<double>{1, 2, 1});
  // One that lacks an empty bucket is spread over those there are.
  Histogram narrow = Five();
  narrow.count = 7;
  narrow.zero_count = 3;
  narrow.positive_spans = {{0, 2}, {3, 1}};
  narrow.positive_deltas = {1, 1, -1};
  REQUIRE(appender.Append(3000, narrow, full) == HistogramStep::kContinued);
}

TEST_CASE("the header says why a chunk began") {
  HistogramAppender<Histogram> ints;
  HistogramAppender<FloatHistogram> floats;
  std::string full;
  const auto hint = [](const auto& appender) {
    return ChunkHint(appender.encoding(), appender.bytes());
  };
  const auto both = [&](int64_t t, const Histogram& h) {
    ints.Append(t, h, full);
    floats.Append(t, h.ToFloat(), full);
  };
  both(1, Five());
  REQUIRE(hint(ints) == CounterResetHint::kUnknown);
  Histogram fewer = Five();
  fewer.count = 4;
  fewer.zero_count = 1;
  both(2, fewer);
  REQUIRE(hint(ints) == CounterResetHint::kReset);
  REQUIRE(hint(floats) == CounterResetHint::kReset);
  Histogram finer = fewer;
  finer.schema = 2;
  both(3, finer);
  REQUIRE(hint(ints) == CounterResetHint::kUnknown);
  REQUIRE(hint(floats) == CounterResetHint::kUnknown);
  ints.Cut(full);
  floats.Cut(full);
  finer.schema = 3;
  both(4, finer);
  // Cut for its size: the float kind claims more than it knows.
  REQUIRE(hint(ints) == CounterResetHint::kUnknown);
  REQUIRE(hint(floats) == CounterResetHint::kNotReset);
  finer.hint = CounterResetHint::kGauge;
  both(5, finer);
  REQUIRE(hint(ints) == CounterResetHint::kGauge);
  REQUIRE(hint(floats) == CounterResetHint::kGauge);
  REQUIRE(ints.samples() == 1);
  finer.hint = CounterResetHint::kUnknown;
  both(6, finer);
  REQUIRE(hint(ints) == CounterResetHint::kNotReset);
  REQUIRE(hint(floats) == CounterResetHint::kUnknown);
  both(7, Stale());
  REQUIRE(ints.samples() == 2);
  both(8, finer);
  REQUIRE(ints.samples() == 1);
}

TEST_CASE(
    "what a chunk of histograms says of resets, its first sample doesn't") {
  HistogramAppender<Histogram> appender;
  std::string full;
  Histogram h = Five();
  h.hint = CounterResetHint::kReset;
  appender.Append(1, h, full);
  h.hint = CounterResetHint::kUnknown;
  appender.Append(2, h, full);
  const auto all = All(appender, appender.bytes());
  REQUIRE(all[0].second.hint == CounterResetHint::kUnknown);
  REQUIRE(all[1].second.hint == CounterResetHint::kNotReset);
}

TEST_CASE("a damaged chunk of histograms is refused or read, never more") {
  std::mt19937_64 random(7);
  for (int kind = 0; kind < 4; ++kind) {
    std::string bytes;
    ChunkEncoding encoding;
    BucketModel model;
    const auto fill = [&](auto appender, auto make) {
      std::string full;
      for (int i = 0; i < 12; ++i) {
        Observe(random, model);
        appender.Append(i * 15000, make(), full, 5);
      }
      bytes = appender.bytes();
      encoding = appender.encoding();
    };
    const auto integer = [&] { return model.Integer(); };
    const auto floating = [&] { return model.Float(); };
    if (kind == 0) fill(HistogramAppender<Histogram>(false), integer);
    if (kind == 1) fill(HistogramAppender<Histogram>(true), integer);
    if (kind == 2) fill(HistogramAppender<FloatHistogram>(false), floating);
    if (kind == 3) fill(HistogramAppender<FloatHistogram>(true), floating);
    MemoryBudget budget;
    SampleColumns columns(budget);
    for (size_t n = 0; n < bytes.size(); ++n) {
      columns.Clear();
      (void)DecodeChunk(encoding, std::string(bytes, 0, n), {}, columns);
      REQUIRE(columns.histograms().points.size() <= 12);
    }
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      columns.Clear();
      (void)DecodeChunk(encoding, flipped, {}, columns);
      for (size_t i = 0; i < columns.histograms().points.size(); ++i) {
        (void)ToFloatHistogram(columns.histograms(), i);
      }
    }
  }
}

TEST_CASE("a schema finer than any that is written is made coarser") {
  // Written as schema 10 by hand: the appender takes any.
  HistogramAppender<Histogram> appender;
  std::string full;
  Histogram h;
  h.schema = 10;
  h.count = 10;
  h.positive_spans = {{1, 5}};  // four of them are one bucket of schema 8
  h.positive_deltas = {1, 1, 1, 1, -4};
  h.count = 10;
  appender.Append(1, h, full);
  const FloatHistogram got = All(appender, appender.bytes())[0].second;
  REQUIRE(got.schema == 8);
  REQUIRE(got.positive_spans == std::vector<Span>{{1, 2}});
  REQUIRE(got.positive_buckets == std::vector<double>{10, 0});
}

TEST_CASE("chunks of histograms are cut by their bytes") {
  OpenHistogramChunkEnds ends;
  const int64_t range = 7200000;
  ends.at = {0, 15000, range};
  REQUIRE_FALSE(CutsHistogramChunk(ends, 2, 255, 30000, range));
  REQUIRE_FALSE(ends.predicted);
  REQUIRE_FALSE(CutsHistogramChunk(ends, 3, 256, 45000, range));
  REQUIRE(ends.predicted);
  REQUIRE(ends.at.next_at == 60504);  // 7200000 / floor(7200000 / 60004)
  // Too few samples yet; with ten it is full, and at the range's end always.
  REQUIRE_FALSE(CutsHistogramChunk(ends, 9, 3000, 70000, range));
  REQUIRE(CutsHistogramChunk(ends, 10, 3000, 70000, range));
  REQUIRE(CutsHistogramChunk(ends, 5, 300, range, range));
}

}  // namespace narthex::tsdb
