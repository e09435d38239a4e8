// rate, increase and delta of anchored and smoothed selectors: between values
// at the very ends of the range, which are picked or interpolated, hence
// nothing is extrapolated (promql.md 1.8).

#include <algorithm>
#include <cstddef>

#include "libpromql/func/histogram_windows.h"
#include "libpromql/func/interpolation.h"

namespace narthex::promql {

uint32_t InterpolateHistograms(const HistogramView& h1, Timestamp t1,
                               const HistogramView& h2, Timestamp t2, int64_t t,
                               bool counter, FloatHistogram& scratch,
                               FloatHistogram& out) {
  HistogramDifference between(out, scratch);
  if (t == t1.ms) {
    between.Start(h1);
    return 0;
  }
  between.Start(h2);
  if (t == t2.ms) return 0;
  const double fraction =
      static_cast<double>(t - t1.ms) / static_cast<double>(t2.ms - t1.ms);
  if (counter && DetectReset(h2, h1)) {
    Multiply(out, fraction);
    return 0;
  }
  uint32_t notes = between.Subtract(h1);
  if (notes & kMixedSchemas) return notes;
  Multiply(out, fraction);
  return notes | between.Add(h1);
}

namespace {

// The samples that count in a window: from the newest at or before the range's
// start, or the first; to the last one, smoothed: to the first at or after its
// end.  False: none within.
template <typename TimeOf>
bool FindEnds(size_t begin, size_t end, TimeOf time_of, int64_t range_start,
              int64_t range_end, bool smoothed, size_t& first, size_t& last) {
  last = end - 1;
  first = begin;
  while (first < last && time_of(first) <= range_start) ++first;
  if (first > begin) --first;
  if (smoothed) {
    last = begin;
    while (last < end - 1 && time_of(last) < range_end) ++last;
  }
  return time_of(last) > range_start;
}

class Extended {
 public:
  Extended(const SeriesWindows& in, bool counter, bool per_second,
           WindowScratch& scratch, WindowOutput& out)
      : in_(in),
        counter_(counter),
        per_second_(per_second),
        range_seconds_(static_cast<double>(in.range) / 1000),
        scratch_(scratch),
        out_(out) {}

  void Step(size_t k) {
    range_end_ = in_.End(k);
    range_start_ = SaturatingSub(range_end_, in_.range);
    const bool floats = in_.lo[k] < in_.hi[k];
    const bool histograms =
        in_.histograms != nullptr && in_.hist_lo[k] < in_.hist_hi[k];
    if (floats == histograms) return;
    if (floats) {
      Floats(k);
    } else {
      notes_ = 0;
      if (Histograms(k)) out_.SetHistogram(k, result_);
      out_.notes |= notes_;
    }
  }

 private:
  void Floats(size_t k) {
    const auto& t = in_.t;
    const auto& v = in_.v;
    size_t first = 0, last = 0;
    if (!FindEnds(
            in_.lo[k], in_.hi[k], [&](size_t i) { return t[i].ms; },
            range_start_, range_end_, in_.smoothed, first, last) ||
        (in_.smoothed && t[first].ms > range_end_)) {
      return;
    }
    double left = v[first], right = v[last];
    if (in_.smoothed && t[first].ms < range_start_) {
      left = Interpolate(t[first], v[first], t[first + 1], v[first + 1],
                         range_start_, counter_);
    }
    if (in_.smoothed && last > in_.lo[k] && t[last].ms > range_end_) {
      right = Interpolate(t[last - 1], v[last - 1], t[last], v[last],
                          range_end_, counter_);
    }
    double result = right - left;
    if (counter_) {
      // The ends have seen to resets across them.
      const size_t begin = first + (t[first].ms <= range_start_ ? 1 : 0);
      const size_t end = last + (t[last].ms >= range_end_ ? 0 : 1);
      double correction = 0, previous = left;
      for (size_t i = begin; i < end; ++i) {
        if (v[i] < previous) correction += previous;
        previous = v[i];
      }
      if (right < previous) correction += previous;
      result += correction;
    }
    if (per_second_) result /= range_seconds_;
    out_.Set(k, result);
  }

  HistogramView View(size_t i) const { return ViewOf(*in_.histograms, i); }
  Timestamp TimeAt(size_t i) const { return in_.histograms->points[i].t; }

  bool Note(uint32_t notes) {
    notes_ |= notes;
    return (notes & kMixedSchemas) == 0;
  }

  bool Histograms(size_t k) {
    const size_t begin = in_.hist_lo[k];
    size_t first = 0, last = 0;
    if (!FindEnds(
            begin, in_.hist_hi[k], [&](size_t i) { return TimeAt(i).ms; },
            range_start_, range_end_, in_.smoothed, first, last) ||
        (in_.smoothed && TimeAt(first).ms > range_end_)) {
      return false;
    }
    for (size_t i = first; i <= last; ++i) {
      const HistogramView h = View(i);
      if (h.uses_custom_buckets() != View(first).uses_custom_buckets()) {
        return Note(kMixedSchemas);
      }
      if (counter_ && h.hint == CounterResetHint::kGauge) {
        Note(kGaugeHistograms);
      }
    }
    const bool left_between = in_.smoothed && TimeAt(first).ms < range_start_;
    if (left_between) {
      if (!Note(InterpolateHistograms(
              View(first), TimeAt(first), View(first + 1), TimeAt(first + 1),
              range_start_, counter_, scratch_.other, left_))) {
        return false;
      }
    } else {
      Assign(View(first), left_);
    }
    if (in_.smoothed && last > begin && TimeAt(last).ms > range_end_) {
      if (!Note(InterpolateHistograms(View(last - 1), TimeAt(last - 1),
                                      View(last), TimeAt(last), range_end_,
                                      counter_, scratch_.other, right_))) {
        return false;
      }
    } else {
      Assign(View(last), right_);
    }
    if (!counter_ && (left_.hint != CounterResetHint::kGauge ||
                      right_.hint != CounterResetHint::kGauge)) {
      Note(kCounterHistograms);
    }
    // As a column: that is what can be compared and added.
    ends_.Clear();
    AppendHistogram(0, left_, ends_);
    AppendHistogram(1, right_, ends_);
    const HistogramView left = ViewOf(ends_, 0), right = ViewOf(ends_, 1);
    HistogramDifference difference(result_, scratch_.other);
    difference.Start(right);
    if (!Note(difference.Subtract(left))) return false;
    if (counter_ && !Correct(first, last, left_between, left, right)) {
      return false;
    }
    if (per_second_) Divide(result_, range_seconds_);
    result_.hint = CounterResetHint::kGauge;
    CompactFully(result_);
    return true;
  }

  // Adds what was counted before every reset.  The sum of it is made first, as
  // floats' is.
  bool Correct(size_t first, size_t last, bool left_between,
               const HistogramView& left, const HistogramView& right) {
    size_t i = first + 1;
    HistogramView previous = left;
    if (left_between && DetectReset(View(i), View(first))) {
      // The left end lies in this reset, and has seen to it.
      previous = View(i++);
    }
    if (i > last) return true;
    HistogramDifference correction(correction_, scratch_.other);
    bool any = false;
    const auto add = [&](const HistogramView& h) {
      if (any) return Note(correction.Add(h));
      any = true;
      correction.Start(h);
      return true;
    };
    // The last sample is in the right end, which bears its hint.
    for (; i < last; ++i) {
      if (DetectReset(View(i), previous) && !add(previous)) return false;
      previous = View(i);
    }
    if (DetectReset(right, previous) && !add(previous)) return false;
    if (!any) return true;
    const auto sum = AddTo(result_, correction_);
    if (!sum.ok()) return Note(kMixedSchemas);
    if (sum->bounds_reconciled) Note(kReconciledInAddition);
    return true;
  }

  const SeriesWindows& in_;
  const bool counter_, per_second_;
  const double range_seconds_;
  WindowScratch& scratch_;
  WindowOutput& out_;
  int64_t range_start_ = 0, range_end_ = 0;
  uint32_t notes_ = 0;
  FloatHistogram left_, right_, result_, correction_;
  HistogramColumn ends_;
};

}  // namespace

std::vector<Sample> WithValuesAtEnds(std::span<const Timestamp> t,
                                     std::span<const double> v, int64_t begin,
                                     int64_t end, bool smoothed) {
  std::vector<Sample> out;
  size_t first = 0, last = 0;
  if (t.empty() || !FindEnds(
                       0, t.size(), [&](size_t i) { return t[i].ms; }, begin,
                       end, smoothed, first, last)) {
    return out;
  }
  double left = v[first], right = v[last];
  if (smoothed && t[first].ms < begin) {
    left = Interpolate(t[first], v[first], t[first + 1], v[first + 1], begin,
                       /*counter=*/false);
  }
  if (smoothed && last > 0 && t[last].ms > end) {
    right = Interpolate(t[last - 1], v[last - 1], t[last], v[last], end,
                        /*counter=*/false);
  }
  out.push_back({begin, left});
  const size_t stop = last + (t[last].ms >= end ? 0 : 1);
  for (size_t i = first + (t[first].ms <= begin ? 1 : 0); i < stop; ++i) {
    out.push_back({t[i], v[i]});
  }
  out.push_back({end, right});
  return out;
}

void ExtendedRate(const SeriesWindows& in, bool counter, bool per_second,
                  WindowScratch& scratch, WindowOutput& out) {
  Extended extended(in, counter, per_second, scratch, out);
  for (size_t k = 0; k < in.grid.steps; ++k) extended.Step(k);
}

}  // namespace narthex::promql
