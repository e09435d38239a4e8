#include "libpromql/parse/lexer.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "libpromql/parse/chars.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

constexpr int32_t kBadRune = 0xfffd;  // also what broken UTF-8 reads as
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

std::string Utf8(int32_t code) {
  if (code < 0 || code > 0x10ffff) code = kBadRune;
  std::string out;
  if (code < 0x80) {
    out += static_cast<char>(code);
    return out;
  }
  if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xe0 | code >> 12);
    } else {
      out += static_cast<char>(0xf0 | code >> 18);
      out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    }
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
  }
  out += static_cast<char>(0x80 | (code & 0x3f));
  return out;
}

// Go's %q of a rune: its string quoting with the other quote.
std::string QuoteRune(int32_t code) {
  if (code == '\'') return R"('\'')";
  if (code == '"') return R"('"')";
  std::string quoted = GoQuote(Utf8(code));
  quoted.front() = quoted.back() = '\'';
  return quoted;
}

// Go's %#U: "U+0067 'g'", the character only if it can be printed.
std::string NameRune(int32_t code) {
  std::string name = absl::StrFormat("U+%04X", code);
  const std::string quoted = QuoteRune(code);
  const bool printable = quoted[1] != '\\' || code == '\'' || code == '\\';
  if (printable) StrAppend(&name, " '", Utf8(code), "'");
  return name;
}

}  // namespace

Lexer::Rune Lexer::RuneAt(size_t pos) const {
  if (pos >= text_.size()) return {};
  auto byte = [&](size_t i) -> int32_t {
    return pos + i < text_.size() ? static_cast<unsigned char>(text_[pos + i])
                                  : 0;
  };
  const int32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const int length = first >= 0xc2 && first < 0xe0   ? 2
                     : first >= 0xe0 && first < 0xf0 ? 3
                     : first >= 0xf0 && first < 0xf5 ? 4
                                                     : 0;
  if (length == 0) return {kBadRune, 1};
  int32_t code = first & (0xff >> (length + 1));
  for (int i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {kBadRune, 1};
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) ||
                        (length == 4 && (code < 0x10000 || code > 0x10ffff));
  if (overlong || (code >= 0xd800 && code < 0xe000)) return {kBadRune, 1};
  return {code, static_cast<uint32_t>(length)};
}

bool Lexer::NextIs(std::string_view set) const {
  const int c = Peek();
  return c != kEof && set.find(static_cast<char>(c)) != std::string_view::npos;
}

bool Lexer::Accept(std::string_view set) {
  if (!NextIs(set)) return false;
  ++pos_;
  return true;
}

void Lexer::SkipSpace() {
  while (IsSpace(Peek())) ++pos_;
  start_ = pos_;
}

void Lexer::SkipComment() {
  while (Peek() != kEof && Peek() != '\n' && Peek() != '\r') ++pos_;
  start_ = pos_;
}

Token Lexer::Emit(TokenKind kind) {
  const Token token{
      kind, {static_cast<uint32_t>(start_), static_cast<uint32_t>(pos_)}};
  start_ = pos_;
  return token;
}

Token Lexer::Fail(std::string text) {
  error_ = std::move(text);
  return {K::kError,
          {static_cast<uint32_t>(start_), static_cast<uint32_t>(text_.size())}};
}

Token Lexer::FailAtRune(std::string_view text) {
  return Fail(StrCat(text, QuoteRune(RuneAt(pos_).code)));
}

Token Lexer::Next() {
  // Each turn skips space or a comment, or gives a token.
  for (;;) {
    if (in_braces_) {
      SkipSpace();
      if (Peek() != '#') return InBraces();
      SkipComment();
      continue;
    }
    switch (state_) {
      case State::kStatement:
        SkipSpace();
        if (Peek() != '#') return Statement();
        SkipComment();
        continue;
      case State::kDuration:
        SkipSpace();
        return InDuration();
      case State::kSequence:
        return InSequence();
      case State::kHistogram:
        return InHistogram();
      case State::kBuckets:
        return InBuckets();
    }
  }
}

Token Lexer::Statement() {
  const int c = Peek();
  if (IsAlpha(c) || c == ':') {
    return in_brackets_ ? WordOrColonInBrackets(static_cast<char>(c)) : Word();
  }
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return NumberOrDuration();
  const int next = Peek(1);
  switch (c) {
    case kEof:
      if (parens_ != 0) return Fail("unclosed left parenthesis");
      if (in_brackets_) return Fail("unclosed left bracket");
      return Emit(K::kEnd);
    case ',':
      return Take(K::kComma, 1);
    case '*':
      return Take(K::kMul, 1);
    case '/':
      return Take(K::kDiv, 1);
    case '%':
      return Take(K::kMod, 1);
    case '+':
      return Take(K::kAdd, 1);
    case '-':
      return Take(K::kSub, 1);
    case '^':
      return Take(K::kPow, 1);
    case '@':
      return Take(K::kAt, 1);
    case '=':
      if (next == '=') return Take(K::kEqual, 2);
      if (next != '~') return Take(K::kAssign, 1);
      return Fail("unexpected character after '=': '~'");
    case '!':
      if (next == '=') return Take(K::kNotEqual, 2);
      ++pos_;
      return FailAtRune("unexpected character after '!': ");
    case '<':
      if (next == '=') return Take(K::kLessEqual, 2);
      if (next == '/') return Take(K::kTrimUpper, 2);
      return Take(K::kLess, 1);
    case '>':
      if (next == '=') return Take(K::kGreaterEqual, 2);
      if (next == '/') return Take(K::kTrimLower, 2);
      return Take(K::kGreater, 1);
    case '"':
    case '\'':
    case '`':
      return String(static_cast<char>(c));
    case '(':
      ++parens_;
      return Take(K::kLeftParen, 1);
    case ')': {
      const Token token = Take(K::kRightParen, 1);
      // The place of this error is behind the parenthesis.
      if (--parens_ < 0) return Fail("unexpected right parenthesis ')'");
      return token;
    }
    case '{':
      in_braces_ = true;
      return Take(K::kLeftBrace, 1);
    case '[':
      if (in_brackets_) return Fail("unexpected left bracket '['");
      in_brackets_ = true;
      had_colon_ = false;
      state_ = State::kDuration;
      return Take(K::kLeftBracket, 1);
    case ']':
      if (!in_brackets_) return Fail("unexpected right bracket ']'");
      in_brackets_ = false;
      return Take(K::kRightBracket, 1);
    default:
      return FailAtRune("unexpected character: ");
  }
}

Token Lexer::InBraces() {
  const int c = Peek();
  const int next = Peek(1);
  if (IsAlpha(c)) {
    while (IsWord(Peek())) ++pos_;
    return Emit(K::kIdentifier);
  }
  switch (c) {
    case kEof:
      return Fail("unexpected end of input inside braces");
    case ',':
      return Take(K::kComma, 1);
    case '"':
    case '\'':
    case '`':
      return String(static_cast<char>(c));
    case '=':
      return next == '~' ? Take(K::kRegexMatch, 2) : Take(K::kAssign, 1);
    case '!':
      if (next == '~') return Take(K::kRegexNoMatch, 2);
      if (next == '=') return Take(K::kNotEqual, 2);
      ++pos_;
      return FailAtRune("unexpected character after '!' inside braces: ");
    case '{':
      return Fail("unexpected left brace '{'");
    case '}':
      in_braces_ = false;
      if (series_) state_ = State::kSequence;
      return Take(K::kRightBrace, 1);
    default:
      return FailAtRune("unexpected character inside braces: ");
  }
}

Token Lexer::InDuration() {
  const int c = Peek();
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
    had_number_ = true;
    state_ = State::kStatement;
    return NumberOrDuration();
  }
  switch (c) {
    case kEof:
      return Fail("unexpected end of input in duration expression");
    case ']':
      in_brackets_ = false;
      had_colon_ = false;
      state_ = State::kStatement;
      return Take(K::kRightBracket, 1);
    case ':': {
      const Token token = Take(K::kColon, 1);
      // A number of brackets further left counts too, as in Prometheus.
      if (!had_number_) {
        return Fail("unexpected colon before duration in duration expression");
      }
      if (had_colon_) {
        return Fail("unexpected repeated colon in duration expression");
      }
      had_colon_ = true;
      return token;
    }
    case '(':
      ++parens_;
      return Take(K::kLeftParen, 1);
    case ')': {
      const Token token = Take(K::kRightParen, 1);
      if (--parens_ < 0) return Fail("unexpected right parenthesis ')'");
      return token;
    }
    case '+':
      return Take(K::kAdd, 1);
    case '-':
      return Take(K::kSub, 1);
    case '*':
      return Take(K::kMul, 1);
    case '/':
      return Take(K::kDiv, 1);
    case '%':
      return Take(K::kMod, 1);
    case '^':
      return Take(K::kPow, 1);
    case ',':
      return Take(K::kComma, 1);
    default:
      return DurationWord("unexpected character in duration expression: ");
  }
}

// Behind the first number in brackets.
Token Lexer::WordOrColonInBrackets(char c) {
  if (c == ':') {
    if (had_colon_) return Fail("unexpected colon ':'");
    had_colon_ = true;
    return Take(K::kColon, 1);
  }
  Token token = DurationWord("unexpected character: ");
  if (token.kind == K::kError) error_ += ", expected ':'";
  return token;
}

Token Lexer::DurationWord(std::string_view fallback) {
  size_t end = pos_;
  while (end < text_.size() && IsAlpha(static_cast<unsigned char>(text_[end])))
    ++end;
  const std::string_view word = text_.substr(pos_, end - pos_);
  const TokenKind kind = KeywordKind(word);
  if (kind == K::kStep || kind == K::kRange || kind == K::kMaxOf ||
      kind == K::kMinOf) {
    return Take(kind, word.size());
  }
  return FailAtRune(fallback);
}

bool Lexer::OpenParenFollows() const {
  size_t i = pos_;
  while (i < text_.size() && IsSpace(text_[i])) ++i;
  return i < text_.size() && text_[i] == '(';
}

Token Lexer::Word() {
  bool colon = false;
  while (IsWord(Peek()) || Peek() == ':') {
    colon |= Peek() == ':';
    ++pos_;
  }
  TokenKind kind = colon ? K::kMetricIdentifier
                         : KeywordKind(text_.substr(start_, pos_ - start_));
  const bool fills =
      kind == K::kFill || kind == K::kFillLeft || kind == K::kFillRight;
  if (fills && !OpenParenFollows()) kind = K::kIdentifier;
  if (series_) {
    state_ = Peek() == '{' ? State::kStatement : State::kSequence;
  }
  return Emit(kind);
}

Token Lexer::NumberOrDuration() {
  if (ScanNumber()) return Emit(K::kNumber);
  if (ScanDurationTail()) return Emit(K::kDuration);
  return Fail(StrCat("bad number or duration syntax: ",
                     GoQuote(text_.substr(start_, pos_ - start_))));
}

Token Lexer::PlainNumber() {
  if (ScanNumber()) return Emit(K::kNumber);
  return Fail(StrCat("bad number syntax: ",
                     GoQuote(text_.substr(start_, pos_ - start_))));
}

// Goes over what can be a number; whether it is one, is seen when it is
// converted.  False: something else must be behind it, or it is broken; pos_ is
// then where the error text ends.
bool Lexer::ScanNumber() {
  constexpr std::string_view kAfterDot = "_.";
  constexpr std::string_view kAfterOther = "._eE";
  const size_t begin = pos_;
  std::string_view digits = kDigits;
  // `x` is "times" in series.
  if (!series_ && Accept("0") && Accept("xX")) {
    Accept("_");
    digits = kHexDigits;
  }
  const bool hex = digits.size() > kDigits.size();
  Accept(".");
  Accept(digits);
  bool had_dot = false, had_exponent = false;
  for (;;) {
    if (NextIs(".")) {
      ++pos_;
      if (std::exchange(had_dot, true) || Accept(kAfterDot) || hex) {
        return false;
      }
    } else if (NextIs("eE")) {  // in hexadecimal numbers, too
      ++pos_;
      if (std::exchange(had_exponent, true)) return false;
      Accept("+-");
      if (Accept(kAfterOther) || Peek() == kEof) return false;
    } else if (NextIs("_")) {
      ++pos_;
      if (Accept(kAfterOther) || Peek() == kEof) return false;
    } else if (NextIs(digits)) {
      while (Accept(digits)) continue;
    } else {
      break;
    }
  }
  if (pos_ == begin) return false;
  return (series_ && Peek() == 'x') || !IsWord(Peek());
}

// Behind the digits of a duration: "m", "h30m", "ms".
bool Lexer::ScanDurationTail() {
  if (!Accept("smhdwy")) return false;
  Accept("s");
  while (Accept(kDigits)) {
    while (Accept(kDigits)) continue;
    if (!Accept("smhdw")) return false;
    Accept("s");
  }
  if (!IsWord(Peek())) return true;
  ++pos_;
  return false;
}

Token Lexer::String(char quote) {
  ++pos_;
  const bool raw = quote == '`';
  for (;;) {
    const Rune rune = RuneAt(pos_);
    if (rune.code == kEof) {
      return Fail(raw ? "unterminated raw string"
                      : "unterminated quoted string");
    }
    pos_ += rune.width;
    if (rune.code == quote) return Emit(K::kString);
    if (rune.code == kBadRune) return Fail("invalid UTF-8 rune");
    if (raw) continue;
    if (rune.code == '\n') return Fail("unterminated quoted string");
    if (rune.code == '\\' && !ScanEscape(quote)) {
      return Fail(std::move(error_));
    }
  }
}

bool Lexer::ScanEscape(char quote) {
  const Rune rune = RuneAt(pos_);
  int digits = 0;
  uint32_t base = 16, limit = 0x10ffff;
  switch (rune.code) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
      ++pos_;
      return true;
    case 'x':
      ++pos_;
      digits = 2;
      limit = 255;
      break;
    case 'u':
      ++pos_;
      digits = 4;
      break;
    case 'U':
      ++pos_;
      digits = 8;
      break;
    case kEof:
      error_ = "escape sequence not terminated";
      return false;
    default:
      if (rune.code == quote) {
        ++pos_;
        return true;
      }
      if (rune.code < '0' || rune.code > '7') {
        error_ = StrCat("unknown escape sequence ", NameRune(rune.code));
        return false;
      }
      digits = 3;
      base = 8;
      limit = 255;
  }
  uint64_t value = 0;
  for (; digits > 0; --digits) {
    const Rune digit = RuneAt(pos_);
    if (digit.code == kEof) {
      error_ = "escape sequence not terminated";
      return false;
    }
    const uint32_t d = static_cast<uint32_t>(HexValue(digit.code));
    if (d >= base) {
      error_ = StrCat("illegal character ", NameRune(digit.code),
                      " in escape sequence");
      return false;
    }
    pos_ += digit.width;
    value = value * base + d;
  }
  if (value > limit || (value >= 0xd800 && value < 0xe000)) {
    error_ = "escape sequence is an invalid Unicode code point";
    return false;
  }
  return true;
}

}  // namespace narthex::promql
