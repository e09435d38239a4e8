// What is refused, where, and with which words.  Each text is what Prometheus
// 3.14 says about the same query.

#include <catch2/catch.hpp>
#include <string>

#include "narthex/promql/parser.h"

namespace narthex::promql {
namespace {

struct Refused {
  std::string query;
  std::string error;  // "<line>:<col>: <what>"
};

const Refused kRefused[] = {
    {"", "unknown position: no expression found in input"},
    {"   ", "1:1: no expression found in input"},
    {"# nothing", "1:1: no expression found in input"},
    {"1 +", "1:4: unexpected end of input"},
    {"+", "1:2: unexpected end of input"},
    {"a b", R"q(1:3: unexpected identifier "b")q"},
    {"a 5", R"q(1:3: unexpected number "5")q"},
    {"1 2", R"q(1:3: unexpected number "2")q"},
    {"(1", "1:3: unclosed left parenthesis"},
    {"1)", "1:3: unexpected right parenthesis ')'"},
    {"((a)", "1:5: unclosed left parenthesis"},
    {"a}", "1:2: unexpected character: '}'"},
    {"{", "1:2: unexpected end of input inside braces"},
    {"{a", "1:3: unexpected end of input inside braces"},
    {"{a=", "1:4: unexpected end of input inside braces"},
    {"{a=b}",
     R"q(1:4: unexpected identifier "b" in label matching, expected string)q"},
    {R"q({a="b")q", "1:7: unexpected end of input inside braces"},
    {R"q({a="b" c="d"})q",
     R"q(1:8: unexpected identifier "c" in label matching, expected "," or "}")q"},
    {R"q({a="b",,})q",
     R"q(1:8: unexpected "," in label matching, expected identifier or "}")q"},
    {"{,}",
     R"q(1:2: unexpected "," in label matching, expected identifier or "}")q"},
    {R"q({a=="b"})q",
     R"q(1:4: unexpected "=" in label matching, expected string)q"},
    {"{a!b}", "1:3: unexpected character after '!' inside braces: 'b'"},
    {R"q({a=~"("})q", "1:2: error parsing regexp: missing closing ): `(`"},
    {"{}", "1:1: vector selector must contain at least one non-empty matcher"},
    {R"q({a=""})q",
     "1:1: vector selector must contain at least one non-empty matcher"},
    {R"q({a=~".*"})q",
     "1:1: vector selector must contain at least one non-empty matcher"},
    {R"q(a{__name__="b"})q",
     R"q(1:1: metric name must not be set twice: "a" or "b")q"},
    {R"q(a{"b"})q", R"q(1:1: metric name must not be set twice: "a" or "b")q"},
    {R"q("unterminated)q", "1:1: unterminated quoted string"},
    {"'x\ny'", "1:1: unterminated quoted string"},
    {"`raw", "1:1: unterminated raw string"},
    {R"q("\q")q", "1:1: unknown escape sequence U+0071 'q'"},
    {R"q("\xzz")q", "1:1: illegal character U+007A 'z' in escape sequence"},
    {R"q("\u12")q",
     R"q(1:1: illegal character U+0022 '"' in escape sequence)q"},
    {R"q("\ud800")q", "1:1: escape sequence is an invalid Unicode code point"},
    {R"q("\400")q", "1:1: escape sequence is an invalid Unicode code point"},
    {R"q(")q", "1:1: unterminated quoted string"},
    {"a[", "1:3: unexpected end of input in duration expression"},
    {"a[]",
     R"q(1:3: unexpected "]" in subquery or range selector, expected number, duration, step(), or range())q"},
    {"a[5]b", R"q(1:5: unexpected identifier "b")q"},
    {"a[5m", "1:5: unclosed left bracket"},
    {"a[5m:", "1:6: unclosed left bracket"},
    {"a[5m:1m", "1:8: unclosed left bracket"},
    {"a[5m:1m:1m]", "1:8: unexpected colon ':'"},
    {"a[:1m]", "1:4: unexpected colon before duration in duration expression"},
    {"a[abc]", "1:3: unexpected character in duration expression: 'a'"},
    {"a[5m foo]", "1:6: unexpected character: 'f', expected ':'"},
    {"a[5m,1m]",
     R"q(1:5: unexpected "," in subquery or range, expected ":" or "]")q"},
    {"a[0]", "1:3: duration must be greater than 0"},
    {"a[-1m]", "1:3: duration must be greater than 0"},
    {"a[5mm]", R"q(1:3: bad number or duration syntax: "5mm")q"},
    {"a[5y1hs]", R"q(1:3: unknown unit "hs" in duration "5y1hs")q"},
    {"a[1d1y]", R"q(1:3: bad number or duration syntax: "1d1")q"},
    {"a[300y]", "1:3: duration out of range"},
    {"a[5m][5m]", "1:6: ranges only allowed for vector selectors"},
    {"(a)[5m]", "1:4: ranges only allowed for vector selectors"},
    {"1[5m]", "1:2: ranges only allowed for vector selectors"},
    {"a offset 5m [5m]", "1:13: no offset modifiers allowed before range"},
    {"a @ 5 [5m]", "1:7: no @ modifiers allowed before range"},
    {"a[5m / 0]", "1:6: division by zero"},
    {"a[5m % 0]", "1:6: modulo by zero"},
    {"a[(5m]",
     R"q(1:6: unexpected "]" in subquery or range selector, expected number, duration, step(), or range())q"},
    {"a offset",
     "1:9: unexpected end of input in offset, expected number, duration, "
     "step(), or range()"},
    {"a offset b",
     R"q(1:10: unexpected identifier "b" in offset, expected number, duration, step(), or range())q"},
    {"a offset 5m offset 5m", "1:1: offset may not be set multiple times"},
    {"1 offset 5m",
     "1:1: offset modifier must be preceded by an instant vector selector or "
     "range vector selector or a subquery"},
    {"sum(a) offset 5m",
     "1:1: offset modifier must be preceded by an instant vector selector or "
     "range vector selector or a subquery"},
    {"a offset 300y", "1:10: duration out of range"},
    {"a @", "1:4: unexpected end of input in @, expected timestamp"},
    {"a @ b", R"q(1:5: unexpected identifier "b" in @, expected timestamp)q"},
    {"a @ start", "1:10: unexpected end of input in @, expected timestamp"},
    {"a @ start(5)",
     R"q(1:11: unexpected number "5" in @, expected timestamp)q"},
    {"a @ 1 @ 2", "1:1: @ <timestamp> may not be set multiple times"},
    {"1 @ 2",
     "1:1: @ modifier must be preceded by an instant vector selector or range "
     "vector selector or a subquery"},
    {"a @ Inf", "1:1: timestamp out of bounds for @ modifier: +Inf"},
    {"a @ 1e30",
     "1:1: timestamp out of bounds for @ modifier: "
     "1000000000000000019884624838656.000000"},
    {"a @ NaN", "1:1: timestamp out of bounds for @ modifier: NaN"},
    {"sum(", "1:5: unclosed left parenthesis"},
    {"sum()", "1:1: no arguments for aggregate expression provided"},
    {"sum(a, b)",
     "1:1: wrong number of arguments for aggregate expression provided, "
     "expected 1, got 2"},
    {"sum(a b)", R"q(1:7: unexpected identifier "b" in aggregation)q"},
    {"sum by a",
     R"q(1:8: unexpected identifier "a" in grouping opts, expected "(")q"},
    {"sum by (a) b", R"q(1:12: unexpected identifier "b" in aggregation)q"},
    {"sum by (a b) (c)",
     R"q(1:11: unexpected identifier "b" in grouping opts, expected "," or ")")q"},
    {"sum by (,) (c)",
     R"q(1:9: unexpected "," in grouping opts, expected label)q"},
    {R"q(sum by ("") (c))q", R"q(1:9: invalid label name for grouping: "")q"},
    {"sum by (1) (c)",
     R"q(1:9: unexpected number "1" in grouping opts, expected label)q"},
    {"sum(a[5m])",
     "1:5: expected type instant vector in aggregation expression, got range "
     "vector"},
    {"sum(1)",
     "1:5: expected type instant vector in aggregation expression, got scalar"},
    {"topk(a)",
     "1:1: wrong number of arguments for aggregate expression provided, "
     "expected 2, got 1"},
    {"topk(a, b)",
     "1:6: expected type scalar in aggregation parameter, got instant vector"},
    {R"q(topk("x", b))q",
     "1:6: expected type scalar in aggregation parameter, got string"},
    {"count_values(1, b)",
     "1:14: expected type string in aggregation parameter, got scalar"},
    {"limitk(1, a)",
     "1:1: limitk() is experimental and must be enabled with "
     "--enable-feature=promql-experimental-functions"},
    {"foo(a)", R"q(1:1: unknown function with name "foo")q"},
    {"foo()", R"q(1:1: unknown function with name "foo")q"},
    {"STEP()", R"q(1:1: unknown function with name "STEP")q"},
    {"rate(a)",
     R"q(1:6: expected type range vector in call to function "rate", got instant vector)q"},
    {"rate()", R"q(1:1: expected 1 argument(s) in call to "rate", got 0)q"},
    {"rate(a[5m], 1)",
     R"q(1:1: expected 1 argument(s) in call to "rate", got 2)q"},
    {"round()",
     R"q(1:1: expected at least 1 argument(s) in call to "round", got 0)q"},
    {"round(a, 1, 2)",
     R"q(1:1: expected at most 2 argument(s) in call to "round", got 3)q"},
    {R"q(label_join(a, "b"))q",
     R"q(1:1: expected at least 3 argument(s) in call to "label_join", got 2)q"},
    {R"q(abs("x"))q",
     R"q(1:5: expected type instant vector in call to function "abs", got string)q"},
    {"abs(a,)", "1:6: trailing commas not allowed in function call args"},
    {"abs(a,,b)", "1:6: trailing commas not allowed in function call args"},
    {"abs(a b)", R"q(1:7: unexpected identifier "b")q"},
    {"abs a(b)", R"q(1:5: unexpected identifier "a")q"},
    {"histogram_quantile(a, b)",
     R"q(1:20: expected type scalar in call to function "histogram_quantile", got instant vector)q"},
    {"absent(rate(a[5m])[1h:])[5m:]",
     R"q(1:8: expected type instant vector in call to function "absent", got range vector)q"},
    {"vector(a)",
     R"q(1:8: expected type scalar in call to function "vector", got instant vector)q"},
    {"mad_over_time(a[5m])",
     R"q(1:1: function "mad_over_time" is not enabled)q"},
    {"info(a)", R"q(1:1: function "info" is not enabled)q"},
    {"1 == 2", "1:3: comparisons between scalars must use BOOL modifier"},
    {"a + bool b",
     "1:3: bool modifier can only be used on comparison operators"},
    {"a and bool b",
     "1:3: bool modifier can only be used on comparison operators"},
    {"a and 1",
     R"q(1:1: set operator "and" not allowed in binary scalar expression)q"},
    {"1 or 2",
     R"q(1:1: set operator "or" not allowed in binary scalar expression)q"},
    {"a[5m] + 1",
     "1:1: binary expression must contain only scalar and instant vector "
     "types"},
    {"1 + a[5m]",
     "1:5: binary expression must contain only scalar and instant vector "
     "types"},
    {R"q("x" + 1)q",
     "1:1: binary expression must contain only scalar and instant vector "
     "types"},
    {R"q(a + "x")q",
     "1:5: binary expression must contain only scalar and instant vector "
     "types"},
    {"1 + on(a) 2",
     "1:1: vector matching only allowed between instant vectors"},
    {"a + on(a) 2",
     "1:1: vector matching only allowed between instant vectors"},
    {"a and on(x) group_left b",
     R"q(1:1: no grouping allowed for "and" operation)q"},
    {"a + on(x) group_left(x) b",
     R"q(1:3: label "x" must not occur in ON and GROUP clause at once)q"},
    {"a + on b",
     R"q(1:8: unexpected identifier "b" in grouping opts, expected "(")q"},
    {"a + on(b c) d",
     R"q(1:10: unexpected identifier "c" in grouping opts, expected "," or ")")q"},
    {"a + group_left(x) b", "1:5: unexpected <group_left>"},
    {"a + ignoring",
     R"q(1:13: unexpected end of input in grouping opts, expected "(")q"},
    {"a == on(x) group_left",
     R"q(1:22: unexpected end of input in grouping opts, expected "(")q"},
    {R"q(-"x")q",
     R"q(1:1: unary expression only allowed on expressions of type scalar or instant vector, got "string")q"},
    {"-a[5m]",
     R"q(1:1: unary expression only allowed on expressions of type scalar or instant vector, got "range vector")q"},
    {R"q("x"[5m:1m])q",
     "1:1: subquery is only allowed on instant vector, got string instead"},
    {"1[5m:1m]",
     "1:1: subquery is only allowed on instant vector, got scalar instead"},
    {"a[5m][1h:1m]",
     "1:1: subquery is only allowed on instant vector, got matrix instead"},
    {"a + fill(0) b",
     "1:1: binop fill modifiers are experimental and not enabled"},
    {"a anchored", "1:1: anchored modifier is experimental and not enabled"},
    {"a smoothed", "1:1: smoothed modifier is experimental and not enabled"},
    {"a $ b", "1:3: unexpected character: '$'"},
    {"a ! b", "1:3: unexpected character after '!': ' '"},
    {"a = b", R"q(1:3: unexpected "=")q"},
    {"a =~ b", "1:3: unexpected character after '=': '~'"},
    {"a & b", "1:3: unexpected character: '&'"},
    {"é", "1:1: unexpected character: 'é'"},
    {"1e999",
     R"q(1:1: error parsing number: strconv.ParseFloat: parsing "1e999": value out of range)q"},
    {"0xee", R"q(1:1: bad number or duration syntax: "0xee")q"},
    {"0x1.8", R"q(1:1: bad number or duration syntax: "0x1.")q"},
    {"1..2", R"q(1:1: bad number or duration syntax: "1..")q"},
    {"1_", R"q(1:1: bad number or duration syntax: "1_")q"},
    {"1__0", R"q(1:1: bad number or duration syntax: "1__")q"},
    {"5mfoo", R"q(1:1: bad number or duration syntax: "5mf")q"},
    {"1e", R"q(1:1: bad number or duration syntax: "1e")q"},
    {"bool", "1:1: unexpected <bool>"},
    {"on(a)", "1:1: unexpected <on>"},
    {"a bool b", "1:3: unexpected <bool>"},
    {"a by (b)", "1:3: unexpected <by>"},
    {"1:2", R"q(1:2: unexpected metric identifier ":2")q"},
    {"a[5m]:", R"q(1:6: unexpected metric identifier ":")q"},
    {"\n\n  a +\n)", "4:2: unexpected right parenthesis ')'"},
    {"sum(\n  rate(a[5m]),\n)",
     "2:14: trailing commas not allowed in function call args"},
    {"a + \n  \"unclosed", "2:3: unterminated quoted string"},
    {"rate(a[5m]) @ 5",
     "1:1: @ modifier must be preceded by an instant vector selector or range "
     "vector selector or a subquery"},
    {"sum(rate(a[5m])) by",
     R"q(1:20: unexpected end of input in grouping opts, expected "(")q"},
    {"x offset (step()", "1:17: unclosed left parenthesis"},
    {"x[step():1m]",
     "1:10: unexpected colon before duration in duration expression"},
    {"x[5m:foo]", "1:6: unexpected character: 'f', expected ':'"},
    {"x[5m:(1m]",
     R"q(1:9: unexpected "]" in subquery selector, expected number, duration, step(), range(), or "]")q"},
};

const Refused kRefusedWithEverythingOn[] = {
    {"limitk(a)",
     "1:1: wrong number of arguments for aggregate expression provided, "
     "expected 2, got 1"},
    {"a and fill(0) b",
     "1:1: filling in missing series not allowed for set operators"},
    {"a + fill(0) 2",
     "1:1: filling in missing series only allowed between instant vectors"},
    {"a + fill(x) b", R"q(1:10: unexpected identifier "x")q"},
    {"a + fill(0) fill_left(0) b", R"q(1:22: unexpected "(")q"},
    {"a anchored smoothed",
     "1:1: anchored and smoothed modifiers cannot be used together"},
    {"a[5m:1m] anchored",
     "1:1: anchored modifier is not supported for subqueries"},
    {"a[5m:1m] smoothed",
     "1:1: smoothed modifier is not supported for subqueries"},
    {"1 anchored", "1:1: anchored modifier not implemented"},
    {"sum(a) smoothed", "1:1: smoothed modifier not implemented"},
    {"info(a, b)",
     "1:9: expected label selectors only, got vector selector instead"},
    {R"q(info(a, b{c="d"}))q",
     "1:9: expected label selectors only, got vector selector instead"},
    {"info(a, 1)",
     R"q(1:1: expected type instant vector in call to function "info", got scalar)q"},
    {"info(a, (b))", "1:9: expected label selectors only"},
    {R"q(info(a, {__name__="b"}, c))q",
     R"q(1:1: expected at most 2 argument(s) in call to "info", got 3)q"},
    {"max_of(1)",
     R"q(1:1: expected 2 argument(s) in call to "max_of", got 1)q"},
    {"max_of(a, 1)",
     R"q(1:8: expected type scalar in call to function "max_of", got instant vector)q"},
    {"start(1)", R"q(1:1: expected 0 argument(s) in call to "start", got 1)q"},
    {"limit_ratio(1)",
     "1:1: wrong number of arguments for aggregate expression provided, "
     "expected 2, got 1"},
};

std::string ErrorOf(const std::string& query, const ParserOptions& options) {
  auto expr = ParseExpr(query, options);
  if (expr.ok()) return "accepted";
  std::string text(expr.status().message());
  const std::string mark = "parse error: ";
  const size_t at = text.find(mark);
  if (at != std::string::npos) text.erase(at, mark.size());
  return text;
}

TEST_CASE("a bad query is told with its place", "[promql][parse]") {
  for (const Refused& r : kRefused) {
    INFO(r.query);
    CHECK(ErrorOf(r.query, {}) == r.error);
  }
}

TEST_CASE("bad uses of what flags switch on are told with their place",
          "[promql][parse]") {
  for (const Refused& r : kRefusedWithEverythingOn) {
    INFO(r.query);
    CHECK(ErrorOf(r.query, ParserOptions::Everything()) == r.error);
  }
}

TEST_CASE("the place of an error can be had without its text",
          "[promql][parse]") {
  ParseError error;
  auto expr = ParseExpr("sum(rate(up[5m])) by (", {}, &error);
  REQUIRE_FALSE(expr.ok());
  CHECK(expr.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(error.text == "unclosed left parenthesis");
  CHECK(error.pos.begin == 22);
}

TEST_CASE("durations are plain literals where expressions are switched off",
          "[promql][parse]") {
  ParserOptions options;
  options.duration_expressions = false;
  CHECK(ErrorOf("a[5m]", options) == "accepted");
  CHECK(ErrorOf("a[5m + 1m]", options) ==
        "1:3: experimental duration expression is not enabled");
  CHECK(ErrorOf("a offset step()", options) ==
        "1:10: experimental duration expression is not enabled");
}

TEST_CASE("nesting without end is an error, not a crash", "[promql][parse]") {
  for (const char* open : {"(", "-", "sum(", "a ^ ", "a[", "x offset -(("}) {
    std::string query;
    while (query.size() < (1 << 20)) query += open;
    INFO(open);
    CHECK_FALSE(ParseExpr(query).ok());
    CHECK_FALSE(ParseExpr(query + "1").ok());
  }
  std::string chain = "a";
  while (chain.size() < (1 << 20)) chain += " + a";
  CHECK(ErrorOf(chain, {}).find("nested too deeply") != std::string::npos);
  std::string brackets = "a[1h:1m]";
  while (brackets.size() < (1 << 20)) brackets += "[1h:1m]";
  CHECK_FALSE(ParseExpr(brackets).ok());
  std::string durations = "a[1m";
  while (durations.size() < (1 << 20)) durations += "+1m";
  CHECK(ErrorOf(durations + "]", {}).find("nested too deeply") !=
        std::string::npos);
}

TEST_CASE("trees of a reasonable height are taken", "[promql][parse]") {
  std::string parens(900, '(');
  CHECK(ParseExpr(parens + "a" + std::string(900, ')')).ok());
  std::string chain = "a";
  for (int i = 0; i < 900; ++i) chain += " or a";
  CHECK(ParseExpr(chain).ok());
}

TEST_CASE("a megabyte of query is read", "[promql][parse]") {
  std::string query = "a{b=~\"";
  for (int i = 0; i < 100000; ++i) query += "host" + std::to_string(i) + "|";
  query += "x\"}";
  REQUIRE(query.size() > 900000);
  CHECK(ParseExpr(query).ok());
  std::string labels = "sum by (a";
  while (labels.size() < (1 << 20)) labels += ", a";
  CHECK(ParseExpr(labels + ") (b)").ok());
}

}  // namespace
}  // namespace narthex::promql
