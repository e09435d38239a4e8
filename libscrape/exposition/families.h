// The families of a page: what is said of a metric once, and its samples
// gathered to metrics (a histogram's buckets are one).
//
// One thread.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/model/labels.h"
#include "narthex/model/metadata.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

struct PageMetric {
  Labels labels = {};  // without name; of buckets and quantiles, without theirs
  size_t parts = 0;    // buckets or quantiles
  size_t times = 0;    // how often the page has it, but for its parts
};

struct PageFamily {
  std::string name = {};
  MetricType type = MetricType::kUnknown;
  bool has_type = false;
  bool has_help = false;
  bool empty_help = false;               // there, but without a text
  std::vector<PageMetric> metrics = {};  // in the page's order
};

// Those with samples, in the page's order.
absl::StatusOr<std::vector<PageFamily>> ReadFamilies(std::string_view page,
                                                     PageFormat format);

}  // namespace narthex::scrape
