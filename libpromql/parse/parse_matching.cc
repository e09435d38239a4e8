// Lists of labels, and what stands between a binary operator and its right
// side.

#include <string>
#include <utility>

#include "libpromql/parse/literal.h"
#include "libpromql/parse/parse_state.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

}  // namespace

bool ParseState::Grouping(std::vector<std::string>& out) {
  constexpr std::string_view kWhere = "grouping opts";
  if (!Expect(K::kLeftParen, {kWhere, "\"(\""})) return false;
  if (PeekKind() == K::kRightParen) {
    Take();
    return true;
  }
  for (;;) {
    if (!GroupingLabel(out)) return false;
    if (PeekKind() == K::kComma) {
      Take();
      if (PeekKind() != K::kRightParen) continue;
    }
    return Expect(K::kRightParen, {kWhere, "\",\" or \")\""});
  }
}

bool ParseState::GroupingLabel(std::vector<std::string>& out) {
  const TokenKind kind = PeekKind();
  if (kind != K::kString && !MayNameLabel(kind)) {
    return Unexpected({"grouping opts", "label"});
  }
  const Token token = Take();
  std::string label =
      kind == K::kString ? Unquote(TextOf(token)) : std::string(TextOf(token));
  if (label.empty() || !IsValidUtf8(label)) {
    return Fail(token.pos,
                StrCat("invalid label name for grouping: ", GoQuote(label)));
  }
  out.push_back(std::move(label));
  return true;
}

bool ParseState::BinaryModifiers(Binary& binary) {
  VectorMatching& matching = binary.matching.emplace();
  if (PeekKind() == K::kBool) {
    Take();
    binary.return_bool = true;
  }
  if (PeekKind() == K::kOn || PeekKind() == K::kIgnoring) {
    matching.on = Take().kind == K::kOn;
    if (!Grouping(matching.labels)) return false;
    if (PeekKind() == K::kGroupLeft || PeekKind() == K::kGroupRight) {
      matching.card = Take().kind == K::kGroupLeft
                          ? VectorMatching::Card::kManyToOne
                          : VectorMatching::Card::kOneToMany;
      const TokenKind next = PeekKind();
      const bool is_fill =
          next == K::kFill || next == K::kFillLeft || next == K::kFillRight;
      if (next == K::kLeftParen || (!is_fill && !MayBeginExpression(next))) {
        if (!Grouping(matching.include)) return false;
      }
    }
  }
  double value = 0;
  switch (PeekKind()) {
    case K::kFill:
      Take();
      if (!FillValue(value)) return false;
      matching.fill_left = matching.fill_right = value;
      break;
    case K::kFillLeft:
    case K::kFillRight: {
      const bool left = Take().kind == K::kFillLeft;
      if (!FillValue(value)) return false;
      (left ? matching.fill_left : matching.fill_right) = value;
      if (PeekKind() != (left ? K::kFillRight : K::kFillLeft)) break;
      Take();
      if (!FillValue(value)) return false;
      (left ? matching.fill_right : matching.fill_left) = value;
      break;
    }
    default:
      break;
  }
  return true;
}

bool ParseState::FillValue(double& out) {
  if (PeekKind() != K::kLeftParen) return Unexpected();
  Take();
  bool negative = false;
  if (PeekKind() == K::kAdd || PeekKind() == K::kSub) {
    negative = Take().kind == K::kSub;
  }
  if (PeekKind() != K::kNumber && PeekKind() != K::kDuration) {
    return Unexpected();
  }
  if (!NumberValue(Take(), out)) return false;
  if (negative) out = -out;
  if (PeekKind() != K::kRightParen) return Unexpected();
  Take();
  return true;
}

}  // namespace narthex::promql
