// Replays one step for all.

#include <algorithm>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class Fixed final : public Operator {
 public:
  Fixed(const FixedNode& node, QueryScope& scope, OperatorPtr input)
      : Operator(scope), steps_(node.grid.steps), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (steps_ == 0) return SeriesRows();
    NARTHEX_ASSIGN_OR_RETURN(rows_, input_->Series());
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (steps_ == 0) return false;
    if (position_ == once_.rows()) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(once_));
      if (!more) {
        input_->Finish();
        return false;
      }
      position_ = 0;
    }
    // One step's block holds many more series than one of all steps.
    const size_t rows =
        std::min(once_.rows() - position_, scope().RowsPerBlock(steps_));
    out.Reset(once_.first() + position_, rows, steps_);
    for (size_t row = 0; row < rows; ++row) {
      const size_t from = position_ + row;
      if (!TestBit(once_.present(from), 0)) continue;
      SetAllBits(out.present(row), steps_);
      std::fill_n(out.values(row), steps_, once_.values(from)[0]);
      if (once_.IsHistogram(from, 0)) {
        out.histograms(row).Fill(steps_, once_.Histogram(from, 0));
      }
    }
    position_ += rows;
    return true;
  }

 private:
  const size_t steps_;
  OperatorPtr input_;
  SeriesRows rows_;
  ColumnBlock once_;
  size_t position_ = 0;
};

class Constant final : public ScalarOperator {
 public:
  Constant(const NumberNode& node, QueryScope& scope)
      : ScalarOperator(scope, node.grid.steps), value_(node.value) {}

 protected:
  absl::Status Evaluate(double* values) override {
    std::fill_n(values, steps(), value_);
    return absl::OkStatus();
  }

 private:
  const double value_;
};

}  // namespace

OperatorPtr NewFixed(const FixedNode& node, QueryScope& scope,
                     OperatorPtr input) {
  return std::make_unique<Fixed>(node, scope, std::move(input));
}

OperatorPtr NewConstant(const NumberNode& node, QueryScope& scope) {
  return std::make_unique<Constant>(node, scope);
}

}  // namespace narthex::promql
