// The tokens of the text formats as Prometheus's lexers cut them, with the
// state that decides which may come next.
//
// One thread; borrows the page.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libscrape/exposition/page_grammar.h"
#include "libscrape/exposition/scan.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {

enum class PageToken : uint8_t {
  kInvalid,
  kEof,
  kLinebreak,
  kBlanks,
  kHelp,
  kType,
  kUnit,
  kEofWord,
  kText,
  kComment,
  kMetricName,
  kQuoted,
  kBraceOpen,
  kBraceClose,
  kLabelName,
  kLabelValue,
  kComma,
  kEqual,
  kTimestamp,
  kValue,
};

// "LNAME": as Prometheus's messages have it.
std::string_view NameOf(PageToken token);

// A token that fails ends before the byte that did not fit.
class PageTokens {
 public:
  using Token = PageToken;

  // What of a page is shown in a message.
  static constexpr size_t kQuotedBytes = 1024;

  PageTokens(std::string_view page, PageGrammar grammar)
      : page_(page), open_metrics_(grammar == PageGrammar::kOpenMetrics) {}

  // Blanks between tokens are the text format's alone.
  Token Next() {
    for (;;) {
      // At the end the last token stays the one to show.
      if (at_ >= size()) return Token::kEof;
      start_ = at_;
      const Token token = open_metrics_ ? NextOpenMetrics() : NextText();
      if (token != Token::kBlanks) return token;
    }
  }
  bool open_metrics() const { return open_metrics_; }
  size_t start() const { return start_; }
  size_t at() const { return at_; }
  // Of the text format every page ends in a line end.
  size_t size() const { return page_.size() + (open_metrics_ ? 0 : 1); }
  std::string Slice(size_t from, size_t to) const {
    to = std::min(to, size());
    std::string out(page_.substr(from, to - from));
    if (to > page_.size()) out += '\n';
    return out;
  }
  std::string Text() const { return Slice(start_, at_); }
  // Quoted as Go does it.
  std::string Quote(size_t from, size_t to) const {
    const bool cut = to - from > kQuotedBytes;
    return GoQuote(Slice(from, cut ? from + kQuotedBytes : to)) +
           (cut ? "..." : "");
  }

 private:
  enum class State : uint8_t {
    kInit,
    kComment,
    kMetaName,
    kMetaText,
    kLabels,
    kLabelValue,
    kValue,
    kTimestamp,
    kExemplar,
    kExemplarValue,
    kExemplarTimestamp,
  };

  // NUL where nothing is.
  char Here() const {
    if (at_ < page_.size()) return page_[at_];
    return at_ < size() ? '\n' : '\0';
  }
  void Step() {
    ++at_;
    const bool skips_nul = state_ == State::kLabelValue ||
                           state_ == State::kMetaText ||
                           state_ == State::kComment;
    while (skips_nul && at_ < page_.size() && page_[at_] == '\0') ++at_;
  }
  bool Take(char c) {
    if (at_ >= size() || Here() != c) return false;
    Step();
    return true;
  }
  template <typename F>
  bool TakeWhile(F fits) {
    const size_t from = at_;
    while (at_ < size() && Here() != '\0' && fits(Here())) Step();
    return at_ > from;
  }
  bool TakeBlanks() { return TakeWhile(IsBlank); }
  bool TakeName(CharClass first, CharClass rest) {
    if (!Is(Here(), first)) return false;
    TakeWhile([&](char c) { return Is(c, rest); });
    return true;
  }
  bool TakeMetricName() { return TakeName(kNameStart, kNameChar); }
  bool TakeLabelName() { return TakeName(kLabelStart, kLabelChar); }
  bool TakeQuoted(bool line_ends) {
    if (!Take('"')) return false;
    for (;;) {
      if (Take('"')) return true;
      const bool escape = Take('\\');
      if (at_ >= size() || Here() == '\0') return false;
      if (Here() == '\n' && (escape || !line_ends)) return false;
      Step();
    }
  }
  // A blank and a word behind it: a value of OpenMetrics.
  bool TakeWord() {
    return Take(' ') && TakeWhile([](char c) { return c != ' ' && c != '\n'; });
  }
  // The rest of a keyword whose first letter stands here.
  bool TakeKeyword(std::string_view word) {
    for (const char c : word) {
      if (!Take(c)) return false;
    }
    return true;
  }
  Token Become(State state, Token token) {
    state_ = state;
    return token;
  }

  Token NextText();
  Token NextTextComment();
  Token NextOpenMetrics();
  Token NextOpenMetricsComment();
  // What stands between braces, which both formats have.
  Token NextOfLabels(State value, State behind);

  const std::string_view page_;
  const bool open_metrics_;
  State state_ = State::kInit;
  size_t start_ = 0;
  size_t at_ = 0;
};

}  // namespace narthex::scrape
