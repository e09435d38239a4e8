// The instant selector `m smoothed`: at every step the sample that lies there,
// or the value between its neighbours, or the last one carried on.

#include <algorithm>
#include <vector>

#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "libpromql/exec/shared_scan.h"
#include "libpromql/exec/window.h"
#include "libpromql/func/interpolation.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class ScanSmoothed final : public Operator {
 public:
  ScanSmoothed(const ScanNode& node, QueryScope& scope)
      : Operator(scope),
        node_(node),
        selection_(scope.selection(node.selection)),
        ends_(node.grid, node.shift) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (node_.grid.steps == 0) return SeriesRows();
    NARTHEX_ASSIGN_OR_RETURN(rows_, selection_.Select());
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (next_ >= rows_.size()) return false;
    const size_t rows =
        std::min(rows_.size() - next_, scope().RowsPerBlock(node_.grid.steps));
    out.Reset(next_, rows, node_.grid.steps);
    notes_.assign(rows, 0);
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        rows, 4, [&](size_t begin, size_t end, WorkerScratch& scratch) {
          for (size_t row = begin; row < end; ++row) {
            NARTHEX_RETURN_IF_ERROR(ScanRow(out, row, scratch));
          }
          return absl::OkStatus();
        }));
    for (size_t row = 0; row < rows; ++row) Tell(row);
    scope().CountQueryable(node_, out.Samples());
    next_ += rows;
    return true;
  }

 private:
  absl::Status ScanRow(ColumnBlock& out, size_t row, WorkerScratch& scratch) {
    const TimeRange range = {
        SaturatingAdd(SaturatingSub(ends_.first, lookback_), 1),
        SaturatingAdd(ends_.At(out.steps() - 1), lookback_)};
    SampleView view;
    NARTHEX_RETURN_IF_ERROR(selection_.Load(next_ + row, range, scratch, view));
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

  void Tell(size_t row) {
    const uint32_t notes = notes_[row];
    if (notes == 0) return;
    const std::string_view metric =
        scope().MetricName(rows_[next_ + row].labels);
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

  const ScanNode& node_;
  SharedSelection& selection_;
  const WindowEnds ends_;
  const int64_t lookback_ = scope().lookback();
  SeriesRows rows_;
  std::vector<uint32_t> notes_;  // window notes, of the block's rows
  size_t next_ = 0;
};

}  // namespace

OperatorPtr NewScanSmoothed(const ScanNode& node, QueryScope& scope) {
  return std::make_unique<ScanSmoothed>(node, scope);
}

}  // namespace narthex::promql
