// sum_over_time and avg_over_time of histograms: every window is added up anew,
// in order of time.

#include "libpromql/func/histogram_accumulator.h"
#include "libpromql/func/histogram_windows.h"

namespace narthex::promql {

void SumHistogramsOverTime(const SeriesWindows& in, bool mean,
                           WindowScratch& scratch, WindowOutput& out) {
  HistogramAccumulator sum;
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (in.hist_lo[k] == in.hist_hi[k] || in.lo[k] < in.hi[k]) continue;
    sum.Clear();
    uint32_t notes = 0;
    bool reset = false, no_reset = false;
    for (uint32_t i = in.hist_lo[k]; i < in.hist_hi[k]; ++i) {
      const HistogramView h = ViewOf(*in.histograms, i);
      reset |= h.hint == CounterResetHint::kReset;
      no_reset |= h.hint == CounterResetHint::kNotReset;
      const HistogramAccumulator::Added added =
          mean ? sum.AddToMean(h) : sum.Add(h);
      if (added == HistogramAccumulator::Added::kIncompatible) {
        notes = kMixedSchemas;
        break;
      }
      if (added == HistogramAccumulator::Added::kReconciled) {
        notes |= kReconciledInAggregation;
      }
    }
    if ((notes & kMixedSchemas) == 0) {
      if (reset && no_reset) notes |= kConflictingResets;
      if (mean) {
        sum.Mean(scratch.histogram);
      } else {
        sum.Sum(scratch.histogram);
      }
      out.SetHistogram(k, scratch.histogram);
    }
    out.notes |= notes;
  }
}

}  // namespace narthex::promql
