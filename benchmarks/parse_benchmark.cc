// A page of metrics: series text, value and time; with and without labels.

#include <benchmark/benchmark.h>

#include <string>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {
namespace {

std::string MakePage(PageFormat format) {
  std::string page;
  for (int m = 0; m < 50; ++m) {
    const std::string name = StrCat("kube_pod_container_metric_", m);
    StrAppend(&page, "# HELP ", name, " Something that is counted.\n");
    StrAppend(&page, "# TYPE ", name, " gauge\n");
    for (int i = 0; i < 20; ++i) {
      StrAppend(&page, name, "{namespace=\"payments\",pod=\"cart-7d9f8b6c5-x",
                i, "\",uid=\"1b4e28ba-2fa1-11d2-883f-0016d3cca4", 10 + i,
                "\",container=\"app\"} ", (m * 7919 + i * 31) % 100000,
                i % 3 == 0 ? ".25" : "", "\n");
    }
  }
  if (format == PageFormat::kOpenMetrics) page += "# EOF\n";
  return page;
}

void Parse(benchmark::State& state, PageFormat format, bool labels) {
  const std::string page = MakePage(format);
  LabelsScratch scratch;
  int64_t samples = 0;
  for (auto _ : state) {
    ExpositionParser parser(page, format);
    double sum = 0;
    for (auto entry = parser.Next(); entry != ExpositionParser::Entry::kEnd;
         entry = parser.Next()) {
      if (entry != ExpositionParser::Entry::kSeries) continue;
      sum += parser.value();
      ++samples;
      if (labels) {
        parser.GetLabels(scratch);
        scratch.Sort();
      }
    }
    if (!parser.status().ok()) return state.SkipWithError("bad page");
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(samples);
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(page.size()));
}

void BM_ParseText(benchmark::State& state) {
  Parse(state, PageFormat::kText, state.range(0) != 0);
}
BENCHMARK(BM_ParseText)->ArgName("labels")->Arg(0)->Arg(1);

void BM_ParseOpenMetrics(benchmark::State& state) {
  Parse(state, PageFormat::kOpenMetrics, state.range(0) != 0);
}
BENCHMARK(BM_ParseOpenMetrics)->ArgName("labels")->Arg(0)->Arg(1);

}  // namespace
}  // namespace narthex::scrape
