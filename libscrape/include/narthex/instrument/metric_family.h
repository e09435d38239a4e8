// What a metric shows at one moment: families of metrics, as plain data, and
// how they are written in the formats that scrapers ask for.
//
// Values; pure functions; any thread.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narthex/base/time.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/histogram.h"
#include "narthex/model/labels.h"
#include "narthex/model/metadata.h"

namespace narthex::instrument {

struct BucketValue {
  double upper_bound = 0;
  uint64_t cumulative_count = 0;
  std::optional<Exemplar> exemplar = {};
};
struct QuantileValue {
  double quantile = 0;
  double value = 0;
};

// One series, or the series of one histogram or summary.
struct Metric {
  Labels labels = {};
  double value = 0;  // of a counter, gauge, unknown; an info's is 1
  std::optional<Exemplar> exemplar = {};  // of a counter

  uint64_t count = 0;  // of a histogram or summary
  double sum = 0;
  // Ascending; +Inf may be left out, it is `count` then.
  std::vector<BucketValue> buckets = {};
  std::vector<QuantileValue> quantiles = {};
  // The same observations as a native histogram; only protobuf shows it.
  std::optional<narthex::Histogram> native = {};
  std::vector<Exemplar> native_exemplars = {};

  std::optional<Timestamp> created = {};    // since when it counts
  std::optional<Timestamp> timestamp = {};  // none: that of the scrape
};

struct MetricFamily {
  // With `_total` (a counter) and `_info` (an info), as the text format has it.
  std::string name = {};
  std::string help = {};
  std::string unit = {};
  MetricType type = MetricType::kUnknown;
  std::vector<Metric> metrics = {};
};

enum class Format : uint8_t { kText, kOpenMetrics, kProtobuf };

struct WriteOptions {
  // OpenMetrics: `_created` series.  Prometheus takes them for series unless
  // told otherwise, so they are off; protobuf always has the times.
  bool created_series = false;
};

// A whole page.  Families must be valid: Registry::Gather's are.  Names beyond
// [a-zA-Z0-9_:] are written in quotes, as the text format 1.0.0 has it.
std::string WriteText(const std::vector<MetricFamily>& families);
std::string WriteOpenMetrics(const std::vector<MetricFamily>& families,
                             const WriteOptions& options = {});
std::string WriteProtobuf(const std::vector<MetricFamily>& families);

// The best format that an Accept header asks for; text if it asks for none that
// we know.
Format ChooseFormat(std::string_view accept);
// "text/plain; version=0.0.4; charset=utf-8", ...
std::string_view ContentType(Format format);

}  // namespace narthex::instrument
