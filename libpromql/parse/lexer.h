// Text to tokens, one at a time and never further than asked: the parser's
// error texts depend on how far it has looked.
//
// One thread.  Borrows the text.  After kError or kEnd there is nothing more.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libpromql/parse/token.h"

namespace narthex::promql {

class Lexer {
 public:
  enum class Language : uint8_t { kExpression, kSeries };
  // `text` is shorter than 4 GiB.
  explicit Lexer(std::string_view text,
                 Language language = Language::kExpression)
      : text_(text), series_(language == Language::kSeries) {}

  // Comments are skipped.
  Token Next();

  // Of the kError token.
  const std::string& error() const { return error_; }

 private:
  // What the next bytes are read as.
  enum class State : uint8_t {
    kStatement,
    kDuration,   // behind `[`, until the first number
    kSequence,   // the values of a series
    kHistogram,  // between `{{` and `}}`
    kBuckets,    // between `[` and `]` of a histogram
  };

  static constexpr int32_t kEof = -1;
  struct Rune {
    int32_t code = kEof;
    uint32_t width = 0;
  };

  Token Statement();
  Token InBraces();
  Token InDuration();
  Token InSequence();
  Token InHistogram();
  Token InBuckets();

  Token WordOrColonInBrackets(char c);
  Token Word();
  Token DurationWord(std::string_view fallback);
  Token HistogramWord();
  Token NumberOrDuration();
  Token PlainNumber();
  Token String(char quote);
  bool ScanNumber();
  bool ScanDurationTail();
  bool ScanEscape(char quote);  // false: error_ is set

  int Peek(size_t ahead = 0) const {
    return pos_ + ahead < text_.size()
               ? static_cast<unsigned char>(text_[pos_ + ahead])
               : kEof;
  }
  Rune RuneAt(size_t pos) const;
  bool Accept(std::string_view set);
  bool NextIs(std::string_view set) const;
  void SkipSpace();
  void SkipComment();
  bool OpenParenFollows() const;

  Token Emit(TokenKind kind);
  Token Take(TokenKind kind, size_t width) {
    pos_ += width;
    return Emit(kind);
  }
  Token Fail(std::string text);
  // "<text>'<the character here>'"; the error is where the token began.
  Token FailAtRune(std::string_view text);

  std::string_view text_;
  const bool series_;
  State state_ = State::kStatement;
  size_t pos_ = 0;    // of the next byte
  size_t start_ = 0;  // of the token being read
  int64_t parens_ = 0;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool had_colon_ = false;   // in these brackets
  bool had_number_ = false;  // in these brackets
  std::string error_;
};

}  // namespace narthex::promql
