// The value between two samples, as smoothed selectors have it.
//
// Pure; any thread.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libpromql/func/function.h"
#include "libpromql/func/histogram_difference.h"
#include "narthex/base/time.h"
#include "narthex/model/histogram_view.h"
#include "narthex/model/sample.h"

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

// What an anchored or smoothed range selector gives by itself: the samples
// within (begin, end), and one at both ends.  Of samples that reach beyond by
// the lookback.
std::vector<Sample> WithValuesAtEnds(std::span<const Timestamp> t,
                                     std::span<const double> v, int64_t begin,
                                     int64_t end, bool smoothed);

}  // namespace narthex::promql
