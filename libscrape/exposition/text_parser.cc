#include "libscrape/exposition/text_parser.h"

#include <charconv>

#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

bool TypeFromText(std::string_view text, MetricType& out) {
  if (text == "counter") {
    out = MetricType::kCounter;
  } else if (text == "gauge") {
    out = MetricType::kGauge;
  } else if (text == "histogram") {
    out = MetricType::kHistogram;
  } else if (text == "summary") {
    out = MetricType::kSummary;
  } else if (text == "untyped") {
    out = MetricType::kUnknown;
  } else {
    return false;
  }
  return true;
}

}  // namespace

PageLexer::Entry TextParser::Next() {
  entry_ = p_;
  while (p_ < end_) {
    if (Is(*p_, kNameStart)) return NextSeries();
    switch (*p_) {
      case '\n':
        entry_ = ++p_;
        continue;
      case ' ':
      case '\t':
        ++p_;
        continue;
      case '\0':
        // Prometheus takes it for the end of the page.
        p_ = end_;
        return Entry::kEnd;
      case '#':
        return NextComment();
      case '{':
        return NextSeries();
      default:
        return Fail(p_, "expected a valid start token");
    }
  }
  return Entry::kEnd;
}

PageLexer::Entry TextParser::NextSeries() {
  if (!ParseSeries<Strictness::kLoose>()) return Entry::kEnd;
  p_ = SkipBlanks(p_, end_);
  const char* const start = p_;
  has_timestamp_ = false;
  const char* number_end = ParseShortDecimal(p_, end_, value_);
  if (number_end != nullptr && number_end < end_ && *number_end == '\n') {
    p_ = number_end + 1;
    return Entry::kSeries;
  }
  const char* token_end = start;
  while (token_end < end_ && !IsBlank(*token_end) && *token_end != '\n' &&
         *token_end != '{') {
    ++token_end;
  }
  if (token_end == start) return Fail(p_, "expected value after metric");
  if (number_end != token_end &&
      !ParseValue({start, static_cast<size_t>(token_end - start)}, value_)) {
    return Entry::kEnd;
  }
  p_ = SkipBlanks(token_end, end_);
  if (p_ < end_ && *p_ >= '0' && *p_ <= '9' && !ParseTimestamp()) {
    return Entry::kEnd;
  }
  if (p_ == end_) return Entry::kSeries;
  if (*p_ != '\n') {
    return Fail(p_, has_timestamp_ ? "expected next entry after timestamp"
                                   : "expected timestamp or new record");
  }
  ++p_;
  return Entry::kSeries;
}

bool TextParser::ParseTimestamp() {
  const auto [p, error] = std::from_chars(p_, end_, timestamp_);
  if (error != std::errc()) {
    Fail(p_, "timestamp out of range");
    return false;
  }
  has_timestamp_ = true;
  p_ = SkipBlanks(p, end_);
  return true;
}

PageLexer::Entry TextParser::NextComment() {
  bool plain = true;
  const char* line_end = FindLineEnd(p_, end_, plain);

  const char* const word = SkipBlanks(p_ + 1, line_end);
  const bool keyword = word > p_ + 1 && line_end - word > 4 && IsBlank(word[4]);
  const bool help = keyword && std::memcmp(word, "HELP", 4) == 0;
  const bool type = keyword && std::memcmp(word, "TYPE", 4) == 0;
  if (!help && !type) {
    text_ = {p_, static_cast<size_t>(line_end - p_)};
    p_ = line_end < end_ ? line_end + 1 : end_;
    return Entry::kComment;
  }
  p_ = SkipBlanks(word + 4, line_end);
  if (!ParseMetricName(help ? "HELP" : "TYPE", line_end, plain)) {
    return Entry::kEnd;
  }
  const char* const text = p_ < line_end ? p_ + 1 : p_;
  text_ = {text, static_cast<size_t>(line_end - text)};
  if (type) {
    if (!TypeFromText(text_, type_)) {
      return Fail(text, StrCat("invalid metric type ", GoQuote(text_)));
    }
  } else {
    if (!plain) {
      if (!IsAscii(text_) && !IsValidUtf8(text_)) {
        return Fail(text, "help text is not a valid utf8 string");
      }
      text_ = UnescapeText(text_, /*quotes=*/false);
    }
  }
  p_ = line_end < end_ ? line_end + 1 : end_;
  return type ? Entry::kType : Entry::kHelp;
}

}  // namespace narthex::scrape
