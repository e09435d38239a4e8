// Histograms of a few buckets, for tests.

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "narthex/model/float_histogram.h"

namespace narthex {

// Positive buckets alone, behind each other, the first one at `offset`; their
// counts add up, and the sum is 10.
inline FloatHistogram SmallHistogram(std::vector<double> buckets,
                                     int32_t offset = 1) {
  FloatHistogram h;
  for (double n : buckets) h.count += n;
  h.sum = 10;
  h.positive_spans = {{offset, static_cast<uint32_t>(buckets.size())}};
  h.positive_buckets = std::move(buckets);
  return h;
}

inline FloatHistogram SmallCustomHistogram(std::vector<double> bounds,
                                           std::vector<double> buckets) {
  FloatHistogram h = SmallHistogram(std::move(buckets), 0);
  h.schema = kCustomBucketsSchema;
  h.custom_values = std::move(bounds);
  return h;
}

}  // namespace narthex
