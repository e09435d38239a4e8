#include "libpromql/exec/operator.h"

#include <algorithm>
#include <utility>

#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {

namespace {

absl::Status OverBudget() {
  return ResourceExhausted("query needs more memory than it may have");
}

}  // namespace

Operator::~Operator() { Finish(); }

absl::StatusOr<bool> Operator::Next(ColumnBlock& out) {
  NARTHEX_RETURN_IF_ERROR(scope_.Check());
  NARTHEX_ASSIGN_OR_RETURN(const bool more, Produce(out));
  if (!more) return false;
  if (!out.Charge(scope_.budget())) {
    if (node_ == nullptr) return OverBudget();
    return ResourceExhausted(
        StrCat("query needs more memory than it may have: ", Describe(*node_),
               " (bytes ", node_->pos.begin, " to ", node_->pos.end,
               " of the query)"));
  }
  const int64_t n = out.Samples();
  held_ += n;
  NARTHEX_RETURN_IF_ERROR(scope_.Hold(n));
  return true;
}

void Operator::Finish() { scope_.Release(std::exchange(held_, 0)); }

absl::StatusOr<SeriesRows> ScalarOperator::Series() {
  static constexpr SeriesRow kNoLabels = {};
  return SeriesRows(&kNoLabels, 1);
}

absl::StatusOr<bool> ScalarOperator::Produce(ColumnBlock& out) {
  if (std::exchange(done_, true)) return false;
  out.Reset(0, 1, steps_);
  SetAllBits(out.present(0), steps_);
  NARTHEX_RETURN_IF_ERROR(Evaluate(out.values(0)));
  return true;
}

absl::StatusOr<ColumnBlock> Drain(QueryScope& scope, Operator& input,
                                  size_t steps) {
  NARTHEX_ASSIGN_OR_RETURN(const SeriesRows rows, input.Series());
  ColumnBlock all, block;
  bool sized = false;
  for (;;) {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, input.Next(block));
    if (!more) break;
    if (block.rows() == rows.size()) {
      // To the end: what comes without rows may come with warnings.
      ColumnBlock rest;
      bool behind = true;
      while (behind) {
        NARTHEX_ASSIGN_OR_RETURN(behind, input.Next(rest));
      }
      return block;
    }
    if (!sized) {
      all.Reset(0, rows.size(), steps);
      if (!all.Charge(scope.budget())) return OverBudget();
      sized = true;
    }
    for (size_t row = 0; row < block.rows(); ++row) {
      all.CopyRow(block.first() + row, block, row);
    }
  }
  if (!sized) all.Reset(0, rows.size(), steps);
  return all;
}

absl::StatusOr<std::vector<double>> DrainScalar(QueryScope& scope,
                                                Operator& input, size_t steps) {
  NARTHEX_RETURN_IF_ERROR(input.Series().status());
  NARTHEX_ASSIGN_OR_RETURN(const ColumnBlock block, Drain(scope, input, steps));
  std::vector<double> values(steps);
  if (block.rows() > 0) std::copy_n(block.values(0), steps, values.begin());
  return values;
}

}  // namespace narthex::promql
