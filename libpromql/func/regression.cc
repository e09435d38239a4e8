// deriv, predict_linear, double_exponential_smoothing: every window is walked
// anew, as sums of floats can't be slid exactly.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "libpromql/func/side_by_side.h"
#include "libpromql/func/window_functions.h"

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

// Fields: the level before, the level, the trend, and the two factors, which
// were checked by the operator.
struct SmoothingKernel {
  static constexpr size_t kFields = 5, kPairs = 4;
  static constexpr uint32_t kFirst = 2;
  static constexpr LaneKernel kLanes = LaneKernel::kSmoothing;

  std::array<double, 5> Start(uint32_t k) const {
    const uint32_t lo = in.lo[k];
    const double sf = in.param[k], first = in.v[lo], second = in.v[lo + 1];
    const double trend = second - first;
    const double x = sf * second;
    const double y = (1 - sf) * (first + trend);
    return {first, x + y, trend, sf, in.param2[k]};
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

  const SeriesWindows& in;
  WindowOutput& out;
  const bool same_factors;
};

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
  const size_t steps = in.grid.steps;
  SmoothingKernel kernel{
      in, out, AllEqual(in.param, steps) && AllEqual(in.param2, steps)};
  SideBySide(kernel, in, scratch).Run(StepsWithFloats(in, scratch, out));
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
