#include "libscrape/exposition/page_grammar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "libscrape/exposition/page_tokens.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

using Token = PageToken;

constexpr size_t kQuotedBytes = PageTokens::kQuotedBytes;

// Entry by entry, until one is wrong.
class Reader {
 public:
  Reader(std::string_view page, PageGrammar grammar) : tokens_(page, grammar) {}

  std::string FirstError() {
    while (ReadEntry()) {
    }
    return error_;
  }

 private:
  enum class Name : uint8_t { kMissing, kSet };

  // Both: false, and the error is set.
  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }
  bool FailWhileParsing(std::string_view what) {
    return Fail(
        StrCat(what, " while parsing: ", tokens_.Quote(entry_, tokens_.at())));
  }
  bool Expected(std::string_view what, Token got) {
    const size_t end = std::min(tokens_.size(), tokens_.at() + 1);
    return Fail(StrCat(what, ", got ", tokens_.Quote(tokens_.start(), end),
                       " (", GoQuote(NameOf(got)),
                       ") while parsing: ", tokens_.Quote(entry_, end)));
  }

  bool ReadEntry();  // false: the end, or an error
  bool ReadMetadata(Token keyword);
  bool ReadType(const std::string& text);
  bool ReadLabels(Name& name, bool exemplar);
  bool ReadSample(Token token, Name name);
  bool ReadSampleEnd();
  bool ReadOpenMetricsSampleEnd();
  bool ReadExemplar();
  bool ReadFloat(std::string_view text, double& out);
  bool ReadSeconds(std::string_view what);

  PageTokens tokens_;
  size_t entry_ = 0;  // where it begins
  std::string error_;
};

bool Reader::ReadEntry() {
  entry_ = tokens_.at();
  Name name = Name::kSet;
  const Token token = tokens_.Next();
  switch (token) {
    case Token::kEof:
      if (!tokens_.open_metrics()) return false;
      return Fail("data does not end with # EOF");
    case Token::kEofWord:
      if (tokens_.Next() == Token::kEof) return false;
      return Fail("unexpected data after # EOF");
    case Token::kLinebreak:
      if (tokens_.open_metrics()) break;
      return true;
    case Token::kHelp:
    case Token::kType:
    case Token::kUnit:
      return ReadMetadata(token);
    case Token::kComment: {
      const Token next = tokens_.Next();
      return next == Token::kLinebreak ||
             Expected("linebreak expected after comment", next);
    }
    case Token::kBraceOpen:
      name = Name::kMissing;
      return ReadLabels(name, /*exemplar=*/false) &&
             ReadSample(tokens_.Next(), name);
    case Token::kMetricName: {
      Token next = tokens_.Next();
      if (next == Token::kBraceOpen) {
        if (!ReadLabels(name, /*exemplar=*/false)) return false;
        next = tokens_.Next();
      }
      return ReadSample(next, name);
    }
    default:
      break;
  }
  return Expected("expected a valid start token", token);
}

bool Reader::ReadType(const std::string& text) {
  constexpr std::string_view kBoth[] = {"counter", "gauge", "histogram",
                                        "summary"};
  constexpr std::string_view kOpenMetrics[] = {"gaugehistogram", "info",
                                               "stateset", "unknown"};
  for (const std::string_view type : kBoth) {
    if (text == type) return true;
  }
  for (const std::string_view type : kOpenMetrics) {
    if (tokens_.open_metrics() && text == type) return true;
  }
  if (!tokens_.open_metrics() && text == "untyped") return true;
  return Fail(StrCat("invalid metric type ", GoQuote(text)));
}

bool Reader::ReadMetadata(Token keyword) {
  const std::string_view name = NameOf(keyword);
  Token token = tokens_.Next();
  if (token != Token::kMetricName) {
    return Expected(StrCat("expected metric name after ", name), token);
  }
  std::string metric = tokens_.Text();
  if (metric.starts_with('"')) metric = metric.substr(1, metric.size() - 2);
  token = tokens_.Next();
  if (token != Token::kText) {
    return Fail(tokens_.open_metrics() ? StrCat("expected text in ", name)
                                       : StrCat("expected text in ", name,
                                                ", got ", NameOf(token)));
  }
  std::string text = tokens_.Text();
  if (tokens_.open_metrics()) text.pop_back();  // the line end
  if (!text.empty()) text.erase(0, 1);          // the blank
  if (keyword == Token::kType && !ReadType(text)) return false;
  if (keyword == Token::kHelp && !IsValidUtf8(text)) {
    return Fail(
        StrCat("help text ", GoQuote(text), " is not a valid utf8 string"));
  }
  if (keyword == Token::kUnit && !text.empty() &&
      !metric.ends_with(StrCat("_", text))) {
    return Fail(StrCat("unit ", GoQuote(text), " not a suffix of metric ",
                       GoQuote(metric)));
  }
  if (tokens_.open_metrics()) return true;
  token = tokens_.Next();
  return token == Token::kLinebreak ||
         Expected("linebreak expected after metadata", token);
}

bool Reader::ReadLabels(Name& name, bool exemplar) {
  Token token = tokens_.Next();
  for (;;) {
    if (token == Token::kBraceClose) return true;
    const bool quoted = token == Token::kQuoted;
    if (!quoted && token != Token::kLabelName) {
      return Expected("expected label name", token);
    }
    token = tokens_.Next();
    // A quoted text alone is the metric's name.
    if (quoted && (token == Token::kComma || token == Token::kBraceClose)) {
      if (exemplar) return Expected("expected label name", token);
      if (name == Name::kSet) {
        return FailWhileParsing("metric name already set");
      }
      name = Name::kSet;
      if (token == Token::kBraceClose) return true;
      token = tokens_.Next();
      continue;
    }
    if (token != Token::kEqual) return Expected("expected equal", token);
    token = tokens_.Next();
    if (token != Token::kLabelValue) {
      return Expected("expected label value", token);
    }
    if (!IsValidUtf8(tokens_.Text())) {
      return Fail(StrCat("invalid UTF-8 label value: ",
                         tokens_.Quote(tokens_.start(), tokens_.at())));
    }
    token = tokens_.Next();
    if (token == Token::kComma) {
      token = tokens_.Next();
    } else if (tokens_.open_metrics() && token != Token::kBraceClose) {
      return Expected("expected comma or brace close", token);
    }
  }
}

bool Reader::ReadFloat(std::string_view text, double& out) {
  // Go reads hexadecimal floats and digits with underscores, pages have none.
  if (text.find_first_of("pP_") != std::string_view::npos) {
    return FailWhileParsing("unsupported character in float");
  }
  std::string_view why;
  if (!ParseGoFloat(text, out)) {
    why = "invalid syntax";
  } else if (std::isinf(out) &&
             text.find_first_of("0123456789") != std::string_view::npos) {
    why = "value out of range";
  } else {
    return true;
  }
  return FailWhileParsing(StrCat("strconv.ParseFloat: parsing ",
                                 GoQuote(text.substr(0, kQuotedBytes)), ": ",
                                 why));
}

bool Reader::ReadSample(Token token, Name name) {
  if (name == Name::kMissing) return FailWhileParsing("metric name not set");
  if (token != Token::kValue) {
    return Expected("expected value after metric", token);
  }
  const std::string text = tokens_.Text();
  double value = 0;
  if (!ReadFloat(std::string_view(text).substr(tokens_.open_metrics() ? 1 : 0),
                 value)) {
    return false;
  }
  return tokens_.open_metrics() ? ReadOpenMetricsSampleEnd() : ReadSampleEnd();
}

bool Reader::ReadSampleEnd() {
  Token token = tokens_.Next();
  if (token == Token::kLinebreak) return true;
  if (token != Token::kTimestamp) {
    return Expected("expected timestamp or new record", token);
  }
  const std::string text = tokens_.Text();
  int64_t millis = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), millis).ec !=
      std::errc()) {
    return FailWhileParsing(StrCat("strconv.ParseInt: parsing ", GoQuote(text),
                                   ": value out of range"));
  }
  token = tokens_.Next();
  return token == Token::kLinebreak ||
         Expected("expected next entry after timestamp", token);
}

// `what`: which timestamp.
bool Reader::ReadSeconds(std::string_view what) {
  const std::string text = tokens_.Text();
  double seconds = 0;
  if (!ReadFloat(std::string_view(text).substr(1), seconds)) return false;
  if (std::isfinite(seconds)) return true;
  return Fail(StrCat("invalid ", what, " ", FormatFloat(seconds)));
}

bool Reader::ReadOpenMetricsSampleEnd() {
  Token token = tokens_.Next();
  switch (token) {
    case Token::kEof:
      return Fail("data does not end with # EOF");
    case Token::kComment:
      return ReadExemplar();
    case Token::kTimestamp:
      if (!ReadSeconds("timestamp")) return false;
      token = tokens_.Next();
      if (token == Token::kComment) return ReadExemplar();
      return token == Token::kLinebreak ||
             Expected("expected next entry after timestamp", token);
    default:
      // Whatever else it is, the next entry fails on it.
      return true;
  }
}

bool Reader::ReadExemplar() {
  Name name = Name::kSet;
  if (!ReadLabels(name, /*exemplar=*/true)) return false;
  Token token = tokens_.Next();
  if (token != Token::kValue) {
    return Expected("expected value after exemplar labels", token);
  }
  const std::string text = tokens_.Text();
  double value = 0;
  if (!ReadFloat(std::string_view(text).substr(1), value)) return false;
  token = tokens_.Next();
  switch (token) {
    case Token::kEof:
      return Fail("data does not end with # EOF");
    case Token::kLinebreak:
      return true;
    case Token::kTimestamp:
      if (!ReadSeconds("exemplar timestamp")) return false;
      token = tokens_.Next();
      return token == Token::kLinebreak ||
             Expected("expected next entry after exemplar timestamp", token);
    default:
      return Expected("expected timestamp or comment", token);
  }
}

}  // namespace

std::string PageError(std::string_view page, PageGrammar grammar) {
  return Reader(page, grammar).FirstError();
}

}  // namespace narthex::scrape
