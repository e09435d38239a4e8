// One series' samples, decoded in bulk: times and values as columns, native
// histograms apart.  Owned by the reader (one per worker, reused from series to
// series), filled by the store.
//
// One thread at a time.  Memory is reserved from a MemoryBudget in blocks.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "narthex/base/budget.h"
#include "narthex/base/time.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"

namespace narthex {

// What a run of histograms has in common.  Immutable once shared.
struct HistogramLayout {
  int32_t schema = 0;
  double zero_threshold = 0;
  std::vector<Span> positive_spans = {};
  std::vector<Span> negative_spans = {};
  std::vector<double> custom_values = {};
  uint32_t positive_buckets = 0;  // sum of the lengths of the spans
  uint32_t negative_buckets = 0;
};

// The same numbers; spans of length 0 count.
bool SameLayout(const HistogramLayout& a, const HistogramLayout& b);

struct HistogramColumn {
  struct Point {
    Timestamp t = 0;
    double count = 0, zero_count = 0, sum = 0;
    uint32_t layout = 0, buckets = 0;  // indices into the two vectors below
    uint8_t hint = 0;                  // CounterResetHint
    // Start time if asked for (SampleColumns::ReserveStartTimes); 0: unknown.
    Timestamp st = 0;
  };
  std::vector<Point> points = {};
  // One per chunk, as a rule.
  std::vector<std::shared_ptr<const HistogramLayout>> layouts = {};
  // Absolute counts, positive then negative.
  std::vector<double> buckets = {};

  bool empty() const { return points.empty(); }
  void Clear() {
    points.clear();
    layouts.clear();
    buckets.clear();
  }
};

// Point i as a histogram of its own.
FloatHistogram ToFloatHistogram(const HistogramColumn& column, size_t i);
// The other way round, behind the last point.  A layout that is the last one's
// is shared with it.
void AppendHistogram(Timestamp t, const FloatHistogram& h,
                     HistogramColumn& out);

class SampleColumns {
 public:
  explicit SampleColumns(MemoryBudget& budget);
  ~SampleColumns();
  SampleColumns(const SampleColumns&) = delete;
  SampleColumns& operator=(const SampleColumns&) = delete;

  // Floats: ascending times, no duplicates, stale markers kept as bits.
  std::span<const Timestamp> t() const { return {t_, size_}; }
  // As long as t(); 64 bytes past the end may be read.
  std::span<const double> v() const { return {v_, size_}; }
  // Start timestamps; empty unless asked for.
  std::span<const Timestamp> st() const { return {st_, st_ ? size_ : 0}; }
  const HistogramColumn& histograms() const { return histograms_; }
  size_t size() const { return size_; }  // floats
  bool empty() const { return size_ == 0 && histograms_.empty(); }

  // --- For those who fill: reserve, write past size(), then SetSize.

  // Room for `more` floats past size(); kResourceExhausted if the budget says
  // no.  Moves what is there.
  absl::Status Reserve(size_t more);
  // Room for start timestamps too, from now on (zeros so far).
  absl::Status ReserveStartTimes();
  Timestamp* mutable_t() { return t_; }
  double* mutable_v() { return v_; }
  Timestamp* mutable_st() { return st_; }
  size_t capacity() const { return capacity_; }
  void SetSize(size_t n) { size_ = n; }
  HistogramColumn& mutable_histograms() { return histograms_; }

  // Keeps the memory.
  void Clear() {
    size_ = 0;
    histograms_.Clear();
  }
  // Drops all floats and histograms outside the range.
  void Clip(TimeRange range);

 private:
  absl::Status Grow(size_t capacity, bool with_start_times);

  Reservation reservation_;
  std::unique_ptr<char[]> block_;  // t, v and st, one behind the other
  Timestamp* t_ = nullptr;
  double* v_ = nullptr;
  Timestamp* st_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  HistogramColumn histograms_;
};

}  // namespace narthex
