// What the window functions do with histograms; floats are next door.  Each is
// called only for series that have histograms, and leaves alone the steps whose
// window has floats only.
//
// Pure; any thread, each with its own scratch.

#pragma once

#include "libpromql/func/function.h"

namespace narthex::promql {

// sum_over_time, avg_over_time.
void SumHistogramsOverTime(const SeriesWindows& in, bool mean,
                           WindowScratch& scratch, WindowOutput& out);

// rate, increase, delta, neither anchored nor smoothed.
void RateOfHistograms(const SeriesWindows& in, bool counter, bool per_second,
                      WindowScratch& scratch, WindowOutput& out);

// irate, idelta: of windows whose last two samples by time are not both floats.
void LastTwoHistograms(const SeriesWindows& in, bool rate,
                       WindowScratch& scratch, WindowOutput& out);
// Are they?
bool LastTwoAreFloats(const SeriesWindows& in, size_t k);

// resets, changes: of all windows of the series.
void CountResetsMerged(const SeriesWindows& in, WindowScratch& scratch,
                       WindowOutput& out);
void CountChangesMerged(const SeriesWindows& in, WindowScratch& scratch,
                        WindowOutput& out);

// rate, increase, delta of anchored and smoothed selectors, floats and
// histograms.
void ExtendedRate(const SeriesWindows& in, bool counter, bool per_second,
                  WindowScratch& scratch, WindowOutput& out);

}  // namespace narthex::promql
