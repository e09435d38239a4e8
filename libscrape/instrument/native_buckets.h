// The buckets of a native histogram while it is being filled: sparse, with a
// resolution that halves when there are too many.
//
// One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "narthex/model/histogram.h"

namespace narthex::instrument {

class NativeBuckets {
 public:
  explicit NativeBuckets(int schema) : schema_(schema) {}

  // `v` is not NaN and outside the bucket of zero.
  void Add(double v, size_t max_buckets);
  void Merge(const NativeBuckets& other);
  // Spans and deltas of `out`, and its schema.
  void Fill(narthex::Histogram& out) const;

  int schema() const { return schema_; }
  // The coarsest buckets that grow by no more than `factor`.
  static int SchemaFor(double factor);
  // The bucket of |v|: its upper bound is 2^(index * 2^-schema).
  static int IndexOf(double v, int schema);

 private:
  using Side = std::map<int, uint64_t>;

  void Coarsen();

  int schema_;
  Side positive_;
  Side negative_;
};

}  // namespace narthex::instrument
