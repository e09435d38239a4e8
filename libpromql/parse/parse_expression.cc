#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "libpromql/parse/function_table.h"
#include "libpromql/parse/literal.h"
#include "libpromql/parse/parse_state.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/promql/host_function.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

// How tightly an operator binds; 0: no binary operator.
constexpr int kUnaryOperand = 6;
int Precedence(TokenKind kind) {
  switch (kind) {
    case K::kOr:
      return 1;
    case K::kAnd:
    case K::kUnless:
      return 2;
    case K::kEqual:
    case K::kNotEqual:
    case K::kLess:
    case K::kLessEqual:
    case K::kGreater:
    case K::kGreaterEqual:
    case K::kTrimUpper:
    case K::kTrimLower:
      return 3;
    case K::kAdd:
    case K::kSub:
      return 4;
    case K::kMul:
    case K::kDiv:
    case K::kMod:
    case K::kAtan2:
      return 5;
    case K::kPow:
      return 6;
    default:
      return 0;
  }
}

BinaryOp ToBinaryOp(TokenKind kind) {
  switch (kind) {
    case K::kAdd:
      return BinaryOp::kAdd;
    case K::kSub:
      return BinaryOp::kSub;
    case K::kMul:
      return BinaryOp::kMul;
    case K::kDiv:
      return BinaryOp::kDiv;
    case K::kMod:
      return BinaryOp::kMod;
    case K::kPow:
      return BinaryOp::kPow;
    case K::kAtan2:
      return BinaryOp::kAtan2;
    case K::kEqual:
      return BinaryOp::kEqual;
    case K::kNotEqual:
      return BinaryOp::kNotEqual;
    case K::kLess:
      return BinaryOp::kLess;
    case K::kLessEqual:
      return BinaryOp::kLessEqual;
    case K::kGreater:
      return BinaryOp::kGreater;
    case K::kGreaterEqual:
      return BinaryOp::kGreaterEqual;
    case K::kTrimUpper:
      return BinaryOp::kTrimUpper;
    case K::kTrimLower:
      return BinaryOp::kTrimLower;
    case K::kAnd:
      return BinaryOp::kAnd;
    case K::kOr:
      return BinaryOp::kOr;
    default:
      return BinaryOp::kUnless;
  }
}

AggregateOp ToAggregateOp(TokenKind kind) {
  return static_cast<AggregateOp>(static_cast<int>(kind) -
                                  static_cast<int>(K::kFirstAggregator));
}

}  // namespace

ExprPtr ParseState::WholeExpression() {
  if (PeekKind() == K::kEnd) {
    Fail({}, "no expression found in input");
    return nullptr;
  }
  Parsed parsed = Expression(1);
  if (!parsed) return nullptr;
  if (PeekKind() != K::kEnd) {
    Unexpected();
    return nullptr;
  }
  return std::move(parsed.expr);
}

Parsed ParseState::Finish(ExprPtr expr, int height) {
  if (height > kMaxTreeHeight) {
    TooDeep();
    return {};
  }
  return {std::move(expr), height};
}

Parsed ParseState::Expression(int min_precedence) {
  DepthGuard guard(depth_);
  if (guard.too_deep()) {
    TooDeep();
    return {};
  }
  Parsed left = Operand();
  while (left) {
    const int precedence = Precedence(PeekKind());
    if (precedence == 0 || precedence < min_precedence) break;
    const Token op = Take();
    auto binary = std::make_unique<Binary>();
    binary->op = ToBinaryOp(op.kind);
    if (!BinaryModifiers(*binary)) return {};
    const bool right_associative = op.kind == K::kPow;
    Parsed right = Expression(right_associative ? precedence : precedence + 1);
    if (!right) return {};
    binary->pos = {left.expr->pos.begin, right.expr->pos.end};
    binary->lhs = std::move(left.expr);
    binary->rhs = std::move(right.expr);
    if (!options_.binop_fill_modifiers &&
        (binary->matching->fill_left || binary->matching->fill_right)) {
      Fail(binary->pos,
           "binop fill modifiers are experimental and not enabled");
      return {};
    }
    if (binary->lhs->type == ValueType::kScalar &&
        binary->rhs->type == ValueType::kScalar) {
      binary->type = ValueType::kScalar;
    }
    left = Finish(std::move(binary), 1 + std::max(left.height, right.height));
  }
  return left;
}

Parsed ParseState::Operand() {
  const TokenKind kind = PeekKind();
  if (kind != K::kAdd && kind != K::kSub) {
    Parsed primary = Primary();
    if (!primary || !Modifiers(primary)) return {};
    return primary;
  }
  const Token sign = Take();
  Parsed operand = Expression(kUnaryOperand);
  if (!operand) return {};
  // The sign of a number belongs to the number.
  if (auto* number = As<NumberLiteral>(*operand.expr)) {
    if (kind == K::kSub) number->value = -number->value;
    number->pos.begin = sign.pos.begin;
    return operand;
  }
  auto unary = std::make_unique<Unary>();
  unary->op = kind == K::kSub ? UnaryOp::kMinus : UnaryOp::kPlus;
  unary->type = operand.expr->type;
  unary->pos = {sign.pos.begin, operand.expr->pos.end};
  unary->expr = std::move(operand.expr);
  return Finish(std::move(unary), operand.height + 1);
}

Parsed ParseState::Primary() {
  const TokenKind kind = PeekKind();
  switch (kind) {
    case K::kNumber:
    case K::kDuration:
      return Number();
    case K::kString:
      return String();
    case K::kLeftParen:
      return ParenExpression();
    case K::kLeftBrace:
      return {Selector(nullptr), 1};
    default:
      break;
  }
  if (!MayNameMetric(kind)) {
    Unexpected();
    return {};
  }
  // Most keywords are names as well; the next token tells.
  const Token name = Take();
  const TokenKind next = PeekKind();
  if (IsAggregator(kind) &&
      (next == K::kLeftParen || next == K::kBy || next == K::kWithout)) {
    return Aggregation(name);
  }
  if (next == K::kLeftParen) {
    switch (kind) {
      case K::kIdentifier:
      case K::kStart:
      case K::kEndOf:
      case K::kStep:
      case K::kRange:
      case K::kMaxOf:
      case K::kMinOf:
        return FunctionCall(name);
      default:
        break;
    }
  }
  return {Selector(&name), 1};
}

bool ParseState::NumberValue(const Token& token, double& out) {
  if (token.kind == K::kDuration) {
    auto duration = ParseDuration(TextOf(token));
    if (!duration.ok()) {
      return Fail(token.pos, std::string(Message(duration.status())));
    }
    out = ToSeconds(*duration);
    return true;
  }
  auto number = ParseNumber(TextOf(token));
  if (!number.ok()) {
    return Fail(token.pos,
                StrCat("error parsing number: ", Message(number.status())));
  }
  out = *number;
  return true;
}

Parsed ParseState::Number() {
  const Token token = Take();
  auto number = std::make_unique<NumberLiteral>();
  number->pos = token.pos;
  number->as_duration = token.kind == K::kDuration;
  if (!NumberValue(token, number->value)) return {};
  return {std::move(number), 1};
}

Parsed ParseState::String() {
  const Token token = Take();
  auto string = std::make_unique<StringLiteral>();
  string->pos = token.pos;
  string->value = Unquote(TextOf(token));
  return {std::move(string), 1};
}

Parsed ParseState::ParenExpression() {
  const Token open = Take();
  Parsed inner = Expression(1);
  if (!inner) return {};
  if (PeekKind() != K::kRightParen) {
    Unexpected();
    return {};
  }
  const Token close = Take();
  auto paren = std::make_unique<Paren>();
  paren->type = inner.expr->type;
  paren->pos = {open.pos.begin, close.pos.end};
  paren->expr = std::move(inner.expr);
  return Finish(std::move(paren), inner.height + 1);
}

// `(a, b)`; `height` is that of the highest argument.
bool ParseState::Arguments(std::vector<ExprPtr>& args, int& height) {
  if (PeekKind() != K::kLeftParen) return Unexpected();
  Take();
  if (PeekKind() == K::kRightParen) {
    Take();
    return true;
  }
  for (;;) {
    Parsed arg = Expression(1);
    if (!arg) return false;
    height = std::max(height, arg.height);
    args.push_back(std::move(arg.expr));
    if (PeekKind() == K::kRightParen) {
      Take();
      return true;
    }
    if (PeekKind() != K::kComma) return Unexpected();
    const Token comma = Take();
    if (!MayBeginExpression(PeekKind())) {
      return Fail(comma.pos,
                  "trailing commas not allowed in function call args");
    }
  }
}

Parsed ParseState::FunctionCall(const Token& name) {
  auto call = std::make_unique<Call>();
  int height = 0;
  if (!Arguments(call->args, height)) return {};
  const std::string_view text = TextOf(name);
  call->function = FindFunction(text);
  if (call->function == nullptr && options_.functions != nullptr) {
    call->function = options_.functions->Find(text);
  }
  if (call->function == nullptr) {
    Fail(name.pos, StrCat("unknown function with name ", GoQuote(text)));
    return {};
  }
  if (call->function->experimental && !options_.experimental_functions) {
    Fail(name.pos, StrCat("function ", GoQuote(text), " is not enabled"));
    return {};
  }
  call->type = call->function->return_type;
  call->pos = {name.pos.begin, last_closing_};
  return Finish(std::move(call), height + 1);
}

Parsed ParseState::Aggregation(const Token& op) {
  auto aggregate = std::make_unique<Aggregate>();
  aggregate->op = ToAggregateOp(op.kind);
  std::vector<ExprPtr> args;
  int height = 0;

  auto modifier = [&] {
    aggregate->without = Take().kind == K::kWithout;
    return Grouping(aggregate->grouping);
  };
  ++aggregations_;
  const bool modifier_first = PeekKind() != K::kLeftParen;
  if (modifier_first && !modifier()) return {};
  if (!Arguments(args, height)) return {};
  --aggregations_;

  aggregate->pos = {op.pos.begin, last_closing_};
  if (!modifier_first) {
    const TokenKind next = PeekKind();
    if (next == K::kBy || next == K::kWithout) {
      if (!modifier()) return {};
      aggregate->pos.end = last_closing_;
    } else if (next == K::kRightParen) {
      // With a comment between the two parentheses, Prometheus ends the node
      // at the second.
      const size_t begin = aggregate->pos.end;
      const std::string_view between =
          text_.substr(begin, token_.pos.begin - begin);
      if (between.find_first_not_of(" \t\r\n") != std::string_view::npos) {
        aggregate->pos.end = token_.pos.end;
      }
    } else {
      aggregate->pos.end = last_closing_;
    }
  }
  if (failed_) return {};  // by looking ahead

  const TextRange pos = aggregate->pos;
  if (args.empty()) {
    Fail(pos, "no arguments for aggregate expression provided");
    return {};
  }
  size_t wanted = 1;
  if (TakesParameter(aggregate->op)) {
    if (aggregate->op >= AggregateOp::kLimitK &&
        !options_.experimental_functions) {
      Fail(pos, StrCat(Text(aggregate->op),
                       "() is experimental and must be enabled with "
                       "--enable-feature=promql-experimental-functions"));
      return {};
    }
    wanted = 2;
  }
  if (args.size() != wanted) {
    Fail(pos, StrCat("wrong number of arguments for aggregate expression "
                     "provided, expected ",
                     wanted, ", got ", args.size()));
    return {};
  }
  if (wanted == 2) aggregate->param = std::move(args[0]);
  aggregate->expr = std::move(args[wanted - 1]);
  return Finish(std::move(aggregate), height + 1);
}

}  // namespace narthex::promql
