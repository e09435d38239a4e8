// What is done to native histograms before they are stored: empty buckets go,
// resolution is given up where a limit asks for it.
//
// Functions; any thread.  Layouts come from outside and may be wrong: nothing
// here trusts them.  One whose spans don't fit its buckets, or go backwards, is
// left as it is, for Validate() to refuse.

#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"

namespace narthex::scrape {

// Drops empty buckets; of a run of up to `max_empty` between full ones the
// buckets stay, or come into being.
void CompactHistogram(Histogram& h, uint32_t max_empty);
void CompactHistogram(FloatHistogram& h, uint32_t max_empty);

// Merges buckets until the schema is `schema`, which is not above the present
// one.  kInvalidArgument for custom buckets.
absl::Status ReduceResolution(Histogram& h, int32_t schema);
absl::Status ReduceResolution(FloatHistogram& h, int32_t schema);

inline size_t CountBuckets(const Histogram& h) {
  return h.positive_deltas.size() + h.negative_deltas.size();
}
inline size_t CountBuckets(const FloatHistogram& h) {
  return h.positive_buckets.size() + h.negative_buckets.size();
}

// Merges buckets until there are at most `limit`; kResourceExhausted
// "histogram bucket limit exceeded" if the coarsest schema has more.
absl::Status LimitBuckets(Histogram& h, size_t limit);
absl::Status LimitBuckets(FloatHistogram& h, size_t limit);

// The finest schema whose buckets grow by at least `factor`; kMaxSchema for
// factors up to 1, which ask for nothing.
int32_t SchemaForFactor(double factor);

}  // namespace narthex::scrape
