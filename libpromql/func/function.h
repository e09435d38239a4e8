// The shapes that PromQL's functions have here, and where an implementation is
// found.  A function knows values and windows, not plans, labels or queries.
//
// Implementations are pure; any thread, each with its own scratch.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libpromql/func/histogram_row.h"
#include "libpromql/parse/function_table.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"
#include "narthex/promql/value.h"

namespace narthex::promql {

// The instants at which a node is evaluated.
struct StepGrid {
  int64_t start = 0;
  int64_t step = 1;  // ms, positive
  size_t steps = 0;

  int64_t At(size_t k) const { return start + static_cast<int64_t>(k) * step; }
  size_t words() const { return (steps + 63) / 64; }
};

inline bool TestBit(const uint64_t* bits, size_t k) {
  return (bits[k / 64] >> (k % 64)) & 1;
}
inline void SetBit(uint64_t* bits, size_t k) {
  bits[k / 64] |= uint64_t{1} << (k % 64);
}
inline void ClearBit(uint64_t* bits, size_t k) {
  bits[k / 64] &= ~(uint64_t{1} << (k % 64));
}
// `steps` ones.
inline void SetAllBits(uint64_t* bits, size_t steps) {
  size_t full = steps / 64;
  for (size_t w = 0; w < full; ++w) bits[w] = ~uint64_t{0};
  if (steps % 64 != 0) bits[full] = (uint64_t{1} << (steps % 64)) - 1;
}
// Calls f(k) for every set bit, in order.
template <typename F>
void ForEachBit(const uint64_t* bits, size_t words, F&& f) {
  for (size_t w = 0; w < words; ++w) {
    for (uint64_t word = bits[w]; word != 0; word &= word - 1) {
      f(w * 64 + static_cast<size_t>(__builtin_ctzll(word)));
    }
  }
}

// --- Functions of one float: abs, sqrt, hour ...

// In place, over a whole column; what stands where nothing is present is of no
// account.
using MapFunction = void (*)(double* values, size_t n);
// Null: not of this shape.
MapFunction FindMapFunction(FunctionId id);
// minute, hour, day_of_week ... of seconds since the epoch.
bool IsCalendarFunction(FunctionId id);

double Round(double v, double to_nearest);
// Go's math.Min and math.Max: an infinity dominates NaN, else NaN propagates.
double GoMin(double a, double b);
double GoMax(double a, double b);
double Clamp(double v, double min, double max);

// --- Functions of a window: rate, sum_over_time ...

// Whether somebody has called the query off.  Kernels that take long ask now
// and then, and may stop with any result.
struct WindowStop {
  bool (*stopped)(const void* context) = nullptr;  // null: never
  const void* context = nullptr;

  bool operator()() const { return stopped != nullptr && stopped(context); }
};

// One series with the window of every step: samples [lo[k], hi[k]) of the
// floats and, where there are any, of the histograms.  No stale markers.
struct SeriesWindows {
  std::span<const Timestamp> t = {};
  std::span<const double> v = {};
  const uint32_t* lo = nullptr;
  const uint32_t* hi = nullptr;

  // Start times of the floats, those of histograms are in their points; null:
  // there are none, or the function takes no notice.
  const Timestamp* st = nullptr;
  bool start_times = false;

  const HistogramColumn* histograms = nullptr;  // null: none in the series
  const uint32_t* hist_lo = nullptr;            // null as well
  const uint32_t* hist_hi = nullptr;

  StepGrid grid = {};
  // The end of step k's window: first_end + k * end_step.
  int64_t first_end = 0;
  int64_t end_step = 0;
  int64_t range = 0;  // ms
  // The windows hold more than the range: what lies before it, up to the
  // lookback (anchored), and behind it as well (smoothed).
  bool anchored = false;
  bool smoothed = false;
  WindowStop stop = {};
  // Values of the scalar arguments at every step.
  const double* param = nullptr;
  const double* param2 = nullptr;

  int64_t End(size_t k) const {
    return SaturatingAdd(first_end, static_cast<int64_t>(k) * end_step);
  }
};

// What an implementation noticed; the operator words it and knows where.
enum WindowNote : uint32_t {
  kMixedFloatsHistograms = 1,  // dropped: floats and histograms in a window
  kIgnoredHistograms = 2,      // left out: histograms beside floats
  kMixedSchemas = 4,           // dropped: exponential and custom buckets
  kGaugeHistograms = 8,        // where counters should be
  kCounterHistograms = 16,     // where gauges should be
  kReconciledInAddition = 32,  // custom bounds differ
  kReconciledInSubtraction = 64,
  kReconciledInAggregation = 128,
  kConflictingResets = 256,  // resets and their absence were added up
  kOverlappingStart = 512,   // a start time before the sample before
};

// Where the values go; presence bits are clear at first.
struct WindowOutput {
  double* v = nullptr;
  uint64_t* present = nullptr;
  // Left empty by those who write none.
  HistogramRow* histograms = nullptr;
  uint32_t notes = 0;
  int64_t overlaps = 0;  // windows with kOverlappingStart
  size_t steps = 0;

  void Set(size_t k, double value) {
    v[k] = value;
    SetBit(present, k);
  }
  template <typename Histogram>
  void SetHistogram(size_t k, const Histogram& h) {
    histograms->Set(k, steps, h);
    v[k] = 0;
    SetBit(present, k);
  }
};

// Memory that lives from series to series.
struct WindowScratch {
  std::vector<double> values = {};
  std::vector<double> more_values = {};
  std::vector<uint32_t> indices = {};
  std::vector<double> sums = {};
  std::vector<uint32_t> more_indices = {};
  std::vector<uint8_t> flags = {};
  FloatHistogram histogram = {}, other = {};
};

using WindowFunction = void (*)(const SeriesWindows& in, WindowScratch& scratch,
                                WindowOutput& out);
// Null: not of this shape, or not there yet.
WindowFunction FindWindowFunction(FunctionId id);

}  // namespace narthex::promql
