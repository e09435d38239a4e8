#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "libpromql/parse/literal.h"
#include "libpromql/parse/parse_state.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

constexpr std::string_view kMatching = "label matching";
constexpr std::string_view kSet = "label set";

// What a modifier changes: a selector, bare or in brackets, or a subquery.
struct Modified {
  DurationSpec* offset = nullptr;
  AtModifier* at = nullptr;
  explicit operator bool() const { return offset != nullptr; }
};

Modified ModifiedBy(Expr& expr) {
  if (auto* vector = As<VectorSelector>(expr)) {
    return {&vector->offset, &vector->at};
  }
  if (auto* matrix = As<MatrixSelector>(expr)) {
    return {&matrix->selector->offset, &matrix->selector->at};
  }
  if (auto* subquery = As<Subquery>(expr)) {
    return {&subquery->offset, &subquery->at};
  }
  return {};
}

// Seconds to milliseconds, half away from zero; what doesn't fit becomes the
// least integer, as where Prometheus runs.
Timestamp ToTimestamp(double seconds) {
  const double ms = std::round(seconds * 1000);
  if (!(ms >= -0x1p63 && ms < 0x1p63)) return kMinTime;
  return Timestamp(static_cast<int64_t>(ms));
}

}  // namespace

std::unique_ptr<VectorSelector> ParseState::WholeSelector() {
  std::unique_ptr<VectorSelector> selector;
  if (PeekKind() == K::kLeftBrace) {
    selector = Selector(nullptr);
  } else if (MayNameMetric(PeekKind())) {
    const Token name = Take();
    selector = Selector(&name);
  } else {
    Unexpected();
  }
  if (selector == nullptr || PeekKind() == K::kEnd) return selector;
  Unexpected();
  return nullptr;
}

std::unique_ptr<VectorSelector> ParseState::Selector(const Token* name) {
  auto selector = std::make_unique<VectorSelector>();
  if (name != nullptr) {
    selector->pos = name->pos;
    selector->name = std::string(TextOf(*name));
  } else {
    selector->pos = Peek().pos;
  }
  if (PeekKind() == K::kLeftBrace && !LabelMatchers(*selector)) return nullptr;
  if (name != nullptr) {
    auto matcher =
        Matcher::Make(Matcher::Type::kEqual, kMetricName, selector->name);
    if (!matcher.ok()) {
      Fail(name->pos, std::string(Message(matcher.status())));
      return nullptr;
    }
    selector->matchers.push_back(*std::move(matcher));
  }
  return selector;
}

// `{a="b", "c"=~"d", "name",}`
bool ParseState::LabelMatchers(VectorSelector& selector) {
  Take();
  while (PeekKind() != K::kRightBrace) {
    if (!LabelMatcher(selector)) return false;
    if (PeekKind() == K::kRightBrace) break;
    if (!Expect(K::kComma, {kMatching, "\",\" or \"}\""})) return false;
  }
  selector.pos.end = Take().pos.end;
  return true;
}

bool ParseState::LabelMatcher(VectorSelector& selector) {
  const TokenKind kind = PeekKind();
  if (kind != K::kIdentifier && kind != K::kString) {
    return Unexpected({kMatching, "identifier or \"}\""});
  }
  const Token name = Take();
  const std::string label =
      kind == K::kString ? Unquote(TextOf(name)) : std::string(TextOf(name));
  Matcher::Type type = Matcher::Type::kEqual;
  switch (PeekKind()) {
    case K::kAssign:
      break;
    case K::kNotEqual:
      type = Matcher::Type::kNotEqual;
      break;
    case K::kRegexMatch:
      type = Matcher::Type::kRegex;
      break;
    case K::kRegexNoMatch:
      type = Matcher::Type::kNotRegex;
      break;
    default: {
      if (kind == K::kIdentifier) {
        return Unexpected({kMatching, "label matching operator"});
      }
      // A string alone is the metric's name.
      auto matcher = Matcher::Make(type, kMetricName, label);
      if (!matcher.ok()) {
        return Fail(name.pos, std::string(Message(matcher.status())));
      }
      selector.matchers.push_back(*std::move(matcher));
      return true;
    }
  }
  Take();
  if (PeekKind() != K::kString) return Unexpected({kMatching, "string"});
  const Token value = Take();
  auto matcher = Matcher::Make(type, label, Unquote(TextOf(value)));
  if (!matcher.ok()) {
    return Fail({name.pos.begin, value.pos.end},
                std::string(Message(matcher.status())));
  }
  selector.matchers.push_back(*std::move(matcher));
  return true;
}

// --- Metrics as label sets.

bool ParseState::WholeMetric(Labels& out) {
  LabelsBuilder builder;
  std::string name;
  if (MayNameMetric(PeekKind())) {
    name = std::string(TextOf(Take()));
  }
  if (PeekKind() == K::kLeftBrace && !LabelSet(builder)) return false;
  // The name in front wins over one in the braces.
  if (!name.empty()) builder.Set(kMetricName, name);
  if (PeekKind() != K::kEnd && PeekKind() != K::kSpace) return Unexpected();
  out = builder.Build();
  return true;
}

bool ParseState::LabelSet(LabelsBuilder& out) {
  Take();
  while (PeekKind() != K::kRightBrace) {
    if (!LabelSetItem(out)) return false;
    if (PeekKind() == K::kRightBrace) break;
    if (!Expect(K::kComma, {kSet, "\",\" or \"}\""})) return false;
  }
  Take();
  return true;
}

bool ParseState::LabelSetItem(LabelsBuilder& out) {
  const TokenKind kind = PeekKind();
  if (kind != K::kIdentifier && kind != K::kString) {
    return Unexpected({kSet, "identifier or \"}\""});
  }
  const Token name = Take();
  const std::string label =
      kind == K::kString ? Unquote(TextOf(name)) : std::string(TextOf(name));
  if (PeekKind() != K::kAssign) {
    if (kind == K::kIdentifier) return Unexpected({kSet, "\"=\""});
    out.Set(kMetricName, label);
    return true;
  }
  Take();
  if (PeekKind() != K::kString) return Unexpected({kSet, "string"});
  out.Set(label, Unquote(TextOf(Take())));
  return true;
}

// --- Behind a selector.

bool ParseState::Modifiers(Parsed& operand) {
  for (;;) {
    switch (PeekKind()) {
      case K::kLeftBracket:
        if (!Brackets(operand)) return false;
        break;
      case K::kOffset:
        Take();
        if (!OffsetModifier(*operand.expr)) return false;
        break;
      case K::kAt:
        Take();
        if (!AtTimeModifier(*operand.expr)) return false;
        break;
      case K::kAnchored:
      case K::kSmoothed: {
        const bool anchored = Take().kind == K::kAnchored;
        if (!ExtendedModifier(*operand.expr, anchored)) return false;
        break;
      }
      default:
        return !failed_;
    }
  }
}

// `[5m]` makes a range of a selector, `[5m:1m]` a subquery of anything.
bool ParseState::Brackets(Parsed& operand) {
  const Token open = Take();
  DurationSpec range;
  if (!PositiveDuration(range, {"subquery or range selector",
                                "number, duration, step(), or range()"})) {
    return false;
  }
  if (PeekKind() == K::kRightBracket) {
    const Token close = Take();
    const TextRange brackets = {open.pos.begin, close.pos.end};
    auto* vector = As<VectorSelector>(*operand.expr);
    if (vector == nullptr) {
      return Fail(brackets, "ranges only allowed for vector selectors");
    }
    if (vector->offset.present()) {
      return Fail(brackets, "no offset modifiers allowed before range");
    }
    if (vector->at.present()) {
      return Fail(brackets, "no @ modifiers allowed before range");
    }
    auto matrix = std::make_unique<MatrixSelector>();
    matrix->pos = {vector->pos.begin, close.pos.end};
    matrix->range = std::move(range);
    operand.expr.release();
    matrix->selector.reset(vector);
    operand = Finish(std::move(matrix), operand.height + 1);
    return operand.expr != nullptr;
  }
  if (!Expect(K::kColon, {"subquery or range", "\":\" or \"]\""})) return false;
  DurationSpec step;
  if (PeekKind() != K::kRightBracket) {
    if (!PositiveDuration(step,
                          {"subquery selector",
                           "number, duration, step(), range(), or \"]\""})) {
      return false;
    }
    if (PeekKind() != K::kRightBracket) {
      return Unexpected({"subquery selector", "\"]\""});
    }
  }
  auto subquery = std::make_unique<Subquery>();
  subquery->pos = {operand.expr->pos.begin, Take().pos.end};
  subquery->range = std::move(range);
  subquery->step = std::move(step);
  subquery->expr = std::move(operand.expr);
  operand = Finish(std::move(subquery), operand.height + 1);
  return operand.expr != nullptr;
}

bool ParseState::OffsetModifier(Expr& operand) {
  DurationPtr duration =
      OffsetDuration({"offset", "number, duration, step(), or range()"});
  if (duration == nullptr) return false;
  const Modified modified = ModifiedBy(operand);
  if (!modified) {
    return Fail(operand.pos,
                "offset modifier must be preceded by an instant vector "
                "selector or range vector selector or a subquery");
  }
  // Zero is as good as none, as in Prometheus.
  if (modified.offset->present()) {
    return Fail(operand.pos, "offset may not be set multiple times");
  }
  *modified.offset = ToSpec(std::move(duration));
  operand.pos.end = last_closing_;
  return true;
}

bool ParseState::AtTimeModifier(Expr& operand) {
  constexpr Context kContext = {"@", "timestamp"};
  AtModifier at;
  switch (PeekKind()) {
    case K::kStart:
    case K::kEndOf:
      at.kind = Take().kind == K::kStart ? AtModifier::Kind::kStart
                                         : AtModifier::Kind::kEnd;
      if (!Expect(K::kLeftParen, kContext)) return false;
      if (!Expect(K::kRightParen, kContext)) return false;
      break;
    default: {
      bool negative = false;
      if (PeekKind() == K::kAdd || PeekKind() == K::kSub) {
        negative = Take().kind == K::kSub;
      }
      if (PeekKind() != K::kNumber && PeekKind() != K::kDuration) {
        return Unexpected(kContext);
      }
      double seconds = 0;
      if (!NumberValue(Take(), seconds)) return false;
      if (negative) seconds = -seconds;
      if (!(seconds > -0x1p63 && seconds < 0x1p63)) {
        return Fail(
            operand.pos,
            StrCat("timestamp out of bounds for @ modifier: ",
                   std::isfinite(seconds) ? absl::StrFormat("%f", seconds)
                                          : FormatFloat(seconds)));
      }
      at.kind = AtModifier::Kind::kTime;
      at.t = ToTimestamp(seconds);
    }
  }
  const Modified modified = ModifiedBy(operand);
  if (!modified) {
    return Fail(operand.pos,
                "@ modifier must be preceded by an instant vector selector or "
                "range vector selector or a subquery");
  }
  if (modified.at->present()) {
    return Fail(operand.pos, "@ <timestamp> may not be set multiple times");
  }
  *modified.at = at;
  operand.pos.end = last_closing_;
  return true;
}

bool ParseState::ExtendedModifier(Expr& operand, bool anchored) {
  const std::string_view name = anchored ? "anchored" : "smoothed";
  if (!options_.extended_range_selectors) {
    return Fail(operand.pos,
                StrCat(name, " modifier is experimental and not enabled"));
  }
  auto* vector = As<VectorSelector>(operand);
  if (auto* matrix = As<MatrixSelector>(operand)) {
    vector = matrix->selector.get();
  }
  if (vector == nullptr) {
    return Fail(operand.pos,
                StrCat(name, operand.kind == ExprKind::kSubquery
                                 ? " modifier is not supported for subqueries"
                                 : " modifier not implemented"));
  }
  (anchored ? vector->anchored : vector->smoothed) = true;
  if (vector->anchored && vector->smoothed) {
    return Fail(operand.pos,
                "anchored and smoothed modifiers cannot be used together");
  }
  return true;
}

}  // namespace narthex::promql
