// The native histogram with float counts: what PromQL calculates with.  Buckets
// are absolute counts, in the order of the spans.
//
// Values; one thread each.  The algebra (addition, resolution, resets, trim)
// is that of promql.md 1.5, 1.8 and 1.11; order of additions is part of it.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "narthex/model/histogram.h"

namespace narthex {

class FloatHistogram {
 public:
  CounterResetHint hint = CounterResetHint::kUnknown;
  int32_t schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  std::vector<Span> positive_spans = {};
  std::vector<Span> negative_spans = {};
  std::vector<double> positive_buckets = {};
  std::vector<double> negative_buckets = {};
  std::vector<double> custom_values = {};

  bool uses_custom_buckets() const { return schema == kCustomBucketsSchema; }
  absl::Status Validate() const;
  // Equal bits of every number, layouts equal but for empty spans; the hint
  // doesn't count.
  bool SameAs(const FloatHistogram& other) const;
  // Removes empty buckets; keeps up to `max_empty` between full ones.
  void Compact(int max_empty = 0);

  // `{count:12, sum:18.4, (0.5,1]:3, ...}`: count_values and text results.
  std::string ToString() const;
  // `{{schema:1 count:12 ...}}`: the tests' notation (promql.md 2.1).
  std::string ToTestString() const;

  // One bucket with its bounds.
  struct Bucket {
    double lower = 0, upper = 0;
    bool lower_inclusive = false, upper_inclusive = false;
    double count = 0;
    int32_t index = 0;
  };
  // Non-empty buckets from the lowest to the highest, the zero bucket among
  // them.
  std::vector<Bucket> AllBuckets() const;
};

// Upper bound of bucket `index` of a schema; `custom_values` for schema -53.
double BucketBound(int32_t index, int32_t schema,
                   const std::vector<double>& custom_values);

}  // namespace narthex
