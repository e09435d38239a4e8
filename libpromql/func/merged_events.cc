// resets and changes of series that have histograms, start times or an anchor:
// floats and histograms merged by time.  What happens from one sample to the
// next is settled once per series; a window is a difference of two counts.

#include <cmath>
#include <cstddef>

#include "libpromql/func/histogram_windows.h"
#include "libpromql/func/start_times.h"
#include "narthex/model/histogram_view.h"

namespace narthex::promql {
namespace {

struct MergedSample {
  bool histogram = false;
  size_t i = 0;
  Timestamp t = 0, st = 0;
};

class Merged {
 public:
  explicit Merged(const SeriesWindows& in) : in_(in) {}

  bool Next(MergedSample& out) {
    const bool more_f = f_ < in_.t.size();
    const bool more_h =
        in_.histograms != nullptr && h_ < in_.histograms->points.size();
    if (!more_f && !more_h) return false;
    out.histogram =
        more_h && (!more_f || in_.histograms->points[h_].t < in_.t[f_]);
    if (out.histogram) {
      out.i = h_++;
      out.t = in_.histograms->points[out.i].t;
      out.st = in_.start_times ? in_.histograms->points[out.i].st : 0;
    } else {
      out.i = f_++;
      out.t = in_.t[out.i];
      out.st = in_.st != nullptr ? in_.st[out.i] : Timestamp(0);
    }
    return true;
  }

 private:
  const SeriesWindows& in_;
  size_t f_ = 0, h_ = 0;
};

template <typename Happens>
void CountEvents(const SeriesWindows& in, WindowScratch& scratch,
                 WindowOutput& out, Happens happens) {
  // events[i]: how many up to and at merged sample i.
  std::vector<uint32_t>& events = scratch.indices;
  std::vector<double>& times = scratch.values;
  events.clear();
  times.clear();
  Merged merged(in);
  MergedSample before, now;
  uint32_t n = 0;
  while (merged.Next(now)) {
    if (!events.empty() &&
        (before.histogram != now.histogram || happens(before, now))) {
      ++n;
    }
    events.push_back(n);
    times.push_back(static_cast<double>(now.t.ms));
    before = now;
  }
  for (size_t k = 0; k < in.grid.steps; ++k) {
    size_t begin = in.lo[k], end = in.hi[k];
    if (in.histograms != nullptr) {
      begin += in.hist_lo[k];
      end += in.hist_hi[k];
    }
    if (begin == end) continue;
    if (in.anchored) {
      // From the newest sample at or before the range on.
      const auto start =
          static_cast<double>(SaturatingSub(in.End(k), in.range));
      size_t after = begin;
      while (after < end && times[after] <= start) ++after;
      if (after == end) continue;
      if (after > begin) begin = after - 1;
    }
    out.Set(k, static_cast<double>(events[end - 1] - events[begin]));
  }
}

}  // namespace

void CountResetsMerged(const SeriesWindows& in, WindowScratch& scratch,
                       WindowOutput& out) {
  CountEvents(in, scratch, out,
              [&in](const MergedSample& a, const MergedSample& b) {
                if (StartTellsReset({a.st, a.t}, {b.st, b.t})) return true;
                if (!b.histogram) return in.v[b.i] < in.v[a.i];
                return DetectReset(ViewOf(*in.histograms, b.i),
                                   ViewOf(*in.histograms, a.i));
              });
}

void CountChangesMerged(const SeriesWindows& in, WindowScratch& scratch,
                        WindowOutput& out) {
  CountEvents(in, scratch, out,
              [&in](const MergedSample& a, const MergedSample& b) {
                if (b.histogram) {
                  return !SameHistogram(ViewOf(*in.histograms, b.i),
                                        ViewOf(*in.histograms, a.i));
                }
                const double x = in.v[a.i], y = in.v[b.i];
                return x != y && !(std::isnan(x) && std::isnan(y));
              });
}

}  // namespace narthex::promql
