// deriv, predict_linear, double_exponential_smoothing: every window is walked
// anew, as sums of floats can't be slid exactly.

#include <cmath>
#include <limits>

#include "libpromql/func/kahan.h"
#include "libpromql/func/window_functions.h"

namespace narthex::promql {
namespace {

struct Line {
  double slope = 0;
  double intercept = 0;
};

// Least squares over the window; x counts in seconds from `origin`.
Line Fit(const SeriesWindows& in, size_t k, int64_t origin) {
  const uint32_t lo = in.lo[k], hi = in.hi[k];
  const double first = in.v[lo];
  bool constant = true;
  double n = 0;
  KahanSum x_sum, y_sum, xy_sum, x2_sum;
  for (uint32_t i = lo; i < hi; ++i) {
    const double y = in.v[i];
    if (constant && i > lo && y != first) constant = false;
    ++n;
    const double x = static_cast<double>(in.t[i].ms - origin) / 1e3;
    x_sum.Add(x);
    y_sum.Add(y);
    xy_sum.Add(x * y);
    x2_sum.Add(x * x);
  }
  if (constant) {
    if (std::isinf(first)) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      return {nan, nan};
    }
    return {0, first};
  }
  const double sx = x_sum.sum + x_sum.c;
  const double sy = y_sum.sum + y_sum.c;
  const double sxy = xy_sum.sum + xy_sum.c;
  const double sx2 = x2_sum.sum + x2_sum.c;
  const double covariance = sxy - sx * sy / n;
  const double variance = sx2 - sx * sx / n;
  const double slope = covariance / variance;
  return {slope, sy / n - slope * sx / n};
}

bool HasHistograms(const SeriesWindows& in, size_t k) {
  return in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k];
}

// At least two floats; notes histograms beside floats.
bool EnoughFloats(const SeriesWindows& in, size_t k, WindowOutput& out) {
  const uint32_t floats = in.hi[k] - in.lo[k];
  if (floats > 0 && HasHistograms(in, k)) out.notes |= kIgnoredHistograms;
  return floats >= 2;
}

void Deriv(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!EnoughFloats(in, k, out)) continue;
    out.Set(k, Fit(in, k, in.t[in.lo[k]].ms).slope);
  }
}

void PredictLinear(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!EnoughFloats(in, k, out)) continue;
    const Line line = Fit(in, k, in.grid.At(k));
    out.Set(k, line.slope * in.param[k] + line.intercept);
  }
}

// The factors (param, param2) were checked by the operator.
void DoubleExponentialSmoothing(const SeriesWindows& in, WindowScratch&,
                                WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (!EnoughFloats(in, k, out)) continue;
    const double sf = in.param[k], tf = in.param2[k];
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    double before = 0, level = in.v[lo];
    double trend = in.v[lo + 1] - in.v[lo];
    for (uint32_t i = lo + 1; i < hi; ++i) {
      const double x = sf * in.v[i];
      if (i > lo + 1) {
        const double moved = tf * (level - before);
        const double kept = (1 - tf) * trend;
        trend = moved + kept;
      }
      const double y = (1 - sf) * (level + trend);
      before = level;
      level = x + y;
    }
    out.Set(k, level);
  }
}

}  // namespace

WindowFunction FindRegressionFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kDeriv:
      return &Deriv;
    case FunctionId::kPredictLinear:
      return &PredictLinear;
    case FunctionId::kDoubleExponentialSmoothing:
      return &DoubleExponentialSmoothing;
    default:
      return nullptr;
  }
}

}  // namespace narthex::promql
