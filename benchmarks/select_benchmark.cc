// Selectors over one block of 20,000 series: matchers to label rows, and all
// samples read.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/block/block_reader.h"
#include "libtsdb/query/source_querier.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/block_builder.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kStart = 1699999200000;
constexpr int kSamples = 120;
constexpr TimeRange kAll = {kStart, kStart + 7200000 - 1};

// Made once, in memory, for all benchmarks of the file.
struct Lab {
  std::unique_ptr<Env> env = NewMemEnv();
  std::shared_ptr<BlockReader> block;
};

absl::Status Build(Lab& lab) {
  BlockBuilderOptions options;
  options.env = lab.env.get();
  NARTHEX_ASSIGN_OR_RETURN(auto builder, BlockBuilder::New("data", options));
  for (int target = 0; target < 20; ++target) {
    const std::string instance = StrCat("10.0.0.", target, ":9100");
    for (int i = 0; i < 1000; ++i) {
      const std::string name = StrCat("metric_", i % 100, "_total");
      const std::string pod = StrCat("app-", i / 100, "-", target);
      const Labels labels = {{"__name__", name},
                             {"instance", instance},
                             {"job", "bench"},
                             {"pod", pod}};
      for (int k = 0; k < kSamples; ++k) {
        NARTHEX_RETURN_IF_ERROR(
            builder->Add(labels, kStart + k * 15000, 1.0 * k * (i % 7)));
      }
    }
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<BlockInfo> blocks,
                           builder->Finish());
  NARTHEX_ASSIGN_OR_RETURN(lab.block,
                           BlockReader::Open(*lab.env, blocks[0].dir));
  return absl::OkStatus();
}

const Lab* TheLab() {
  static const Lab* const lab = []() -> const Lab* {
    auto* made = new Lab;
    return Build(*made).ok() ? made : nullptr;
  }();
  return lab;
}

struct Case {
  const char* label;
  Matcher::Type type;
  const char* value;
};
constexpr Case kCases[] = {
    {"__name__", Matcher::Type::kEqual, "metric_7_total"},
    {"__name__", Matcher::Type::kRegex, "metric_1|metric_[12]_total"},
    {"pod", Matcher::Type::kRegex, "app-3-.*"},
    {"pod", Matcher::Type::kRegex, ".*-[0-9]$"},
    {"job", Matcher::Type::kEqual, "bench"},
};

void Run(benchmark::State& state, bool read) {
  const Lab* const lab = TheLab();
  if (lab == nullptr) return state.SkipWithError("no block");
  const Case& c = kCases[state.range(0)];
  const auto matcher = Matcher::Make(c.type, c.label, c.value);
  if (!matcher.ok()) return state.SkipWithError("bad matcher");
  const Matcher* matchers[] = {matcher->get()};
  state.SetLabel((*matcher)->ToString());
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  SampleColumns columns(budget);
  auto querier = NewSourcesQuerier({lab->block}, kAll);
  int64_t items = 0;
  for (auto _ : state) {
    SelectRequest request;
    request.matchers = matchers;
    request.range = kAll;
    auto set = querier->Select(request, ctx);
    if (!set.ok()) return state.SkipWithError("select failed");
    for (size_t i = 0; i < (*set)->size(); ++i) {
      if (!read) {
        benchmark::DoNotOptimize((*set)->labels(i).data());
        ++items;
        continue;
      }
      if (!(*set)->Read(i, kAll, ctx, columns).ok()) {
        return state.SkipWithError("read failed");
      }
      items += static_cast<int64_t>(columns.size());
    }
  }
  state.SetItemsProcessed(items);
}

void BM_Select(benchmark::State& state) { Run(state, /*read=*/false); }
BENCHMARK(BM_Select)->DenseRange(0, 4)->Unit(benchmark::kMicrosecond);

void BM_SelectAndRead(benchmark::State& state) { Run(state, /*read=*/true); }
BENCHMARK(BM_SelectAndRead)->Arg(0)->Arg(4)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace narthex::tsdb
