// The instant selector: of every series the newest sample within the lookback,
// at every step.

#include <algorithm>
#include <memory>

#include "libpromql/exec/series_scan.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::promql {
namespace {

class ScanInstant final : public SeriesScan {
 public:
  using SeriesScan::SeriesScan;

 protected:
  void End(const ColumnBlock& out) override {
    if (!scope().counts_steps()) return;
    for (size_t row = 0; row < out.rows(); ++row) {
      ForEachBit(out.present(row), out.words(), [&](size_t k) {
        const bool histogram = out.IsHistogram(row, k);
        scope().CountAtStep(node_, k,
                            histogram ? out.histograms(row).Samples(k) : 1);
      });
    }
  }

  absl::Status ScanRow(ColumnBlock& out, size_t row,
                       WorkerScratch& scratch) override {
    const TimeRange range = Range(/*ahead=*/0);
    const size_t i = out.first() + row;
    if (node_.grid.steps == 1 && !selection_.shared() && !node_.start_times) {
      LatestSample latest;
      NARTHEX_ASSIGN_OR_RETURN(const bool found,
                               selection_.set().ReadLatest(
                                   i, range, scope().read_context(), latest));
      if (!found) return absl::OkStatus();
      if (!latest.histogram) {
        scope().CountDecoded(node_, 1);
        if (!IsStale(latest.v)) Set(out, row, 0, latest.t, latest.v);
        return absl::OkStatus();
      }
    }
    SampleView view;
    NARTHEX_RETURN_IF_ERROR(selection_.Load(i, range, scratch, view));
    scope().CountDecoded(
        node_,
        static_cast<int64_t>(
            view.t.size() +
            (view.histograms == nullptr ? 0 : view.histograms->points.size())));
    if (node_.statistics_only) KeepStatistics(scratch, view);
    if (view.histograms != nullptr) {
      ScanMixed(view, out, row);
    } else {
      ScanFloats(view, out, row);
    }
    return absl::OkStatus();
  }

 private:
  void Set(ColumnBlock& out, size_t row, size_t k, Timestamp t, double v) {
    out.values(row)[k] =
        node_.sample_times ? static_cast<double>(t.ms) / 1000 : v;
    SetBit(out.present(row), k);
  }

  // What is shown of a float: its value, its time or its start time.
  double Shown(const SampleView& view, size_t i) const {
    if (node_.sample_times) return static_cast<double>(view.t[i].ms) / 1000;
    if (!node_.start_times) return view.v[i];
    return view.st.empty() ? 0 : static_cast<double>(view.st[i].ms) / 1000;
  }

  void ScanFloats(const SampleView& view, ColumnBlock& out, size_t row) {
    if (node_.sample_times || node_.start_times) {
      ScanFloatsAs<true>(view, out, row);
    } else {
      ScanFloatsAs<false>(view, out, row);
    }
  }

  template <bool kTimes>
  void ScanFloatsAs(const SampleView& view, ColumnBlock& out, size_t row) {
    const size_t n = view.t.size(), steps = out.steps();
    const Timestamp* const t = view.t.data();
    const double* const v = view.v.data();
    double* const values = out.values(row);
    uint64_t* const present = out.present(row);
    size_t next = 0;  // the first sample after the step
    for (size_t begin = 0; begin < steps; begin += 64) {
      const size_t end = std::min(steps, begin + 64);
      uint64_t word = 0;
      for (size_t k = begin; k < end; ++k) {
        const int64_t at = ends_.At(k);
        while (next < n && t[next].ms <= at) ++next;
        if (next == 0) continue;
        const double last = v[next - 1];
        const bool seen =
            t[next - 1].ms > SaturatingSub(at, lookback_) && !IsStale(last);
        values[k] = kTimes ? Shown(view, next - 1) : last;
        word |= uint64_t{seen} << (k - begin);
      }
      present[begin / 64] = word;
    }
  }

  void ScanMixed(const SampleView& view, ColumnBlock& out, size_t row) {
    const auto& points = view.histograms->points;
    size_t next = 0, next_h = 0;
    size_t last = points.size(), last_step = 0;  // the one set last
    for (size_t k = 0; k < out.steps(); ++k) {
      const int64_t at = ends_.At(k);
      const int64_t before = SaturatingSub(at, lookback_);
      while (next < view.t.size() && view.t[next].ms <= at) ++next;
      while (next_h < points.size() && points[next_h].t.ms <= at) ++next_h;
      const bool is_float =
          next > 0 && (next_h == 0 || view.t[next - 1] > points[next_h - 1].t);
      if (is_float) {
        const double v = view.v[next - 1];
        if (view.t[next - 1].ms > before && !IsStale(v)) {
          out.values(row)[k] = Shown(view, next - 1);
          SetBit(out.present(row), k);
        }
        continue;
      }
      if (next_h == 0 || points[next_h - 1].t.ms <= before ||
          IsStale(points[next_h - 1].sum)) {
        continue;
      }
      if (node_.sample_times || node_.start_times) {
        const auto& point = points[next_h - 1];
        const Timestamp shown = node_.sample_times ? point.t : point.st;
        out.values(row)[k] = static_cast<double>(shown.ms) / 1000;
        SetBit(out.present(row), k);
        continue;
      }
      if (last == next_h - 1) {
        out.histograms(row).Share(k, last_step);
        out.values(row)[k] = 0;
        SetBit(out.present(row), k);
        continue;
      }
      last = next_h - 1;
      last_step = k;
      out.SetHistogram(row, k, ViewOf(*view.histograms, last));
    }
  }
};

}  // namespace

OperatorPtr NewScanInstant(const ScanNode& node, QueryScope& scope) {
  // Times are those of samples even so.
  if (node.selector.smoothed && !node.sample_times && !node.start_times) {
    return NewScanSmoothed(node, scope);
  }
  return std::make_unique<ScanInstant>(node, scope);
}

}  // namespace narthex::promql
