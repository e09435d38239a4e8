// Classic histograms as native ones with custom buckets (NHCB), as Prometheus
// converts them: series `h_bucket`, `h_count` and `h_sum` become `h`.
//
// Pure functions.

#pragma once

#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/model/labels.h"
#include "narthex/model/series.h"

namespace narthex::testing {

// One series per classic histogram among `series`; the others don't matter.
// Refuses counts that are negative or fall from one bucket to the next.
absl::StatusOr<std::vector<SeriesData>> ToCustomBuckets(
    const std::map<Labels, SeriesData>& series);

}  // namespace narthex::testing
