// sum, avg, min, max, count, group, stddev, stdvar.  Groups are made once; the
// operand streams by, so memory is groups times steps, however many series
// there are.

#include <algorithm>
#include <utility>

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
        reservation_(scope.budget()) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows before, input_->Series());
    GroupTable groups(scope(), node_.aggregate.grouping,
                      node_.aggregate.without);
    group_of_.reserve(before.size());
    for (const SeriesRow& row : before) {
      group_of_.push_back(groups.Add(row.labels));
    }
    const std::span<SeriesRow> rows = scope().NewRows(groups.size());
    for (uint32_t g = 0; g < rows.size(); ++g) {
      rows[g].labels = groups.labels(g);
    }
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i].drop_name) rows[group_of_[i]].drop_name = true;
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
      if (mixed_.empty()) continue;
      // Floats and histograms met: no result.
      for (size_t w = 0; w < out.words(); ++w) {
        const uint64_t histograms = mixed_[group * out.words() + w];
        if ((out.present(row)[w] & histograms) != 0) {
          scope().Warn(MixedInAggregationText(), node_.inputs[0]->pos);
        }
        if ((histograms & ~out.present(row)[w]) != 0) {
          return Unimplemented(
              StrCat(Text(op_), " of histograms is not implemented"));
        }
        out.present(row)[w] &= ~histograms;
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
      NARTHEX_RETURN_IF_ERROR(scope().ForParts(
          words, block.rows() >= 16 ? 4 : words,
          [&](size_t begin, size_t end, WorkerScratch&) {
            for (size_t row = 0; row < block.rows(); ++row) {
              accumulator_->Add(group_of_[block.first() + row],
                                block.values(row), block.present(row), begin,
                                end);
            }
            return absl::OkStatus();
          }));
    }
  }

  // Counted as anything else, ignored with an info, or a conflict with floats.
  void SetHistogramsAside(ColumnBlock& block, size_t row) {
    if (op_ == AggregateOp::kCount || op_ == AggregateOp::kGroup) return;
    if (op_ == AggregateOp::kSum || op_ == AggregateOp::kAvg) {
      const size_t words = block.words();
      if (mixed_.empty()) mixed_.assign(rows_.size() * words, 0);
      uint64_t* const bits =
          mixed_.data() + group_of_[block.first() + row] * words;
      ForEachBit(block.present(row), words, [&](size_t k) {
        if (block.IsHistogram(row, k)) SetBit(bits, k);
      });
      block.DropHistograms(row);
      return;
    }
    if (block.DropHistograms(row)) {
      scope().Info(IgnoredInAggregationText(Text(op_)), node_.inputs[0]->pos);
    }
  }

  const AggregateNode& node_;
  const AggregateOp op_;
  OperatorPtr input_;
  SeriesRows rows_;
  std::vector<uint32_t> group_of_;
  std::unique_ptr<Accumulator> accumulator_;
  Reservation reservation_;
  std::vector<uint64_t> mixed_;  // where a group met histograms; often empty
  bool prepared_ = false;
  size_t next_ = 0;
};

}  // namespace

OperatorPtr NewAggregate(const AggregateNode& node, QueryScope& scope,
                         OperatorPtr input) {
  return std::make_unique<AggregateOperator>(node, scope, std::move(input));
}

}  // namespace narthex::promql
