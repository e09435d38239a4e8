// The instant selector `m smoothed`: at every step the sample that lies there,
// or the value between its neighbours, or the last one carried on.

#include <memory>
#include <string_view>
#include <vector>

#include "libpromql/exec/annotate.h"
#include "libpromql/exec/series_scan.h"
#include "libpromql/func/interpolation.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class ScanSmoothed final : public SeriesScan {
 public:
  using SeriesScan::SeriesScan;

 protected:
  void Begin(size_t rows) override { notes_.assign(rows, 0); }
  void End(const ColumnBlock& out) override {
    for (size_t row = 0; row < out.rows(); ++row) {
      Tell(notes_[row], scope().MetricName(rows_[out.first() + row].labels));
    }
  }

  absl::Status ScanRow(ColumnBlock& out, size_t row,
                       WorkerScratch& scratch) override {
    SampleView view;
    NARTHEX_RETURN_IF_ERROR(
        selection_.Load(out.first() + row, Range(lookback_), scratch, view));
    NARTHEX_RETURN_IF_ERROR(DropStale(scratch, view));
    if (node_.statistics_only) KeepStatistics(scratch, view);
    static const HistogramColumn kNone;
    const HistogramColumn& histograms =
        view.histograms != nullptr ? *view.histograms : kNone;
    FindWindows(
        view.t.size(), [&](size_t i) { return view.t[i].ms; }, ends_, lookback_,
        out.steps(), scratch.lo, scratch.hi, lookback_);
    FindWindows(
        histograms.points.size(),
        [&](size_t i) { return histograms.points[i].t.ms; }, ends_, lookback_,
        out.steps(), scratch.hist_lo, scratch.hist_hi, lookback_);
    for (size_t k = 0; k < out.steps(); ++k) {
      const bool floats = scratch.lo[k] < scratch.hi[k];
      const bool any = scratch.hist_lo[k] < scratch.hist_hi[k];
      if (floats && any) {
        notes_[row] |= kMixedFloatsHistograms;
      } else if (floats) {
        SetFloat(view, scratch.lo[k], scratch.hi[k], out, row, k);
      } else if (any) {
        SetHistogram(histograms, scratch.hist_lo[k], scratch.hist_hi[k],
                     scratch.window, out, row, k);
      }
    }
    return absl::OkStatus();
  }

 private:
  // The first of [begin, end) at or after `t`.
  template <typename TimeOf>
  static size_t FirstFrom(size_t begin, size_t end, int64_t t, TimeOf time_of) {
    while (begin < end && time_of(begin) < t) ++begin;
    return begin;
  }

  void SetFloat(const SampleView& view, size_t begin, size_t end,
                ColumnBlock& out, size_t row, size_t k) const {
    const int64_t at = ends_.At(k);
    const size_t i =
        FirstFrom(begin, end, at, [&](size_t s) { return view.t[s].ms; });
    double v = 0;
    if (i < end && view.t[i].ms == at) {
      v = view.v[i];
    } else if (i == begin) {
      return;  // all there is comes later
    } else if (i < end) {
      v = Interpolate(view.t[i - 1], view.v[i - 1], view.t[i], view.v[i], at,
                      /*counter=*/false);
    } else {
      v = view.v[i - 1];
    }
    out.values(row)[k] = v;
    SetBit(out.present(row), k);
  }

  void SetHistogram(const HistogramColumn& column, size_t begin, size_t end,
                    WindowScratch& scratch, ColumnBlock& out, size_t row,
                    size_t k) {
    const int64_t at = ends_.At(k);
    const auto& points = column.points;
    const size_t i =
        FirstFrom(begin, end, at, [&](size_t s) { return points[s].t.ms; });
    if (i < end && points[i].t.ms == at) {
      out.SetHistogram(row, k, ViewOf(column, i));
      return;
    }
    if (i == begin) return;
    const HistogramView before = ViewOf(column, i - 1);
    if (i == end) {
      // Its hint is about the sample before it, which isn't before this.
      HistogramView carried = before;
      carried.hint = CounterResetHint::kUnknown;
      out.SetHistogram(row, k, carried);
      return;
    }
    const HistogramView after = ViewOf(column, i);
    if (before.uses_custom_buckets() != after.uses_custom_buckets()) {
      notes_[row] |= kMixedSchemas;
      return;
    }
    const bool counter = before.hint != CounterResetHint::kGauge ||
                         after.hint != CounterResetHint::kGauge;
    const uint32_t notes =
        InterpolateHistograms(before, points[i - 1].t, after, points[i].t, at,
                              counter, scratch.other, scratch.histogram);
    notes_[row] |= notes;
    if ((notes & kMixedSchemas) == 0) {
      out.SetHistogram(row, k, scratch.histogram);
    }
  }

  void Tell(uint32_t notes, std::string_view metric) {
    if (notes & kMixedFloatsHistograms) {
      scope().Warn(MixedSamplesText(metric), node_.pos);
    }
    if (notes & kMixedSchemas)
      scope().Warn(MixedSchemasText(metric), node_.pos);
    if (notes & kReconciledInSubtraction) {
      scope().Info(ReconciledBoundsText("subtraction"), node_.pos);
    }
    if (notes & kReconciledInAddition) {
      scope().Info(ReconciledBoundsText("addition"), node_.pos);
    }
  }

  std::vector<uint32_t> notes_;  // window notes, of the block's rows
};

}  // namespace

OperatorPtr NewScanSmoothed(const ScanNode& node, QueryScope& scope) {
  return std::make_unique<ScanSmoothed>(node, scope);
}

}  // namespace narthex::promql
