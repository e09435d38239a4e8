// The tokens of PromQL and of the series notation.
//
// Values.  A token is a kind and its bytes in the text; what it says is cut
// from the text when someone asks.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "narthex/model/annotations.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

enum class TokenKind : uint8_t {
  kEnd,
  kError,  // the lexer has the text of it
  kIdentifier,
  kMetricIdentifier,  // with a colon in it
  kString,            // with its quotes
  kNumber,
  kDuration,

  // Punctuation.
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kComma,
  kColon,
  kAssign,  // `=`

  // Series notation.
  kSpace,
  kBlank,
  kTimes,
  kOpenHistogram,
  kCloseHistogram,
  kHistogramKey,
  kResetHint,

  // Operators, as error texts count them.
  kFirstOperator,
  kAdd = kFirstOperator,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kAtan2,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kTrimUpper,
  kTrimLower,
  kAnd,
  kOr,
  kUnless,
  kRegexMatch,
  kRegexNoMatch,
  kAt,
  kLastOperator = kAt,

  // Aggregations, in the order of AggregateOp.
  kFirstAggregator,
  kSum = kFirstAggregator,
  kAvg,
  kCount,
  kMin,
  kMax,
  kGroup,
  kStddev,
  kStdvar,
  kTopK,
  kBottomK,
  kCountValues,
  kQuantile,
  kLimitK,
  kLimitRatio,
  kLastAggregator = kLimitRatio,

  // Keywords.
  kFirstKeyword,
  kBool = kFirstKeyword,
  kBy,
  kWithout,
  kOn,
  kIgnoring,
  kGroupLeft,
  kGroupRight,
  kFill,
  kFillLeft,
  kFillRight,
  kOffset,
  kSmoothed,
  kAnchored,
  kLastKeyword = kAnchored,

  // Known before the query runs.
  kStart,
  kEndOf,  // `end`
  kStep,
  kRange,
  kMaxOf,
  kMinOf,
};

constexpr bool IsOperator(TokenKind k) {
  return k >= TokenKind::kFirstOperator && k <= TokenKind::kLastOperator;
}
constexpr bool IsAggregator(TokenKind k) {
  return k >= TokenKind::kFirstAggregator && k <= TokenKind::kLastAggregator;
}
constexpr bool IsKeyword(TokenKind k) {
  return k >= TokenKind::kFirstKeyword && k <= TokenKind::kLastKeyword;
}
// The names that aren't reserved everywhere: a metric may be called so.
bool MayNameMetric(TokenKind k);
// What an expression may begin with.
bool MayBeginExpression(TokenKind k);
// What may stand in `by (...)`, `on (...)`.
bool MayNameLabel(TokenKind k);

struct Token {
  TokenKind kind = TokenKind::kEnd;
  TextRange pos = {};

  std::string_view Text(std::string_view input) const {
    return input.substr(pos.begin, pos.end - pos.begin);
  }
};

// What may be said of a histogram in the series notation, in lower case.
inline constexpr std::string_view kHistogramKeys[] = {"sum",
                                                      "count",
                                                      "schema",
                                                      "offset",
                                                      "n_offset",
                                                      "buckets",
                                                      "n_buckets",
                                                      "z_bucket",
                                                      "z_bucket_w",
                                                      "custom_values",
                                                      "counter_reset_hint"};

// kIdentifier if the word, in any case, means nothing else.
TokenKind KeywordKind(std::string_view word);

// How an error text names a token: `identifier "foo"`, `<op:+>`, `")"`.
std::string Describe(const Token& token, std::string_view input);

}  // namespace narthex::promql
