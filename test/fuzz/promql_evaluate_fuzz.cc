// Any query over a tiny store: an answer or an error, soon, within the budget,
// and the same the next time.

#include <memory>
#include <string>
#include <vector>

#include "narthex/model/series.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/parser.h"
#include "test/support/fuzz_target.h"

namespace {

using narthex::Queryable;
using narthex::SeriesData;
using narthex::Timestamp;
using namespace narthex::promql;

std::unique_ptr<Queryable> NewTinyStore() {
  static constexpr const char* kSeries[] = {
      "m{a=\"1\",b=\"x\"} 0+10x12 3 4+1x6",
      "m{a=\"2\",b=\"x\"} 5 _ 7 stale 8 NaN Inf -Inf 0-1x11",
      "m{a=\"2\",b=\"y\"} -1x20",
      "up{a=\"1\"} 1 0 1 0 1x16",
      "c_bucket{le=\"1\"} 0+1x20",
      "c_bucket{le=\"2\"} 0+3x20",
      "c_bucket{le=\"+Inf\"} 0+4x20",
      "h_total{a=\"1\"} {{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.001 "
      "buckets:[1 2]}}+{{schema:0 sum:5 count:4 buckets:[1 1]}}x12 5 6",
      "n{a=\"1\"} {{schema:-53 sum:5 count:4 custom_values:[1 2] buckets:[1 2 "
      "1]}}x20",
      "target_info{job=\"j\",instance=\"i\",data=\"d\"} 1x20",
      "w{job=\"j\",instance=\"i\"} 0+1x20",
  };
  std::vector<SeriesData> rows;
  for (const char* line : kSeries) {
    auto described = ParseSeriesDescription(line);
    NARTHEX_FUZZ_CHECK(described.ok(), line);
    SeriesData row;
    row.labels = described->labels;
    Timestamp t = 0;
    for (const SeriesValue& value : described->values) {
      if (value.histogram != nullptr) {
        row.histograms.emplace_back(t, *value.histogram);
      } else if (!value.omitted) {
        row.floats.push_back({t, value.value});
      }
      t = t + narthex::Duration(30'000);
    }
    rows.push_back(std::move(row));
  }
  return narthex::NewMemoryQueryable(std::move(rows));
}

EngineOptions Options() {
  EngineOptions options;
  options.experimental_functions = true;
  options.extended_range_selectors = true;
  options.binop_fill_modifiers = true;
  options.delayed_name_removal = true;
  options.max_samples = 50'000;
  options.max_bytes = size_t{16} << 20;
  options.timeout = narthex::Duration(5'000);
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto store = NewTinyStore();
  static const Engine engine(Options());
  const std::string_view query = narthex::test::FuzzText(data, size);

  auto at = engine.Instant(*store, query, Timestamp(330'000));
  auto steps =
      engine.Range(*store, query, {60'000, 600'000}, narthex::Duration(45'000));
  if (at.ok()) ToString(at->value);
  if (steps.ok()) {
    // Twice the same, to the last bit.
    auto again = engine.Range(*store, query, {60'000, 600'000},
                              narthex::Duration(45'000));
    NARTHEX_FUZZ_CHECK(!again.ok() || SameBits(steps->value, again->value),
                       ToString(steps->value) + "\n" + ToString(again->value));
  }
  return 0;
}
