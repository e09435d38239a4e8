// The part of the lexer that reads the values of a series: 0+10x5 _
// {{count:3}}.

#include <string>
#include <string_view>

#include "libpromql/parse/chars.h"
#include "libpromql/parse/lexer.h"
#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

constexpr std::string_view kResetHints[] = {"unknown", "reset", "not_reset",
                                            "gauge"};

template <size_t kSize>
bool IsOneOf(std::string_view word, const std::string_view (&set)[kSize]) {
  for (std::string_view s : set) {
    if (s == word) return true;
  }
  return false;
}

}  // namespace

Token Lexer::InSequence() {
  const int c = Peek();
  if (c == kEof) {
    state_ = State::kStatement;
    return Statement();
  }
  if (IsSpace(c)) {
    while (IsSpace(Peek())) ++pos_;
    return Emit(K::kSpace);
  }
  if (c == '{' && Peek(1) == '{') {
    state_ = State::kHistogram;
    return Take(K::kOpenHistogram, 2);
  }
  if (c == '+') return Take(K::kAdd, 1);
  if (c == '-') return Take(K::kSub, 1);
  if (c == 'x') return Take(K::kTimes, 1);
  if (c == '_') return Take(K::kBlank, 1);
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return PlainNumber();
  if (IsAlpha(c)) return Word();
  return FailAtRune("unexpected character in series sequence: ");
}

Token Lexer::InHistogram() {
  const int c = Peek();
  if (IsSpace(c)) {
    while (IsSpace(Peek())) ++pos_;
    return Emit(K::kSpace);
  }
  if (IsAlpha(c)) return HistogramWord();
  if (IsDigit(c)) return PlainNumber();
  switch (c) {
    case ':':
      return Take(K::kColon, 1);
    case '-':
      return Take(K::kSub, 1);
    case '[':
      state_ = State::kBuckets;
      return Take(K::kLeftBracket, 1);
    case '}':
      if (Peek(1) != '}') break;
      state_ = State::kSequence;
      return Take(K::kCloseHistogram, 2);
    default:
      break;
  }
  return FailAtRune("histogram description incomplete unexpected: ");
}

Token Lexer::HistogramWord() {
  while (IsAlpha(Peek())) ++pos_;
  const std::string_view word = text_.substr(start_, pos_ - start_);
  const std::string lower = AsciiLower(word);
  if (IsOneOf(lower, kHistogramKeys)) {
    if (Peek() == ':') return Emit(K::kHistogramKey);
    return Fail("missing `:` for histogram descriptor");
  }
  if (KeywordKind(lower) == K::kNumber) return Emit(K::kNumber);
  if (IsOneOf(lower, kResetHints)) return Emit(K::kResetHint);
  return Fail(StrCat("bad histogram descriptor found: ", GoQuote(word)));
}

Token Lexer::InBuckets() {
  const int c = Peek();
  if (IsSpace(c)) {
    while (IsSpace(Peek())) ++pos_;
    return Emit(K::kSpace);
  }
  if (c == '-') return Take(K::kSub, 1);
  if (IsDigit(c)) return PlainNumber();
  if (c == ']') {
    state_ = State::kHistogram;
    return Take(K::kRightBracket, 1);
  }
  if (IsAlpha(c)) {
    while (IsAlpha(Peek())) ++pos_;
    if (KeywordKind(text_.substr(start_, pos_ - start_)) == K::kNumber) {
      return Emit(K::kNumber);
    }
    pos_ = start_;
  }
  return FailAtRune("invalid character in buckets description: ");
}

}  // namespace narthex::promql
