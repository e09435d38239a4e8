// The *_over_time functions.  What can be slid exactly is slid: extremes by a
// monotone queue, order statistics by a sorted window, sums by prefix sums if
// every partial sum is an integer that a double holds.  The rest walks every
// window in order of time.

#include <algorithm>
#include <cmath>
#include <limits>

#include "libpromql/func/kahan.h"
#include "libpromql/func/quantile.h"
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

// For functions of floats or histograms, but not of both.
bool OnlyFloats(const SeriesWindows& in, size_t k, WindowOutput& out) {
  if (in.lo[k] == in.hi[k]) return false;
  if (!HasHistograms(in, k)) return true;
  out.notes |= kMixedFloatsHistograms;
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

void Sum(const SeriesWindows& in, WindowScratch& scratch, WindowOutput& out) {
  const bool exact = WindowsOverlap(in) && ExactPrefixSums(in.v, scratch.sums);
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!OnlyFloats(in, k, out)) continue;
    if (exact) {
      out.Set(k, scratch.sums[in.hi[k]] - scratch.sums[in.lo[k]]);
      continue;
    }
    KahanSum sum;
    for (uint32_t i = in.lo[k]; i < in.hi[k]; ++i) sum.Add(in.v[i]);
    out.Set(k, std::isinf(sum.sum) ? sum.sum : sum.sum + sum.c);
  }
}

void Avg(const SeriesWindows& in, WindowScratch& scratch, WindowOutput& out) {
  const bool exact = WindowsOverlap(in) && ExactPrefixSums(in.v, scratch.sums);
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!OnlyFloats(in, k, out)) continue;
    if (exact) {
      const double n = in.hi[k] - in.lo[k];
      // Adding 0 turns -0 into 0, as adding the compensation does.
      out.Set(k, (scratch.sums[in.hi[k]] - scratch.sums[in.lo[k]]) / n + 0.0);
      continue;
    }
    KahanMean mean;
    for (uint32_t i = in.lo[k]; i < in.hi[k]; ++i) mean.Add(in.v[i]);
    out.Set(k, mean.Mean());
  }
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
      out.Set(k, std::make_shared<const FloatHistogram>(
                     ToFloatHistogram(*in.histograms, in.hist_hi[k] - 1)));
    } else if (in.lo[k] < in.hi[k]) {
      out.Set(k, in.v[in.hi[k] - 1]);
    }
  }
}

void First(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (OldestIsHistogram(in, k)) {
      out.Set(k, std::make_shared<const FloatHistogram>(
                     ToFloatHistogram(*in.histograms, in.hist_lo[k])));
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

// Welford's recurrence, mean and squares compensated.
template <bool kRoot>
void Variance(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!HasFloats(in, k, out)) continue;
    double count = 0;
    KahanSum mean, squares;
    for (uint32_t i = in.lo[k]; i < in.hi[k]; ++i) {
      const double v = in.v[i];
      ++count;
      const double delta = v - (mean.sum + mean.c);
      mean.Add(delta / count);
      squares.Add(delta * (v - (mean.sum + mean.c)));
    }
    const double variance = (squares.sum + squares.c) / count;
    out.Set(k, kRoot ? std::sqrt(variance) : variance);
  }
}

}  // namespace

WindowFunction FindOverTimeFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kSumOverTime:
      return &Sum;
    case FunctionId::kAvgOverTime:
      return &Avg;
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
