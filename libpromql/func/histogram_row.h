// The histograms of one series, a step each: a column of numbers and few
// layouts, no object per sample.  Steps that have the same histogram share it.
//
// One thread at a time.  Views die with the next change of the row.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram_view.h"

namespace narthex::promql {

class HistogramRow {
 public:
  bool empty() const { return at_.empty(); }
  bool Has(size_t k) const { return !at_.empty() && at_[k] != 0; }
  HistogramView View(size_t k) const { return ViewOf(column_, at_[k] - 1); }
  // Equal numbers: the same histogram.
  uint32_t Number(size_t k) const { return at_[k]; }

  // Copies; `steps` is the length of the row.  The view must not be of this
  // very row.
  void Set(size_t k, size_t steps, const HistogramView& h);
  void Set(size_t k, size_t steps, const FloatHistogram& h);
  // The one of step `from` at step k too.
  void Share(size_t k, size_t from) { at_[k] = at_[from]; }
  // One histogram at every step.
  void Fill(size_t steps, const HistogramView& h);
  void Remove(size_t k) {
    if (!at_.empty()) at_[k] = 0;
  }
  // Keeps memory.
  void Clear() {
    at_.clear();
    column_.Clear();
  }

  // As Prometheus counts the memory of a histogram: in samples.
  int64_t Samples(size_t k) const;
  size_t bytes() const;

 private:
  // 1 + index of the point; 0: none.  Empty: no histogram at all.
  std::vector<uint32_t> at_;
  HistogramColumn column_;
};

// How many float samples a histogram of this layout counts as.
int64_t SampleEquivalent(const HistogramLayout& layout);

// Without empty buckets, spans in one piece; cheap if there is nothing to do.
void CompactFully(FloatHistogram& h);

}  // namespace narthex::promql
