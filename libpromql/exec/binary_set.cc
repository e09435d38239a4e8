// and, or, unless: which elements stay depends on what is there on the other
// side, step by step; bitmaps do it.

#include <algorithm>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/match_signature.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class SetOperator final : public Operator {
 public:
  SetOperator(const BinaryNode& node, QueryScope& scope, OperatorPtr lhs,
              OperatorPtr rhs)
      : Operator(scope),
        node_(node),
        op_(node.binary.op),
        lhs_(std::move(lhs)),
        rhs_(std::move(rhs)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows left, lhs_->Series());
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows right, rhs_->Series());
    MatchSignature signature(scope(), *node_.binary.matching);
    left_signatures_ = signature.OfAll(left);
    right_signatures_ = signature.OfAll(right);
    words_ = node_.grid.words();
    seen_.assign(signature.size() * words_, 0);
    prepared_ = true;
    rows_ = left;
    if (op_ == BinaryOp::kOr) {
      const std::span<SeriesRow> both =
          scope().NewRows(left.size() + right.size());
      std::copy(left.begin(), left.end(), both.begin());
      std::copy(right.begin(), right.end(),
                both.begin() + static_cast<std::ptrdiff_t>(left.size()));
      rows_ = both;
    }
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    return op_ == BinaryOp::kOr ? Union(out) : Restrict(out);
  }

 private:
  uint64_t* Seen(uint32_t signature) {
    return seen_.data() + signature * words_;
  }
  void See(const ColumnBlock& block, const std::vector<uint32_t>& signatures) {
    for (size_t row = 0; row < block.rows(); ++row) {
      uint64_t* const seen = Seen(signatures[block.first() + row]);
      for (size_t w = 0; w < words_; ++w) seen[w] |= block.present(row)[w];
    }
  }

  // and, unless: the right side first, then the left through its mask.
  absl::StatusOr<bool> Restrict(ColumnBlock& out) {
    if (!right_done_) {
      right_done_ = true;
      ColumnBlock block;
      for (;;) {
        NARTHEX_ASSIGN_OR_RETURN(const bool more, rhs_->Next(block));
        if (!more) break;
        See(block, right_signatures_);
      }
      rhs_->Finish();
    }
    NARTHEX_ASSIGN_OR_RETURN(const bool more, lhs_->Next(out));
    if (!more) {
      lhs_->Finish();
      return false;
    }
    const uint64_t flip = op_ == BinaryOp::kUnless ? ~uint64_t{0} : 0;
    for (size_t row = 0; row < out.rows(); ++row) {
      const uint64_t* const seen = Seen(left_signatures_[out.first() + row]);
      for (size_t w = 0; w < words_; ++w) {
        out.present(row)[w] &= seen[w] ^ flip;
      }
    }
    return true;
  }

  // or: the left side as it is, then of the right side what is new.
  absl::StatusOr<bool> Union(ColumnBlock& out) {
    if (!left_done_) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, lhs_->Next(out));
      if (more) {
        See(out, left_signatures_);
        return true;
      }
      left_done_ = true;
      lhs_->Finish();
    }
    NARTHEX_ASSIGN_OR_RETURN(const bool more, rhs_->Next(block_));
    if (!more) {
      rhs_->Finish();
      return false;
    }
    out.Reset(left_signatures_.size() + block_.first(), block_.rows(),
              block_.steps());
    for (size_t row = 0; row < block_.rows(); ++row) {
      out.CopyRow(row, block_, row);
      const uint64_t* const seen =
          Seen(right_signatures_[block_.first() + row]);
      for (size_t w = 0; w < words_; ++w) out.present(row)[w] &= ~seen[w];
    }
    return true;
  }

  const BinaryNode& node_;
  const BinaryOp op_;
  OperatorPtr lhs_, rhs_;
  SeriesRows rows_;
  std::vector<uint32_t> left_signatures_, right_signatures_;
  size_t words_ = 0;
  std::vector<uint64_t> seen_;  // a bitmap per signature
  ColumnBlock block_;
  bool prepared_ = false, left_done_ = false, right_done_ = false;
};

}  // namespace

OperatorPtr NewBinarySet(const BinaryNode& node, QueryScope& scope,
                         OperatorPtr lhs, OperatorPtr rhs) {
  OperatorPtr out = std::make_unique<SetOperator>(node, scope, std::move(lhs),
                                                  std::move(rhs));
  if (node.binary.op != BinaryOp::kOr) return out;
  // Both sides may have the same series, at different steps.
  return NewRelabeled(scope, std::move(out), node.grid,
                      [](SeriesRows rows) -> absl::StatusOr<RelabeledRows> {
                        return RelabeledRows{rows};
                      });
}

}  // namespace narthex::promql
