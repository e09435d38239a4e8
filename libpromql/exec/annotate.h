// The words of warnings and infos, as Prometheus puts them; what they are about
// is known to the operators.
//
// Pure; any thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace narthex::promql {

// Names of metrics whose name was dropped are "".
std::string MixedSamplesText(std::string_view metric);
std::string MixedInAggregationText();
std::string IgnoredInRangeText(std::string_view metric);
std::string IgnoredInAggregationText(std::string_view op);
std::string NotCounterText(std::string_view metric);
std::string NotCounterTypeText(std::string_view metric, std::string_view type);
std::string BadQuantileText(double q);
std::string BadRatioText(double ratio, double capped);
std::string BadBucketLabelText(std::string_view metric, std::string_view le);
std::string MixedClassicNativeText(std::string_view metric);
std::string IncompatibleTypesText(std::string_view op, bool left_histogram,
                                  bool right_histogram);
std::string SortInRangeQueryText();
// Exponential and custom buckets.
std::string MixedSchemasText(std::string_view metric);
std::string NativeNoCounterText(std::string_view metric);
std::string NativeNoGaugeText(std::string_view metric);
std::string IncompatibleLayoutText(std::string_view op);
// `what`: "addition", "subtraction", "aggregation".
std::string ConflictingResetsText(std::string_view what);
std::string ReconciledBoundsText(std::string_view what);
std::string OverlappingStartText(std::string_view metric, int64_t n);
// Of histogram_quantile and histogram_fraction; `metric` may be empty.
std::string NanQuantileText(std::string_view metric, bool result_is_nan);
std::string NanFractionText(std::string_view metric);

// Ends in _total, _sum, _count or _bucket.
bool LooksLikeCounter(std::string_view metric);

}  // namespace narthex::promql
