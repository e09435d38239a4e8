// Buckets with their indices, ascending: easier to merge, coarsen and cut than
// spans.
//
// Functions; any thread.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "narthex/model/float_histogram.h"

namespace narthex {

struct IndexedBucket {
  int32_t index = 0;
  double count = 0;
};
using IndexedBuckets = std::vector<IndexedBucket>;

IndexedBuckets ToBuckets(std::span<const Span> spans,
                         std::span<const double> counts);
void FromBuckets(const IndexedBuckets& buckets, std::vector<Span>& spans,
                 std::vector<double>& counts);

// Neighbours that become one bucket of the coarser schema are added up.
void Coarsen(IndexedBuckets& buckets, int32_t from, int32_t to);

// The zero count with a threshold of at least `threshold`, which is raised
// until it cuts no full bucket.
double ZeroCountBelow(double zero_count, int32_t schema,
                      const IndexedBuckets& positive,
                      const IndexedBuckets& negative, double& threshold);

}  // namespace narthex
