// Sums and differences of float histograms whose layouts may differ: the
// coarser schema, the wider zero bucket, the common custom bounds.
//
// Pure functions, any thread.

#pragma once

#include "absl/status/statusor.h"
#include "narthex/model/float_histogram.h"

namespace narthex {

// What is worth a warning, or a remark, after an addition.
struct HistogramSum {
  bool hints_collide = false;      // reset on one side, not on the other
  bool bounds_reconciled = false;  // only bounds that both had are left
};

// h += other, h -= other.  Empty buckets may remain.  Refused, and nothing
// changed: one of the two has custom buckets, the other exponential ones; a
// schema that doesn't exist; a zero threshold that isn't finite.
absl::StatusOr<HistogramSum> AddTo(FloatHistogram& h,
                                   const FloatHistogram& other);
absl::StatusOr<HistogramSum> SubtractFrom(FloatHistogram& h,
                                          const FloatHistogram& other);

// What a sum's hint becomes with another summand's.  True: they collide.
bool CombineHints(CounterResetHint& hint, CounterResetHint other);

}  // namespace narthex
