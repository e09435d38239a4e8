// Range queries over plain rows in memory: what the engine costs without a
// store.  One, and a hundred series, 18,640 samples each.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {
namespace {

constexpr int64_t kInterval = 10000;
constexpr int kSamples = 18640;

Queryable& Store() {
  static Queryable& store = []() -> Queryable& {
    std::vector<SeriesData> rows;
    for (const char* name : {"a_one", "a_hundred", "b_hundred"}) {
      const int n = std::string_view(name) == "a_one" ? 1 : 100;
      for (int i = 0; i < n; ++i) {
        SeriesData row;
        const std::string l = StrCat(i);
        row.labels = Labels{{"__name__", name}, {"l", l}};
        for (int s = 0; s < kSamples; ++s) {
          row.floats.push_back({s * kInterval, s + i / 100.0});
        }
        rows.push_back(std::move(row));
      }
    }
    return *NewMemoryQueryable(std::move(rows)).release();
  }();
  return store;
}

constexpr const char* kQueries[] = {
    "a_one",
    "a_hundred",
    "rate(a_hundred[1m])",
    "rate(a_hundred[1d])",
    "sum(a_hundred)",
    "sum by (l) (rate(a_hundred[1m]))",
    "a_hundred + b_hundred",
    "max_over_time(a_hundred[1h])",
    "topk(5, a_hundred)",
    "label_replace(a_hundred, \"l2\", \"$1\", \"l\", \"(.*)\")",
};

void BM_RangeQuery(benchmark::State& state) {
  const char* const query = kQueries[state.range(0)];
  const int64_t steps = state.range(1);
  state.SetLabel(query);
  const Engine engine;
  const int64_t end = kSamples * kInterval;
  const TimeRange range = {end - steps * kInterval, end};
  Store();
  for (auto _ : state) {
    auto result = engine.Range(Store(), query, range, Milliseconds(kInterval));
    if (!result.ok()) return state.SkipWithError("query failed");
    benchmark::DoNotOptimize(result->stats.series);
  }
}
BENCHMARK(BM_RangeQuery)
    ->ArgNames({"query", "steps"})
    ->ArgsProduct({benchmark::CreateDenseRange(
                       0, static_cast<int64_t>(std::size(kQueries)) - 1, 1),
                   {1, 1000}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace narthex::promql
