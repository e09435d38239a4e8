#include "libpromql/parse/token.h"

#include <algorithm>
#include <iterator>

#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

struct Word {
  std::string_view text;
  TokenKind kind;
};

using K = TokenKind;
constexpr Word kWords[] = {
    {"anchored", K::kAnchored},
    {"and", K::kAnd},
    {"atan2", K::kAtan2},
    {"avg", K::kAvg},
    {"bool", K::kBool},
    {"bottomk", K::kBottomK},
    {"by", K::kBy},
    {"count", K::kCount},
    {"count_values", K::kCountValues},
    {"end", K::kEndOf},
    {"fill", K::kFill},
    {"fill_left", K::kFillLeft},
    {"fill_right", K::kFillRight},
    {"group", K::kGroup},
    {"group_left", K::kGroupLeft},
    {"group_right", K::kGroupRight},
    {"ignoring", K::kIgnoring},
    {"inf", K::kNumber},
    {"limit_ratio", K::kLimitRatio},
    {"limitk", K::kLimitK},
    {"max", K::kMax},
    {"max_of", K::kMaxOf},
    {"min", K::kMin},
    {"min_of", K::kMinOf},
    {"nan", K::kNumber},
    {"offset", K::kOffset},
    {"on", K::kOn},
    {"or", K::kOr},
    {"quantile", K::kQuantile},
    {"range", K::kRange},
    {"smoothed", K::kSmoothed},
    {"start", K::kStart},
    {"stddev", K::kStddev},
    {"stdvar", K::kStdvar},
    {"step", K::kStep},
    {"sum", K::kSum},
    {"topk", K::kTopK},
    {"unless", K::kUnless},
    {"without", K::kWithout},
};
constexpr size_t kLongestWord = 12;
static_assert(std::is_sorted(std::begin(kWords), std::end(kWords),
                             [](const Word& a, const Word& b) {
                               return a.text < b.text;
                             }));

// The first `n` code points.
std::string_view Head(std::string_view text, size_t n) {
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (starts && n-- == 0) break;
  }
  return text.substr(0, i);
}

std::string Quoted(std::string_view text) {
  if (text.size() > 10) return GoQuote(Head(text, 10)) + "...";
  return GoQuote(text);
}

}  // namespace

bool MayNameMetric(TokenKind k) {
  switch (k) {
    case K::kIdentifier:
    case K::kMetricIdentifier:
    case K::kAnd:
    case K::kOr:
    case K::kUnless:
    case K::kBy:
    case K::kWithout:
    case K::kFill:
    case K::kFillLeft:
    case K::kFillRight:
    case K::kOffset:
    case K::kSmoothed:
    case K::kAnchored:
    case K::kStart:
    case K::kEndOf:
    case K::kStep:
    case K::kRange:
    case K::kMaxOf:
    case K::kMinOf:
      return true;
    default:
      return IsAggregator(k);
  }
}

bool MayBeginExpression(TokenKind k) {
  switch (k) {
    case K::kString:
    case K::kNumber:
    case K::kDuration:
    case K::kLeftParen:
    case K::kLeftBrace:
    case K::kAdd:
    case K::kSub:
      return true;
    default:
      return MayNameMetric(k);
  }
}

bool MayNameLabel(TokenKind k) {
  switch (k) {
    case K::kWithout:
      return false;
    case K::kAtan2:
      return true;
    default:
      return MayNameMetric(k) || IsKeyword(k);
  }
}

TokenKind KeywordKind(std::string_view word) {
  if (word.size() > kLongestWord || word.size() < 2) return K::kIdentifier;
  char lower[kLongestWord];
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    lower[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::string_view key(lower, word.size());
  const Word* it = std::lower_bound(
      std::begin(kWords), std::end(kWords), key,
      [](const Word& w, std::string_view k) { return w.text < k; });
  return it != std::end(kWords) && it->text == key ? it->kind : K::kIdentifier;
}

std::string Describe(const Token& token, std::string_view input) {
  const std::string_view text = token.Text(input);
  switch (token.kind) {
    case K::kEnd:
      return "end of input";
    case K::kIdentifier:
      return StrCat("identifier ", GoQuote(text));
    case K::kMetricIdentifier:
      return StrCat("metric identifier ", GoQuote(text));
    case K::kString:
      return StrCat("string ", Quoted(text));
    case K::kNumber:
      return StrCat("number ", Quoted(text));
    case K::kDuration:
      return StrCat("duration ", Quoted(text));
    case K::kHistogramKey:
      return StrCat("histogram key ", Quoted(text));
    case K::kResetHint:
      return StrCat("counter reset hint ", Quoted(text));
    default:
      break;
  }
  if (IsKeyword(token.kind)) return StrCat("<", text, ">");
  if (IsOperator(token.kind)) return StrCat("<op:", text, ">");
  if (IsAggregator(token.kind)) return StrCat("<aggr:", text, ">");
  return Quoted(text);
}

}  // namespace narthex::promql
