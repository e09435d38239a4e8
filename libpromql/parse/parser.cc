#include "narthex/promql/parser.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "libpromql/parse/parse_state.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

using K = TokenKind;

constexpr size_t kMaxText = size_t{1} << 31;

}  // namespace

// --- Tokens and errors.

const Token& ParseState::Peek() {
  if (have_token_) return token_;
  have_token_ = true;
  token_ = lexer_.Next();
  switch (token_.kind) {
    case K::kError:
      Fail(token_.pos, lexer_.error());
      break;
    case K::kRightBrace:
    case K::kRightParen:
    case K::kRightBracket:
    case K::kDuration:
    case K::kNumber:
      last_closing_ = token_.pos.end;
      break;
    default:
      break;
  }
  return token_;
}

Token ParseState::Take() {
  const Token token = Peek();
  // The lexer has nothing behind these.
  have_token_ = token.kind == K::kEnd || token.kind == K::kError;
  return token;
}

bool ParseState::Fail(TextRange pos, std::string text) {
  if (!failed_) error_ = {pos, std::move(text)};
  failed_ = true;
  return false;
}

bool ParseState::Unexpected(Context context) {
  const Token& token = Peek();
  if (failed_) return false;
  std::string text = StrCat("unexpected ", Describe(token, text_));
  if (!context.where.empty()) StrAppend(&text, " in ", context.where);
  if (!context.expected.empty()) {
    StrAppend(&text, ", expected ", context.expected);
  }
  return Fail(token.pos, std::move(text));
}

bool ParseState::Expect(TokenKind kind, Context context) {
  if (PeekKind() != kind) return Unexpected(context);
  Take();
  return true;
}

bool ParseState::TooDeep() {
  return Fail(Peek().pos, "expression is nested too deeply");
}

absl::Status ParseState::status() const {
  if (!failed_) return absl::OkStatus();
  return InvalidArgument(StrCat(LineColumn(text_, error_.pos.begin),
                                ": parse error: ", error_.text));
}

// --- The doors.

std::string LineColumn(std::string_view text, size_t offset, int first_line) {
  if (text.empty()) return "unknown position";
  if (offset > text.size()) return "invalid position";
  const std::string_view before = text.substr(0, offset);
  const size_t newline = before.rfind('\n');
  const size_t column =
      newline == std::string_view::npos ? offset + 1 : offset - newline;
  const auto lines = std::count(before.begin(), before.end(), '\n');
  return StrCat(first_line + lines, ":", column);
}

absl::StatusOr<ExprPtr> ParseExpr(std::string_view text,
                                  const ParserOptions& options,
                                  ParseError* error) {
  if (text.size() > kMaxText) return InvalidArgument("expression is too long");
  ParseState state(text, options);
  ExprPtr expr = state.WholeExpression();
  if (expr == nullptr || !CheckTypes(state, *expr)) {
    if (error != nullptr) *error = state.error();
    return state.status();
  }
  return expr;
}

absl::StatusOr<Labels> ParseMetric(std::string_view text) {
  if (text.size() > kMaxText) return InvalidArgument("metric is too long");
  ParserOptions options;
  ParseState state(text, options);
  Labels labels;
  if (!state.WholeMetric(labels)) return state.status();
  return labels;
}

absl::StatusOr<Matchers> ParseMetricSelector(std::string_view text) {
  if (text.size() > kMaxText) return InvalidArgument("selector is too long");
  ParserOptions options;
  ParseState state(text, options);
  std::unique_ptr<VectorSelector> selector = state.WholeSelector();
  if (selector == nullptr) return state.status();
  return std::move(selector->matchers);
}

absl::StatusOr<SeriesDescription> ParseSeriesDescription(std::string_view text,
                                                         ParseError* error) {
  if (text.size() > kMaxText) return InvalidArgument("series is too long");
  ParserOptions options;
  ParseState state(text, options, Lexer::Language::kSeries);
  SeriesDescription series;
  if (!state.WholeSeries(series)) {
    if (error != nullptr) *error = state.error();
    return state.status();
  }
  return series;
}

}  // namespace narthex::promql
