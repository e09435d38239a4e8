// Lines of series, with or without start timestamps, as samples.
//
// Pure functions.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/series.h"

namespace narthex::testing {

// `lines[i]` is line `first_line` + i of its file.  A line whose metric ends in
// `@st` gives the start timestamps of the next line.
absl::StatusOr<std::vector<SeriesData>> ReadSeries(
    const std::vector<std::string_view>& lines, Duration step, int first_line);

}  // namespace narthex::testing
