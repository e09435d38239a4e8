// Durations in brackets and behind `offset`: literals, step(), range() and
// arithmetic over them.

#include <memory>
#include <utility>

#include "libpromql/parse/literal.h"
#include "libpromql/parse/parse_state.h"

namespace narthex::promql {
namespace {

using K = TokenKind;
using Op = DurationExpr::Op;

constexpr int kMaxNodes = kMaxTreeHeight;
constexpr int kUnaryOperand = 3;

struct Arithmetic {
  int precedence = 0;  // 0: none
  Op op = Op::kAdd;
};
Arithmetic ArithmeticOf(TokenKind kind) {
  switch (kind) {
    case K::kAdd:
      return {1, Op::kAdd};
    case K::kSub:
      return {1, Op::kSub};
    case K::kMul:
      return {2, Op::kMul};
    case K::kDiv:
      return {2, Op::kDiv};
    case K::kMod:
      return {2, Op::kMod};
    case K::kPow:
      return {3, Op::kPow};
    default:
      return {};
  }
}

bool IsDurationCall(TokenKind kind) {
  return kind == K::kStep || kind == K::kRange || kind == K::kMaxOf ||
         kind == K::kMinOf;
}

}  // namespace

DurationSpec ToSpec(std::unique_ptr<DurationExpr> expr) {
  DurationSpec spec;
  if (expr->op == Op::kNumber) {
    spec.value = FromSeconds(expr->seconds);
  } else {
    spec.expr = std::move(expr);
  }
  return spec;
}

// Counting nodes bounds the height as well.
ParseState::DurationPtr ParseState::NewDuration(Op op) {
  if (++duration_nodes_ > kMaxNodes) {
    TooDeep();
    return nullptr;
  }
  auto node = std::make_unique<DurationExpr>();
  node->op = op;
  return node;
}

bool ParseState::NeedsDurationExpressions(TextRange pos) {
  return options_.duration_expressions ||
         Fail(pos, "experimental duration expression is not enabled");
}

// In brackets.
bool ParseState::PositiveDuration(DurationSpec& out, Context context) {
  duration_nodes_ = 0;
  DurationPtr duration = DurationExpression(1, context);
  if (duration == nullptr) return false;
  if (duration->op == Op::kNumber && duration->seconds <= 0) {
    return Fail(duration->pos, "duration must be greater than 0");
  }
  out = ToSpec(std::move(duration));
  return true;
}

ParseState::DurationPtr ParseState::DurationExpression(int min_precedence,
                                                       Context context) {
  DepthGuard guard(depth_);
  if (guard.too_deep()) {
    TooDeep();
    return nullptr;
  }
  return DurationRest(DurationOperand(context), min_precedence, context);
}

// What follows the first operand; null in, null out.
ParseState::DurationPtr ParseState::DurationRest(DurationPtr left,
                                                 int min_precedence,
                                                 Context context) {
  while (left != nullptr) {
    const Arithmetic arithmetic = ArithmeticOf(PeekKind());
    if (arithmetic.precedence == 0 || arithmetic.precedence < min_precedence) {
      break;
    }
    const Token op = Take();
    const bool right_associative = arithmetic.op == Op::kPow;
    DurationPtr right = DurationExpression(
        arithmetic.precedence + (right_associative ? 0 : 1), context);
    if (right == nullptr) return nullptr;
    if (failed_ || !NeedsDurationExpressions(left->pos)) return nullptr;
    const bool zero = right->op == Op::kNumber && right->seconds == 0;
    if (zero && arithmetic.op == Op::kDiv) {
      Fail(op.pos, "division by zero");
      return nullptr;
    }
    if (zero && arithmetic.op == Op::kMod) {
      Fail(op.pos, "modulo by zero");
      return nullptr;
    }
    DurationPtr node = NewDuration(arithmetic.op);
    if (node == nullptr) return nullptr;
    node->pos = {left->pos.begin, right->pos.end};
    node->lhs = std::move(left);
    node->rhs = std::move(right);
    left = std::move(node);
  }
  return failed_ ? nullptr : std::move(left);
}

ParseState::DurationPtr ParseState::DurationOperand(Context context) {
  const TokenKind kind = PeekKind();
  switch (kind) {
    case K::kNumber:
    case K::kDuration: {
      DurationPtr literal = DurationLiteral();
      if (literal != nullptr && SecondsOutOfRange(literal->seconds)) {
        Fail(literal->pos, "duration out of range");
        return nullptr;
      }
      return literal;
    }
    case K::kAdd:
    case K::kSub: {
      const Token sign = Take();
      DurationPtr operand = DurationExpression(kUnaryOperand, context);
      return operand == nullptr ? nullptr
                                : SignedDuration(sign, std::move(operand));
    }
    case K::kLeftParen:
      return DurationParen(context);
    default:
      if (IsDurationCall(kind)) {
        DurationPtr call = DurationCall(context);
        if (call == nullptr || !NeedsDurationExpressions(call->pos)) {
          return nullptr;
        }
        return call;
      }
      Unexpected(context);
      return nullptr;
  }
}

ParseState::DurationPtr ParseState::DurationLiteral() {
  const Token token = Take();
  DurationPtr node = NewDuration(Op::kNumber);
  if (node == nullptr) return nullptr;
  node->pos = token.pos;
  node->as_duration = token.kind == K::kDuration;
  return NumberValue(token, node->seconds) ? std::move(node) : nullptr;
}

ParseState::DurationPtr ParseState::SignedDuration(const Token& sign,
                                                   DurationPtr operand) {
  const bool negative = sign.kind == K::kSub;
  if (operand->op == Op::kNumber) {
    if (negative) operand->seconds = -operand->seconds;
    operand->pos.begin = sign.pos.begin;
    return operand;
  }
  if (!negative) return operand;
  DurationPtr node = NewDuration(Op::kNegate);
  if (node == nullptr) return nullptr;
  node->pos = {sign.pos.begin, operand->pos.end};
  node->rhs = std::move(operand);
  return node;
}

// step(), range(), min_of(a, b), max_of(a, b)
ParseState::DurationPtr ParseState::DurationCall(Context context) {
  const Token name = Take();
  const bool two = name.kind == K::kMaxOf || name.kind == K::kMinOf;
  DurationPtr node = NewDuration(name.kind == K::kStep    ? Op::kStep
                                 : name.kind == K::kRange ? Op::kRange
                                 : name.kind == K::kMaxOf ? Op::kMaxOf
                                                          : Op::kMinOf);
  if (node == nullptr || !Expect(K::kLeftParen, context)) return nullptr;
  if (two) {
    node->lhs = DurationExpression(1, context);
    if (node->lhs == nullptr || !Expect(K::kComma, context)) return nullptr;
    node->rhs = DurationExpression(1, context);
    if (node->rhs == nullptr) return nullptr;
  }
  if (PeekKind() != K::kRightParen) {
    Unexpected(context);
    return nullptr;
  }
  const Token close = Take();
  node->pos = two ? TextRange{node->lhs->pos.begin, node->rhs->pos.end}
                  : TextRange{name.pos.begin, close.pos.end};
  return node;
}

ParseState::DurationPtr ParseState::DurationParen(Context context) {
  const Token open = Take();
  DurationPtr inner = DurationExpression(1, context);
  if (inner == nullptr || !Expect(K::kRightParen, context)) return nullptr;
  if (!NeedsDurationExpressions(inner->pos)) return nullptr;
  return Wrap(std::move(inner), open.pos.begin);
}

// A number can't say that it stood in parentheses; a plus sign says it for it.
ParseState::DurationPtr ParseState::Wrap(DurationPtr inner, uint32_t begin) {
  if (inner->op == Op::kNumber) {
    DurationPtr node = NewDuration(Op::kPlus);
    if (node == nullptr) return nullptr;
    node->pos = {begin, inner->pos.end};
    node->rhs = std::move(inner);
    inner = std::move(node);
  }
  inner->wrapped = true;
  return inner;
}

// Behind `offset` arithmetic needs parentheses: `x offset -5m ^ 2` is the
// square of an offset selector.
ParseState::DurationPtr ParseState::OffsetDuration(Context context) {
  duration_nodes_ = 0;
  const TokenKind kind = PeekKind();
  if (kind == K::kLeftParen) return DurationExpression(1, context);
  if (kind != K::kAdd && kind != K::kSub) return DurationOperand(context);

  const Token sign = Take();
  DurationPtr operand;
  switch (PeekKind()) {
    case K::kNumber:
    case K::kDuration:
      operand = DurationLiteral();
      if (operand == nullptr) return nullptr;
      if (SecondsOutOfRange(operand->seconds)) {
        Fail(sign.pos, "duration out of range");
        return nullptr;
      }
      return SignedDuration(sign, std::move(operand));
    case K::kLeftParen: {
      Take();
      operand = DurationExpression(1, context);
      if (operand == nullptr || !Expect(K::kRightParen, context)) {
        return nullptr;
      }
      const uint32_t begin = operand->pos.begin;
      operand = Wrap(std::move(operand), begin);
      return operand == nullptr ? nullptr
                                : SignedDuration(sign, std::move(operand));
    }
    case K::kAdd:
    case K::kSub:
      // A second sign, and it's arithmetic after all.
      operand = DurationExpression(kUnaryOperand, context);
      if (operand == nullptr) return nullptr;
      return DurationRest(SignedDuration(sign, std::move(operand)), 1, context);
    default:
      if (!IsDurationCall(PeekKind())) {
        Unexpected(context);
        return nullptr;
      }
  }
  operand = DurationCall(context);
  if (operand == nullptr) return nullptr;
  DurationPtr node =
      NewDuration(sign.kind == K::kSub ? Op::kNegate : Op::kPlus);
  if (node == nullptr) return nullptr;
  node->pos = {sign.pos.begin, operand->pos.end};
  node->rhs = std::move(operand);
  return NeedsDurationExpressions(node->pos) ? std::move(node) : nullptr;
}

}  // namespace narthex::promql
