#include "libscrape/exposition/page_tokens.h"

namespace narthex::scrape {
std::string_view NameOf(PageToken token) {
  constexpr std::string_view kNames[] = {
      "INVALID", "EOF",     "LINEBREAK", "WHITESPACE", "HELP",
      "TYPE",    "UNIT",    "EOFWORD",   "TEXT",       "COMMENT",
      "MNAME",   "QSTRING", "BOPEN",     "BCLOSE",     "LNAME",
      "LVALUE",  "COMMA",   "EQUAL",     "TIMESTAMP",  "VALUE"};
  return kNames[static_cast<size_t>(token)];
}

PageToken PageTokens::NextOfLabels(State value, State behind) {
  if (TakeLabelName()) return Token::kLabelName;
  if (Here() == '"') {
    return TakeQuoted(/*line_ends=*/state_ != State::kExemplar)
               ? Token::kQuoted
               : Token::kInvalid;
  }
  if (Take('}')) return Become(behind, Token::kBraceClose);
  if (Take('=')) return Become(value, Token::kEqual);
  return Take(',') ? Token::kComma : Token::kInvalid;
}

PageToken PageTokens::NextTextComment() {
  for (const Token keyword : {Token::kHelp, Token::kType}) {
    const size_t from = at_;
    if (TakeKeyword(NameOf(keyword)) && TakeBlanks()) {
      return Become(State::kMetaName, keyword);
    }
    if (at_ > from) break;
  }
  TakeWhile([](char c) { return c != '\n'; });
  if (Here() == '\0') return Token::kEof;
  return Become(State::kInit, Token::kComment);
}

PageToken PageTokens::NextText() {
  if (state_ != State::kMetaText && TakeBlanks()) return Token::kBlanks;
  switch (state_) {
    case State::kInit:
      if (Here() == '\0') {
        Step();
        return Token::kEof;
      }
      if (Take('\n')) return Token::kLinebreak;
      if (TakeMetricName()) return Become(State::kValue, Token::kMetricName);
      if (Take('{')) return Become(State::kLabels, Token::kBraceOpen);
      if (!Take('#')) return Token::kInvalid;
      if (TakeBlanks()) {
        state_ = State::kComment;
        return NextTextComment();
      }
      TakeWhile([](char c) { return c != '\n'; });
      return Here() == '\0' ? Token::kEof : Token::kComment;
    case State::kComment:
      return NextTextComment();
    case State::kMetaName:
      if (!TakeMetricName() && !TakeQuoted(/*line_ends=*/true)) break;
      return Become(State::kMetaText, Token::kMetricName);
    case State::kMetaText: {
      const bool blanks = TakeBlanks();
      const bool more = TakeWhile([](char c) { return c != '\n'; });
      if (blanks && !more) return Token::kBlanks;
      return Become(State::kInit, Token::kText);
    }
    case State::kLabels:
      return NextOfLabels(State::kLabelValue, State::kValue);
    case State::kLabelValue:
      if (!TakeQuoted(/*line_ends=*/true)) break;
      return Become(State::kLabels, Token::kLabelValue);
    case State::kValue:
      if (Take('{')) return Become(State::kLabels, Token::kBraceOpen);
      if (!TakeWhile(
              [](char c) { return c != '{' && !IsBlank(c) && c != '\n'; })) {
        break;
      }
      return Become(State::kTimestamp, Token::kValue);
    case State::kTimestamp:
      if (Take('\n')) return Become(State::kInit, Token::kLinebreak);
      if (TakeWhile([](char c) { return c >= '0' && c <= '9'; })) {
        return Token::kTimestamp;
      }
      break;
    default:
      break;
  }
  return Token::kInvalid;
}

PageToken PageTokens::NextOpenMetricsComment() {
  switch (Here()) {
    case 'H':
      if (!TakeKeyword("HELP ")) break;
      return Become(State::kMetaName, Token::kHelp);
    case 'T':
      if (!TakeKeyword("TYPE ")) break;
      return Become(State::kMetaName, Token::kType);
    case 'U':
      if (!TakeKeyword("UNIT ")) break;
      return Become(State::kMetaName, Token::kUnit);
    case 'E':
      if (!TakeKeyword("EOF")) break;
      Take('\n');
      return Become(State::kInit, Token::kEofWord);
    default:
      break;
  }
  return Token::kInvalid;
}

PageToken PageTokens::NextOpenMetrics() {
  switch (state_) {
    case State::kInit:
      if (TakeMetricName()) return Become(State::kValue, Token::kMetricName);
      if (Take('{')) return Become(State::kLabels, Token::kBraceOpen);
      if (!Take('#') || !Take(' ')) break;
      state_ = State::kComment;
      return NextOpenMetricsComment();
    case State::kComment:
      return NextOpenMetricsComment();
    case State::kMetaName:
      if (!TakeMetricName() && !TakeQuoted(/*line_ends=*/true)) break;
      return Become(State::kMetaText, Token::kMetricName);
    case State::kMetaText:
      if (!Take(' ')) break;
      TakeWhile([](char c) { return c != '\n'; });
      if (!Take('\n')) break;
      return Become(State::kInit, Token::kText);
    case State::kLabels:
      return NextOfLabels(State::kLabelValue, State::kValue);
    case State::kLabelValue:
      if (!TakeQuoted(/*line_ends=*/false)) break;
      return Become(State::kLabels, Token::kLabelValue);
    case State::kValue:
      if (Take('{')) return Become(State::kLabels, Token::kBraceOpen);
      if (!TakeWord()) break;
      return Become(State::kTimestamp, Token::kValue);
    case State::kTimestamp:
      if (Take('\n')) return Become(State::kInit, Token::kLinebreak);
      if (!Take(' ')) break;
      if (Take('#') && Take(' ')) {
        if (!Take('{')) break;
        return Become(State::kExemplar, Token::kComment);
      }
      TakeWhile([](char c) { return c != ' ' && c != '\n'; });
      // The blank alone is no word.
      return at_ > start_ + 1 ? Token::kTimestamp : Token::kInvalid;
    case State::kExemplar:
      return NextOfLabels(State::kExemplarValue, State::kExemplarValue);
    case State::kExemplarValue:
      if (Here() == '"') {
        if (!TakeQuoted(/*line_ends=*/false)) break;
        return Become(State::kExemplar, Token::kLabelValue);
      }
      if (!TakeWord()) break;
      return Become(State::kExemplarTimestamp, Token::kValue);
    case State::kExemplarTimestamp:
      if (Take('\n')) return Become(State::kInit, Token::kLinebreak);
      if (!TakeWord()) break;
      return Token::kTimestamp;
  }
  return Token::kInvalid;
}

}  // namespace narthex::scrape
