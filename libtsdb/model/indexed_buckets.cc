#include "libtsdb/model/indexed_buckets.h"

#include "libtsdb/model/histogram_buckets.h"

namespace narthex {
namespace {

// One side of a histogram as a wider zero bucket would see it: counts what lies
// below `threshold`.  A full bucket that the threshold cuts moves the threshold
// up to its end.  True: moved.
bool Swallow(const IndexedBuckets& side, int32_t schema, double& threshold,
             double& zero_count) {
  for (const IndexedBucket& bucket : side) {
    if (BucketBound(bucket.index - 1, schema, {}) >= threshold) break;
    zero_count += bucket.count;
    const double upper = BucketBound(bucket.index, schema, {});
    if (upper <= threshold) continue;
    if (bucket.count == 0) break;
    threshold = upper;
    return true;
  }
  return false;
}

}  // namespace

IndexedBuckets ToBuckets(std::span<const Span> spans,
                         std::span<const double> counts) {
  IndexedBuckets out;
  out.reserve(counts.size());
  VisitBuckets(spans, counts.size(), [&](int64_t index, size_t i) {
    out.push_back({static_cast<int32_t>(index), counts[i]});
  });
  return out;
}

void FromBuckets(const IndexedBuckets& buckets, std::vector<Span>& spans,
                 std::vector<double>& counts) {
  spans.clear();
  counts.clear();
  int64_t end = 0;
  for (const IndexedBucket& bucket : buckets) {
    const int64_t gap = bucket.index - end;
    if (spans.empty() || gap > 0) {
      spans.push_back({static_cast<int32_t>(gap), 0});
    }
    ++spans.back().length;
    counts.push_back(bucket.count);
    end = int64_t{bucket.index} + 1;
  }
}

void Coarsen(IndexedBuckets& buckets, int32_t from, int32_t to) {
  size_t kept = 0;
  for (const IndexedBucket& bucket : buckets) {
    const auto index =
        static_cast<int32_t>(((int64_t{bucket.index} - 1) >> (from - to)) + 1);
    if (kept > 0 && buckets[kept - 1].index == index) {
      buckets[kept - 1].count += bucket.count;
    } else {
      buckets[kept++] = {index, bucket.count};
    }
  }
  buckets.resize(kept);
}

double ZeroCountBelow(double zero_count, int32_t schema,
                      const IndexedBuckets& positive,
                      const IndexedBuckets& negative, double& threshold) {
  for (;;) {
    double count = zero_count;
    Swallow(positive, schema, threshold, count);
    // What the positive side has counted may be too little now.
    if (!Swallow(negative, schema, threshold, count)) return count;
  }
}

}  // namespace narthex
