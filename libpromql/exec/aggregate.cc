// sum, avg, min, max, count, group, stddev, stdvar.  Groups are made once; the
// operand streams by, so memory is groups times steps, however many series
// there are.

#include <algorithm>
#include <utility>

#include "libpromql/exec/aggregate_histogram.h"
#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/group_table.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/accumulate.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class AggregateOperator final : public Operator {
 public:
  AggregateOperator(const AggregateNode& node, QueryScope& scope,
                    OperatorPtr input)
      : Operator(scope),
        node_(node),
        op_(node.aggregate.op),
        input_(std::move(input)),
        reservation_(scope.budget()),
        histogram_reservation_(scope.budget()) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(before_, input_->Series());
    GroupTable groups(scope(), node_.aggregate.grouping,
                      node_.aggregate.without);
    group_of_.reserve(before_.size());
    for (const SeriesRow& row : before_) {
      group_of_.push_back(groups.Add(row.labels));
    }
    const std::span<SeriesRow> rows = scope().NewRows(groups.size());
    for (uint32_t g = 0; g < rows.size(); ++g) {
      rows[g].labels = groups.labels(g);
    }
    for (size_t i = 0; i < before_.size(); ++i) {
      if (before_[i].drop_name) rows[group_of_[i]].drop_name = true;
    }
    rows_ = rows;
    prepared_ = true;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (accumulator_ == nullptr) {
      NARTHEX_RETURN_IF_ERROR(Accumulate());
      input_->Finish();
    }
    if (next_ >= rows_.size()) return false;
    const size_t rows =
        std::min(rows_.size() - next_, scope().RowsPerBlock(node_.grid.steps));
    out.Reset(next_, rows, node_.grid.steps);
    for (size_t row = 0; row < rows; ++row) {
      const size_t group = next_ + row;
      accumulator_->Finish(group, out.values(row), out.present(row));
      if (histograms_ != nullptr) {
        histograms_->Finish(scope(), group, before_,
                            Unwrap(*node_.aggregate.expr).pos, out, row);
      }
    }
    next_ += rows;
    return true;
  }

 private:
  absl::Status Accumulate() {
    const size_t steps = node_.grid.steps, words = node_.grid.words();
    accumulator_ = NewAccumulator(op_, rows_.size(), steps);
    if (!reservation_.GrowTo(rows_.size() * words * 64 * sizeof(double) *
                             accumulator_->doubles())) {
      return ResourceExhausted("query needs more memory than it may have");
    }
    ColumnBlock block;
    for (;;) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(block));
      if (!more) return absl::OkStatus();
      for (size_t row = 0; row < block.rows(); ++row) {
        if (!block.histograms(row).empty()) SetHistogramsAside(block, row);
      }
      // Lanes are independent: workers share out the words, and every lane
      // sees the series in order.
      NARTHEX_RETURN_IF_ERROR(
          scope().ForParts(words, block.rows() >= 16 ? 4 : words,
                           [&](size_t begin, size_t end, WorkerScratch&) {
                             for (size_t row = 0; row < block.rows(); ++row) {
                               AddRow(block, row, begin, end);
                             }
                             return absl::OkStatus();
                           }));
      if (histograms_ != nullptr &&
          !histogram_reservation_.GrowTo(histograms_->bytes())) {
        return ResourceExhausted("query needs more memory than it may have");
      }
    }
  }

  void AddRow(const ColumnBlock& block, size_t row, size_t begin, size_t end) {
    const size_t series = block.first() + row;
    const size_t group = group_of_[series];
    if (SumsHistograms() && !block.histograms(row).empty()) {
      histograms_->Add(group, block.histograms(row),
                       accumulator_->present(group), series, begin, end);
    }
    accumulator_->Add(group, block.values(row), block.present(row), begin, end);
  }

  bool SumsHistograms() const {
    return op_ == AggregateOp::kSum || op_ == AggregateOp::kAvg;
  }

  // Counted as anything else, ignored with an info, or added up by themselves.
  void SetHistogramsAside(ColumnBlock& block, size_t row) {
    if (op_ == AggregateOp::kCount || op_ == AggregateOp::kGroup) return;
    if (SumsHistograms()) {
      if (histograms_ == nullptr) {
        histograms_ = std::make_unique<HistogramLanes>(
            op_ == AggregateOp::kAvg, rows_.size(), node_.grid.steps);
      }
      HistogramRow& histograms = block.histograms(row);
      for (size_t k = 0; k < block.steps(); ++k) {
        if (!histograms.Has(k)) continue;
        if (!TestBit(block.present(row), k)) histograms.Remove(k);
        ClearBit(block.present(row), k);
      }
      return;
    }
    if (block.DropHistograms(row)) {
      scope().Info(IgnoredInAggregationText(Text(op_)),
                   Unwrap(*node_.aggregate.expr).pos);
    }
  }

  const AggregateNode& node_;
  const AggregateOp op_;
  OperatorPtr input_;
  SeriesRows before_, rows_;
  std::vector<uint32_t> group_of_;
  std::unique_ptr<Accumulator> accumulator_;
  Reservation reservation_;
  std::unique_ptr<HistogramLanes> histograms_;  // null: there are none
  Reservation histogram_reservation_;
  bool prepared_ = false;
  size_t next_ = 0;
};

}  // namespace

OperatorPtr NewAggregate(const AggregateNode& node, QueryScope& scope,
                         OperatorPtr input) {
  return std::make_unique<AggregateOperator>(node, scope, std::move(input));
}

}  // namespace narthex::promql
