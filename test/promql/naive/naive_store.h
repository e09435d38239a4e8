// The random queries' vocabulary as data: ten minutes of it, floats and native
// histograms, with resets, gaps, staleness, changing schemas and start times.
// The same at every call.

#pragma once

#include <vector>

#include "narthex/model/series.h"

namespace narthex::promql::naive {

inline constexpr int kScrapes = 40;  // 15 s apart, from the epoch

std::vector<SeriesData> Vocabulary();

}  // namespace narthex::promql::naive
