#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/model/columns.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/sample.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::HeadLab;

const Labels kLatency = {{"__name__", "latency"}, {"job", "a"}};

// A counter's i-th state; more buckets as time goes by.
Histogram Counter(int64_t i) {
  Histogram h;
  h.schema = 3;
  h.zero_threshold = 0.001;
  h.zero_count = static_cast<uint64_t>(i);
  h.sum = 0.5 * static_cast<double>(i);
  const uint32_t wide = 4 + static_cast<uint32_t>(i / 40);
  h.positive_spans = {{-2, 2}, {3, wide}};
  h.negative_spans = {{1, 1}};
  uint64_t count = h.zero_count;
  int64_t last = 0;
  for (uint32_t b = 0; b < wide + 2; ++b) {
    const int64_t n = i * (b + 1) + 1;
    h.positive_deltas.push_back(n - last);
    count += static_cast<uint64_t>(n);
    last = n;
  }
  h.negative_deltas = {i};
  h.count = count + static_cast<uint64_t>(i);
  return h;
}

Histogram Custom(int64_t i) {
  Histogram h;
  h.schema = kCustomBucketsSchema;
  h.custom_values = {0.1, 1, 10};
  h.positive_spans = {{0, 4}};
  h.positive_deltas = {i, 1, 0, 0};
  h.count = static_cast<uint64_t>(4 * i + 3);
  h.sum = static_cast<double>(i);
  return h;
}

template <typename H>
Appended Append(HeadLab& lab, int64_t t, const H& h,
                const Labels& labels = kLatency) {
  auto appender = lab.head().NewAppender();
  const auto ref = appender->Resolve(labels);
  REQUIRE(ref.ok());
  const Appended outcome = appender->AppendHistogram(*ref, t, 0, h);
  REQUIRE(appender->Commit().ok());
  return outcome;
}

struct Shown {
  int64_t t = 0;
  bool histogram = false;
  FloatHistogram h = {};
  double v = 0;
};

std::vector<Shown> ReadAll(const BlockSource& source, const Labels& labels) {
  const SeriesBatch batch = test::Find(source, labels);
  REQUIRE(batch.series.size() <= 1);
  std::vector<Shown> out;
  if (batch.series.empty()) return out;
  MemoryBudget budget;
  CancelToken cancel;
  SampleColumns columns(budget);
  REQUIRE(source
              .ReadSamples(batch.series[0], TimeRange(),
                           ReadContext{budget, cancel}, columns)
              .ok());
  size_t f = 0;
  const HistogramColumn& histograms = columns.histograms();
  for (size_t i = 0; i < histograms.points.size(); ++i) {
    for (; f < columns.size() && columns.t()[f] < histograms.points[i].t; ++f) {
      out.push_back({columns.t()[f].ms, false, {}, columns.v()[f]});
    }
    out.push_back(
        {histograms.points[i].t.ms, true, ToFloatHistogram(histograms, i), 0});
  }
  for (; f < columns.size(); ++f) {
    out.push_back({columns.t()[f].ms, false, {}, columns.v()[f]});
  }
  return out;
}

std::vector<Shown> ReadAll(HeadLab& lab, const Labels& labels = kLatency) {
  return ReadAll(*lab.head().NewSource(TimeRange(), true), labels);
}

bool Same(FloatHistogram a, FloatHistogram b) {
  if (IsStale(a.sum) || IsStale(b.sum)) {
    return IsStale(a.sum) && IsStale(b.sum);
  }
  a.Compact();
  b.Compact();
  return a.SameAs(b);
}

bool IsCounter(const std::vector<Shown>& shown, int64_t n, int64_t step) {
  if (shown.size() != static_cast<size_t>(n)) return false;
  for (int64_t i = 0; i < n; ++i) {
    const Shown& s = shown[static_cast<size_t>(i)];
    if (s.t != i * step || !s.histogram || !Same(s.h, Counter(i).ToFloat())) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("histograms come back, from memory, from files and from the log",
          "[tsdb][head]") {
  constexpr int64_t kStep = 15000;
  HeadLab lab(2 * 3600 * 1000, /*with_log=*/true);
  constexpr int64_t kMany = 1000;
  for (int64_t i = 0; i < kMany; ++i) {
    REQUIRE(Append(lab, i * kStep, Counter(i)) == Appended::kStored);
  }
  REQUIRE(IsCounter(ReadAll(lab), kMany, kStep));
  REQUIRE(lab.Chunks(kLatency).size() > 3);
  const auto chunks = lab.Chunks(kLatency);
  const ReplayReport report = lab.Reopen();
  REQUIRE(report.kept_records == 0);
  REQUIRE(report.unknown_refs == 0);
  REQUIRE(IsCounter(ReadAll(lab), kMany, kStep));
  lab.Reopen("data/chunks_head");
  REQUIRE(IsCounter(ReadAll(lab), kMany, kStep));
  REQUIRE(lab.Chunks(kLatency) == chunks);
}

TEST_CASE("float histograms and custom buckets come back", "[tsdb][head]") {
  HeadLab lab(2 * 3600 * 1000, /*with_log=*/true);
  const Labels other = {{"__name__", "other"}};
  for (int64_t i = 0; i < 50; ++i) {
    REQUIRE(Append(lab, i * 1000, Counter(i).ToFloat()) == Appended::kStored);
    REQUIRE(Append(lab, i * 1000, Custom(i), other) == Appended::kStored);
  }
  for (int round = 0; round < 2; ++round) {
    REQUIRE(IsCounter(ReadAll(lab), 50, 1000));
    const std::vector<Shown> shown = ReadAll(lab, other);
    REQUIRE(shown.size() == 50);
    for (size_t i = 0; i < 50; ++i) {
      REQUIRE(Same(shown[i].h, Custom(static_cast<int64_t>(i)).ToFloat()));
    }
    lab.Reopen();
  }
}

TEST_CASE("histograms are accepted as Prometheus accepts them",
          "[tsdb][head]") {
  HeadLab lab;
  constexpr int64_t kFirst = 100000000;
  REQUIRE(Append(lab, kFirst, Counter(1)) == Appended::kStored);
  REQUIRE(Append(lab, kFirst, Counter(1)) == Appended::kStored);  // the same
  REQUIRE(Append(lab, kFirst, Counter(2)) == Appended::kDuplicate);
  REQUIRE(Append(lab, kFirst, Counter(1).ToFloat()) == Appended::kDuplicate);
  REQUIRE(lab.Append(kLatency, kFirst, 1) == Appended::kDuplicate);
  REQUIRE(Append(lab, kFirst - 1, Counter(1)) == Appended::kOutOfOrder);
  REQUIRE(Append(lab, kFirst - 2 * 3600 * 1000, Counter(1)) ==
          Appended::kOutOfBounds);
  Histogram crooked = Counter(2);
  crooked.count += 1;
  REQUIRE(Append(lab, kFirst + 1, crooked) == Appended::kInvalid);
  auto appender = lab.head().NewAppender();
  REQUIRE(appender->AppendHistogram(SeriesRef{77}, kFirst, 0, Counter(1)) ==
          Appended::kUnknownRef);
  REQUIRE(ReadAll(lab).size() == 1);
}

TEST_CASE("a float's stale marker ends a series of histograms",
          "[tsdb][head]") {
  const bool floats = GENERATE(false, true);
  HeadLab lab(2 * 3600 * 1000, /*with_log=*/true);
  if (floats) {
    Append(lab, 1000, Counter(1).ToFloat());
  } else {
    Append(lab, 1000, Counter(1));
  }
  REQUIRE(lab.Append(kLatency, 2000, StaleNaN()) == Appended::kStored);
  for (int round = 0; round < 2; ++round) {
    const std::vector<Shown> shown = ReadAll(lab);
    REQUIRE(shown.size() == 2);
    REQUIRE(shown[1].histogram);
    REQUIRE(IsStale(shown[1].h.sum));
    {
      const auto source = lab.head().NewSource(TimeRange(), true);
      const SeriesBatch batch = test::Find(*source, kLatency);
      MemoryBudget budget;
      CancelToken cancel;
      LatestSample latest;
      REQUIRE(source
                  ->ReadLatest(batch.series[0], TimeRange(),
                               ReadContext{budget, cancel}, latest)
                  .value());
      REQUIRE(latest.histogram);
      REQUIRE(latest.t == Timestamp(2000));
    }
    lab.Reopen();
  }
}

TEST_CASE("kinds of samples may change within a batch", "[tsdb][head]") {
  HeadLab lab(2 * 3600 * 1000, /*with_log=*/true);
  auto appender = lab.head().NewAppender();
  const SeriesRef ref = *appender->Resolve(kLatency);
  int64_t t = 0;
  const auto append = [&](const auto& h) {
    REQUIRE(appender->AppendHistogram(ref, t, 0, h) == Appended::kStored);
    ++t;
  };
  t = 1;
  const auto all_kinds = [&] {
    append(Custom(t).ToFloat());
    append(Counter(t).ToFloat());
    append(Custom(t));
    append(Counter(t));
    REQUIRE(AppendFloat(*appender, ref, t, static_cast<double>(t)) ==
            Appended::kStored);
    ++t;
  };
  all_kinds();
  all_kinds();
  REQUIRE(appender->Commit().ok());
  all_kinds();
  REQUIRE(appender->Commit().ok());
  appender = nullptr;
  for (int round = 0; round < 2; ++round) {
    const std::vector<Shown> shown = ReadAll(lab);
    REQUIRE(shown.size() == 15);
    for (size_t i = 0; i < shown.size(); ++i) {
      const auto at = static_cast<int64_t>(i) + 1;
      REQUIRE(shown[i].t == at);
      REQUIRE(shown[i].histogram == (i % 5 != 4));
      if (i % 5 == 0 || i % 5 == 2) {
        REQUIRE(Same(shown[i].h, Custom(at).ToFloat()));
      } else if (i % 5 != 4) {
        REQUIRE(Same(shown[i].h, Counter(at).ToFloat()));
      } else {
        REQUIRE(shown[i].v == static_cast<double>(at));
      }
    }
    if (round == 0) REQUIRE(lab.Reopen().damages.empty());
  }
}

TEST_CASE("a reader sees none of the histograms that came later",
          "[tsdb][head]") {
  HeadLab lab;
  for (int64_t i = 0; i < 30; ++i) Append(lab, i * 1000, Counter(i));
  const auto reader = lab.head().NewSource(TimeRange(), true);
  for (int64_t i = 30; i < 300; ++i) Append(lab, i * 1000, Counter(i));
  REQUIRE(IsCounter(ReadAll(*reader, kLatency), 30, 1000));
  REQUIRE(IsCounter(ReadAll(lab), 300, 1000));
}

}  // namespace narthex::tsdb
