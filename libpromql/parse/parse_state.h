// The parser at work on one text: precedence climbing over tokens, one token of
// lookahead, the first error stops it.
//
// One thread, one use.  A function that gives false or null has left an error
// behind.  The errors are those that an LALR parser with Prometheus's grammar
// and error productions reports; hence the care about when the next token is
// looked at, and `Context`.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libpromql/parse/lexer.h"
#include "libpromql/parse/token.h"
#include "narthex/model/labels_builder.h"
#include "narthex/promql/ast.h"
#include "narthex/promql/parser.h"

namespace narthex::promql {

// A node and how high the tree below it is.
struct Parsed {
  ExprPtr expr = nullptr;
  int height = 0;
  explicit operator bool() const { return expr != nullptr; }
};

// Held by every frame that may call itself: "((((..." is an error, not a crash.
class DepthGuard {
 public:
  explicit DepthGuard(int& depth) : depth_(++depth) {}
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  bool too_deep() const { return depth_ > kMaxTreeHeight; }

 private:
  int& depth_;
};

class ParseState {
 public:
  ParseState(std::string_view text, const ParserOptions& options,
             Lexer::Language language = Lexer::Language::kExpression)
      : text_(text), options_(options), lexer_(text, language) {}

  // The whole text; types are not checked yet.
  ExprPtr WholeExpression();
  std::unique_ptr<VectorSelector> WholeSelector();
  bool WholeMetric(Labels& out);
  bool WholeSeries(SeriesDescription& out);

  bool Fail(TextRange pos, std::string text);
  const ParseError& error() const { return error_; }
  absl::Status status() const;
  std::string_view text() const { return text_; }

 private:
  // Where an unexpected token is said to be, and what was wanted.
  struct Context {
    std::string_view where = {};
    std::string_view expected = {};
  };

  // --- Tokens (parser.cc).
  const Token& Peek();
  TokenKind PeekKind() { return Peek().kind; }
  Token Take();  // what Peek() shows
  bool Unexpected(Context context);
  // Nobody nearer has something to say about it.
  bool Unexpected() {
    return Unexpected({aggregations_ > 0 ? "aggregation" : "", ""});
  }
  bool Expect(TokenKind kind, Context context);
  bool TooDeep();
  std::string_view TextOf(const Token& token) const {
    return token.Text(text_);
  }

  // --- Expressions (parse_expression.cc).
  Parsed Expression(int min_precedence);
  Parsed Operand();
  Parsed Primary();
  Parsed ParenExpression();
  Parsed FunctionCall(const Token& name);
  Parsed Aggregation(const Token& op);
  Parsed Number();
  Parsed String();
  Parsed Finish(ExprPtr expr, int height);
  bool Arguments(std::vector<ExprPtr>& args, int& height);
  bool NumberValue(const Token& token, double& out);

  // --- Matching (parse_matching.cc).
  bool Grouping(std::vector<std::string>& out);
  bool GroupingLabel(std::vector<std::string>& out);
  bool BinaryModifiers(Binary& binary);
  bool FillValue(double& out);

  // --- Selectors and what stands behind them (parse_selector.cc).
  // At `{`, or behind a name.
  std::unique_ptr<VectorSelector> Selector(const Token* name);
  bool LabelMatchers(VectorSelector& selector);
  bool LabelMatcher(VectorSelector& selector);
  bool LabelSet(LabelsBuilder& out);
  bool LabelSetItem(LabelsBuilder& out);
  bool Modifiers(Parsed& operand);
  bool Brackets(Parsed& operand);
  bool OffsetModifier(Expr& operand);
  bool AtTimeModifier(Expr& operand);
  bool ExtendedModifier(Expr& operand, bool anchored);

  // --- Durations (parse_duration.cc).
  using DurationPtr = std::unique_ptr<DurationExpr>;
  DurationPtr DurationExpression(int min_precedence, Context context);
  DurationPtr DurationRest(DurationPtr left, int min_precedence,
                           Context context);
  DurationPtr DurationOperand(Context context);
  DurationPtr DurationLiteral();
  DurationPtr DurationCall(Context context);
  DurationPtr DurationParen(Context context);
  DurationPtr OffsetDuration(Context context);
  DurationPtr SignedDuration(const Token& sign, DurationPtr operand);
  DurationPtr NewDuration(DurationExpr::Op op);
  DurationPtr Wrap(DurationPtr inner, uint32_t begin);
  bool NeedsDurationExpressions(TextRange pos);
  bool PositiveDuration(DurationSpec& out, Context context);

  // --- Series notation (parse_series.cc).
  bool SeriesItem(std::vector<SeriesValue>& out);
  bool SeriesFloats(std::vector<SeriesValue>& out);
  bool SeriesHistograms(std::vector<SeriesValue>& out);
  bool HistogramSteps(SeriesValue value, std::vector<SeriesValue>& out);
  bool SeriesCount(uint64_t& out);
  bool SeriesNumber(double& out);
  bool HistogramDescription(SeriesValue& out);
  bool HistogramItem(FloatHistogram& h, SeriesValue& out, uint32_t& seen);
  bool HistogramInteger(int64_t& out);
  bool HistogramBuckets(std::vector<double>& out);
  bool Repeat(std::vector<SeriesValue>& out, const SeriesValue& value,
              uint64_t n);

  std::string_view text_;
  const ParserOptions& options_;
  Lexer lexer_;
  Token token_;  // lookahead
  bool have_token_ = false;
  bool failed_ = false;
  ParseError error_;
  int depth_ = 0;
  int aggregations_ = 0;    // that are being read
  int duration_nodes_ = 0;  // of the expression that is being read
  // The end of the last number, duration or closing bracket that was lexed, be
  // it only looked at: where some nodes end, as Prometheus has it.
  uint32_t last_closing_ = 0;
};

// A literal as its value, anything else as it is.
DurationSpec ToSpec(std::unique_ptr<DurationExpr> expr);

// Refuses what has no sound type.  Puts vector matching into its final form.
bool CheckTypes(ParseState& state, Expr& expr);

}  // namespace narthex::promql
