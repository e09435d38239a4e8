// The words of warnings and infos, as Prometheus puts them; what they are about
// is known to the operators.
//
// Pure; any thread.

#pragma once

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

// Ends in _total, _sum, _count or _bucket.
bool LooksLikeCounter(std::string_view metric);

}  // namespace narthex::promql
