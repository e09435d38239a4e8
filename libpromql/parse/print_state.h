// The one-line printer at work: appends to a string and stops soon after
// `limit` bytes, so that asking whether a tree fits on a line is cheap however
// big the tree is.
//
// One thread.

#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "narthex/promql/ast.h"

namespace narthex::promql {

class PrintState {
 public:
  explicit PrintState(std::string& out,
                      size_t limit = std::numeric_limits<size_t>::max())
      : out_(out), limit_(limit) {}

  void Print(const Expr& expr);
  void Print(const DurationExpr& expr);
  void Print(const DurationSpec& spec);

  // The parts that stand before or behind the children.
  void Head(const Aggregate& e);  // `sum by (a) `
  void Head(const Binary& e);     // `+ on (a) group_left ()`
  void Range(const MatrixSelector& e);
  void Range(const Subquery& e);
  std::string_view Sign(const Unary& e) const {
    return e.op == UnaryOp::kMinus ? "-" : "+";
  }

  // See arithmetic_follows_; both return what held before.
  bool LeftOperandOf(BinaryOp op) {
    return set_arithmetic_follows(op <= BinaryOp::kPow);
  }
  bool set_arithmetic_follows(bool follows) {
    return std::exchange(arithmetic_follows_, follows);
  }

 private:
  struct Nodes;

  void Add(std::string_view text) { out_.append(text); }
  bool Full() const { return out_.size() > limit_; }
  void Matchers(const VectorSelector& e);
  // `@`, `anchored` or `smoothed`, and `offset`.
  void Modifiers(const VectorSelector& e, bool at_first);
  void Modifiers(const AtModifier& at, std::string_view extended,
                 const DurationSpec& offset);
  bool OffsetFirst(const DurationSpec& offset) const {
    return arithmetic_follows_ && offset.expr != nullptr;
  }
  void At(const AtModifier& at);
  void Offset(const DurationSpec& offset);
  void Inside(const Expr& expr);  // brackets of some kind
  void LabelNames(const std::vector<std::string>& names);

  std::string& out_;
  const size_t limit_;
  // An arithmetic operator comes next.  `x offset (5m) @ 3 - y` must not become
  // `x @ 3 offset (5m) - y`: there the offset would go on behind the minus.
  // (Prometheus prints it so.)
  bool arithmetic_follows_ = false;
};

}  // namespace narthex::promql
