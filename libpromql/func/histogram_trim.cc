// `</` and `>/`: observations below, or above, a threshold.  Buckets that the
// threshold cuts are kept in part; what stands for a bucket's observations in
// the new sum is the middle of what is kept of it.

#include <algorithm>
#include <cmath>

#include "libpromql/func/histogram_functions.h"
#include "libpromql/func/histogram_row.h"

namespace narthex::promql {
namespace {

struct Kept {
  double count = 0;
  double middle = 0;
};

double Middle(double lower, double upper, bool positive, bool linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double mean = std::sqrt(std::fabs(lower * upper));
  return positive ? mean : -mean;
}

class Trim {
 public:
  Trim(double threshold, bool keep_below, FloatHistogram& h)
      : threshold_(threshold),
        keep_below_(keep_below),
        linear_(h.uses_custom_buckets()),
        h_(h) {}

  void Run() {
    const bool positive = Side(h_.positive_spans, h_.positive_buckets, true);
    const bool negative = Side(h_.negative_spans, h_.negative_buckets, false);
    if (h_.zero_count > 0) {
      const Kept kept = ZeroBucket(positive, negative);
      trimmed_ |= h_.zero_count != kept.count;
      h_.zero_count = kept.count;
      Count(kept);
    }
    if (!trimmed_) return;
    h_.count = count_;
    h_.sum = sum_;
    CompactFully(h_);
  }

 private:
  void Count(const Kept& kept) {
    count_ += kept.count;
    sum_ += kept.middle * kept.count;
  }

  // True: some of its buckets were full.
  bool Side(const std::vector<Span>& spans, std::vector<double>& counts,
            bool positive) {
    bool any = false;
    int64_t index = 0;
    size_t i = 0;
    for (const Span& span : spans) {
      index += span.offset;
      for (uint32_t k = 0; k < span.length; ++k, ++index, ++i) {
        if (counts[i] == 0) continue;
        any = true;
        Bucket(static_cast<int32_t>(index), positive, counts[i]);
      }
    }
    return any;
  }

  void Bucket(int32_t index, bool positive, double& count) {
    double lower = BucketBound(index - 1, h_.schema, h_.custom_values);
    double upper = BucketBound(index, h_.schema, h_.custom_values);
    if (!positive) {
      std::swap(lower, upper);
      lower = -lower;
      upper = -upper;
    }
    const bool inside = keep_below_ ? upper <= threshold_ : lower >= threshold_;
    const bool cut = keep_below_ ? lower < threshold_ : upper > threshold_;
    if (inside) {
      Count({count, Middle(lower, upper, positive, linear_)});
      return;
    }
    if (!cut) {
      count = 0;
      trimmed_ = true;
      return;
    }
    const Kept kept = Part(lower, upper, count, positive);
    Count(kept);
    trimmed_ |= count != kept.count;
    count = kept.count;
  }

  // Of a bucket that the threshold cuts.
  Kept Part(double lower, double upper, double count, bool positive) const {
    if (std::isinf(lower) && lower < 0) return PartFromBelow(upper, count);
    if (std::isinf(upper) && upper > 0) {
      // Nobody knows how its observations lie: below the threshold, there may
      // be none.
      if (keep_below_ || threshold_ < lower) return {0, lower};
      return {count, threshold_};
    }
    double below = 0;
    if (threshold_ >= upper) {
      below = count;
    } else if (threshold_ > lower) {
      below = count * FractionBelow(threshold_, lower, upper, linear_);
    }
    if (keep_below_) {
      return {below, Middle(lower, threshold_, positive, linear_)};
    }
    return {count - below, Middle(threshold_, upper, positive, linear_)};
  }

  // Of the first custom bucket, which has no lower bound: 0 if that makes
  // sense.
  Kept PartFromBelow(double upper, double count) const {
    const double bound = std::isinf(upper) ? 0 : upper;
    if (keep_below_) {
      if (threshold_ >= upper) return {count, 0};
      if (threshold_ > 0 && upper > 0 && !std::isinf(upper)) {
        return {count * threshold_ / upper, threshold_ / 2};
      }
      if (upper <= 0) return {count, threshold_};
      return {0, bound};
    }
    if (std::isinf(threshold_) && threshold_ < 0) return {count, 0};
    if (threshold_ >= 0 && upper > threshold_ && !std::isinf(upper)) {
      return {count * (1 - threshold_ / upper), (threshold_ + upper) / 2};
    }
    return {0, bound};
  }

  Kept ZeroBucket(bool positive, bool negative) const {
    double lower = -h_.zero_threshold, upper = h_.zero_threshold;
    if (negative && !positive) upper = 0;
    if (positive && !negative) lower = 0;
    const double count = h_.zero_count;
    const bool all = keep_below_ ? threshold_ > lower && threshold_ >= upper
                                 : threshold_ <= lower;
    const bool none = keep_below_ ? threshold_ <= lower : threshold_ >= upper;
    if (all) return {count, (lower + upper) / 2};
    if (none) return {0, 0};
    const double fraction = keep_below_
                                ? (threshold_ - lower) / (upper - lower)
                                : (upper - threshold_) / (upper - lower);
    const double middle =
        keep_below_ ? (lower + threshold_) / 2 : (threshold_ + upper) / 2;
    return {count * fraction, middle};
  }

  const double threshold_;
  const bool keep_below_, linear_;
  FloatHistogram& h_;
  double count_ = 0, sum_ = 0;
  bool trimmed_ = false;
};

}  // namespace

void TrimHistogram(double threshold, bool keep_below, FloatHistogram& h) {
  Trim(threshold, keep_below, h).Run();
}

}  // namespace narthex::promql
