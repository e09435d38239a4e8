// rate, increase, delta, irate, idelta of histograms.  Resets are looked for
// once per series, whatever the number of windows a pair of samples is in.

#include <algorithm>
#include <cstddef>

#include "libpromql/func/extrapolation.h"
#include "libpromql/func/histogram_difference.h"
#include "libpromql/func/histogram_windows.h"
#include "libpromql/func/start_times.h"

namespace narthex::promql {
namespace {

using Point = HistogramColumn::Point;

StartedSample Started(const Point& point) { return {point.st, point.t}; }
bool IsGauge(const Point& point) {
  return point.hint == static_cast<uint8_t>(CounterResetHint::kGauge);
}

enum PointFlag : uint8_t { kReset = 1, kOverlap = 2 };

// What happens between every point and the one before.  counts[i]: how many
// points up to i there is something to say about, or which are gauges.
void FlagPoints(const SeriesWindows& in, std::vector<uint8_t>& flags,
                std::vector<uint32_t>& counts) {
  const auto& points = in.histograms->points;
  flags.assign(points.size(), 0);
  counts.assign(points.size(), 0);
  for (size_t i = 1; i < points.size(); ++i) {
    const StartedSample before = Started(points[i - 1]);
    const StartedSample now = Started(points[i]);
    if (in.start_times && StartOverlaps(before, now)) flags[i] |= kOverlap;
    if ((in.start_times && StartTellsReset(before, now)) ||
        DetectReset(ViewOf(*in.histograms, i), ViewOf(*in.histograms, i - 1))) {
      flags[i] |= kReset;
    }
    counts[i] = counts[i - 1] + (flags[i] != 0 || IsGauge(points[i]) ? 1 : 0);
  }
}

class Rate {
 public:
  Rate(const SeriesWindows& in, bool counter, bool per_second,
       WindowScratch& scratch, WindowOutput& out)
      : in_(in),
        column_(*in.histograms),
        extrapolation_{counter, per_second,
                       static_cast<double>(in.range) / 1000},
        counter_(counter),
        flags_(scratch.flags),
        counts_(scratch.more_indices),
        difference_(scratch.histogram, scratch.other),
        numbers_(scratch.values),
        out_(out) {
    if (counter) FlagPoints(in, flags_, counts_);
    const int32_t schema = column_.layouts[0]->schema;
    for (const auto& layout : column_.layouts) {
      one_schema_ &= layout->schema == schema;
    }
  }

  void Step(size_t k) {
    begin_ = in_.hist_lo[k];
    end_ = in_.hist_hi[k];
    if (begin_ == end_ || in_.lo[k] < in_.hi[k]) return;
    if (Plain(k)) return;
    notes_ = 0;
    overlap_ = false;
    const bool ok = Difference() && Extrapolate(in_.End(k));
    out_.notes |= notes_;
    if (overlap_) ++out_.overlaps;
    if (ok) out_.SetHistogram(k, difference_.result());
  }

 private:
  const Point& At(size_t i) const { return column_.points[i]; }
  const HistogramLayout& LayoutAt(size_t i) const {
    return *column_.layouts[At(i).layout];
  }
  bool CustomAt(size_t i) const {
    return LayoutAt(i).schema == kCustomBucketsSchema;
  }

  // Whatever the counts are.
  bool SaysReset(size_t i) const {
    return At(i).hint == static_cast<uint8_t>(CounterResetHint::kReset) ||
           (in_.start_times &&
            StartTellsReset(Started(At(i - 1)), Started(At(i))));
  }

  // Whether what is less than nothing makes it a reset even behind nothing.
  bool IsNegative(size_t i) const {
    return At(i).hint != static_cast<uint8_t>(CounterResetHint::kNotReset) &&
           (At(i).count < 0 || (!CustomAt(i) && At(i).zero_count < 0));
  }

  // As nearly all windows of a counter are: one layout, nothing happens within,
  // no bucket stays the same.  Then last minus first is done on the numbers
  // where they lie.  False: the window is another, nothing was done.
  bool Plain(size_t k) {
    const size_t last = end_ - 1;
    if (!counter_ || begin_ == last || !one_schema_ || in_.start_times ||
        counts_[last] != counts_[begin_] || IsGauge(At(begin_))) {
      return false;
    }
    HistogramView now = ViewOf(column_, last);
    const HistogramView before = ViewOf(column_, begin_);
    if (now.shared->get() != before.shared->get() || !InOnePiece(now)) {
      return false;
    }
    const size_t n = now.size();
    numbers_.resize(n);
    bool empty = false;
    for (size_t i = 0; i < n; ++i) {
      numbers_[i] = now.buckets[i] - before.buckets[i];
      empty |= numbers_[i] == 0;
    }
    if (empty) return false;  // and goes
    now.zero_count -= before.zero_count;
    now.count -= before.count;
    now.sum -= before.sum;
    const double factor =
        extrapolation_.Factor(SampledIn(in_.End(k)), before.count, now.count);
    for (double& number : numbers_) number *= factor;
    now.zero_count *= factor;
    now.count *= factor;
    now.sum *= factor;
    now.hint = CounterResetHint::kGauge;
    now.buckets = numbers_.data();
    out_.SetHistogram(k, now);
    return true;
  }

  // Whether the layout is one that Compact leaves as it is, if no bucket is
  // empty.
  bool InOnePiece(const HistogramView& view) {
    if (checked_ != view.shared->get()) {
      checked_ = view.shared->get();
      in_one_piece_ = InOnePieces(checked_->positive_spans) &&
                      InOnePieces(checked_->negative_spans);
    }
    return in_one_piece_;
  }
  static bool InOnePieces(const std::vector<Span>& spans) {
    for (size_t i = 0; i < spans.size(); ++i) {
      if (spans[i].length == 0 || (i > 0 && spans[i].offset == 0)) return false;
    }
    return true;
  }

  Sampled SampledIn(int64_t end) const {
    Sampled sampled;
    sampled.begin = SaturatingSub(end, in_.range);
    sampled.end = end;
    sampled.first_t = At(begin_).t.ms;
    sampled.last_t = At(end_ - 1).t.ms;
    sampled.intervals = end_ - 1 - begin_;
    return sampled;
  }

  // Last minus first, resets made good.  False: there is no such thing.
  bool Difference() {
    const size_t last = end_ - 1;
    if (begin_ == last) return true;  // a start time may make up for it
    if (counter_ && (IsGauge(At(begin_)) || IsGauge(At(last)))) {
      notes_ |= kGaugeHistograms;
    }
    // What was before a reset is not looked at, whatever its layout.
    const bool skip_first = counter_ && (flags_[begin_ + 1] & kReset) != 0;
    const size_t first = skip_first ? begin_ + 1 : begin_;
    if (CustomAt(last) != CustomAt(first)) {
      notes_ |= kMixedSchemas;
      return false;
    }
    int32_t schema = std::min(LayoutAt(last).schema, LayoutAt(first).schema);
    // As a rule nothing happens within a window: no need to walk it.
    const bool walk =
        counter_ && (!one_schema_ || counts_[last] != counts_[begin_]);
    for (size_t i = begin_ + 1; walk && i < last; ++i) {
      if (IsGauge(At(i))) notes_ |= kGaugeHistograms;
      if (one_schema_) continue;
      if (CustomAt(i) != CustomAt(first)) {
        notes_ = kMixedSchemas;
        return false;
      }
      schema = std::min(schema, LayoutAt(i).schema);
    }
    difference_.Start(ViewOf(column_, last));
    if (schema < LayoutAt(last).schema) difference_.Coarsen(schema);
    if (!Take(skip_first ? difference_.SubtractNothing(LayoutAt(first))
                         : difference_.Subtract(ViewOf(column_, begin_)))) {
      return false;
    }
    if (counter_) {
      for (size_t i = begin_ + 1; walk && i <= last; ++i) {
        overlap_ |= (flags_[i] & kOverlap) != 0;
        if ((flags_[i] & kReset) == 0) continue;
        if (i == begin_ + 1) {
          // What came before it is nothing; still it may be a reset by word,
          // and adding nothing takes the sign from zeros.
          if (SaysReset(i) || IsNegative(i)) {
            Take(difference_.AddNothing(LayoutAt(first)));
          }
          continue;
        }
        if (!Take(difference_.Add(ViewOf(column_, i - 1)))) return false;
      }
      if (overlap_) notes_ |= kOverlappingStart;
    } else if (!IsGauge(At(begin_)) || !IsGauge(At(last))) {
      notes_ |= kCounterHistograms;
    }
    difference_.result().hint = CounterResetHint::kGauge;
    CompactFully(difference_.result());
    return true;
  }

  bool Extrapolate(int64_t end) {
    const size_t last = end_ - 1;
    const Point& first = At(begin_);
    Sampled sampled = SampledIn(end);
    if (counter_ && in_.start_times && first.st.ms != 0 &&
        first.st.ms > sampled.begin && first.st < first.t) {
      // Counted from zero within the window.
      if (begin_ == last) {
        difference_.Start(ViewOf(column_, begin_));
      } else if (!Take(difference_.Add(ViewOf(column_, begin_)))) {
        return false;
      }
      sampled.start = first.st.ms;
    } else if (begin_ == last) {
      return false;
    }
    const FloatHistogram& h = difference_.result();
    Multiply(difference_.result(),
             extrapolation_.Factor(sampled, first.count, h.count));
    return true;
  }

  bool Take(uint32_t notes) {
    if (notes & kMixedSchemas) {
      notes_ = kMixedSchemas;
      return false;
    }
    notes_ |= notes;
    return true;
  }

  const SeriesWindows& in_;
  const HistogramColumn& column_;
  const Extrapolation extrapolation_;
  const bool counter_;
  bool one_schema_ = true;
  std::vector<uint8_t>& flags_;    // of every point
  std::vector<uint32_t>& counts_;  // of points with flags
  HistogramDifference difference_;
  std::vector<double>& numbers_;  // the buckets of a plain window
  const HistogramLayout* checked_ = nullptr;
  bool in_one_piece_ = false;  // that one
  WindowOutput& out_;
  // Of the window at hand.
  size_t begin_ = 0, end_ = 0;
  uint32_t notes_ = 0;
  bool overlap_ = false;
};

// A window's newest sample or the one before it.
struct Recent {
  bool histogram = false;
  size_t i = 0;
  int64_t t = 0;
};

// The newest two by time; false: there are not two.
bool LastTwo(const SeriesWindows& in, size_t k, Recent& before, Recent& last) {
  uint32_t f = in.hi[k], h = in.hist_hi[k];
  const auto pop = [&](Recent& out) {
    const bool any_f = f > in.lo[k], any_h = h > in.hist_lo[k];
    if (!any_f && !any_h) return false;
    out.histogram =
        any_h && (!any_f || in.histograms->points[h - 1].t > in.t[f - 1]);
    out.i = out.histogram ? --h : --f;
    out.t = out.histogram ? in.histograms->points[out.i].t.ms : in.t[out.i].ms;
    return true;
  };
  return pop(last) && pop(before);
}

}  // namespace

void RateOfHistograms(const SeriesWindows& in, bool counter, bool per_second,
                      WindowScratch& scratch, WindowOutput& out) {
  Rate rate(in, counter, per_second, scratch, out);
  for (size_t k = 0; k < in.grid.steps; ++k) rate.Step(k);
}

bool LastTwoAreFloats(const SeriesWindows& in, size_t k) {
  Recent before, last;
  return LastTwo(in, k, before, last) && !before.histogram && !last.histogram;
}

void LastTwoHistograms(const SeriesWindows& in, bool rate,
                       WindowScratch& scratch, WindowOutput& out) {
  HistogramDifference difference(scratch.histogram, scratch.other);
  for (size_t k = 0; k < in.grid.steps; ++k) {
    Recent before, last;
    if (in.hist_lo[k] == in.hist_hi[k] || !LastTwo(in, k, before, last)) {
      continue;
    }
    if (!before.histogram && !last.histogram) continue;
    if (last.t == before.t) continue;
    if (before.histogram != last.histogram) {
      out.notes |= kMixedFloatsHistograms;
      continue;
    }
    const Point& p = in.histograms->points[before.i];
    const Point& q = in.histograms->points[last.i];
    if (rate && (IsGauge(p) || IsGauge(q))) out.notes |= kGaugeHistograms;
    if (!rate && !(IsGauge(p) && IsGauge(q))) out.notes |= kCounterHistograms;
    const HistogramView old = ViewOf(*in.histograms, before.i);
    const HistogramView now = ViewOf(*in.histograms, last.i);
    difference.Start(now);
    const bool reset =
        rate && ((in.start_times && StartTellsReset(Started(p), Started(q))) ||
                 DetectReset(now, old));
    if (!reset) {
      const uint32_t notes = difference.Subtract(old);
      out.notes |= notes;
      if (notes & kMixedSchemas) continue;
    }
    FloatHistogram& h = difference.result();
    h.hint = CounterResetHint::kGauge;
    CompactFully(h);
    if (rate) Divide(h, static_cast<double>(last.t - before.t) / 1000);
    out.SetHistogram(k, h);
  }
}

}  // namespace narthex::promql
