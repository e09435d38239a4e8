// The *_over_time functions.  What can be slid exactly is slid: extremes by a
// monotone queue, order statistics by a sorted window, sums by prefix sums if
// every partial sum is an integer that a double holds.  The rest walks every
// window in order of time.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "libpromql/func/histogram_windows.h"
#include "libpromql/func/kahan.h"
#include "libpromql/func/quantile.h"
#include "libpromql/func/side_by_side.h"
#include "libpromql/func/window_functions.h"

namespace narthex::promql {
namespace {

bool HasHistograms(const SeriesWindows& in, size_t k) {
  return in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k];
}

// For functions of floats alone: is there one?  Notes histograms beside them.
bool HasFloats(const SeriesWindows& in, size_t k, WindowOutput& out) {
  if (in.lo[k] == in.hi[k]) return false;
  if (HasHistograms(in, k)) out.notes |= kIgnoredHistograms;
  return true;
}

// For functions of floats or histograms, but not of both: floats, and no
// histograms?
bool OnlyFloats(const SeriesWindows& in, size_t k, WindowOutput& out) {
  const bool floats = in.lo[k] < in.hi[k];
  if (!HasHistograms(in, k)) return floats;
  if (floats) out.notes |= kMixedFloatsHistograms;
  return false;
}

// sums[i]: the sum of the first i values, if all of them and all sums of
// neighbours are integers that a double holds exactly; then a compensated sum
// is exact too, and its compensation 0.
bool ExactPrefixSums(std::span<const double> v, std::vector<double>& sums) {
  constexpr double kLimit = 9007199254740992.0;  // 2^53
  sums.resize(v.size() + 1);
  double sum = 0, magnitude = 0;
  sums[0] = 0;
  for (size_t i = 0; i < v.size(); ++i) {
    magnitude += std::fabs(v[i]);
    // False for NaN and infinities as well.
    if (!(magnitude < kLimit) || v[i] != std::trunc(v[i])) return false;
    sum += v[i];
    sums[i + 1] = sum;
  }
  return true;
}

// Prefix sums cost a pass over all samples: worth it if the windows overlap.
bool WindowsOverlap(const SeriesWindows& in) {
  size_t total = 0;
  for (size_t k = 0; k < in.grid.steps; ++k) total += in.hi[k] - in.lo[k];
  return total > 2 * in.v.size();
}

// Fields: sum and compensation.
struct SumKernel {
  static constexpr size_t kFields = 2, kPairs = 4;
  static constexpr uint32_t kFirst = 0;
  static constexpr LaneKernel kLanes = LaneKernel::kSum;

  std::array<double, 2> Start(uint32_t) const { return {0, 0}; }
  bool SameLanes(const std::array<double, 2>&,
                 const std::array<double, 2>&) const {
    return true;
  }
  template <typename T>
  void Step(std::array<T, 2>& s, T v, T) const {
    KahanAdd(v, s[0], s[1]);
  }
  void Finish(uint32_t k, const std::array<double, 2>& s) {
    if (!mean) {
      out.Set(k, std::isinf(s[0]) ? s[0] : s[0] + s[1]);
      return;
    }
    if (std::isfinite(s[0])) {
      const double n = in.hi[k] - in.lo[k];
      out.Set(k, s[0] / n + s[1] / n);
      return;
    }
    // It overflowed, or there are infinities: the mean goes another way.
    KahanMean slow;
    for (uint32_t i = in.lo[k]; i < in.hi[k]; ++i) slow.Add(in.v[i]);
    out.Set(k, slow.Mean());
  }

  const SeriesWindows& in;
  WindowOutput& out;
  const bool mean;
};

template <bool kMean>
void SumOrMean(const SeriesWindows& in, WindowScratch& scratch,
               WindowOutput& out) {
  if (in.histograms != nullptr) {
    SumHistogramsOverTime(in, kMean, scratch, out);
  }
  std::vector<uint32_t>& steps = scratch.indices;
  steps.clear();
  for (uint32_t k = 0; k < in.grid.steps; ++k) {
    if (OnlyFloats(in, k, out)) steps.push_back(k);
  }
  if (WindowsOverlap(in) && ExactPrefixSums(in.v, scratch.sums)) {
    for (uint32_t k : steps) {
      const double sum = scratch.sums[in.hi[k]] - scratch.sums[in.lo[k]];
      // Adding 0 turns -0 into 0, as adding the compensation does.
      out.Set(k, kMean ? sum / (in.hi[k] - in.lo[k]) + 0.0 : sum);
    }
    return;
  }
  SumKernel kernel{in, out, kMean};
  SideBySide(kernel, in, scratch).Run(steps);
}

void CountSamples(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    uint32_t n = in.hi[k] - in.lo[k];
    if (in.histograms != nullptr) n += in.hist_hi[k] - in.hist_lo[k];
    if (n > 0) out.Set(k, n);
  }
}

void Present(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (in.lo[k] < in.hi[k] || HasHistograms(in, k)) out.Set(k, 1);
  }
}

// Whether the window's newest (oldest) sample is a histogram.
bool NewestIsHistogram(const SeriesWindows& in, size_t k) {
  return HasHistograms(in, k) &&
         (in.lo[k] == in.hi[k] ||
          in.histograms->points[in.hist_hi[k] - 1].t >= in.t[in.hi[k] - 1]);
}
bool OldestIsHistogram(const SeriesWindows& in, size_t k) {
  return HasHistograms(in, k) &&
         (in.lo[k] == in.hi[k] ||
          in.histograms->points[in.hist_lo[k]].t <= in.t[in.lo[k]]);
}

void Last(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (NewestIsHistogram(in, k)) {
      out.SetHistogram(k, ViewOf(*in.histograms, in.hist_hi[k] - 1));
    } else if (in.lo[k] < in.hi[k]) {
      out.Set(k, in.v[in.hi[k] - 1]);
    }
  }
}

void First(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (OldestIsHistogram(in, k)) {
      out.SetHistogram(k, ViewOf(*in.histograms, in.hist_lo[k]));
    } else if (in.lo[k] < in.hi[k]) {
      out.Set(k, in.v[in.lo[k]]);
    }
  }
}

void TimeOfLast(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (NewestIsHistogram(in, k)) {
      out.Set(k, static_cast<double>(
                     in.histograms->points[in.hist_hi[k] - 1].t.ms) /
                     1000);
    } else if (in.lo[k] < in.hi[k]) {
      out.Set(k, static_cast<double>(in.t[in.hi[k] - 1].ms) / 1000);
    }
  }
}

void TimeOfFirst(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (OldestIsHistogram(in, k)) {
      out.Set(k,
              static_cast<double>(in.histograms->points[in.hist_lo[k]].t.ms) /
                  1000);
    } else if (in.lo[k] < in.hi[k]) {
      out.Set(k, static_cast<double>(in.t[in.lo[k]].ms) / 1000);
    }
  }
}

// The queue holds candidates, best first; a candidate goes when a later value
// beats it (or equals it, if the latest of equals counts).  NaN is never a
// candidate: any number replaces it.
template <bool kMax, bool kTime>
void Extreme(const SeriesWindows& in, WindowScratch& scratch,
             WindowOutput& out) {
  std::vector<uint32_t>& queue = scratch.indices;
  queue.resize(in.v.size());
  size_t head = 0, tail = 0;
  uint32_t next = 0;
  for (size_t k = 0; k < in.grid.steps; ++k) {
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (next < lo) next = lo;
    for (; next < hi; ++next) {
      const double v = in.v[next];
      if (std::isnan(v)) continue;
      while (tail > head) {
        const double back = in.v[queue[tail - 1]];
        const bool beaten = kTime ? (kMax ? v >= back : v <= back)
                                  : (kMax ? v > back : v < back);
        if (!beaten) break;
        --tail;
      }
      queue[tail++] = next;
    }
    while (head < tail && queue[head] < lo) ++head;
    if (!HasFloats(in, k, out)) continue;
    const uint32_t best = head < tail ? queue[head] : hi - 1;
    out.Set(k, kTime ? static_cast<double>(in.t[best].ms) / 1000 : in.v[best]);
  }
}

bool RankBefore(double a, double b) {
  if (std::isnan(a)) return !std::isnan(b);
  return a < b;
}

// The window's values in order, slid from step to step where most of them stay.
class SortedWindow {
 public:
  SortedWindow(const SeriesWindows& in, std::vector<double>& values)
      : in_(in), values_(values) {
    values_.clear();
  }

  void MoveTo(uint32_t lo, uint32_t hi) {
    const uint32_t moved = (lo - lo_) + (hi - hi_);
    if (lo >= hi_ || moved > (hi - lo) / 4 + 8) {
      values_.assign(in_.v.begin() + lo, in_.v.begin() + hi);
      SortForQuantile(values_);
    } else {
      for (uint32_t i = lo_; i < lo; ++i) Erase(in_.v[i]);
      for (uint32_t i = hi_; i < hi; ++i) Insert(in_.v[i]);
    }
    lo_ = lo;
    hi_ = hi;
  }

 private:
  void Erase(double v) {
    values_.erase(
        std::lower_bound(values_.begin(), values_.end(), v, RankBefore));
  }
  void Insert(double v) {
    values_.insert(
        std::upper_bound(values_.begin(), values_.end(), v, RankBefore), v);
  }

  const SeriesWindows& in_;
  std::vector<double>& values_;
  uint32_t lo_ = 0, hi_ = 0;
};

void Quantile(const SeriesWindows& in, WindowScratch& scratch,
              WindowOutput& out) {
  SortedWindow window(in, scratch.values);
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!HasFloats(in, k, out)) continue;
    if (k % 8 == 0 && in.stop()) return;
    window.MoveTo(in.lo[k], in.hi[k]);
    out.Set(k, QuantileOfSorted(in.param[k], scratch.values));
  }
}

void MedianDeviation(const SeriesWindows& in, WindowScratch& scratch,
                     WindowOutput& out) {
  SortedWindow window(in, scratch.values);
  std::vector<double>& deviations = scratch.more_values;
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!HasFloats(in, k, out)) continue;
    if (k % 8 == 0 && in.stop()) return;
    window.MoveTo(in.lo[k], in.hi[k]);
    if (std::isnan(scratch.values.front())) {  // NaN ranks lowest
      out.Set(k, std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    const double median = QuantileOfSorted(0.5, scratch.values);
    deviations.clear();
    for (double v : scratch.values) deviations.push_back(std::fabs(v - median));
    SortForQuantile(deviations);
    out.Set(k, QuantileOfSorted(0.5, deviations));
  }
}

// Welford's recurrence, mean and squares compensated.  Fields: count, mean and
// its compensation, squares and theirs.
struct VarianceKernel {
  static constexpr size_t kFields = 5, kPairs = 2;
  static constexpr uint32_t kFirst = 0;
  static constexpr LaneKernel kLanes = LaneKernel::kVariance;

  std::array<double, 5> Start(uint32_t) const { return {}; }
  bool SameLanes(const std::array<double, 5>&,
                 const std::array<double, 5>&) const {
    return true;
  }
  template <typename T>
  void Step(std::array<T, 5>& s, T v, T) const {
    s[0] += 1.0;
    const T delta = v - (s[1] + s[2]);
    KahanAdd(T(delta / s[0]), s[1], s[2]);
    KahanAdd(T(delta * (v - (s[1] + s[2]))), s[3], s[4]);
  }
  void Finish(uint32_t k, const std::array<double, 5>& s) {
    const double variance = (s[3] + s[4]) / s[0];
    out.Set(k, root ? std::sqrt(variance) : variance);
  }

  WindowOutput& out;
  const bool root;
};

template <bool kRoot>
void Variance(const SeriesWindows& in, WindowScratch& scratch,
              WindowOutput& out) {
  std::vector<uint32_t>& steps = scratch.indices;
  steps.clear();
  for (uint32_t k = 0; k < in.grid.steps; ++k) {
    if (HasFloats(in, k, out)) steps.push_back(k);
  }
  VarianceKernel kernel{out, kRoot};
  SideBySide(kernel, in, scratch).Run(steps);
}

}  // namespace

WindowFunction FindOverTimeFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kSumOverTime:
      return &SumOrMean<false>;
    case FunctionId::kAvgOverTime:
      return &SumOrMean<true>;
    case FunctionId::kCountOverTime:
      return &CountSamples;
    case FunctionId::kPresentOverTime:
    case FunctionId::kAbsentOverTime:
      return &Present;
    case FunctionId::kLastOverTime:
      return &Last;
    case FunctionId::kFirstOverTime:
      return &First;
    case FunctionId::kTsOfLastOverTime:
      return &TimeOfLast;
    case FunctionId::kTsOfFirstOverTime:
      return &TimeOfFirst;
    case FunctionId::kMinOverTime:
      return &Extreme<false, false>;
    case FunctionId::kMaxOverTime:
      return &Extreme<true, false>;
    case FunctionId::kTsOfMinOverTime:
      return &Extreme<false, true>;
    case FunctionId::kTsOfMaxOverTime:
      return &Extreme<true, true>;
    case FunctionId::kQuantileOverTime:
      return &Quantile;
    case FunctionId::kMadOverTime:
      return &MedianDeviation;
    case FunctionId::kStddevOverTime:
      return &Variance<true>;
    case FunctionId::kStdvarOverTime:
      return &Variance<false>;
    default:
      return nullptr;
  }
}

}  // namespace narthex::promql
