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

 private:
  struct Nodes;

  void Add(std::string_view text) { out_.append(text); }
  bool Full() const { return out_.size() > limit_; }
  void Matchers(const VectorSelector& e);
  void At(const AtModifier& at);
  void Offset(const DurationSpec& offset);
  void LabelNames(const std::vector<std::string>& names);

  std::string& out_;
  const size_t limit_;
};

}  // namespace narthex::promql
