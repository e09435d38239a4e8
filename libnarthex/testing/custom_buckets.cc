#include "libnarthex/testing/custom_buckets.h"

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"

namespace narthex::testing {
namespace {

// What the classic series say of one moment.
struct Classic {
  std::map<double, double> buckets = {};  // upper bound to cumulative count
  std::optional<double> count = {};
  double sum = 0;
};

absl::StatusOr<FloatHistogram> Convert(Classic classic) {
  double before = 0;
  for (const auto& [bound, count] : classic.buckets) {
    if (count < 0) {
      return InvalidArgument(
          StrCat("bucket count must be non-negative: le=", FormatFloat(bound),
                 ", count=", FormatFloat(count)));
    }
    if (count < before) {
      return InvalidArgument(
          StrCat("count is not cumulative: ", FormatFloat(count), " < ",
                 FormatFloat(before)));
    }
    before = count;
  }
  if (classic.count && *classic.count < 0) {
    return InvalidArgument(StrCat("count must be non-negative: count=",
                                  FormatFloat(*classic.count)));
  }
  // The last bucket and the count stand in for one another.
  const double count = classic.count ? *classic.count : before;
  const double all = classic.buckets.emplace(HUGE_VAL, count).first->second;
  if (count != all) {
    return InvalidArgument(StrCat("count mismatch: count=", FormatFloat(count),
                                  " != le=+Inf count=", FormatFloat(all)));
  }
  FloatHistogram histogram;
  histogram.schema = kCustomBucketsSchema;
  histogram.count = count;
  histogram.sum = classic.sum;
  histogram.positive_spans = {
      {0, static_cast<uint32_t>(classic.buckets.size())}};
  before = 0;
  for (const auto& [bound, cumulative] : classic.buckets) {
    histogram.positive_buckets.push_back(cumulative - before);
    before = cumulative;
    if (bound != HUGE_VAL) histogram.custom_values.push_back(bound);
  }
  histogram.Compact();
  NARTHEX_RETURN_IF_ERROR(histogram.Validate());
  return histogram;
}

}  // namespace

absl::StatusOr<std::vector<SeriesData>> ToCustomBuckets(
    const std::map<Labels, SeriesData>& series) {
  std::map<Labels, std::map<Timestamp, Classic>> found;
  for (const auto& [labels, data] : series) {
    std::string_view name = labels.name();
    auto eat = [&name](std::string_view suffix) {
      const bool has = name.ends_with(suffix);
      if (has) name.remove_suffix(suffix.size());
      return has;
    };
    const bool is_bucket = eat("_bucket");
    const bool is_sum = !is_bucket && eat("_sum");
    const bool is_count = !is_bucket && !is_sum && eat("_count");
    if (!is_bucket && !is_sum && !is_count) continue;
    double bound = 0;
    if (is_bucket &&
        (!ParseGoFloat(labels.Get(kBucketLabel), bound) || std::isnan(bound))) {
      continue;
    }
    LabelsBuilder base(labels);
    base.Set(kMetricName, name);
    base.Del(kBucketLabel);
    std::map<Timestamp, Classic>& moments = found[base.Build()];
    for (const Sample& sample : data.floats) {
      Classic& classic = moments[sample.t];
      if (is_bucket) classic.buckets.emplace(bound, sample.v);
      if (is_sum) classic.sum = sample.v;
      if (is_count) classic.count = sample.v;
    }
  }
  std::vector<SeriesData> out;
  for (auto& [labels, moments] : found) {
    SeriesData& data = out.emplace_back();
    data.labels = labels;
    for (auto& [t, classic] : moments) {
      NARTHEX_ASSIGN_OR_RETURN(FloatHistogram histogram,
                               Convert(std::move(classic)));
      data.histograms.emplace_back(t, std::move(histogram));
    }
  }
  return out;
}

}  // namespace narthex::testing
