// Functions over ranges: series by series, the windows of all steps at once.

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/host_call.h"
#include "libpromql/exec/scope.h"
#include "libpromql/exec/shared_scan.h"
#include "libpromql/exec/window.h"
#include "libpromql/func/histogram_row.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

// The samples of a range selector, straight from the store.
class ReadSource final : public SampleSource {
 public:
  ReadSource(const ReadNode& node, QueryScope& scope)
      : node_(node),
        selection_(scope.selection(node.selection)),
        ends_(node.grid, node.shift) {
    const VectorSelector& selector = *node.selector.selector;
    if (selector.anchored || selector.smoothed) {
      behind_ = SaturatingAdd(behind_, scope.lookback());
    }
    if (selector.smoothed) ahead_ = scope.lookback();
  }

  absl::StatusOr<SeriesRows> Series() override {
    if (node_.grid.steps == 0) return SeriesRows();
    NARTHEX_ASSIGN_OR_RETURN(rows_, selection_.Select());
    return rows_;
  }

  absl::StatusOr<size_t> Advance(size_t max) override {
    begin_ = end_;
    end_ = std::min(rows_.size(), begin_ + max);
    return end_ - begin_;
  }

  absl::Status Load(size_t i, WorkerScratch& scratch,
                    SampleView& out) override {
    const TimeRange range = {
        SaturatingAdd(SaturatingSub(ends_.first, behind_), 1),
        SaturatingAdd(ends_.At(node_.grid.steps - 1), ahead_)};
    NARTHEX_RETURN_IF_ERROR(selection_.Load(begin_ + i, range, scratch, out));
    NARTHEX_RETURN_IF_ERROR(DropStale(scratch, out));
    if (node_.statistics_only) KeepStatistics(scratch, out);
    return absl::OkStatus();
  }

  void Finish() override {}

 private:
  const ReadNode& node_;
  SharedSelection& selection_;
  const WindowEnds ends_;
  // What anchored and smoothed selectors look at beyond their range.
  int64_t behind_ = node_.range, ahead_ = 0;
  SeriesRows rows_;
  size_t begin_ = 0, end_ = 0;
};

struct RangeOf {
  const TimeShift& shift;
  int64_t range;
  const VectorSelector* selector = nullptr;  // null: a subquery

  explicit RangeOf(const PlanNode& node)
      : shift(node.kind == NodeKind::kRead
                  ? static_cast<const ReadNode&>(node).shift
                  : static_cast<const SubqueryNode&>(node).shift),
        range(node.kind == NodeKind::kRead
                  ? static_cast<const ReadNode&>(node).range
                  : static_cast<const SubqueryNode&>(node).range) {
    if (node.kind == NodeKind::kRead) {
      selector = static_cast<const ReadNode&>(node).selector.selector.get();
    }
  }
  bool anchored() const { return selector != nullptr && selector->anchored; }
  bool smoothed() const { return selector != nullptr && selector->smoothed; }
};

class ScanRange final : public Operator {
 public:
  ScanRange(const CallNode& node, QueryScope& scope, SampleSourcePtr source,
            std::vector<OperatorPtr> params)
      : Operator(scope),
        node_(node),
        function_(FindWindowFunction(node.id)),
        host_(HostFunctionOf(node)),
        source_(std::move(source)),
        params_(std::move(params)),
        range_(*node.inputs[node.range_arg]),
        ends_(node.grid, range_.shift),
        uses_start_times_(scope.options().start_timestamps &&
                          LooksAtStartTimes(node.id)),
        behind_(range_.anchored() || range_.smoothed()
                    ? SaturatingAdd(range_.range, scope.lookback())
                    : range_.range),
        ahead_(range_.smoothed() ? scope.lookback() : 0) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return input_rows_;
    NARTHEX_RETURN_IF_ERROR(CheckModifiers());
    NARTHEX_ASSIGN_OR_RETURN(input_rows_, source_->Series());
    for (OperatorPtr& param : params_) {
      NARTHEX_ASSIGN_OR_RETURN(std::vector<double> values,
                               DrainScalar(scope(), *param, node_.grid.steps));
      param_values_.push_back(std::move(values));
    }
    prepared_ = true;
    return input_rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    NARTHEX_ASSIGN_OR_RETURN(
        const size_t rows,
        source_->Advance(scope().RowsPerBlock(node_.grid.steps)));
    if (rows == 0) {
      source_->Finish();
      for (OperatorPtr& param : params_) param->Finish();
      TellOverlaps();
      return false;
    }
    out.Reset(next_, rows, node_.grid.steps);
    notes_.assign(rows, {});
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        rows, 4, [&](size_t begin, size_t end, WorkerScratch& scratch) {
          for (size_t row = begin; row < end; ++row) {
            NARTHEX_RETURN_IF_ERROR(EvalRow(out, row, scratch));
          }
          return absl::OkStatus();
        }));
    NARTHEX_RETURN_IF_ERROR(Account(out));
    next_ += rows;
    return true;
  }

 private:
  // What the rows of a block noticed, gathered when all are done.
  struct RowNotes {
    uint32_t window_notes = 0;
    int64_t overlaps = 0;
    int64_t samples = 0;  // over all windows
    int64_t largest = 0;  // window
    int64_t decoded = 0;
  };

  absl::Status CheckModifiers() const {
    if (!range_.anchored() && !range_.smoothed()) return absl::OkStatus();
    const bool rates = node_.id == FunctionId::kRate ||
                       node_.id == FunctionId::kIncrease ||
                       node_.id == FunctionId::kDelta;
    const bool counts =
        node_.id == FunctionId::kResets || node_.id == FunctionId::kChanges;
    if (rates || (counts && range_.anchored())) return absl::OkStatus();
    return InvalidArgument(
        range_.anchored()
            ? StrCat("anchored modifier can only be used with: changes, "
                     "delta, increase, rate, resets - not with ",
                     node_.call.function->name)
            : StrCat("smoothed modifier can only be used with: delta, "
                     "increase, rate - not with ",
                     node_.call.function->name));
  }

  absl::Status EvalRow(ColumnBlock& out, size_t row, WorkerScratch& scratch) {
    SampleView view;
    NARTHEX_RETURN_IF_ERROR(source_->Load(row, scratch, view));
    RowNotes& notes = notes_[row];
    notes.decoded = static_cast<int64_t>(view.t.size());
    const size_t steps = node_.grid.steps;
    SeriesWindows windows;
    windows.t = view.t;
    windows.v = view.v;
    notes.largest = static_cast<int64_t>(FindWindows(
        view.t.size(), [&](size_t i) { return view.t[i].ms; }, ends_, behind_,
        steps, scratch.lo, scratch.hi, ahead_));
    windows.lo = scratch.lo.data();
    windows.hi = scratch.hi.data();
    for (size_t k = 0; k < steps; ++k) {
      notes.samples += scratch.hi[k] - scratch.lo[k];
    }
    if (view.histograms != nullptr) {
      const auto& points = view.histograms->points;
      FindWindows(
          points.size(), [&](size_t i) { return points[i].t.ms; }, ends_,
          behind_, steps, scratch.hist_lo, scratch.hist_hi, ahead_);
      windows.histograms = view.histograms;
      windows.hist_lo = scratch.hist_lo.data();
      windows.hist_hi = scratch.hist_hi.data();
      notes.decoded += static_cast<int64_t>(points.size());
      notes.samples += HistogramSamples(windows);
    }
    if (scope().counts_steps()) CountSteps(windows);
    windows.stop = scope().stop();
    windows.grid = node_.grid;
    windows.first_end = ends_.first;
    windows.end_step = ends_.step;
    windows.range = range_.range;
    windows.anchored = range_.anchored();
    windows.smoothed = range_.smoothed();
    windows.start_times = uses_start_times_;
    if (uses_start_times_ && std::any_of(view.st.begin(), view.st.end(),
                                         [](Timestamp st) { return st.ms; })) {
      windows.st = view.st.data();
    }
    if (!param_values_.empty()) windows.param = param_values_[0].data();
    if (param_values_.size() > 1) windows.param2 = param_values_[1].data();
    if (node_.id == FunctionId::kDoubleExponentialSmoothing) {
      NARTHEX_RETURN_IF_ERROR(CheckFactors(windows));
    }
    WindowOutput output;
    output.v = out.values(row);
    output.present = out.present(row);
    output.histograms = &out.histograms(row);
    output.steps = steps;
    if (host_ != nullptr) {
      return CallHostWindows(*host_, windows, param_values_, output);
    }
    function_(windows, scratch.window, output);
    NARTHEX_RETURN_IF_ERROR(scope().Check());
    notes.window_notes = output.notes;
    notes.overlaps = output.overlaps;
    return absl::OkStatus();
  }

  // Before sample i, in all: a histogram counts by its size.
  static std::vector<int64_t> HistogramSizes(const HistogramColumn& column) {
    std::vector<int64_t> sizes;
    sizes.reserve(column.layouts.size());
    for (const auto& layout : column.layouts) {
      sizes.push_back(SampleEquivalent(*layout));
    }
    std::vector<int64_t> before(column.points.size() + 1, 0);
    for (size_t i = 0; i < column.points.size(); ++i) {
      before[i + 1] = before[i] + sizes[column.points[i].layout];
    }
    return before;
  }

  int64_t HistogramSamples(const SeriesWindows& in) const {
    const std::vector<int64_t> before = HistogramSizes(*in.histograms);
    int64_t n = 0;
    for (size_t k = 0; k < node_.grid.steps; ++k) {
      n += before[in.hist_hi[k]] - before[in.hist_lo[k]];
    }
    return n;
  }

  void CountSteps(const SeriesWindows& in) {
    std::vector<int64_t> before;
    if (in.histograms != nullptr) before = HistogramSizes(*in.histograms);
    for (size_t k = 0; k < node_.grid.steps; ++k) {
      int64_t n = in.hi[k] - in.lo[k];
      if (in.histograms != nullptr) {
        n += before[in.hist_hi[k]] - before[in.hist_lo[k]];
      }
      scope().CountAtStep(node_, k, n);
    }
  }

  // Of double_exponential_smoothing, wherever there are samples.
  static absl::Status CheckFactors(const SeriesWindows& in) {
    for (size_t k = 0; k < in.grid.steps; ++k) {
      if (in.lo[k] == in.hi[k] &&
          (in.histograms == nullptr || in.hist_lo[k] == in.hist_hi[k])) {
        continue;
      }
      if (in.param[k] <= 0 || in.param[k] >= 1) {
        return InvalidArgument(absl::StrFormat(
            "invalid smoothing factor. Expected: 0 < sf < 1, got: %f",
            in.param[k]));
      }
      if (in.param2[k] <= 0 || in.param2[k] >= 1) {
        return InvalidArgument(absl::StrFormat(
            "invalid trend factor. Expected: 0 < tf < 1, got: %f",
            in.param2[k]));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Account(const ColumnBlock& out) {
    const bool checks_counter =
        node_.id == FunctionId::kRate || node_.id == FunctionId::kIncrease;
    const TextRange at = NotePosition();
    int64_t largest = 0;
    for (size_t row = 0; row < out.rows(); ++row) {
      const RowNotes& notes = notes_[row];
      scope().CountQueryable(node_, notes.samples);
      const PlanNode& input = *node_.inputs[node_.range_arg];
      // A subquery's points come from no store.
      if (input.kind == NodeKind::kRead) {
        scope().CountDecoded(input, notes.decoded);
      }
      largest = std::max(largest, notes.largest);
      const LabelRow labels = input_rows_[out.first() + row].labels;
      if (notes.window_notes != 0) {
        Tell(notes.window_notes, scope().MetricName(labels), at);
        if (notes.overlaps != 0) {
          overlaps_[std::string(scope().MetricName(labels))] += notes.overlaps;
        }
      }
      if (out.Empty(row)) continue;
      if (checks_counter && AnyFloat(out, row)) CheckCounter(labels, at);
      if (node_.id == FunctionId::kQuantileOverTime) CheckQuantile(out, row);
    }
    return scope().CheckRoom(largest);
  }

  // Prometheus points at the first argument, whichever it is, and has lost the
  // place of a subquery when it comes to that.
  TextRange NotePosition() const {
    const PlanNode& first = *node_.inputs[0];
    return first.kind == NodeKind::kSubquery ? TextRange{0, 1} : first.pos;
  }

  void Tell(uint32_t notes, std::string_view metric, TextRange at) {
    if (notes & kMixedFloatsHistograms) {
      scope().Warn(MixedSamplesText(metric), at);
    }
    if (notes & kIgnoredHistograms)
      scope().Info(IgnoredInRangeText(metric), at);
    if (notes & kMixedSchemas) scope().Warn(MixedSchemasText(metric), at);
    if (notes & kGaugeHistograms) scope().Warn(NativeNoCounterText(metric), at);
    if (notes & kCounterHistograms) {
      scope().Warn(NativeNoGaugeText(metric), at);
    }
    if (notes & kConflictingResets) {
      scope().Warn(ConflictingResetsText("aggregation"), at);
    }
    for (const auto& [note, what] :
         {std::pair(kReconciledInAddition, "addition"),
          std::pair(kReconciledInSubtraction, "subtraction"),
          std::pair(kReconciledInAggregation, "aggregation")}) {
      if (notes & note) scope().Info(ReconciledBoundsText(what), at);
    }
  }

  // One warning per metric, when it is known how many there are.
  void TellOverlaps() {
    for (const auto& [metric, n] : overlaps_) {
      scope().Warn(OverlappingStartText(metric, n), NotePosition());
    }
    overlaps_.clear();
  }

  static bool AnyFloat(const ColumnBlock& out, size_t row) {
    if (out.histograms(row).empty()) return true;
    bool any = false;
    ForEachBit(out.present(row), out.words(),
               [&](size_t k) { any |= !out.IsHistogram(row, k); });
    return any;
  }

  void CheckCounter(LabelRow labels, TextRange at) {
    const std::string_view name = scope().MetricName(labels);
    if (name.empty()) return;
    if (scope().options().type_and_unit_labels) {
      const std::string_view type =
          scope().symbols().Text(ValueOf(labels, scope().type_id()));
      if (type != "counter" && type != "histogram") {
        scope().Info(NotCounterTypeText(name, type), at);
      }
      return;
    }
    if (!LooksLikeCounter(name)) scope().Info(NotCounterText(name), at);
  }

  void CheckQuantile(const ColumnBlock& out, size_t row) {
    const TextRange at = node_.inputs[0]->pos;
    ForEachBit(out.present(row), out.words(), [&](size_t k) {
      const double q = param_values_[0][k];
      if (!(q >= 0 && q <= 1)) scope().Warn(BadQuantileText(q), at);
    });
  }

  const CallNode& node_;
  const WindowFunction function_;
  const HostFunction* const host_;  // null: not a host's
  SampleSourcePtr source_;
  std::vector<OperatorPtr> params_;
  std::vector<std::vector<double>> param_values_;
  const RangeOf range_;
  const WindowEnds ends_;
  const bool uses_start_times_;
  // What the windows hold beyond the range.
  const int64_t behind_, ahead_;
  std::map<std::string, int64_t> overlaps_;  // by metric
  SeriesRows input_rows_;
  std::vector<RowNotes> notes_;
  bool prepared_ = false;
  size_t next_ = 0;
};

}  // namespace

SampleSourcePtr NewReadSource(const ReadNode& node, QueryScope& scope) {
  return std::make_unique<ReadSource>(node, scope);
}

OperatorPtr NewScanRange(const CallNode& node, QueryScope& scope,
                         SampleSourcePtr source,
                         std::vector<OperatorPtr> params) {
  OperatorPtr scan = std::make_unique<ScanRange>(node, scope, std::move(source),
                                                 std::move(params));
  // Only asked whether there is anything at all.
  if (node.id == FunctionId::kAbsentOverTime) return scan;
  // These two pick a sample, hence keep its name.
  const HostFunction* const host = HostFunctionOf(node);
  if (node.id == FunctionId::kLastOverTime ||
      node.id == FunctionId::kFirstOverTime ||
      (host != nullptr && host->keeps_name)) {
    return scan;
  }
  return NewNameDropped(scope, std::move(scan), node.grid,
                        Collision::kOfSeries);
}

}  // namespace narthex::promql
