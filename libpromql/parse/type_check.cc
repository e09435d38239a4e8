// Whether a tree has a sound type: the second half of parsing.  Children are
// checked before their parents and from left to right, but for an aggregation's
// parameter, which comes after its operand: the first error is the one that is
// told.

#include <string>
#include <string_view>

#include "libpromql/parse/chars.h"
#include "libpromql/parse/function_table.h"
#include "libpromql/parse/parse_state.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

class TypeChecker {
 public:
  explicit TypeChecker(ParseState& state) : state_(state) {}

  bool Check(Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kNumber:
      case ExprKind::kString:
        return true;
      case ExprKind::kVector:
        return CheckSelector(*As<VectorSelector>(expr));
      case ExprKind::kMatrix:
        return CheckSelector(*As<MatrixSelector>(expr)->selector);
      case ExprKind::kSubquery:
        return CheckSubquery(*As<Subquery>(expr));
      case ExprKind::kCall:
        return CheckCall(*As<Call>(expr));
      case ExprKind::kAggregate:
        return CheckAggregate(*As<Aggregate>(expr));
      case ExprKind::kBinary:
        return CheckBinary(*As<Binary>(expr));
      case ExprKind::kUnary:
        return CheckUnary(*As<Unary>(expr));
      case ExprKind::kParen:
        return Check(*As<Paren>(expr)->expr);
    }
    return true;
  }

 private:
  bool Fail(TextRange pos, std::string text) {
    return state_.Fail(pos, std::move(text));
  }

  bool Expect(Expr& expr, ValueType wanted, std::string_view where) {
    if (!Check(expr)) return false;
    if (expr.type == wanted) return true;
    return Fail(expr.pos,
                StrCat("expected type ", DocumentedName(wanted), " in ", where,
                       ", got ", DocumentedName(expr.type)));
  }

  bool CheckSelector(const VectorSelector& selector) {
    if (!selector.name.empty()) {
      for (const MatcherPtr& matcher : selector.matchers) {
        if (matcher == selector.matchers.back()) break;
        if (matcher->name() != kMetricName) continue;
        return Fail(selector.pos, StrCat("metric name must not be set twice: ",
                                         GoQuote(selector.name), " or ",
                                         GoQuote(matcher->value())));
      }
      return true;
    }
    if (selector.is_info_filter) return true;
    for (const MatcherPtr& matcher : selector.matchers) {
      if (!matcher->MatchesEmpty()) return true;
    }
    return Fail(selector.pos,
                "vector selector must contain at least one non-empty matcher");
  }

  bool CheckSubquery(Subquery& subquery) {
    if (!Check(*subquery.expr)) return false;
    const ValueType type = subquery.expr->type;
    if (type == ValueType::kVector) return true;
    return Fail(subquery.pos,
                StrCat("subquery is only allowed on instant vector, got ",
                       ShortName(type), " instead"));
  }

  bool CheckUnary(Unary& unary) {
    if (!Check(*unary.expr)) return false;
    const ValueType type = unary.expr->type;
    if (type == ValueType::kScalar || type == ValueType::kVector) return true;
    return Fail(unary.pos,
                StrCat("unary expression only allowed on expressions of type "
                       "scalar or instant vector, got \"",
                       DocumentedName(type), "\""));
  }

  bool CheckAggregate(Aggregate& aggregate) {
    if (!Expect(*aggregate.expr, ValueType::kVector,
                "aggregation expression")) {
      return false;
    }
    if (aggregate.param == nullptr) return true;
    return Expect(*aggregate.param,
                  aggregate.op == AggregateOp::kCountValues
                      ? ValueType::kString
                      : ValueType::kScalar,
                  "aggregation parameter");
  }

  bool CheckCall(Call& call) {
    const Function& f = *call.function;
    const size_t types = f.arg_types.size();
    const size_t given = call.args.size();
    auto wrong_count = [&](std::string_view bound, size_t wanted) {
      return Fail(call.pos,
                  StrCat("expected ", bound, wanted, " argument(s) in call to ",
                         GoQuote(f.name), ", got ", given));
    };
    if (f.variadic == 0) {
      if (given != types) return wrong_count("", types);
    } else {
      const size_t least = types - 1;
      if (given < least) return wrong_count("at least ", least);
      const size_t most = least + static_cast<size_t>(f.variadic);
      if (f.variadic > 0 && given > most) return wrong_count("at most ", most);
    }
    if (f.id == FunctionId::kInfo && given > 1 && !CheckInfoFilter(call)) {
      return false;
    }
    const std::string where = StrCat("call to function ", GoQuote(f.name));
    for (size_t i = 0; i < given; ++i) {
      const ValueType wanted = f.arg_types[i < types ? i : types - 1];
      if (!Expect(*call.args[i], wanted, where)) return false;
    }
    return true;
  }

  bool CheckInfoFilter(Call& call) {
    Expr& filter = *call.args[1];
    if (filter.type != ValueType::kVector) {
      return Fail(call.pos, StrCat("expected type instant vector in call to "
                                   "function \"info\", got ",
                                   DocumentedName(filter.type)));
    }
    auto* selector = As<VectorSelector>(filter);
    if (selector == nullptr) {
      return Fail(filter.pos, "expected label selectors only");
    }
    if (!selector->name.empty()) {
      return Fail(filter.pos,
                  "expected label selectors only, got vector selector instead");
    }
    selector->is_info_filter = true;
    return true;
  }

  // The operator's place: between the operands, without space.
  TextRange OperatorOf(const Binary& binary) const {
    const std::string_view text = state_.text();
    TextRange range = {binary.lhs->pos.end, binary.rhs->pos.begin};
    while (range.begin < text.size() && IsSpace(text[range.begin])) {
      ++range.begin;
    }
    while (range.end > range.begin && IsSpace(text[range.end - 1])) {
      --range.end;
    }
    return range;
  }

  bool CheckBinary(Binary& binary) {
    if (!Check(*binary.lhs) || !Check(*binary.rhs)) return false;
    VectorMatching& matching = *binary.matching;
    const ValueType left = binary.lhs->type;
    const ValueType right = binary.rhs->type;
    const bool both_scalars =
        left == ValueType::kScalar && right == ValueType::kScalar;

    if (binary.return_bool && !IsComparison(binary.op)) {
      return Fail(OperatorOf(binary),
                  "bool modifier can only be used on comparison operators");
    }
    if (IsComparison(binary.op) && !binary.return_bool && both_scalars) {
      return Fail(OperatorOf(binary),
                  "comparisons between scalars must use BOOL modifier");
    }
    if (matching.on && !CheckInclude(binary)) return false;
    for (const Expr* side : {binary.lhs.get(), binary.rhs.get()}) {
      if (side->type != ValueType::kScalar &&
          side->type != ValueType::kVector) {
        return Fail(side->pos,
                    "binary expression must contain only scalar and instant "
                    "vector types");
      }
    }
    return left == ValueType::kVector && right == ValueType::kVector
               ? CheckVectors(binary)
               : CheckScalars(binary);
  }

  bool CheckInclude(const Binary& binary) {
    for (const std::string& label : binary.matching->labels) {
      for (const std::string& include : binary.matching->include) {
        if (label != include) continue;
        return Fail(OperatorOf(binary),
                    StrCat("label ", GoQuote(label),
                           " must not occur in ON and GROUP clause at once"));
      }
    }
    return true;
  }

  bool CheckVectors(Binary& binary) {
    if (!IsSetOperator(binary.op)) return true;
    VectorMatching& matching = *binary.matching;
    if (matching.card != VectorMatching::Card::kOneToOne) {
      return Fail(binary.pos, StrCat("no grouping allowed for ",
                                     GoQuote(Text(binary.op)), " operation"));
    }
    if (matching.fill_left || matching.fill_right) {
      return Fail(binary.pos,
                  "filling in missing series not allowed for set operators");
    }
    matching.card = VectorMatching::Card::kManyToMany;
    return true;
  }

  // At least one side is a scalar: nothing to match.
  bool CheckScalars(Binary& binary) {
    if (!binary.matching->labels.empty()) {
      return Fail(binary.pos,
                  "vector matching only allowed between instant vectors");
    }
    if (binary.matching->fill_left || binary.matching->fill_right) {
      return Fail(
          binary.pos,
          "filling in missing series only allowed between instant vectors");
    }
    if (IsSetOperator(binary.op)) {
      return Fail(binary.pos,
                  StrCat("set operator ", GoQuote(Text(binary.op)),
                         " not allowed in binary scalar expression"));
    }
    binary.matching.reset();
    return true;
  }

  ParseState& state_;
};

}  // namespace

bool CheckTypes(ParseState& state, Expr& expr) {
  return TypeChecker(state).Check(expr);
}

}  // namespace narthex::promql
