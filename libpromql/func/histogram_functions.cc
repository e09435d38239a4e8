#include "libpromql/func/histogram_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "libpromql/func/kahan.h"

namespace narthex::promql {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Calls visit(index) for every bucket of the spans, in order.
template <typename Visit>
void VisitIndices(const std::vector<Span>& spans, Visit visit) {
  int64_t index = 0;
  for (const Span& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i) {
      visit(static_cast<int32_t>(index++));
    }
  }
}

// Only positive or only negative buckets: then the zero bucket is on their
// side.
void NarrowZeroBucket(const HistogramLayout& layout,
                      BucketList::Bucket& bucket) {
  const bool positive = layout.positive_buckets > 0;
  const bool negative = layout.negative_buckets > 0;
  if (positive && !negative) bucket.lower = 0;
  if (negative && !positive) bucket.upper = 0;
}

}  // namespace

void BucketList::Fill(const HistogramView& h) {
  layout_ = &h.layout();
  entries_.clear();
  size_t i = 0;
  VisitIndices(layout_->negative_spans, [&](int32_t index) {
    entries_.push_back({h.negative()[i++], index, -1});
  });
  std::reverse(entries_.begin(), entries_.end());
  if (h.zero_count > 0) entries_.push_back({h.zero_count, 0, 0});
  i = 0;
  VisitIndices(layout_->positive_spans, [&](int32_t index) {
    entries_.push_back({h.positive()[i++], index, 1});
  });
}

BucketList::Bucket BucketList::At(size_t i) const {
  const Entry& entry = entries_[i];
  if (entry.side == 0) {
    return {-layout_->zero_threshold, layout_->zero_threshold, entry.count};
  }
  double lower =
      BucketBound(entry.index - 1, layout_->schema, layout_->custom_values);
  // A bucket that the zero bucket cuts ends there.
  if (lower > 0 && lower < layout_->zero_threshold) {
    lower = layout_->zero_threshold;
  }
  const double upper =
      BucketBound(entry.index, layout_->schema, layout_->custom_values);
  if (entry.side < 0) return {-upper, -lower, entry.count};
  return {lower, upper, entry.count};
}

double FractionBelow(double v, double lower, double upper, bool linear) {
  if (linear) return (v - lower) / (upper - lower);
  // Bounds of exponential buckets are evenly spaced on a logarithmic scale.
  const double log_lower = std::log2(std::fabs(lower));
  const double log_upper = std::log2(std::fabs(upper));
  const double log_v = std::log2(std::fabs(v));
  if (v > 0) return (log_v - log_lower) / (log_upper - log_lower);
  return 1 - (log_v - log_upper) / (log_lower - log_upper);
}

double HistogramQuantile(double q, const HistogramView& h, BucketList& buckets,
                         NanNote& note) {
  note = NanNote::kNone;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  if (h.count == 0 || std::isnan(q)) return kNaN;

  // From the nearer end; NaN observations are beyond the upper one.
  const bool upwards = std::isnan(h.sum) || q < 0.5;
  const bool custom = h.uses_custom_buckets();
  buckets.Fill(h);
  const size_t n = buckets.size();
  double rank = upwards ? q * h.count : (1 - q) * h.count;
  double count = 0;
  size_t walked = 0, at = 0;
  while (walked < n) {
    at = upwards ? walked : n - 1 - walked;
    ++walked;
    if (buckets.count(at) == 0) continue;
    count += buckets.count(at);
    if (count >= rank) break;
  }
  BucketList::Bucket bucket;
  if (n > 0) bucket = buckets.At(at);
  if (custom) {
    if (bucket.lower == -kInf) {
      if (bucket.upper <= 0) return bucket.upper;
      bucket.lower = 0;
    } else if (bucket.upper == kInf) {
      return bucket.lower;
    }
  } else if (bucket.lower < 0 && bucket.upper > 0) {
    NarrowZeroBucket(h.layout(), bucket);
  }
  // Rounding may have made it more.
  if (count > h.count) count = h.count;
  if (count < rank) {
    if (!std::isnan(h.sum)) return bucket.upper;
    note = NanNote::kResultIsNan;
    return kNaN;
  }
  rank = upwards ? rank - (count - bucket.count) : count - rank;
  if (std::isnan(h.sum)) {
    BucketList::Bucket last = bucket;
    for (; walked < n; ++walked) {
      last = buckets.At(walked);
      count += last.count;
    }
    // Else infinities of both signs have made it NaN.
    if (count < h.count) note = NanNote::kSkewed;
    // Prometheus goes on with the bucket at which its walk has ended.
    bucket = last;
  }
  const double fraction = rank / bucket.count;
  if (custom || (bucket.lower <= 0 && bucket.upper >= 0)) {
    return bucket.lower + (bucket.upper - bucket.lower) * fraction;
  }
  const double log_lower = std::log2(std::fabs(bucket.lower));
  const double log_upper = std::log2(std::fabs(bucket.upper));
  if (bucket.lower > 0) {
    return std::exp2(log_lower + (log_upper - log_lower) * fraction);
  }
  return -std::exp2(log_upper + (log_lower - log_upper) * (1 - fraction));
}

double HistogramFraction(double lower, double upper, const HistogramView& h,
                         BucketList& buckets, NanNote& note) {
  note = NanNote::kNone;
  if (h.count == 0 || std::isnan(lower) || std::isnan(upper)) return kNaN;
  if (lower >= upper) return 0;

  const bool custom = h.uses_custom_buckets();
  buckets.Fill(h);
  double count = 0, rank = 0;
  // Observations at most `value`, once the walk has come there.
  struct End {
    double value;
    double rank = 0;
    bool known = false;
  };
  End low{lower}, high{upper};
  size_t i = 0;
  for (; i < buckets.size(); ++i) {
    BucketList::Bucket bucket = buckets.At(i);
    count += bucket.count;
    bool linear = custom;
    if (bucket.lower <= 0 && bucket.upper >= 0) {
      NarrowZeroBucket(h.layout(), bucket);
      linear = true;
    }
    for (End* end : {&low, &high}) {
      if (end->known || bucket.lower < end->value) continue;
      end->rank = rank;
      end->known = true;
    }
    if (low.known && high.known) {
      ++i;
      break;
    }
    for (End* end : {&low, &high}) {
      if (end->known || !(bucket.lower < end->value) ||
          !(bucket.upper > end->value)) {
        continue;
      }
      end->known = true;
      if (linear && bucket.lower == -kInf) {
        end->rank = bucket.count;
      } else {
        end->rank =
            rank + bucket.count * FractionBelow(end->value, bucket.lower,
                                                bucket.upper, linear);
      }
    }
    if (low.known && high.known) {
      ++i;
      break;
    }
    rank += bucket.count;
  }
  if (std::isnan(h.sum)) {
    for (; i < buckets.size(); ++i) count += buckets.count(i);
    if (count < h.count) note = NanNote::kSkewed;
  } else {
    count = h.count;
  }
  for (End* end : {&low, &high}) {
    if (!end->known || end->rank > count) end->rank = count;
  }
  return (high.rank - low.rank) / h.count;
}

double HistogramVariance(const HistogramView& h, BucketList& buckets) {
  const double mean = h.sum / h.count;
  const bool custom = h.uses_custom_buckets();
  KahanSum variance;
  buckets.Fill(h);
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (buckets.count(i) == 0) continue;
    const BucketList::Bucket bucket = buckets.At(i);
    // Where its observations are taken to be.
    double v = 0;
    if (custom) {
      v = (bucket.upper + bucket.lower) / 2.0;
    } else if (bucket.lower > 0 || bucket.upper < 0) {
      v = std::sqrt(bucket.upper * bucket.lower);
      if (bucket.upper < 0) v = -v;
    }
    const double delta = v - mean;
    variance.Add(bucket.count * delta * delta);
  }
  return (variance.sum + variance.c) / h.count;
}

}  // namespace narthex::promql
