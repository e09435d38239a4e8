// rate, increase, delta, irate, idelta, resets, changes: first and last sample
// of a window, and the resets between them, which are found once per series.

#include <cmath>
#include <cstddef>
#include <type_traits>

#include "libpromql/func/column_scan.h"
#include "libpromql/func/extrapolation.h"
#include "libpromql/func/histogram_windows.h"
#include "libpromql/func/start_times.h"
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
  ForEachDrop(
      v, [&resets](size_t i) { resets.push_back(static_cast<uint32_t>(i)); });
}

// The same of a counter whose samples may tell when they began to be counted.
template <bool kPerSecond>
void RateWithStarts(const SeriesWindows& in, WindowOutput& out) {
  const Extrapolation extrapolation{true, kPerSecond,
                                    static_cast<double>(in.range) / 1000};
  for (size_t k = 0; k < in.grid.steps; ++k) {
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (lo == hi || Mixed(in, k)) continue;
    double difference = in.v[hi - 1] - in.v[lo];
    bool overlap = false;
    for (uint32_t i = lo + 1; i < hi; ++i) {
      const StartedSample before{in.st[i - 1], in.t[i - 1]};
      const StartedSample now{in.st[i], in.t[i]};
      overlap |= StartOverlaps(before, now);
      if (in.v[i] < in.v[i - 1] || StartTellsReset(before, now)) {
        difference += in.v[i - 1];
      }
    }
    if (overlap) {
      out.notes |= kOverlappingStart;
      ++out.overlaps;
    }
    const int64_t end = in.End(k);
    Sampled sampled = {SaturatingSub(end, in.range),
                       end,
                       in.t[lo].ms,
                       in.t[hi - 1].ms,
                       hi - lo - 1,
                       {}};
    const int64_t start = in.st[lo].ms;
    if (start != 0 && start > sampled.begin && start < sampled.first_t) {
      difference += in.v[lo];
      sampled.start = start;
    } else if (hi - lo < 2) {
      continue;
    }
    out.Set(k,
            difference * extrapolation.Factor(sampled, in.v[lo], difference));
  }
}

template <bool kCounter, bool kPerSecond>
void Extrapolated(const SeriesWindows& in, WindowScratch& scratch,
                  WindowOutput& out) {
  if (in.histograms != nullptr) {
    for (size_t k = 0; k < in.grid.steps; ++k) {
      if (Mixed(in, k)) out.notes |= kMixedFloatsHistograms;
    }
    if (!in.anchored && !in.smoothed) {
      RateOfHistograms(in, kCounter, kPerSecond, scratch, out);
    }
  }
  if (in.anchored || in.smoothed) {
    ExtendedRate(in, kCounter, kPerSecond, scratch, out);
    return;
  }
  if (kCounter && in.st != nullptr) {
    RateWithStarts<kPerSecond>(in, out);
    return;
  }
  std::vector<uint32_t>& resets = scratch.indices;
  resets.clear();
  if (kCounter) FindResets(in.v, resets);
  const Extrapolation extrapolation{kCounter, kPerSecond,
                                    static_cast<double>(in.range) / 1000};
  size_t next_reset = 0;
  for (size_t k = 0; k < in.grid.steps; ++k) {
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (hi - lo < 2 || Mixed(in, k)) continue;
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
    const Sampled sampled = {SaturatingSub(end, in.range),
                             end,
                             in.t[lo].ms,
                             in.t[hi - 1].ms,
                             hi - lo - 1,
                             {}};
    out.Set(k,
            difference * extrapolation.Factor(sampled, in.v[lo], difference));
  }
}

template <bool kRate>
void LastTwo(const SeriesWindows& in, WindowScratch& scratch,
             WindowOutput& out) {
  if (in.histograms != nullptr) LastTwoHistograms(in, kRate, scratch, out);
  for (size_t k = 0; k < in.grid.steps; ++k) {
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (hi - lo < 2) continue;
    if (in.histograms != nullptr && in.hist_lo[k] < in.hist_hi[k] &&
        !LastTwoAreFloats(in, k)) {
      continue;
    }
    const double last = in.v[hi - 1], previous = in.v[hi - 2];
    const int64_t interval = in.t[hi - 1].ms - in.t[hi - 2].ms;
    bool reset = last < previous;
    if (kRate && in.st != nullptr) {
      reset |= StartTellsReset({in.st[hi - 2], in.t[hi - 2]},
                               {in.st[hi - 1], in.t[hi - 1]});
    }
    double value = last;
    if (!kRate || !reset) value = last - previous;
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

template <typename Event>
void Count(const SeriesWindows& in, WindowScratch& scratch, WindowOutput& out) {
  constexpr bool kResets = std::is_same_v<Event, IsReset>;
  if (in.histograms != nullptr || in.anchored ||
      (kResets && in.st != nullptr)) {
    (kResets ? CountResetsMerged : CountChangesMerged)(in, scratch, out);
    return;
  }
  // before[i]: events up to and at sample i.
  std::vector<uint32_t>& before = scratch.indices;
  before.resize(in.v.size() + 1);
  uint32_t events = 0;
  for (size_t i = 0; i < in.v.size(); ++i) {
    if (i > 0 && Event::Between(in.v[i - 1], in.v[i])) ++events;
    before[i] = events;
  }
  for (size_t k = 0; k < in.grid.steps; ++k) {
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
