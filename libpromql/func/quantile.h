// Quantiles: of plain values, and of classic histograms.
//
// Pure; any thread.

#pragma once

#include <span>
#include <vector>

namespace narthex::promql {

// Sorts as PromQL does: NaN lowest, equal values stay in order.
void SortForQuantile(std::vector<double>& values);
// Of sorted values.  NaN if there are none or q is NaN; -Inf below 0, +Inf
// above 1; linear between neighbours.
double QuantileOfSorted(double q, std::span<const double> sorted);

// A bucket of a classic histogram: how many observations are <= upper_bound.
struct ClassicBucket {
  double upper_bound = 0;
  double count = 0;
};

struct ClassicQuantile {
  double value = 0;
  // The counts were not monotonic by more than rounding, and were repaired.
  bool forced_monotonic = false;
  double min_bucket = 0, max_bucket = 0, max_diff = 0;
};

// Takes buckets sorted by bound; changes them (merges equal bounds, repairs
// monotonicity).
ClassicQuantile QuantileOfBuckets(double q, std::vector<ClassicBucket>& sorted);

// Whether `fraction` of the observations lie in (lower, upper], likewise.
double FractionOfBuckets(double lower, double upper,
                         std::vector<ClassicBucket>& sorted);

}  // namespace narthex::promql
