#include <catch2/catch.hpp>

#include <array>
#include <vector>

#include "narthex/model/sample.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::HeadLab;
using test::Point;

const Labels kUp = {{"__name__", "up"}, {"job", "a"}};

Point P(int64_t t, double v) { return {t, Bits(v)}; }

}  // namespace

TEST_CASE("what is appended can be read after Commit, not before",
          "[tsdb][head]") {
  HeadLab lab;
  auto appender = lab.head().NewAppender();
  const auto ref = appender->Resolve(kUp);
  REQUIRE(ref.ok());
  REQUIRE(*ref == SeriesRef{1});
  REQUIRE(AppendFloat(*appender, *ref, 1000, 1) == Appended::kStored);
  REQUIRE(lab.Read(kUp).empty());
  REQUIRE(appender->Commit().ok());
  REQUIRE(lab.Read(kUp) == std::vector<Point>{P(1000, 1)});
  // The Appender may be used again.
  REQUIRE(AppendFloat(*appender, *ref, 2000, StaleNaN()) == Appended::kStored);
  REQUIRE(appender->Commit().ok());
  REQUIRE(lab.Read(kUp) == std::vector<Point>{P(1000, 1), P(2000, StaleNaN())});
}

TEST_CASE("rolled back samples are gone, the series stays", "[tsdb][head]") {
  HeadLab lab;
  {
    auto appender = lab.head().NewAppender();
    const auto ref = appender->Resolve(kUp);
    REQUIRE(AppendFloat(*appender, *ref, 1000, 1) == Appended::kStored);
    REQUIRE(appender->Rollback().ok());
    REQUIRE(*appender->Resolve(kUp) == *ref);
  }
  REQUIRE(lab.Read(kUp).empty());
  REQUIRE(lab.Append(kUp, 2000, 2) == Appended::kStored);
  REQUIRE(lab.Read(kUp) == std::vector<Point>{P(2000, 2)});
}

TEST_CASE("samples are accepted as Prometheus accepts them", "[tsdb][head]") {
  constexpr int64_t kRange = 2 * 3600 * 1000;
  HeadLab lab(kRange);
  REQUIRE(lab.Append(kUp, kRange * 10, 1) == Appended::kStored);
  REQUIRE(lab.Append(kUp, kRange * 10, 1) == Appended::kStored);  // the same
  REQUIRE(lab.Append(kUp, kRange * 10, 2) == Appended::kDuplicate);
  REQUIRE(lab.Append(kUp, kRange * 10 - 1, 2) == Appended::kOutOfOrder);
  REQUIRE(lab.Append(kUp, kRange * 10 - kRange / 2 - 1, 2) ==
          Appended::kOutOfBounds);
  const Labels other = {{"__name__", "other"}};
  REQUIRE(lab.Append(other, kRange * 10 - kRange / 2, 2) == Appended::kStored);
  REQUIRE(lab.Append(other, kRange * 10 - kRange / 2 - 1, 2) ==
          Appended::kOutOfBounds);
  // A NaN of other bits is another value.
  const Labels nan = {{"__name__", "nan"}};
  REQUIRE(lab.Append(nan, kRange * 10, NormalNaN()) == Appended::kStored);
  REQUIRE(lab.Append(nan, kRange * 10, NormalNaN()) == Appended::kStored);
  REQUIRE(lab.Append(nan, kRange * 10, StaleNaN()) == Appended::kDuplicate);
  REQUIRE(lab.Read(kUp) == std::vector<Point>{P(kRange * 10, 1)});
  REQUIRE(lab.Read(nan).size() == 1);
}

TEST_CASE("a batch is checked again when it is committed", "[tsdb][head]") {
  HeadLab lab;
  lab.Append(kUp, 1000, 1);
  auto slow = lab.head().NewAppender();
  const auto ref = slow->Resolve(kUp);
  REQUIRE(AppendFloat(*slow, *ref, 2000, 2) == Appended::kStored);
  REQUIRE(lab.Append(kUp, 3000, 3) == Appended::kStored);
  REQUIRE(slow->Commit().ok());  // came too late, without a word
  REQUIRE(lab.Read(kUp) == std::vector<Point>{P(1000, 1), P(3000, 3)});
}

TEST_CASE("a batch of many series over several shards", "[tsdb][head]") {
  HeadLab lab;
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  std::vector<Labels> labels;
  for (int i = 0; i < 200; ++i) {
    // An Appender each: they are spread over the shards.
    auto appender = lab.head().NewAppender();
    labels.push_back({{"__name__", "m"}, {"i", std::to_string(i)}});
    refs.push_back(*appender->Resolve(labels.back()));
    values.push_back(i);
  }
  refs.push_back(SeriesRef{999999});
  values.push_back(0);
  std::vector<Appended> out(refs.size());
  auto appender = lab.head().NewAppender();
  for (int64_t t = 1000; t <= 3000; t += 1000) {
    REQUIRE(
        appender->AppendFloats({.refs = refs, .values = values, .at = t}, out)
            .ok());
    for (size_t i = 0; i < 200; ++i) REQUIRE(out[i] == Appended::kStored);
    REQUIRE(out[200] == Appended::kUnknownRef);
  }
  // Times of their own; some of them too early.
  std::vector<Timestamp> times(refs.size(), 4000);
  times[7] = 1500;
  REQUIRE(
      appender
          ->AppendFloats({.refs = refs, .values = values, .times = times}, out)
          .ok());
  REQUIRE(out[7] == Appended::kStored);  // nothing is stored yet
  REQUIRE(appender->Commit().ok());
  for (size_t i = 0; i < 200; ++i) {
    std::vector<Point> expected = {P(1000, values[i]), P(2000, values[i]),
                                   P(3000, values[i])};
    if (i != 7) expected.push_back(P(4000, values[i]));
    REQUIRE(lab.Read(labels[i]) == expected);
  }
  const auto columns_differ = appender->AppendFloats(
      {.refs = refs, .values = std::span(values).first(3), .at = 1}, {});
  REQUIRE(columns_differ.code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("an empty label set is refused", "[tsdb][head]") {
  HeadLab lab;
  auto appender = lab.head().NewAppender();
  REQUIRE(appender->Resolve(Labels()).status().code() ==
          absl::StatusCode::kInvalidArgument);
  REQUIRE(appender->Resolve(Labels{{"", "x"}}).status().code() ==
          absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a reader sees no commit later than itself", "[tsdb][head]") {
  HeadLab lab;
  const Labels late = {{"__name__", "late"}};
  lab.Append(kUp, 1000, 1);
  const auto before = lab.head().NewSource(TimeRange(), true);
  std::vector<Point> all = {P(1000, 1)};
  for (int64_t t = 2000; t < 400000; t += 1000) {  // over chunks' ends
    lab.Append(kUp, t, static_cast<double>(t % 7));
    lab.Append(late, t, 1);
    all.push_back(P(t, static_cast<double>(t % 7)));
    if (t == 100000) {
      const auto middle = lab.head().NewSource(TimeRange(), true);
      lab.Append(kUp, t + 1, 0.25);
      all.push_back(P(t + 1, 0.25));
      REQUIRE(HeadLab::ReadFrom(*middle, kUp) ==
              std::vector<Point>(all.begin(), all.end() - 1));
    }
  }
  REQUIRE(HeadLab::ReadFrom(*before, kUp) == std::vector<Point>{P(1000, 1)});
  REQUIRE(HeadLab::ReadFrom(*before, late).empty());
  REQUIRE(lab.Read(kUp) == all);
  REQUIRE(lab.Read(kUp, /*isolated=*/false) == all);
}

TEST_CASE("a commit of 300 samples of one series is hidden whole",
          "[tsdb][head]") {
  HeadLab lab;
  lab.Append(kUp, 1, 1);
  const auto before = lab.head().NewSource(TimeRange(), true);
  auto appender = lab.head().NewAppender();
  const SeriesRef ref = *appender->Resolve(kUp);
  for (int64_t t = 2; t <= 301; ++t) {
    REQUIRE(AppendFloat(*appender, ref, t, 0.1 * static_cast<double>(t)) ==
            Appended::kStored);
  }
  REQUIRE(appender->Commit().ok());
  REQUIRE(HeadLab::ReadFrom(*before, kUp) == std::vector<Point>{P(1, 1)});
  REQUIRE(lab.Read(kUp).size() == 301);
  lab.Append(kUp, 400, 1);
  REQUIRE(HeadLab::ReadFrom(*before, kUp) == std::vector<Point>{P(1, 1)});
  REQUIRE(lab.Read(kUp).size() == 302);
}

TEST_CASE("the newest sample is found with and without decoding",
          "[tsdb][head]") {
  HeadLab lab;
  for (int64_t t = 1000; t <= 200000; t += 1000) {
    lab.Append(kUp, t, static_cast<double>(t));
  }
  const auto source = lab.head().NewSource(TimeRange(), true);
  const SeriesBatch batch = test::Find(*source, kUp);
  REQUIRE(batch.series.size() == 1);
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  LatestSample latest;
  const auto newest = [&](int64_t from, int64_t to) {
    auto found = source->ReadLatest(batch.series[0], {from, to}, ctx, latest);
    REQUIRE(found.ok());
    return *found ? latest.t.ms : -1;
  };
  REQUIRE(newest(0, 300000) == 200000);
  REQUIRE(latest.v == 200000);
  REQUIRE(newest(0, 199999) == 199000);
  REQUIRE(newest(0, 1500) == 1000);
  REQUIRE(newest(0, 999) == -1);
  REQUIRE(newest(200001, 300000) == -1);
  lab.Append(kUp, 201000, 1);  // later than the reader
  REQUIRE(newest(0, 300000) == 200000);
}

}  // namespace narthex::tsdb
