#include "narthex/model/merge.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "narthex/model/sample.h"
#include "narthex/model/series.h"

namespace narthex {
namespace {

using Floats = std::vector<std::pair<int64_t, uint64_t>>;  // time, bits

void Fill(SampleColumns& columns, const Floats& floats) {
  REQUIRE(columns.Reserve(floats.size()).ok());
  for (size_t i = 0; i < floats.size(); ++i) {
    columns.mutable_t()[columns.size() + i] = floats[i].first;
    columns.mutable_v()[columns.size() + i] = FromBits(floats[i].second);
  }
  columns.SetSize(columns.size() + floats.size());
}

Floats Read(const SampleColumns& columns) {
  Floats out;
  for (size_t i = 0; i < columns.size(); ++i) {
    out.emplace_back(columns.t()[i].ms, Bits(columns.v()[i]));
  }
  return out;
}

TEST_CASE("columns grow within their budget and keep their bits") {
  MemoryBudget budget(256 * 1024);
  {
    SampleColumns columns(budget);
    Fill(columns, {{1, kStaleNaNBits}, {2, 7}});
    REQUIRE(columns.Reserve(8000).ok());
    CHECK(Read(columns) == Floats{{1, kStaleNaNBits}, {2, 7}});
    CHECK(reinterpret_cast<uintptr_t>(columns.v().data()) % 64 == 0);
    CHECK(columns.Reserve(1 << 20).code() ==
          absl::StatusCode::kResourceExhausted);
    CHECK(columns.st().empty());
    REQUIRE(columns.ReserveStartTimes().ok());
    CHECK(columns.st()[1] == Timestamp(0));
    columns.Clip({2, 5});
    CHECK(Read(columns) == Floats{{2, 7}});
    columns.Clear();
    CHECK(columns.empty());
  }
  CHECK(budget.used() == 0);
}

TEST_CASE("columns are merged by time, those that were there first winning") {
  std::mt19937 random(7);
  MemoryBudget budget;
  for (int round = 0; round < 500; ++round) {
    std::map<int64_t, uint64_t> a, b;
    const int64_t shift = static_cast<int64_t>(random() % 60) - 30;
    for (size_t i = random() % 20; i > 0; --i) a[random() % 30] = i;
    for (size_t i = random() % 20; i > 0; --i)
      b[random() % 30 + shift] = 100 + i;
    SampleColumns into(budget), from(budget);
    Fill(into, Floats(a.begin(), a.end()));
    Fill(from, Floats(b.begin(), b.end()));
    REQUIRE(MergeColumns(from, into).ok());
    a.insert(b.begin(), b.end());
    REQUIRE(Read(into) == Floats(a.begin(), a.end()));
  }
}

FloatHistogram OneBucket(double n) {
  FloatHistogram h;
  h.count = n;
  h.positive_spans = {{0, 1}};
  h.positive_buckets = {n};
  return h;
}

SeriesData Row(
    Labels labels, std::vector<Sample> floats,
    std::vector<std::pair<Timestamp, FloatHistogram>> histograms = {}) {
  return {std::move(labels), std::move(floats), std::move(histograms), {}};
}

std::string Dump(Querier& querier, const SeriesSet& set) {
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  SampleColumns columns(budget);
  std::string out;
  for (size_t i = 0; i < set.size(); ++i) {
    out += ToLabels(querier.symbols(), set.labels(i)).ToMetricString();
    REQUIRE(set.Read(i, TimeRange(), ctx, columns).ok());
    SampleIterator it(columns);
    size_t n = 0;
    for (auto kind = it.Next(); kind != SampleKind::kNone; kind = it.Next()) {
      out += " " + std::to_string(it.t().ms) + ":" +
             (kind == SampleKind::kFloat ? FormatValue(it.value())
                                         : it.histogram().ToString());
      ++n;
    }
    CHECK(set.samples_hint(i) >= n);
    LatestSample latest;
    const auto any = set.ReadLatest(i, TimeRange(), ctx, latest);
    REQUIRE(any.ok());
    CHECK(*any == (n != 0));
    if (*any) CHECK(latest.t == it.t());
    out += "\n";
  }
  return out;
}

TEST_CASE("sets are merged: equal rows become one series") {
  auto store = NewMemoryQueryable({
      Row({{"__name__", "a"}, {"from", "1"}}, {{10, 1}, {20, 2}},
          {{Timestamp(40), OneBucket(3)}}),
      Row({{"__name__", "b"}}, {{10, 5}}),
      Row({{"__name__", "c"}}, {{10, 6}}),
  });
  auto querier = *store->NewQuerier(TimeRange());
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  const auto select = [&](std::string_view pattern, TimeRange range) {
    const MatcherPtr m =
        *Matcher::Make(Matcher::Type::kRegex, kMetricName, pattern);
    const Matcher* list[] = {m.get()};
    SelectRequest request;
    request.matchers = list;
    request.range = range;
    return *querier->Select(request, ctx);
  };
  for (const bool sorted : {true, false}) {
    std::vector<std::unique_ptr<SeriesSet>> sets;
    sets.push_back(select("b|c", TimeRange()));
    sets.push_back(select("a|b", TimeRange()));
    sets.push_back(select("nosuch", TimeRange()));
    auto merged = MergeSeriesSets(std::move(sets), querier->symbols(), sorted);
    const std::string a =
        "a{from=\"1\"} 10:1 20:2 40:{count:3, sum:0, (0.5,1]:3}\n";
    const std::string b = "b 10:5\n", c = "c 10:6\n";
    CHECK(Dump(*querier, *merged) == (sorted ? a + b + c : b + c + a));
  }
  CHECK(MergeSeriesSets({}, querier->symbols(), true)->size() == 0);
}

TEST_CASE("a histogram and a float of one time are one sample") {
  MemoryBudget budget;
  const auto read = [&](const std::vector<SeriesData>& rows,
                        SampleColumns& out) {
    auto store = NewMemoryQueryable(rows);
    auto querier = *store->NewQuerier(TimeRange());
    CancelToken cancel;
    const ReadContext ctx{budget, cancel};
    auto set = *querier->Select({}, ctx);
    REQUIRE(set->Read(0, TimeRange(), ctx, out).ok());
  };
  SampleColumns into(budget), from(budget);
  read({Row({{"a", "b"}}, {{1, 1}},
            {{Timestamp(2), OneBucket(2)}, {Timestamp(4), OneBucket(4)}})},
       into);
  read({Row({{"a", "b"}}, {{2, 20}, {3, 30}},
            {{Timestamp(1), OneBucket(9)}, {Timestamp(5), OneBucket(5)}})},
       from);
  REQUIRE(MergeColumns(from, into).ok());
  CHECK(Read(into) == Floats{{1, Bits(1)}, {3, Bits(30)}});
  REQUIRE(into.histograms().points.size() == 3);
  CHECK(ToFloatHistogram(into.histograms(), 0).count == 2);
  CHECK(ToFloatHistogram(into.histograms(), 2).positive_buckets ==
        std::vector<double>{5});
}

}  // namespace
}  // namespace narthex
