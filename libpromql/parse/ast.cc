#include "narthex/promql/ast.h"

#include <bit>
#include <cmath>
#include <string>

#include "libpromql/parse/literal.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

using Op = DurationExpr::Op;

// NaN is NaN, and -0 isn't 0.
bool SameNumber(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

bool SameNumber(const std::optional<double>& a,
                const std::optional<double>& b) {
  return a.has_value() == b.has_value() && (!a || SameNumber(*a, *b));
}

bool SameDuration(const DurationExpr* a, const DurationExpr* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->op == b->op && a->wrapped == b->wrapped &&
         a->as_duration == b->as_duration &&
         SameNumber(a->seconds, b->seconds) &&
         SameDuration(a->lhs.get(), b->lhs.get()) &&
         SameDuration(a->rhs.get(), b->rhs.get());
}

bool SameDuration(const DurationSpec& a, const DurationSpec& b) {
  return a.value == b.value && SameDuration(a.expr.get(), b.expr.get());
}

bool SameMatchers(const Matchers& a, const Matchers& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i]->type() != b[i]->type() || a[i]->name() != b[i]->name() ||
        a[i]->value() != b[i]->value()) {
      return false;
    }
  }
  return true;
}

bool SameMatching(const std::optional<VectorMatching>& a,
                  const std::optional<VectorMatching>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->card == b->card && a->on == b->on && a->labels == b->labels &&
         a->include == b->include && SameNumber(a->fill_left, b->fill_left) &&
         SameNumber(a->fill_right, b->fill_right);
}

// The nodes themselves, without their children.
struct SameNode {
  const Expr& other;

  bool operator()(const NumberLiteral& a) const {
    const auto& b = static_cast<const NumberLiteral&>(other);
    return SameNumber(a.value, b.value) && a.as_duration == b.as_duration;
  }
  bool operator()(const StringLiteral& a) const {
    return a.value == static_cast<const StringLiteral&>(other).value;
  }
  bool operator()(const VectorSelector& a) const {
    const auto& b = static_cast<const VectorSelector&>(other);
    return a.name == b.name && SameMatchers(a.matchers, b.matchers) &&
           SameDuration(a.offset, b.offset) && a.at == b.at &&
           a.anchored == b.anchored && a.smoothed == b.smoothed &&
           a.is_info_filter == b.is_info_filter;
  }
  bool operator()(const MatrixSelector& a) const {
    return SameDuration(a.range,
                        static_cast<const MatrixSelector&>(other).range);
  }
  bool operator()(const Subquery& a) const {
    const auto& b = static_cast<const Subquery&>(other);
    return SameDuration(a.range, b.range) && SameDuration(a.step, b.step) &&
           SameDuration(a.offset, b.offset) && a.at == b.at;
  }
  bool operator()(const Call& a) const {
    return a.function == static_cast<const Call&>(other).function;
  }
  bool operator()(const Aggregate& a) const {
    const auto& b = static_cast<const Aggregate&>(other);
    return a.op == b.op && a.without == b.without && a.grouping == b.grouping;
  }
  bool operator()(const Binary& a) const {
    const auto& b = static_cast<const Binary&>(other);
    return a.op == b.op && a.return_bool == b.return_bool &&
           SameMatching(a.matching, b.matching);
  }
  bool operator()(const Unary& a) const {
    return a.op == static_cast<const Unary&>(other).op;
  }
  bool operator()(const Paren&) const { return true; }
};

std::unique_ptr<DurationExpr> CloneDuration(const DurationExpr* expr) {
  if (expr == nullptr) return nullptr;
  auto copy = std::make_unique<DurationExpr>();
  copy->op = expr->op;
  copy->wrapped = expr->wrapped;
  copy->as_duration = expr->as_duration;
  copy->seconds = expr->seconds;
  copy->pos = expr->pos;
  copy->lhs = CloneDuration(expr->lhs.get());
  copy->rhs = CloneDuration(expr->rhs.get());
  return copy;
}

std::unique_ptr<VectorSelector> CloneSelector(const VectorSelector& e) {
  auto copy = std::make_unique<VectorSelector>();
  copy->pos = e.pos;
  copy->name = e.name;
  copy->matchers = e.matchers;
  copy->offset = Clone(e.offset);
  copy->at = e.at;
  copy->anchored = e.anchored;
  copy->smoothed = e.smoothed;
  copy->is_info_filter = e.is_info_filter;
  return copy;
}

struct Cloner {
  ExprPtr operator()(const NumberLiteral& e) const {
    auto copy = std::make_unique<NumberLiteral>();
    copy->value = e.value;
    copy->as_duration = e.as_duration;
    return copy;
  }
  ExprPtr operator()(const StringLiteral& e) const {
    auto copy = std::make_unique<StringLiteral>();
    copy->value = e.value;
    return copy;
  }
  ExprPtr operator()(const VectorSelector& e) const { return CloneSelector(e); }
  ExprPtr operator()(const MatrixSelector& e) const {
    auto copy = std::make_unique<MatrixSelector>();
    copy->selector = CloneSelector(*e.selector);
    copy->range = Clone(e.range);
    return copy;
  }
  ExprPtr operator()(const Subquery& e) const {
    auto copy = std::make_unique<Subquery>();
    copy->expr = Clone(*e.expr);
    copy->range = Clone(e.range);
    copy->step = Clone(e.step);
    copy->offset = Clone(e.offset);
    copy->at = e.at;
    return copy;
  }
  ExprPtr operator()(const Call& e) const {
    auto copy = std::make_unique<Call>();
    copy->function = e.function;
    copy->args.reserve(e.args.size());
    for (const ExprPtr& arg : e.args) copy->args.push_back(Clone(*arg));
    return copy;
  }
  ExprPtr operator()(const Aggregate& e) const {
    auto copy = std::make_unique<Aggregate>();
    copy->op = e.op;
    copy->without = e.without;
    copy->grouping = e.grouping;
    if (e.param != nullptr) copy->param = Clone(*e.param);
    copy->expr = Clone(*e.expr);
    return copy;
  }
  ExprPtr operator()(const Binary& e) const {
    auto copy = std::make_unique<Binary>();
    copy->op = e.op;
    copy->return_bool = e.return_bool;
    copy->lhs = Clone(*e.lhs);
    copy->rhs = Clone(*e.rhs);
    copy->matching = e.matching;
    return copy;
  }
  ExprPtr operator()(const Unary& e) const {
    auto copy = std::make_unique<Unary>();
    copy->op = e.op;
    copy->expr = Clone(*e.expr);
    return copy;
  }
  ExprPtr operator()(const Paren& e) const {
    auto copy = std::make_unique<Paren>();
    copy->expr = Clone(*e.expr);
    return copy;
  }
};

// One walk over the children for const trees and for others.
template <typename Node, typename F>
void VisitChildren(Node& expr, F&& f) {
  switch (expr.kind) {
    case ExprKind::kNumber:
    case ExprKind::kString:
    case ExprKind::kVector:
      return;
    case ExprKind::kMatrix:
      return f(*As<MatrixSelector>(expr)->selector);
    case ExprKind::kSubquery:
      return f(*As<Subquery>(expr)->expr);
    case ExprKind::kCall:
      for (const ExprPtr& arg : As<Call>(expr)->args) f(*arg);
      return;
    case ExprKind::kAggregate: {
      auto& aggregate = *As<Aggregate>(expr);
      if (aggregate.param != nullptr) f(*aggregate.param);
      return f(*aggregate.expr);
    }
    case ExprKind::kBinary:
      f(*As<Binary>(expr)->lhs);
      return f(*As<Binary>(expr)->rhs);
    case ExprKind::kUnary:
      return f(*As<Unary>(expr)->expr);
    case ExprKind::kParen:
      return f(*As<Paren>(expr)->expr);
  }
}

}  // namespace

void ForEachChild(const Expr& expr, absl::FunctionRef<void(const Expr&)> f) {
  VisitChildren(expr, f);
}
void ForEachChild(Expr& expr, absl::FunctionRef<void(Expr&)> f) {
  VisitChildren(expr, f);
}

void Walk(
    const Expr& root,
    absl::FunctionRef<bool(const Expr& node, std::span<const Expr* const> path)>
        enter) {
  struct Pending {
    const Expr* node;
    size_t depth;
  };
  std::vector<Pending> pending = {{&root, 0}};
  std::vector<const Expr*> path;
  while (!pending.empty()) {
    const Pending next = pending.back();
    pending.pop_back();
    path.resize(next.depth);
    if (!enter(*next.node, path)) continue;
    path.push_back(next.node);
    const size_t first = pending.size();
    ForEachChild(*next.node, [&](const Expr& child) {
      pending.push_back({&child, next.depth + 1});
    });
    std::reverse(pending.begin() + static_cast<std::ptrdiff_t>(first),
                 pending.end());
  }
}

const Expr& Unwrap(const Expr& expr) {
  const Expr* inner = &expr;
  while (const Paren* paren = As<Paren>(*inner)) inner = paren->expr.get();
  return *inner;
}

std::vector<const Matchers*> ExtractSelectors(const Expr& expr) {
  std::vector<const Matchers*> selectors;
  Walk(expr, [&](const Expr& node, std::span<const Expr* const>) {
    if (const auto* selector = As<VectorSelector>(node)) {
      selectors.push_back(&selector->matchers);
    }
    return true;
  });
  return selectors;
}

ExprPtr Clone(const Expr& expr) {
  ExprPtr copy = Visit(expr, Cloner());
  copy->type = expr.type;
  copy->pos = expr.pos;
  return copy;
}

DurationSpec Clone(const DurationSpec& spec) {
  return {spec.value, CloneDuration(spec.expr.get())};
}

bool SameTree(const Expr& a, const Expr& b) {
  if (a.kind != b.kind || a.type != b.type) return false;
  if (!Visit(a, SameNode{b})) return false;
  std::vector<const Expr*> left, right;
  ForEachChild(a, [&](const Expr& child) { left.push_back(&child); });
  ForEachChild(b, [&](const Expr& child) { right.push_back(&child); });
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (!SameTree(*left[i], *right[i])) return false;
  }
  return true;
}

// --- Durations that depend on when the query runs.

namespace {

class DurationResolver {
 public:
  explicit DurationResolver(const QueryTimes& times) : times_(times) {}

  double Value(const DurationExpr& e) {
    switch (e.op) {
      case Op::kNumber:
        return e.seconds;
      case Op::kStep:
        return ToSeconds(times_.step);
      case Op::kRange:
        return ToSeconds(times_.end - times_.start);
      case Op::kNegate:
        return -Value(*e.rhs);
      case Op::kPlus:
        return Value(*e.rhs);
      default:
        break;
    }
    const double a = Value(*e.lhs);
    const double b = Value(*e.rhs);
    switch (e.op) {
      case Op::kAdd:
        return a + b;
      case Op::kSub:
        return a - b;
      case Op::kMul:
        return a * b;
      case Op::kDiv:
        if (b == 0) Fail(e, "division by zero");
        return a / b;
      case Op::kMod:
        if (b == 0) Fail(e, "modulo by zero");
        return std::fmod(a, b);
      case Op::kPow:
        return std::pow(a, b);
      // Go's Min and Max: an infinity of the right sign beats NaN.
      case Op::kMinOf:
        return Extreme(a, b, -HUGE_VAL, a < b);
      default:
        return Extreme(a, b, HUGE_VAL, a > b);
    }
  }

  void Fail(const DurationExpr& e, std::string_view what) {
    if (status_.ok()) {
      status_ =
          InvalidArgument(StrCat(e.pos.begin, ":", e.pos.end, ": ", what));
    }
  }
  const absl::Status& status() const { return status_; }

 private:
  static double Extreme(double a, double b, double strongest, bool first) {
    if (a == strongest || b == strongest) return strongest;
    if (std::isnan(a) || std::isnan(b)) return std::nan("");
    return first ? a : b;
  }

  const QueryTimes& times_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<Duration> DurationSpec::Resolve(const QueryTimes& times,
                                               bool must_be_positive) const {
  if (expr == nullptr) return value;
  DurationResolver resolver(times);
  const double seconds = resolver.Value(*expr);
  if (!std::isfinite(seconds)) {
    resolver.Fail(*expr, "duration is NaN or infinite");
  } else if (must_be_positive && seconds <= 0) {
    resolver.Fail(*expr, "duration must be greater than 0");
  } else if (SecondsOutOfRange(seconds)) {
    resolver.Fail(*expr, "duration is out of range");
  }
  if (!resolver.status().ok()) return resolver.status();
  return Duration(static_cast<int64_t>(seconds * 1000));
}

}  // namespace narthex::promql
