// A native histogram where it lies in a column: its layout and its numbers,
// borrowed.  What is asked of histograms without changing them is asked here,
// without an object per sample.
//
// Values and pure functions; any thread.  A view dies with the next change of
// what it looks at.

#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "narthex/model/columns.h"
#include "narthex/model/float_histogram.h"

namespace narthex {

struct HistogramView {
  const std::shared_ptr<const HistogramLayout>* shared = nullptr;
  // Absolute counts, positive then negative.
  const double* buckets = nullptr;
  double count = 0, zero_count = 0, sum = 0;
  CounterResetHint hint = CounterResetHint::kUnknown;

  explicit operator bool() const { return shared != nullptr; }
  const HistogramLayout& layout() const { return **shared; }
  bool uses_custom_buckets() const {
    return layout().schema == kCustomBucketsSchema;
  }
  std::span<const double> positive() const {
    return {buckets, layout().positive_buckets};
  }
  std::span<const double> negative() const {
    return {buckets + layout().positive_buckets, layout().negative_buckets};
  }
  size_t size() const {  // buckets
    return size_t{layout().positive_buckets} + layout().negative_buckets;
  }
};

// Point i of the column.
HistogramView ViewOf(const HistogramColumn& column, size_t i);
// A copy; keeps `out`'s memory.
void Assign(const HistogramView& view, FloatHistogram& out);
// A layout of its own for a histogram.
std::shared_ptr<const HistogramLayout> MakeLayout(const FloatHistogram& h);

// As FloatHistogram::SameAs.
bool SameHistogram(const HistogramView& a, const HistogramView& b);

// Whether the counter was reset between two samples that follow each other: the
// later one's hint if it says so, else by what can't happen without a reset
// (promql.md 1.8).
bool DetectReset(const HistogramView& now, const HistogramView& before);

}  // namespace narthex
