// The value between two samples, as smoothed selectors have it.
//
// Pure; any thread.

#pragma once

#include <cstdint>

#include "libpromql/func/function.h"
#include "libpromql/func/histogram_difference.h"
#include "narthex/base/time.h"
#include "narthex/model/histogram_view.h"

namespace narthex::promql {

// A counter that was reset between the two is taken to have begun at zero.
inline double Interpolate(Timestamp t1, double v1, Timestamp t2, double v2,
                          int64_t t, bool counter) {
  if (counter && v2 < v1) v1 = 0;
  return v1 + (v2 - v1) * static_cast<double>(t - t1.ms) /
                  static_cast<double>(t2.ms - t1.ms);
}

// Likewise of histograms, into `out`.  Returns window notes; kMixedSchemas:
// there is none.
uint32_t InterpolateHistograms(const HistogramView& h1, Timestamp t1,
                               const HistogramView& h2, Timestamp t2, int64_t t,
                               bool counter, FloatHistogram& scratch,
                               FloatHistogram& out);

}  // namespace narthex::promql
