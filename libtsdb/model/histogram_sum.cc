#include "narthex/model/histogram_sum.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "libtsdb/model/histogram_buckets.h"
#include "libtsdb/model/indexed_buckets.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

using Buckets = IndexedBuckets;

Buckets Sum(const Buckets& a, const Buckets& b, double sign) {
  Buckets out;
  out.reserve(a.size() + b.size());
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].index < b[j].index)) {
      out.push_back(a[i++]);
    } else if (i == a.size() || b[j].index < a[i].index) {
      out.push_back({b[j].index, sign * b[j].count});
      ++j;
    } else {
      out.push_back({a[i].index, a[i].count + sign * b[j].count});
      ++i;
      ++j;
    }
  }
  return out;
}

// --- The zero bucket.

double ZeroCountBelow(const FloatHistogram& h, double& threshold) {
  return narthex::ZeroCountBelow(
      h.zero_count, h.schema, ToBuckets(h.positive_spans, h.positive_buckets),
      ToBuckets(h.negative_spans, h.negative_buckets), threshold);
}

void DropBelow(double threshold, int32_t schema, Buckets& side) {
  size_t first = 0;
  while (first < side.size() &&
         BucketBound(side[first].index - 1, schema, {}) < threshold) {
    ++first;
  }
  side.erase(side.begin(), side.begin() + static_cast<std::ptrdiff_t>(first));
}

void WidenZeroBucket(FloatHistogram& h, double threshold) {
  h.zero_count = ZeroCountBelow(h, threshold);
  h.zero_threshold = threshold;
  Buckets positive = ToBuckets(h.positive_spans, h.positive_buckets);
  Buckets negative = ToBuckets(h.negative_spans, h.negative_buckets);
  DropBelow(threshold, h.schema, positive);
  DropBelow(threshold, h.schema, negative);
  FromBuckets(positive, h.positive_spans, h.positive_buckets);
  FromBuckets(negative, h.negative_spans, h.negative_buckets);
}

// Widens `h`'s zero bucket as far as `other`'s goes without cutting a full
// bucket of either; the zero count that `other` would have with the same.
double ReconcileZeroBuckets(FloatHistogram& h, const FloatHistogram& other) {
  double threshold = other.zero_threshold;
  double count = other.zero_count;
  while (threshold != h.zero_threshold) {
    if (h.zero_threshold > threshold) {
      threshold = h.zero_threshold;
      count = ZeroCountBelow(other, threshold);
    }
    if (threshold > h.zero_threshold) WidenZeroBucket(h, threshold);
  }
  return count;
}

// --- Custom bounds.

// The buckets on bounds of which all are among the histogram's own.
Buckets OnBounds(const Buckets& buckets, const std::vector<double>& own,
                 const std::vector<double>& bounds) {
  Buckets out;
  for (const IndexedBucket& bucket : buckets) {
    const auto i = static_cast<size_t>(bucket.index);
    const auto index = static_cast<int32_t>(
        i < own.size()
            ? std::lower_bound(bounds.begin(), bounds.end(), own[i]) -
                  bounds.begin()
            : static_cast<std::ptrdiff_t>(bounds.size()));
    if (!out.empty() && out.back().index == index) {
      out.back().count += bucket.count;
    } else {
      out.push_back({index, bucket.count});
    }
  }
  return out;
}

absl::StatusOr<HistogramSum> Combine(FloatHistogram& h,
                                     const FloatHistogram& other, double sign) {
  if (h.uses_custom_buckets() != other.uses_custom_buckets()) {
    return InvalidArgument(
        "cannot apply this operation on histograms with a mix of exponential "
        "and custom bucket schemas");
  }
  const bool custom = h.uses_custom_buckets();
  for (const FloatHistogram* side : {&std::as_const(h), &other}) {
    if (custom) continue;
    if (!IsExponentialSchema(side->schema)) return InvalidSchema(side->schema);
    if (!std::isfinite(side->zero_threshold)) {
      return InvalidArgument("zero threshold of histogram is not finite");
    }
  }
  HistogramSum combined;
  combined.hints_collide = CombineHints(h.hint, other.hint);
  if (!custom) h.zero_count += sign * ReconcileZeroBuckets(h, other);
  h.count += sign * other.count;
  h.sum += sign * other.sum;

  Buckets a = ToBuckets(h.positive_spans, h.positive_buckets);
  Buckets b = ToBuckets(other.positive_spans, other.positive_buckets);
  if (custom) {
    if (h.custom_values != other.custom_values) {
      combined.bounds_reconciled = true;
      std::vector<double> bounds;
      std::set_intersection(h.custom_values.begin(), h.custom_values.end(),
                            other.custom_values.begin(),
                            other.custom_values.end(),
                            std::back_inserter(bounds));
      a = OnBounds(a, h.custom_values, bounds);
      b = OnBounds(b, other.custom_values, bounds);
      h.custom_values = std::move(bounds);
    }
    FromBuckets(Sum(a, b, sign), h.positive_spans, h.positive_buckets);
    return combined;
  }

  Buckets c = ToBuckets(h.negative_spans, h.negative_buckets);
  Buckets d = ToBuckets(other.negative_spans, other.negative_buckets);
  const int32_t schema = std::min(h.schema, other.schema);
  for (Buckets* side : {&a, &c}) Coarsen(*side, h.schema, schema);
  for (Buckets* side : {&b, &d}) {
    Coarsen(*side, other.schema, schema);
    // In the zero bucket already.
    size_t first = 0;
    while (first < side->size() &&
           BucketBound((*side)[first].index, schema, {}) <= h.zero_threshold) {
      ++first;
    }
    side->erase(side->begin(),
                side->begin() + static_cast<std::ptrdiff_t>(first));
  }
  h.schema = schema;
  FromBuckets(Sum(a, b, sign), h.positive_spans, h.positive_buckets);
  FromBuckets(Sum(c, d, sign), h.negative_spans, h.negative_buckets);
  return combined;
}

}  // namespace

bool CombineHints(CounterResetHint& hint, CounterResetHint other) {
  using Hint = CounterResetHint;
  if (hint == other || hint == Hint::kGauge) return false;
  if (other == Hint::kGauge) {
    hint = Hint::kGauge;
    return false;
  }
  const bool collide = hint != Hint::kUnknown && other != Hint::kUnknown;
  hint = Hint::kUnknown;
  return collide;
}

absl::StatusOr<HistogramSum> AddTo(FloatHistogram& h,
                                   const FloatHistogram& other) {
  return Combine(h, other, 1);
}

absl::StatusOr<HistogramSum> SubtractFrom(FloatHistogram& h,
                                          const FloatHistogram& other) {
  return Combine(h, other, -1);
}

}  // namespace narthex
