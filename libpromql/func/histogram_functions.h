// What is asked of one native histogram: quantiles, fractions, variance
// (promql.md 1.7, 1.9).
//
// Pure; any thread, each with its own list of buckets.

#pragma once

#include <cstdint>
#include <vector>

#include "narthex/model/histogram_view.h"

namespace narthex::promql {

// All buckets of a histogram from the lowest to the highest, without their
// bounds, which cost more than the counts.
class BucketList {
 public:
  struct Bucket {
    double lower = 0, upper = 0;
    double count = 0;
  };

  // Borrows the view's layout.
  void Fill(const HistogramView& h);
  size_t size() const { return entries_.size(); }
  double count(size_t i) const { return entries_[i].count; }
  bool is_zero_bucket(size_t i) const { return entries_[i].side == 0; }
  // With its bounds.
  Bucket At(size_t i) const;

 private:
  struct Entry {
    double count = 0;
    int32_t index = 0;
    int8_t side = 0;  // -1: negative, 0: the zero bucket
  };
  const HistogramLayout* layout_ = nullptr;
  std::vector<Entry> entries_;
};

// What there is to remark on an answer.
enum class NanNote : uint8_t {
  kNone,
  kResultIsNan,  // the rank lies among NaN observations
  kSkewed,       // NaN observations count as the highest
};

double HistogramQuantile(double q, const HistogramView& h, BucketList& buckets,
                         NanNote& note);
// kSkewed: there are NaN observations, which are in no fraction.
double HistogramFraction(double lower, double upper, const HistogramView& h,
                         BucketList& buckets, NanNote& note);
double HistogramVariance(const HistogramView& h, BucketList& buckets);

// Keeps observations below `threshold` (above: the others), as far as buckets
// tell.
void TrimHistogram(double threshold, bool keep_below, FloatHistogram& h);

// The part of a bucket that lies below v, which is within its finite bounds.
double FractionBelow(double v, double lower, double upper, bool linear);

}  // namespace narthex::promql
