// rate, increase, delta, irate, idelta, resets, changes: first and last sample
// of a window, and the resets between them, which are found once per series.

#include <cmath>
#include <cstddef>

#include "libpromql/func/window_functions.h"

namespace narthex::promql {
namespace {

// Whether the window of step k has floats and histograms.
bool Mixed(const SeriesWindows& in, size_t k) {
  return in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k] &&
         in.lo[k] < in.hi[k];
}

// Indices i with v[i] < v[i - 1], ascending.
void FindResets(std::span<const double> v, std::vector<uint32_t>& resets) {
  resets.clear();
  for (size_t i = 1; i < v.size(); ++i) {
    if (v[i] < v[i - 1]) resets.push_back(static_cast<uint32_t>(i));
  }
}

// What the sampled difference is multiplied with, to stand for the whole
// window (promql.md 1.8).
struct Extrapolation {
  bool counter;
  bool per_second;

  double Factor(int64_t begin, int64_t end, int64_t first_t, int64_t last_t,
                size_t intervals, double first_v, double difference,
                double range_seconds) const {
    double to_start = static_cast<double>(first_t - begin) / 1000;
    double to_end = static_cast<double>(end - last_t) / 1000;
    const double sampled = static_cast<double>(last_t - first_t) / 1000;
    const double average = sampled / static_cast<double>(intervals);
    const double threshold = average * 1.1;
    if (to_start >= threshold) to_start = average / 2;
    if (counter && difference > 0 && first_v >= 0) {
      // A counter can't have been below zero before its first sample.
      const double to_zero = sampled * (first_v / difference);
      if (to_zero < to_start) to_start = to_zero;
    }
    if (to_end >= threshold) to_end = average / 2;
    double factor = 1;
    if (sampled != 0) factor = (sampled + to_start + to_end) / sampled;
    if (per_second) factor /= range_seconds;
    return factor;
  }
};

template <bool kCounter, bool kPerSecond>
void Extrapolated(const SeriesWindows& in, WindowScratch& scratch,
                  WindowOutput& out) {
  std::vector<uint32_t>& resets = scratch.indices;
  resets.clear();
  if (kCounter) FindResets(in.v, resets);
  const Extrapolation extrapolation{kCounter, kPerSecond};
  const double range_seconds = static_cast<double>(in.range) / 1000;
  size_t next_reset = 0;
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (Mixed(in, k)) {
      out.notes |= kMixedFloatsHistograms;
      continue;
    }
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (hi - lo < 2) {
      if (in.histograms != nullptr && in.hist_hi[k] - in.hist_lo[k] >= 2) {
        out.notes |= kNeedsHistograms;
      }
      continue;
    }
    double difference = in.v[hi - 1] - in.v[lo];
    if (kCounter && !resets.empty()) {
      // Windows move forward only, and so does their first reset.
      while (next_reset < resets.size() && resets[next_reset] <= lo) {
        ++next_reset;
      }
      for (size_t r = next_reset; r < resets.size() && resets[r] < hi; ++r) {
        difference += in.v[resets[r] - 1];
      }
    }
    const int64_t end = in.End(k);
    out.Set(k, difference * extrapolation.Factor(
                                SaturatingSub(end, in.range), end, in.t[lo].ms,
                                in.t[hi - 1].ms, hi - lo - 1, in.v[lo],
                                difference, range_seconds));
  }
}

template <bool kRate>
void LastTwo(const SeriesWindows& in, WindowScratch&, WindowOutput& out) {
  for (size_t k = 0; k < in.grid.steps; ++k) {
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k]) {
      // Of the last two samples by time, is one a histogram?
      const int64_t h = in.histograms->points[in.hist_hi[k] - 1].t.ms;
      if (hi - lo < 2 || h > in.t[hi - 2].ms) {
        const bool two_histograms =
            in.hist_hi[k] - in.hist_lo[k] >= 2 &&
            (hi == lo ||
             in.histograms->points[in.hist_hi[k] - 2].t > in.t[hi - 1]);
        if (two_histograms) {
          out.notes |= kNeedsHistograms;
        } else if (hi > lo) {
          out.notes |= kMixedFloatsHistograms;
        }
        continue;
      }
    }
    if (hi - lo < 2) continue;
    const double last = in.v[hi - 1], previous = in.v[hi - 2];
    const int64_t interval = in.t[hi - 1].ms - in.t[hi - 2].ms;
    double value = last;
    if (!kRate || !(last < previous)) value = last - previous;
    if (kRate) value /= static_cast<double>(interval) / 1000;
    out.Set(k, value);
  }
}

struct IsReset {
  static bool Between(double before, double after) { return after < before; }
};
struct IsChange {
  static bool Between(double before, double after) {
    return after != before && !(std::isnan(after) && std::isnan(before));
  }
};

// Merges floats and histograms by time and counts what happens from one sample
// to the next; a change of type counts.
template <typename Event>
double CountMerged(const SeriesWindows& in, size_t k) {
  const auto& points = in.histograms->points;
  uint32_t f = in.lo[k], h = in.hist_lo[k];
  const uint32_t f_end = in.hi[k], h_end = in.hist_hi[k];
  double events = 0;
  int64_t previous_f = -1, previous_h = -1;
  while (f < f_end || h < h_end) {
    if (h == h_end || (f < f_end && in.t[f] < points[h].t)) {
      if (previous_h >= 0 ||
          (previous_f >= 0 &&
           Event::Between(in.v[static_cast<size_t>(previous_f)], in.v[f]))) {
        ++events;
      }
      previous_f = f++;
      previous_h = -1;
    } else {
      if (previous_f >= 0) {
        ++events;
      } else if (previous_h >= 0) {
        const FloatHistogram before =
            ToFloatHistogram(*in.histograms, static_cast<size_t>(previous_h));
        const FloatHistogram now = ToFloatHistogram(*in.histograms, h);
        if constexpr (std::is_same_v<Event, IsChange>) {
          if (!now.SameAs(before)) ++events;
        } else {
          if (now.count < before.count) ++events;
        }
      }
      previous_h = h++;
      previous_f = -1;
    }
  }
  return events;
}

template <typename Event>
void Count(const SeriesWindows& in, WindowScratch& scratch, WindowOutput& out) {
  // before[i]: events up to and at sample i.
  std::vector<uint32_t>& before = scratch.indices;
  before.resize(in.v.size() + 1);
  uint32_t events = 0;
  for (size_t i = 0; i < in.v.size(); ++i) {
    if (i > 0 && Event::Between(in.v[i - 1], in.v[i])) ++events;
    before[i] = events;
  }
  for (size_t k = 0; k < in.grid.steps; ++k) {
    if (in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k]) {
      out.Set(k, CountMerged<Event>(in, k));
      continue;
    }
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (lo == hi) continue;
    out.Set(k, static_cast<double>(before[hi - 1] - before[lo]));
  }
}

}  // namespace

WindowFunction FindRateFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kRate:
      return &Extrapolated<true, true>;
    case FunctionId::kIncrease:
      return &Extrapolated<true, false>;
    case FunctionId::kDelta:
      return &Extrapolated<false, false>;
    case FunctionId::kIrate:
      return &LastTwo<true>;
    case FunctionId::kIdelta:
      return &LastTwo<false>;
    case FunctionId::kResets:
      return &Count<IsReset>;
    case FunctionId::kChanges:
      return &Count<IsChange>;
    default:
      return nullptr;
  }
}

}  // namespace narthex::promql
