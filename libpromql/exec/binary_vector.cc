// Arithmetic and comparison between two vectors.  Which series belong together
// is settled once.  If every pair is unambiguous whatever the step, columns
// meet columns and the "many" side streams; otherwise (series that take turns,
// fill values) join_by_step.cc goes step by step.

#include <algorithm>
#include <utility>

#include "libpromql/exec/binary_element.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/join.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/binary_ops.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class BinaryVector final : public Operator {
 public:
  BinaryVector(const BinaryNode& node, QueryScope& scope, OperatorPtr lhs,
               OperatorPtr rhs)
      : Operator(scope),
        node_(node),
        lhs_(std::move(lhs)),
        rhs_(std::move(rhs)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (join_ != nullptr) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows left, lhs_->Series());
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows right, rhs_->Series());
    join_ = std::make_unique<Join>(node_, scope(), left, right);
    many_ = join_->swapped() ? rhs_.get() : lhs_.get();
    one_ = join_->swapped() ? lhs_.get() : rhs_.get();
    if (Pair()) return rows_;
    pairs_.clear();
    NARTHEX_RETURN_IF_ERROR(JoinByStep());
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (by_step_) return std::exchange(by_step_, false) && Hand(out);
    if (!one_drained_) {
      if (one_done_) return false;
      NARTHEX_ASSIGN_OR_RETURN(one_values_,
                               Drain(scope(), *one_, node_.grid.steps));
      one_drained_ = true;
    }
    NARTHEX_ASSIGN_OR_RETURN(const bool more, many_->Next(block_));
    if (!more) {
      many_->Finish();
      one_->Finish();
      join_->TellNotes();
      one_drained_ = false;
      one_done_ = true;
      one_values_ = ColumnBlock();
      return false;
    }
    // pairs_ is in the order of the many side: a block's pairs are a run.
    const size_t begin = next_pair_;
    while (next_pair_ < pairs_.size() &&
           pairs_[next_pair_].many < block_.first() + block_.rows()) {
      ++next_pair_;
    }
    out.Reset(begin, next_pair_ - begin, node_.grid.steps);
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        out.rows(), 64, [&](size_t from, size_t to, WorkerScratch&) {
          for (size_t row = from; row < to; ++row) {
            if (!Mixed(begin + row)) Apply(out, row, begin + row);
          }
          return absl::OkStatus();
        }));
    for (size_t row = 0; row < out.rows(); ++row) {
      if (Mixed(begin + row)) {
        ApplyMixed(out, row, begin + row);
      }
    }
    return true;
  }

 private:
  struct Matched {
    uint32_t many = 0;
    uint32_t one = 0;
  };

  // The unambiguous case: true, and pairs_ and rows_ are made.
  bool Pair() {
    const VectorMatching& matching = *node_.binary.matching;
    if (matching.fill_left || matching.fill_right) return false;
    constexpr uint32_t kNobody = ~uint32_t{0};
    std::vector<uint32_t> one_of(join_->signatures(), kNobody);
    for (size_t i = 0; i < join_->one_signatures().size(); ++i) {
      uint32_t& one = one_of[join_->one_signatures()[i]];
      if (one != kNobody) return false;
      one = static_cast<uint32_t>(i);
    }
    for (size_t i = 0; i < join_->many_signatures().size(); ++i) {
      uint32_t& one = one_of[join_->many_signatures()[i]];
      if (one == kNobody) continue;
      pairs_.push_back({static_cast<uint32_t>(i), one});
    }
    if (matching.card == VectorMatching::Card::kOneToOne) {
      std::vector<bool> taken(join_->signatures(), false);
      for (const Matched& pair : pairs_) {
        const uint32_t signature = join_->many_signatures()[pair.many];
        if (taken[signature]) return false;
        taken[signature] = true;
      }
    }
    const std::span<SeriesRow> rows = scope().NewRows(pairs_.size());
    RowTable table;
    table.Reserve(pairs_.size());
    for (size_t i = 0; i < pairs_.size(); ++i) {
      rows[i].labels = join_->ResultLabels(join_->many()[pairs_[i].many].labels,
                                           join_->one()[pairs_[i].one].labels);
      rows[i].drop_name = node_.binary.return_bool;
      if (table.Add(rows[i].labels) != i) return false;
    }
    rows_ = rows;
    return true;
  }

  bool Mixed(size_t pair) const {
    const BinaryOp op = node_.binary.op;
    return op == BinaryOp::kTrimLower || op == BinaryOp::kTrimUpper ||
           !block_.histograms(pairs_[pair].many - block_.first()).empty() ||
           !one_values_.histograms(pairs_[pair].one).empty();
  }

  void Apply(ColumnBlock& out, size_t row, size_t pair) const {
    const size_t many = pairs_[pair].many - block_.first();
    const size_t one = pairs_[pair].one;
    uint64_t* const present = out.present(row);
    uint64_t any = 0;
    for (size_t w = 0; w < out.words(); ++w) {
      present[w] = block_.present(many)[w] & one_values_.present(one)[w];
      any |= present[w];
    }
    if (any == 0) return;
    const double* left = block_.values(many);
    const double* right = one_values_.values(one);
    if (join_->swapped()) std::swap(left, right);
    const BinaryOp op = node_.binary.op;
    if (IsComparison(op) && !node_.binary.return_bool) {
      ApplyFilter(op, left, right, present, out.steps());
      std::copy_n(left, out.steps(), out.values(row));
    } else {
      ApplyArithmetic(op, left, right, out.values(row), out.steps());
    }
  }

  void ApplyMixed(ColumnBlock& out, size_t row, size_t pair) {
    const size_t many = pairs_[pair].many - block_.first();
    const size_t one = pairs_[pair].one;
    for (size_t k = 0; k < out.steps(); ++k) {
      if (!TestBit(block_.present(many), k) ||
          !TestBit(one_values_.present(one), k)) {
        continue;
      }
      Element left = ElementAt(block_, many, k);
      Element right = ElementAt(one_values_, one, k);
      if (join_->swapped()) std::swap(left, right);
      const BinaryElement& element = join_->Apply(k, out.steps(), left, right);
      if (element.dropped() || (!element.keep && !node_.binary.return_bool)) {
        continue;
      }
      element.Store(out, row, k);
    }
  }

  absl::Status JoinByStep() {
    NARTHEX_ASSIGN_OR_RETURN(const ColumnBlock left,
                             Drain(scope(), *lhs_, node_.grid.steps));
    NARTHEX_ASSIGN_OR_RETURN(const ColumnBlock right,
                             Drain(scope(), *rhs_, node_.grid.steps));
    NARTHEX_ASSIGN_OR_RETURN(
        rows_, join_->ByStep(join_->swapped() ? right : left,
                             join_->swapped() ? left : right, joined_));
    join_->TellNotes();
    lhs_->Finish();
    rhs_->Finish();
    by_step_ = true;
    one_done_ = true;
    return absl::OkStatus();
  }

  bool Hand(ColumnBlock& out) {
    out = std::move(joined_);
    return true;
  }

  const BinaryNode& node_;
  OperatorPtr lhs_, rhs_;
  Operator* many_ = nullptr;
  Operator* one_ = nullptr;
  std::unique_ptr<Join> join_;
  SeriesRows rows_;

  std::vector<Matched> pairs_;
  size_t next_pair_ = 0;
  ColumnBlock one_values_, block_;
  bool one_drained_ = false, one_done_ = false;

  bool by_step_ = false;
  ColumnBlock joined_;
};

}  // namespace

OperatorPtr NewBinaryVector(const BinaryNode& node, QueryScope& scope,
                            OperatorPtr lhs, OperatorPtr rhs) {
  return std::make_unique<BinaryVector>(node, scope, std::move(lhs),
                                        std::move(rhs));
}

}  // namespace narthex::promql
