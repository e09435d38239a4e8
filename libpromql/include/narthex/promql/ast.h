// The tree of a PromQL expression.  Every node knows its bytes in the query's
// text (`pos`) and the type of its value; kinds are told apart by `kind`, and
// Visit() picks the overload for a node's own struct.
//
// Plain data: one thread may change a tree, any number may read it.  What the
// parser hands out is sound in type and at most kMaxTreeHeight nodes high, so
// that walking it by recursion is safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/annotations.h"
#include "narthex/model/matcher.h"

namespace narthex::promql {

inline constexpr int kMaxTreeHeight = 1000;

enum class ValueType : uint8_t { kNone, kScalar, kString, kVector, kMatrix };
// "scalar", "string", "vector", "matrix": the HTTP API's words.
std::string_view ShortName(ValueType type);
// "instant vector", "range vector": the words of error texts.
std::string_view DocumentedName(ValueType type);

// --- Operators.

enum class BinaryOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,
  kTrimLower,  // `</` and `>/`
  kAnd,
  kOr,
  kUnless
};
std::string_view Text(BinaryOp op);  // "+", "atan2", "unless", ...
constexpr bool IsComparison(BinaryOp op) {
  return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual;
}
constexpr bool IsSetOperator(BinaryOp op) { return op >= BinaryOp::kAnd; }

enum class AggregateOp : uint8_t {
  kSum,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopK,
  kBottomK,
  kCountValues,
  kQuantile,
  kLimitK,
  kLimitRatio
};
std::string_view Text(AggregateOp op);  // "sum", "count_values", ...
constexpr bool TakesParameter(AggregateOp op) {
  return op >= AggregateOp::kTopK;
}

enum class UnaryOp : uint8_t { kPlus, kMinus };

// --- Functions.

// All of them, by name, in libpromql/parse/function_table.h.
enum class FunctionId : uint8_t;

// A row of the function table; rows live for ever.
struct Function {
  std::string_view name = {};
  FunctionId id = {};
  std::span<const ValueType> arg_types = {};
  // 0: exactly arg_types.  n > 0: the last one may be absent, or be given up to
  // n times.  -1: any number of times.
  int variadic = 0;
  ValueType return_type = ValueType::kVector;
  bool experimental = false;  // needs promql-experimental-functions
};

// --- Durations: of ranges, subquery steps and offsets.

// Arithmetic over durations, in seconds; step() and range() are known only when
// the query runs.
struct DurationExpr {
  enum class Op : uint8_t {
    kNumber,
    kStep,
    kRange,  // leaves
    kNegate,
    kPlus,  // lhs null
    kAdd,
    kSub,
    kMul,
    kDiv,
    kMod,
    kPow,
    kMinOf,
    kMaxOf
  };
  Op op = Op::kNumber;
  bool wrapped = false;      // was in parentheses
  bool as_duration = false;  // kNumber: was written "5m", not "300"
  double seconds = 0;        // kNumber
  TextRange pos = {};
  std::unique_ptr<DurationExpr> lhs = nullptr;
  std::unique_ptr<DurationExpr> rhs = nullptr;
};
std::string_view Text(DurationExpr::Op op);  // "step", "+", "min_of", ...

// When a query runs.  Of an instant query: start == end, step 0.
struct QueryTimes {
  Timestamp start = 0;
  Timestamp end = 0;
  Duration step = {};
};

// A duration as written: a constant, or an expression.
struct DurationSpec {
  Duration value = {};  // if there is no expr
  std::unique_ptr<DurationExpr> expr = nullptr;

  bool present() const { return expr != nullptr || value.ms != 0; }
  // Ranges and steps must be positive, offsets need not.  Errors have
  // Prometheus's text: "<begin>:<end>: duration must be greater than 0".
  absl::StatusOr<Duration> Resolve(const QueryTimes& times,
                                   bool must_be_positive) const;
};

// --- Time modifiers of selectors and subqueries.

struct AtModifier {
  enum class Kind : uint8_t { kNone, kTime, kStart, kEnd };
  Kind kind = Kind::kNone;
  Timestamp t = 0;  // of kTime

  bool present() const { return kind != Kind::kNone; }
  // The instant that is meant; only if present().
  Timestamp Resolve(const QueryTimes& times) const {
    return kind == Kind::kTime    ? t
           : kind == Kind::kStart ? times.start
                                  : times.end;
  }
  friend bool operator==(const AtModifier&, const AtModifier&) = default;
};

// --- Nodes.

enum class ExprKind : uint8_t {
  kNumber,
  kString,
  kVector,
  kMatrix,
  kSubquery,
  kCall,
  kAggregate,
  kBinary,
  kUnary,
  kParen
};

struct Expr {
  Expr(ExprKind k, ValueType t) : kind(k), type(t) {}
  virtual ~Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;

  const ExprKind kind;
  ValueType type;
  TextRange pos = {};
};
using ExprPtr = std::unique_ptr<Expr>;

struct NumberLiteral : Expr {
  static constexpr ExprKind kKind = ExprKind::kNumber;
  NumberLiteral() : Expr(kKind, ValueType::kScalar) {}
  double value = 0;
  bool as_duration = false;  // was written "5m", not "300"
};

struct StringLiteral : Expr {
  static constexpr ExprKind kKind = ExprKind::kString;
  StringLiteral() : Expr(kKind, ValueType::kString) {}
  std::string value = {};
};

struct VectorSelector : Expr {
  static constexpr ExprKind kKind = ExprKind::kVector;
  VectorSelector() : Expr(kKind, ValueType::kVector) {}
  // The metric's name if it was written before the braces; `matchers` has a
  // matcher for it as well, the last one.
  std::string name = {};
  Matchers matchers = {};
  DurationSpec offset = {};
  AtModifier at = {};
  bool anchored = false;
  bool smoothed = false;
  // The second argument of info(): may match everything.
  bool is_info_filter = false;
};

struct MatrixSelector : Expr {
  static constexpr ExprKind kKind = ExprKind::kMatrix;
  MatrixSelector() : Expr(kKind, ValueType::kMatrix) {}
  // Has offset, @, anchored and smoothed, wherever they were written.
  std::unique_ptr<VectorSelector> selector = nullptr;
  DurationSpec range = {};
};

struct Subquery : Expr {
  static constexpr ExprKind kKind = ExprKind::kSubquery;
  Subquery() : Expr(kKind, ValueType::kMatrix) {}
  ExprPtr expr = nullptr;
  DurationSpec range = {};
  DurationSpec step = {};  // absent: the engine's default
  DurationSpec offset = {};
  AtModifier at = {};
};

struct Call : Expr {
  static constexpr ExprKind kKind = ExprKind::kCall;
  Call() : Expr(kKind, ValueType::kNone) {}
  const Function* function = nullptr;  // never null in a parsed tree
  std::vector<ExprPtr> args = {};
};

struct Aggregate : Expr {
  static constexpr ExprKind kKind = ExprKind::kAggregate;
  Aggregate() : Expr(kKind, ValueType::kVector) {}
  AggregateOp op = AggregateOp::kSum;
  bool without = false;
  std::vector<std::string> grouping = {};  // as written
  ExprPtr param = nullptr;                 // iff TakesParameter(op)
  ExprPtr expr = nullptr;
};

struct VectorMatching {
  enum class Card : uint8_t { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
  Card card = Card::kOneToOne;  // kManyToMany: the set operators
  bool on = false;              // else ignoring `labels`
  std::vector<std::string> labels = {};
  std::vector<std::string> include = {};  // of group_left, group_right
  std::optional<double> fill_left = {};
  std::optional<double> fill_right = {};
};
std::string_view Text(VectorMatching::Card card);  // "one-to-one", ...

struct Binary : Expr {
  static constexpr ExprKind kKind = ExprKind::kBinary;
  Binary() : Expr(kKind, ValueType::kVector) {}
  BinaryOp op = BinaryOp::kAdd;
  bool return_bool = false;
  ExprPtr lhs = nullptr;
  ExprPtr rhs = nullptr;
  std::optional<VectorMatching> matching = {};  // iff both sides are vectors
};

struct Unary : Expr {
  static constexpr ExprKind kKind = ExprKind::kUnary;
  Unary() : Expr(kKind, ValueType::kNone) {}
  UnaryOp op = UnaryOp::kMinus;
  ExprPtr expr = nullptr;
};

struct Paren : Expr {
  static constexpr ExprKind kKind = ExprKind::kParen;
  Paren() : Expr(kKind, ValueType::kNone) {}
  ExprPtr expr = nullptr;
};

// --- Going about in a tree.

// The node as a T if it is one, else null.
template <typename T>
const T* As(const Expr& expr) {
  return expr.kind == T::kKind ? static_cast<const T*>(&expr) : nullptr;
}
template <typename T>
T* As(Expr& expr) {
  return expr.kind == T::kKind ? static_cast<T*>(&expr) : nullptr;
}

// Calls the visitor with the node as what it is.  A visitor that forgets a kind
// doesn't compile.
//
//   Visit(expr, Overloaded{[](const Call& call) {...}, [](const auto&) {...}});
template <typename Visitor>
decltype(auto) Visit(const Expr& expr, Visitor&& visitor) {
  switch (expr.kind) {
    case ExprKind::kNumber:
      return visitor(static_cast<const NumberLiteral&>(expr));
    case ExprKind::kString:
      return visitor(static_cast<const StringLiteral&>(expr));
    case ExprKind::kVector:
      return visitor(static_cast<const VectorSelector&>(expr));
    case ExprKind::kMatrix:
      return visitor(static_cast<const MatrixSelector&>(expr));
    case ExprKind::kSubquery:
      return visitor(static_cast<const Subquery&>(expr));
    case ExprKind::kCall:
      return visitor(static_cast<const Call&>(expr));
    case ExprKind::kAggregate:
      return visitor(static_cast<const Aggregate&>(expr));
    case ExprKind::kBinary:
      return visitor(static_cast<const Binary&>(expr));
    case ExprKind::kUnary:
      return visitor(static_cast<const Unary&>(expr));
    case ExprKind::kParen:
      break;
  }
  return visitor(static_cast<const Paren&>(expr));
}
template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// The node's children from left to right; a parameter stands before the operand
// as in the text.  The matrix selector's child is its vector selector.
void ForEachChild(const Expr& expr, absl::FunctionRef<void(const Expr&)> f);
void ForEachChild(Expr& expr, absl::FunctionRef<void(Expr&)> f);

// Every node, parents first; `path` leads from the root to the node's parent.
// False from `enter`: not into this node's children.
void Walk(
    const Expr& root,
    absl::FunctionRef<bool(const Expr& node, std::span<const Expr* const> path)>
        enter);

// Without any parentheses around it.
const Expr& Unwrap(const Expr& expr);

// The matchers of every selector in the tree, in order of the text.
std::vector<const Matchers*> ExtractSelectors(const Expr& expr);

ExprPtr Clone(const Expr& expr);
DurationSpec Clone(const DurationSpec& spec);

// The same tree, whatever the positions.  NaN equals NaN.
bool SameTree(const Expr& a, const Expr& b);

}  // namespace narthex::promql
