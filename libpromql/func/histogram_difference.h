// A histogram to which others are added and from which they are subtracted,
// number by number as long as layouts are the same.
//
// One thread at a time.

#pragma once

#include <cstdint>

#include "libpromql/func/function.h"
#include "libpromql/func/histogram_scale.h"
#include "narthex/model/histogram_sum.h"
#include "narthex/model/histogram_view.h"

namespace narthex::promql {

class HistogramDifference {
 public:
  // Both are scratch memory.
  HistogramDifference(FloatHistogram& result, FloatHistogram& other)
      : h_(result), other_(other) {}

  void Start(const HistogramView& view) {
    Assign(view, h_);
    layout_ = view.shared->get();
  }
  // Window notes; kMixedSchemas: nothing was done.
  uint32_t Add(const HistogramView& view) { return Combine(view, 1); }
  uint32_t Subtract(const HistogramView& view) { return Combine(view, -1); }

  // An empty histogram with the layout's bounds, where a reset has made nothing
  // of the one that would come: all it can do is reconcile custom bounds.
  uint32_t AddNothing(const HistogramLayout& layout) {
    return CombineNothing(layout, 1);
  }
  uint32_t SubtractNothing(const HistogramLayout& layout) {
    return CombineNothing(layout, -1);
  }

  // To a coarser schema.
  void Coarsen(int32_t schema) {
    other_ = FloatHistogram();
    other_.schema = schema;
    other_.zero_threshold = h_.zero_threshold;
    other_.hint = h_.hint;
    (void)AddTo(h_, other_);  // can't be refused: both are exponential
    layout_ = nullptr;
  }

  FloatHistogram& result() { return h_; }

 private:
  uint32_t Combine(const HistogramView& view, double sign) {
    if (layout_ != nullptr && (layout_ == view.shared->get() ||
                               SameLayout(*layout_, view.layout()))) {
      CombineHints(h_.hint, view.hint);
      // Custom buckets have none; -0 stays.
      if (h_.schema != kCustomBucketsSchema) {
        h_.zero_count += sign * view.zero_count;
      }
      h_.count += sign * view.count;
      h_.sum += sign * view.sum;
      const double* bucket = view.buckets;
      for (double& n : h_.positive_buckets) n += sign * *bucket++;
      for (double& n : h_.negative_buckets) n += sign * *bucket++;
      return 0;
    }
    Assign(view, other_);
    const auto sum = sign > 0 ? AddTo(h_, other_) : SubtractFrom(h_, other_);
    if (!sum.ok()) return kMixedSchemas;
    layout_ = nullptr;
    if (!sum->bounds_reconciled) return 0;
    return sign > 0 ? kReconciledInAddition : kReconciledInSubtraction;
  }

  uint32_t CombineNothing(const HistogramLayout& layout, double sign) {
    if (layout.custom_values == h_.custom_values) {
      // Nothing takes the sign from a zero that it is added to.
      if (sign > 0) {
        if (h_.schema != kCustomBucketsSchema) h_.zero_count += 0.0;
        h_.count += 0.0;
        h_.sum += 0.0;
      }
      return 0;
    }
    other_ = FloatHistogram();
    other_.schema = layout.schema;
    other_.custom_values = layout.custom_values;
    const auto sum = sign > 0 ? AddTo(h_, other_) : SubtractFrom(h_, other_);
    if (!sum.ok()) return kMixedSchemas;
    layout_ = nullptr;
    if (!sum->bounds_reconciled) return 0;
    return sign > 0 ? kReconciledInAddition : kReconciledInSubtraction;
  }

  FloatHistogram& h_;
  FloatHistogram& other_;
  // Of h_, while it is still that of a view.
  const HistogramLayout* layout_ = nullptr;
};

}  // namespace narthex::promql
