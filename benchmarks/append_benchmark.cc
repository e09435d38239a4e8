// A scrape into the database: batches of 1,000 known series, and new ones.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kBatch = 1000;

struct Target {
  std::vector<SeriesRef> refs = {};
  std::vector<double> values = {};
};

absl::StatusOr<Target> MakeTarget(Appender& appender, size_t number,
                                  Timestamp at) {
  Target target;
  const std::string instance = StrCat("10.0.0.", number, ":9100");
  for (size_t i = 0; i < kBatch; ++i) {
    const std::string name = StrCat("metric_", i % 50, "_total");
    const std::string slot = StrCat(i / 50);
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRef ref,
                             appender.Resolve(Labels{{"__name__", name},
                                                     {"instance", instance},
                                                     {"job", "node-exporter"},
                                                     {"slot", slot}}));
    target.refs.push_back(ref);
    target.values.push_back(static_cast<double>(i));
  }
  NARTHEX_RETURN_IF_ERROR(appender.AppendFloats(
      {.refs = target.refs, .values = target.values, .at = at}, {}));
  NARTHEX_RETURN_IF_ERROR(appender.Commit());
  return target;
}

void BM_AppendKnown(benchmark::State& state) {
  auto env = NewMemEnv();
  Options options;
  options.env = env.get();
  auto db = Db::Open("data", options);
  if (!db.ok()) return state.SkipWithError("Open failed");
  auto appender = (*db)->NewAppender();
  Timestamp at = 1700000000000;
  std::vector<Target> targets;
  for (size_t i = 0; i < static_cast<size_t>(state.range(0)); ++i) {
    auto target = MakeTarget(*appender, i, at);
    if (!target.ok()) return state.SkipWithError("create failed");
    targets.push_back(*std::move(target));
  }
  size_t next = 0;
  for (auto _ : state) {
    if (next == 0) at = at + Seconds(15);
    Target& target = targets[next];
    next = (next + 1) % targets.size();
    for (double& v : target.values) v += 1;
    const absl::Status status = appender->AppendFloats(
        {.refs = target.refs, .values = target.values, .at = at}, {});
    if (!status.ok() || !appender->Commit().ok()) {
      return state.SkipWithError("append failed");
    }
  }
  state.SetItemsProcessed(state.iterations() * int64_t{kBatch});
}
// Few iterations by design: every one stays in memory.
BENCHMARK(BM_AppendKnown)
    ->ArgName("targets")
    ->Arg(1)
    ->Arg(100)
    ->Iterations(5000);

void BM_CreateSeries(benchmark::State& state) {
  auto env = NewMemEnv();
  Options options;
  options.env = env.get();
  auto db = Db::Open("data", options);
  if (!db.ok()) return state.SkipWithError("Open failed");
  auto appender = (*db)->NewAppender();
  size_t number = 0;
  for (auto _ : state) {
    if (!MakeTarget(*appender, number++, 1700000000000).ok()) {
      return state.SkipWithError("create failed");
    }
  }
  state.SetItemsProcessed(state.iterations() * int64_t{kBatch});
}
BENCHMARK(BM_CreateSeries)->Iterations(200);

}  // namespace
}  // namespace narthex::tsdb
