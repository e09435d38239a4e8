// Binary operators with a scalar on one side at least.

#include <algorithm>
#include <utility>

#include "libpromql/exec/annotate.h"
#include "libpromql/exec/binary_element.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/binary_ops.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

class ScalarScalar final : public ScalarOperator {
 public:
  ScalarScalar(const BinaryNode& node, QueryScope& scope, OperatorPtr lhs,
               OperatorPtr rhs)
      : ScalarOperator(scope, node.grid.steps),
        op_(node.binary.op),
        lhs_(std::move(lhs)),
        rhs_(std::move(rhs)) {}

 protected:
  absl::Status Evaluate(double* values) override {
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<double> left,
                             DrainScalar(scope(), *lhs_, steps()));
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<double> right,
                             DrainScalar(scope(), *rhs_, steps()));
    ApplyArithmetic(op_, left.data(), right.data(), values, steps());
    lhs_->Finish();
    rhs_->Finish();
    return absl::OkStatus();
  }

 private:
  const BinaryOp op_;
  OperatorPtr lhs_, rhs_;
};

class VectorScalar final : public Operator {
 public:
  VectorScalar(const BinaryNode& node, QueryScope& scope, OperatorPtr vector,
               OperatorPtr scalar, bool scalar_is_left)
      : Operator(scope),
        node_(node),
        op_(node.binary.op),
        vector_(std::move(vector)),
        scalar_(std::move(scalar)),
        scalar_is_left_(scalar_is_left) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (!prepared_) {
      NARTHEX_ASSIGN_OR_RETURN(rows_, vector_->Series());
      NARTHEX_ASSIGN_OR_RETURN(
          values_, DrainScalar(scope(), *scalar_, node_.grid.steps));
      prepared_ = true;
    }
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, vector_->Next(out));
    if (!more) {
      vector_->Finish();
      scalar_->Finish();
      notes_.Tell(scope(), op_, node_.pos);
      return false;
    }
    const bool trim =
        op_ == BinaryOp::kTrimLower || op_ == BinaryOp::kTrimUpper;
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        out.rows(), 64, [&](size_t begin, size_t end, WorkerScratch&) {
          for (size_t row = begin; row < end; ++row) {
            if (out.histograms(row).empty() && !trim) ApplyToRow(out, row);
          }
          return absl::OkStatus();
        }));
    for (size_t row = 0; row < out.rows(); ++row) {
      if (!out.histograms(row).empty() || trim) {
        ApplyToMixedRow(out, row);
      }
    }
    return true;
  }

 private:
  void ApplyToRow(ColumnBlock& out, size_t row) const {
    if (out.Empty(row)) return;
    const double* const left =
        scalar_is_left_ ? values_.data() : out.values(row);
    const double* const right =
        scalar_is_left_ ? out.values(row) : values_.data();
    if (IsComparison(op_) && !node_.binary.return_bool) {
      // What stays is the vector's value, whichever side it is on.
      ApplyFilter(op_, left, right, out.present(row), out.steps());
    } else {
      ApplyArithmetic(op_, left, right, out.values(row), out.steps());
    }
  }

  void ApplyToMixedRow(ColumnBlock& out, size_t row) {
    // The row is read while it is written anew.
    HistogramRow before = std::move(out.histograms(row));
    out.histograms(row).Clear();
    double* const v = out.values(row);
    for (size_t k = 0; k < out.steps(); ++k) {
      if (!TestBit(out.present(row), k)) continue;
      Element left{v[k], {}}, right{values_[k], {}};
      if (before.Has(k)) left.histogram = before.View(k);
      const HistogramView vector = left.histogram;
      const double value = v[k];
      if (scalar_is_left_) std::swap(left, right);
      ApplyToElements(op_, left, right, element_);
      if (element_.note != BinaryNote::kNone) {
        notes_.Set(k, out.steps(), left, right, element_.note);
      }
      ClearBit(out.present(row), k);
      if (element_.dropped()) continue;
      if (node_.binary.return_bool) {
        element_.ToBool();
      } else if (!element_.keep) {
        continue;
      } else if (scalar_is_left_ && IsComparison(op_)) {
        // What stays is the vector's value.
        element_.v = value;
        element_.left = vector;
      }
      element_.Store(out, row, k);
    }
  }

  const BinaryNode& node_;
  const BinaryOp op_;
  OperatorPtr vector_, scalar_;
  const bool scalar_is_left_;
  SeriesRows rows_;
  std::vector<double> values_;
  BinaryElement element_;
  BinaryNotes notes_;
  bool prepared_ = false;
};

}  // namespace

OperatorPtr NewBinaryScalar(const BinaryNode& node, QueryScope& scope,
                            OperatorPtr lhs, OperatorPtr rhs) {
  const bool left = node.inputs[0]->type == ValueType::kScalar;
  const bool right = node.inputs[1]->type == ValueType::kScalar;
  if (left && right) {
    if (node.binary.op == BinaryOp::kTrimLower ||
        node.binary.op == BinaryOp::kTrimUpper) {
      return NewRefusal(scope,
                        StrCat("operator ", GoQuote(Text(node.binary.op)),
                               " not allowed for Scalar operations"));
    }
    return std::make_unique<ScalarScalar>(node, scope, std::move(lhs),
                                          std::move(rhs));
  }
  OperatorPtr out =
      std::make_unique<VectorScalar>(node, scope, std::move(left ? rhs : lhs),
                                     std::move(left ? lhs : rhs), left);
  const BinaryOp op = node.binary.op;
  const bool keeps_name = (IsComparison(op) && !node.binary.return_bool) ||
                          op == BinaryOp::kTrimLower ||
                          op == BinaryOp::kTrimUpper;
  if (keeps_name) return out;
  return NewNameDropped(scope, std::move(out), node.grid);
}

}  // namespace narthex::promql
