#include "libpromql/exec/annotate.h"

#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

std::string ForMetric(std::string_view metric) {
  if (metric.empty()) return {};
  return StrCat(" for metric name ", GoQuote(metric));
}

}  // namespace

std::string MixedSamplesText(std::string_view metric) {
  return StrCat("encountered a mix of histograms and floats for metric name ",
                GoQuote(metric));
}
std::string MixedInAggregationText() {
  return "encountered a mix of histograms and floats for aggregation";
}
std::string IgnoredInRangeText(std::string_view metric) {
  return StrCat(
      "ignored histograms in a range containing both floats and histograms "
      "for metric name ",
      GoQuote(metric));
}
std::string IgnoredInAggregationText(std::string_view op) {
  return StrCat("ignored histogram in ", op, " aggregation");
}
std::string NotCounterText(std::string_view metric) {
  return StrCat(
      "metric might not be a counter, name does not end in "
      "_total/_sum/_count/_bucket: ",
      GoQuote(metric));
}
std::string NotCounterTypeText(std::string_view metric, std::string_view type) {
  return StrCat(
      "metric might not be a counter, __type__ label is not set to "
      "\"counter\" or \"histogram\", got ",
      GoQuote(type), ": ", GoQuote(metric));
}
std::string BadQuantileText(double q) {
  return StrCat("quantile value should be between 0 and 1, got ",
                FormatFloat(q));
}
std::string BadRatioText(double ratio, double capped) {
  return StrCat("ratio value should be between -1 and 1, got ",
                FormatFloat(ratio), ", capping to ", FormatFloat(capped));
}
std::string BadBucketLabelText(std::string_view metric, std::string_view le) {
  std::string text =
      StrCat("bucket label \"le\" is missing or has a malformed value of ",
             GoQuote(le));
  if (!metric.empty()) StrAppend(&text, " for metric name ", GoQuote(metric));
  return text;
}
std::string MixedClassicNativeText(std::string_view metric) {
  std::string text = "vector contains a mix of classic and native histograms";
  if (!metric.empty()) StrAppend(&text, " for metric name ", GoQuote(metric));
  return text;
}
std::string IncompatibleTypesText(std::string_view op, bool left_histogram,
                                  bool right_histogram) {
  return StrCat("incompatible sample types encountered for binary operator ",
                GoQuote(op), ": ", left_histogram ? "histogram" : "float", " ",
                op, " ", right_histogram ? "histogram" : "float");
}
std::string SortInRangeQueryText() {
  return "sort is ineffective for range queries since results are always "
         "ordered by labels";
}

std::string MixedSchemasText(std::string_view metric) {
  return StrCat(
      "vector contains a mix of histograms with exponential and custom buckets "
      "schemas for metric name ",
      GoQuote(metric));
}
std::string NativeNoCounterText(std::string_view metric) {
  return StrCat("this native histogram metric is not a counter: ",
                GoQuote(metric));
}
std::string NativeNoGaugeText(std::string_view metric) {
  return StrCat("this native histogram metric is not a gauge: ",
                GoQuote(metric));
}
std::string IncompatibleLayoutText(std::string_view op) {
  return StrCat("incompatible bucket layout encountered for binary operator ",
                op);
}
std::string ConflictingResetsText(std::string_view what) {
  return StrCat("conflicting counter resets during histogram ", what);
}
std::string ReconciledBoundsText(std::string_view what) {
  return StrCat("mismatched custom buckets were reconciled during ", what);
}
std::string OverlappingStartText(std::string_view metric, int64_t n) {
  std::string text = StrCat(
      "sample has start time that overlaps with previous sample timestamp for "
      "metric ",
      GoQuote(metric));
  if (n > 1) StrAppend(&text, " (", n, " occurrences)");
  return text;
}
std::string NanQuantileText(std::string_view metric, bool result_is_nan) {
  return StrCat("input to histogram_quantile has NaN observations, result is ",
                result_is_nan ? "NaN" : "skewed higher", ForMetric(metric));
}
std::string NanFractionText(std::string_view metric) {
  return StrCat(
      "input to histogram_fraction has NaN observations, which are excluded "
      "from all fractions",
      ForMetric(metric));
}

bool LooksLikeCounter(std::string_view metric) {
  return metric.ends_with("_total") || metric.ends_with("_sum") ||
         metric.ends_with("_count") || metric.ends_with("_bucket");
}

}  // namespace narthex::promql
