// A subquery: its expression's values, on a grid of their own, become samples.

#include <algorithm>
#include <memory>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class SubquerySource final : public SampleSource {
 public:
  SubquerySource(const SubqueryNode& node, OperatorPtr input)
      : grid_(node.inputs[0]->grid), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    // No instant at all: nothing is evaluated, as in Prometheus.
    if (grid_.steps == 0) return SeriesRows();
    return input_->Series();
  }

  absl::StatusOr<size_t> Advance(size_t max) override {
    if (grid_.steps == 0) return size_t{0};
    if (position_ == block_.rows()) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(block_));
      if (!more) return size_t{0};
      position_ = 0;
    }
    begin_ = position_;
    position_ = std::min(block_.rows(), begin_ + max);
    return position_ - begin_;
  }

  absl::Status Load(size_t i, WorkerScratch& scratch,
                    SampleView& out) override {
    const size_t row = begin_ + i;
    SampleColumns& columns = scratch.columns;
    columns.Clear();
    NARTHEX_RETURN_IF_ERROR(columns.Reserve(grid_.steps));
    const double* const values = block_.values(row);
    size_t n = 0;
    ForEachBit(block_.present(row), block_.words(), [&](size_t k) {
      if (block_.IsHistogram(row, k)) {
        AddHistogram(block_.Histogram(row, k), grid_.At(k),
                     columns.mutable_histograms());
        return;
      }
      columns.mutable_t()[n] = grid_.At(k);
      columns.mutable_v()[n] = values[k];
      ++n;
    });
    columns.SetSize(n);
    out.t = columns.t();
    out.v = columns.v();
    out.histograms =
        columns.histograms().empty() ? nullptr : &columns.histograms();
    return absl::OkStatus();
  }

  void Finish() override { input_->Finish(); }

 private:
  // Hints say what the store knew of neighbours that may not be here: they are
  // forgotten, but for gauges.
  static void AddHistogram(const HistogramView& h, int64_t t,
                           HistogramColumn& column) {
    if (column.layouts.empty() || column.layouts.back() != *h.shared) {
      column.layouts.push_back(*h.shared);
    }
    HistogramColumn::Point point;
    point.t = t;
    point.count = h.count;
    point.zero_count = h.zero_count;
    point.sum = h.sum;
    point.layout = static_cast<uint32_t>(column.layouts.size() - 1);
    point.buckets = static_cast<uint32_t>(column.buckets.size());
    point.hint = static_cast<uint8_t>(h.hint == CounterResetHint::kGauge
                                          ? CounterResetHint::kGauge
                                          : CounterResetHint::kUnknown);
    column.buckets.insert(column.buckets.end(), h.buckets,
                          h.buckets + h.size());
    column.points.push_back(point);
  }

  const StepGrid grid_;
  OperatorPtr input_;
  ColumnBlock block_;
  size_t begin_ = 0, position_ = 0;
};

}  // namespace

SampleSourcePtr NewSubquerySource(const SubqueryNode& node, OperatorPtr input) {
  return std::make_unique<SubquerySource>(node, std::move(input));
}

}  // namespace narthex::promql
