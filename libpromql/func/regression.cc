// deriv, predict_linear, double_exponential_smoothing: every window is walked
// anew, as sums of floats can't be slid exactly.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "libpromql/func/side_by_side.h"
#include "libpromql/func/window_functions.h"
#include "narthex/model/sample.h"

namespace narthex::promql {
namespace {

bool HasHistograms(const SeriesWindows& in, size_t k) {
  return in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k];
}

// At least two floats; notes histograms beside floats.
bool EnoughFloats(const SeriesWindows& in, size_t k, WindowOutput& out) {
  const uint32_t floats = in.hi[k] - in.lo[k];
  if (floats > 0 && HasHistograms(in, k)) out.notes |= kIgnoredHistograms;
  return floats >= 2;
}

// Least squares; x counts in seconds from an origin of the window's own.
// Fields: the origin in ms, the first y, whether y varies, n, and four
// compensated sums: x, y, xy, x*x.
struct LineKernel {
  static constexpr size_t kFields = 12, kPairs = 2;
  static constexpr uint32_t kFirst = 0;
  static constexpr LaneKernel kLanes = LaneKernel::kLine;

  std::array<double, 12> Start(uint32_t k) const {
    const int64_t origin = predicts ? in.grid.At(k) : in.t[in.lo[k]].ms;
    return {static_cast<double>(origin), in.v[in.lo[k]]};
  }
  bool SameLanes(const std::array<double, 12>&,
                 const std::array<double, 12>&) const {
    return true;
  }
  template <typename T>
  void Step(std::array<T, 12>& s, T y, T t) const {
    s[2] = Select(y != s[1], T{} + 1.0, s[2]);
    s[3] += 1.0;
    // Milliseconds are exact in a double, and so is their difference.
    const T x = (t - s[0]) / 1e3;
    KahanAdd(x, s[4], s[5]);
    KahanAdd(y, s[6], s[7]);
    KahanAdd(T(x * y), s[8], s[9]);
    KahanAdd(T(x * x), s[10], s[11]);
  }
  void Finish(uint32_t k, const std::array<double, 12>& s) {
    double slope = 0, intercept = s[1];
    if (s[2] != 0) {
      const double n = s[3];
      const double sx = s[4] + s[5], sy = s[6] + s[7];
      const double covariance = s[8] + s[9] - sx * sy / n;
      const double variance = s[10] + s[11] - sx * sx / n;
      slope = covariance / variance;
      intercept = sy / n - slope * sx / n;
    } else if (std::isinf(intercept)) {
      slope = intercept = std::numeric_limits<double>::quiet_NaN();
    }
    out.Set(k, predicts ? slope * in.param[k] + intercept : slope);
  }

  const SeriesWindows& in;
  WindowOutput& out;
  const bool predicts;  // x from the step's time, else from the first sample's
};

// The level before, the level, and the trend.
template <typename T>
struct Smoothed {
  T before = {}, level = {}, trend = {};

  void Step(double sf, double tf, T v) {
    const T x = sf * v;
    const T moved = tf * (level - before);
    const T kept = (1.0 - tf) * trend;
    trend = moved + kept;
    const T y = (1.0 - sf) * (level + trend);
    before = level;
    level = x + y;
  }
};

// After the window's first two samples.
Smoothed<double> BeginSmoothing(double sf, double first, double second) {
  const double trend = second - first;
  const double x = sf * second;
  const double y = (1 - sf) * (first + trend);
  return {first, x + y, trend};
}

bool SameBits(double a, double b) { return Bits(a) == Bits(b); }

// One walk over all samples from the first window's first to the last one's
// last, remembered.  Smoothing forgets: after some hundred samples a walk that
// began elsewhere has, as a rule, the same state to the last bit, and from then
// on it can't but stay with this one.
class SmoothedPath {
 public:
  SmoothedPath(std::span<const double> v, double sf, double tf,
               WindowScratch& scratch)
      : v_(v),
        sf_(sf),
        tf_(tf),
        level_(scratch.values),
        trend_(scratch.more_values) {
    level_.resize(v.size());
    trend_.resize(v.size());
  }

  // Of the samples [begin, end), at least two.  The walk is latency, nothing
  // else; four parts are walked at once, and then each is led on into the next
  // until it has joined it.
  void Walk(size_t begin, size_t end) {
    constexpr size_t kLeastPart = 1024;
    begin_ = begin;
    const size_t part = (end - begin) / kParts;
    if (part < kLeastPart) {
      Continue(Begin(begin), begin + 2, end);
      return;
    }
    std::array<size_t, kParts> at;
    std::array<Smoothed<Pair>, kParts / 2> pairs;
    for (size_t p = 0; p < kParts; ++p) {
      at[p] = begin + p * part;
      const Smoothed<double> s = Begin(at[p]);
      Smoothed<Pair>& pair = pairs[p / 2];
      pair.before[p % 2] = s.before;
      pair.level[p % 2] = s.level;
      pair.trend[p % 2] = s.trend;
    }
    for (size_t i = 2; i < part; ++i) {
      for (size_t p = 0; p < kParts; p += 2) {
        const size_t a = at[p] + i, b = at[p + 1] + i;
        Smoothed<Pair>& pair = pairs[p / 2];
        pair.Step(sf_, tf_, Pair{v_[a], v_[b]});
        level_[a] = pair.level[0];
        level_[b] = pair.level[1];
        trend_[a] = pair.trend[0];
        trend_[b] = pair.trend[1];
      }
    }
    Continue(After(at[kParts - 1] + part - 1), at[kParts - 1] + part, end);
    for (size_t p = 1; p < kParts; ++p) Join(at[p], end);
  }

  double level(size_t i) const { return level_[i]; }
  // Is this what the walk had before sample i?
  bool Has(double before, double level, double trend, size_t i) const {
    return i >= begin_ + 2 && SameBits(level, level_[i - 1]) &&
           SameBits(before, level_[i - 2]) && SameBits(trend, trend_[i - 1]);
  }

 private:
  static constexpr size_t kParts = 4;

  Smoothed<double> Begin(size_t i) {
    const Smoothed<double> s = BeginSmoothing(sf_, v_[i], v_[i + 1]);
    level_[i] = s.before;
    Note(i + 1, s);
    return s;
  }
  Smoothed<double> After(size_t i) const {
    return {level_[i - 1], level_[i], trend_[i]};
  }
  void Note(size_t i, const Smoothed<double>& s) {
    level_[i] = s.level;
    trend_[i] = s.trend;
  }
  void Continue(Smoothed<double> s, size_t i, size_t end) {
    for (; i < end; ++i) {
      s.Step(sf_, tf_, v_[i]);
      Note(i, s);
    }
  }
  // What begins at `next` gives way to what leads there, until both are one.
  void Join(size_t next, size_t end) {
    Smoothed<double> s = After(next - 1);
    double before = 0;  // of the walk that was begun at `next`
    for (size_t i = next; i < end; ++i) {
      s.Step(sf_, tf_, v_[i]);
      if (i > next && SameBits(s.before, before) &&
          SameBits(s.level, level_[i]) && SameBits(s.trend, trend_[i])) {
        return;
      }
      before = level_[i];
      Note(i, s);
    }
  }

  const std::span<const double> v_;
  const double sf_, tf_;
  std::vector<double>& level_;  // after every sample
  std::vector<double>& trend_;
  size_t begin_ = 0;
};

// Fields: the level before, the level, the trend, and the two factors, which
// were checked by the operator.
struct SmoothingKernel {
  static constexpr size_t kFields = 5, kPairs = 4;
  static constexpr uint32_t kFirst = 2;
  static constexpr LaneKernel kLanes = LaneKernel::kSmoothing;

  std::array<double, 5> Start(uint32_t k) const {
    const uint32_t lo = in.lo[k];
    const Smoothed<double> s =
        BeginSmoothing(in.param[k], in.v[lo], in.v[lo + 1]);
    return {s.before, s.level, s.trend, in.param[k], in.param2[k]};
  }
  // Factors change from step to step only if they are computed.
  bool SameLanes(const std::array<double, 5>&,
                 const std::array<double, 5>&) const {
    return same_factors;
  }
  template <typename T>
  void Step(std::array<T, 5>& s, T v, T) const {
    const T x = s[3] * v;
    const T moved = s[4] * (s[1] - s[0]);
    const T kept = (1.0 - s[4]) * s[2];
    s[2] = moved + kept;
    const T y = (1.0 - s[3]) * (s[1] + s[2]);
    s[0] = s[1];
    s[1] = x + y;
  }
  void Finish(uint32_t k, const std::array<double, 5>& s) { out.Set(k, s[1]); }
  bool Joined(const std::array<double, 5>& s, uint32_t i) const {
    return path != nullptr && path->Has(s[0], s[1], s[2], i);
  }
  void FinishJoined(uint32_t k) { out.Set(k, path->level(in.hi[k] - 1)); }

  const SeriesWindows& in;
  WindowOutput& out;
  const bool same_factors;
  const SmoothedPath* path;  // null: none worth its while
};

// Windows, and samples of one, from which on a remembered walk pays.
constexpr size_t kLeastJoining = 16, kLeastLong = 128;

bool AllEqual(const double* values, size_t n) {
  return std::all_of(values, values + n,
                     [values](double v) { return v == values[0]; });
}

std::span<const uint32_t> StepsWithFloats(const SeriesWindows& in,
                                          WindowScratch& scratch,
                                          WindowOutput& out) {
  scratch.indices.clear();
  for (uint32_t k = 0; k < in.grid.steps; ++k) {
    if (EnoughFloats(in, k, out)) scratch.indices.push_back(k);
  }
  return scratch.indices;
}

template <bool kPredicts>
void Line(const SeriesWindows& in, WindowScratch& scratch, WindowOutput& out) {
  LineKernel kernel{in, out, kPredicts};
  SideBySide(kernel, in, scratch).Run(StepsWithFloats(in, scratch, out));
}

void DoubleExponentialSmoothing(const SeriesWindows& in, WindowScratch& scratch,
                                WindowOutput& out) {
  const std::span<const uint32_t> steps = StepsWithFloats(in, scratch, out);
  if (steps.empty()) return;
  const bool same_factors =
      AllEqual(in.param, in.grid.steps) && AllEqual(in.param2, in.grid.steps);
  // Worth it if windows overlap, and are long enough for walks to meet.
  size_t samples = 0;
  for (uint32_t k : steps) samples += in.hi[k] - in.lo[k];
  const size_t begin = in.lo[steps.front()], end = in.hi[steps.back()];
  const bool worth_it = same_factors && steps.size() >= kLeastJoining &&
                        samples / steps.size() >= kLeastLong &&
                        samples >= 2 * (end - begin);
  std::optional<SmoothedPath> path;
  if (worth_it) {
    path.emplace(in.v, in.param[0], in.param2[0], scratch);
    path->Walk(begin, end);
  }
  SmoothingKernel kernel{in, out, same_factors, path ? &*path : nullptr};
  SideBySide(kernel, in, scratch).Run(steps);
}

}  // namespace

WindowFunction FindRegressionFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kDeriv:
      return &Line<false>;
    case FunctionId::kPredictLinear:
      return &Line<true>;
    case FunctionId::kDoubleExponentialSmoothing:
      return &DoubleExponentialSmoothing;
    default:
      return nullptr;
  }
}

}  // namespace narthex::promql
