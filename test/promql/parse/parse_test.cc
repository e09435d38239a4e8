// What is understood, and how it is grouped.  The right column is what
// Prometheus 3.14 prints.

#include <catch2/catch.hpp>
#include <string>

#include "narthex/promql/parser.h"
#include "narthex/promql/printer.h"

namespace narthex::promql {
namespace {

struct Understood {
  std::string query;
  std::string printed;
};

const Understood kUnderstood[] = {
    {"up", "up"},
    {R"q(UP{job="api"})q", R"q(UP{job="api"})q"},
    {R"q({__name__="up"})q", R"q({__name__="up"})q"},
    {R"q({"http.requests", "my label"="x"})q",
     R"q({"my label"="x",__name__="http.requests"})q"},
    {R"q(up{a!="b",c=~"d.*",e!~"f",})q", R"q(up{a!="b",c=~"d.*",e!~"f"})q"},
    {R"q(job:rate:5m{instance='x"y'})q", R"q(job:rate:5m{instance="x\"y"})q"},
    {"sum", "sum"},
    {R"q(by{by="by"})q", R"q(by{by="by"})q"},
    {"start + end", "start + end"},
    {"fill + fill_left", "fill + fill_left"},
    {"offset offset 5m", "offset offset 5m"},
    {R"q(sum by(job, "my.label",) (up))q",
     R"q(sum by (job, "my.label") (up))q"},
    {"sum(up) without (job)", "sum without (job) (up)"},
    {R"q(count_values("version", build_info))q",
     R"q(count_values("version", build_info))q"},
    {"topk by (a) (5, sum(x))", "topk by (a) (5, sum(x))"},
    {"SUM BY (job) (UP)", "sum by (job) (UP)"},
    {"1 + 2 * 3 ^ 2 ^ -1", "1 + 2 * 3 ^ 2 ^ -1"},
    {"-a ^ 2", "-a ^ 2"},
    {"-a * b", "-a * b"},
    {"2 ^ -a * b", "2 ^ -a * b"},
    {"a or b and c unless d", "a or b and c unless d"},
    {"a == bool b", "a == bool b"},
    {"1 > bool 2", "1 > bool 2"},
    {"a + on (x) group_left (y) b", "a + on (x) group_left (y) b"},
    {"a * ignoring (x, y) group_right b",
     "a * ignoring (x, y) group_right () b"},
    {"a / on () b", "a / on () b"},
    {"a </ 5 >/ 3", "a </ 5 >/ 3"},
    {"a atan2 b % c", "a atan2 b % c"},
    {"a[5m] offset 1h @ 100", "a[5m] @ 100.000 offset 1h"},
    {"rate(a[90s] @ start() offset -1m)",
     "rate(a[1m30s] @ start() offset -1m)"},
    {"sum_over_time(rate(a[5m])[1h:30s] @ end() offset 1h30m)",
     "sum_over_time(rate(a[5m])[1h:30s] @ end() offset 1h30m)"},
    {"max_over_time(a[1h:])", "max_over_time(a[1h:])"},
    {"min_over_time(a[5m * 2])", "min_over_time(a[5m * 2])"},
    {"rate(a[step()])", "rate(a[step()])"},
    {"a offset (step() * 2)", "a offset (step() * 2)"},
    {"a offset -step() * 2", "a offset -step() * 2"},
    {"a offset -(5m)", "a offset -(5m)"},
    {"a offset --5m", "a offset 5m"},
    {"a[min_of(step(), 5m):max_of(1m, range() / 10)]",
     "a[min_of(step(), 5m):max_of(1m, range() / 10)]"},
    {"rate(a[300])", "rate(a[5m])"},
    {"rate(a[0.5])", "rate(a[500ms])"},
    {"a @ 1.5", "a @ 1.500"},
    {"a @ -5m", "a @ -300.000"},
    {"5m", "5m"},
    {"-1h30m", "-1h30m"},
    {"0x1F", "31"},
    {"1_000", "1000"},
    {"010", "8"},
    {"08", "8"},
    {"1e-3", "0.001"},
    {".5", "0.5"},
    {"5.", "5"},
    {"Inf", "+Inf"},
    {"-inf", "-Inf"},
    {"NaN", "NaN"},
    {R"q("a\tb\u00e9")q", R"q("a\tbé")q"},
    {R"q('it\'s')q", R"q("it's")q"},
    {"`raw\n`", R"q("raw\n")q"},
    {"((1))", "((1))"},
    {R"q(label_replace(up, "a", "$1", "b", "(.*)"))q",
     R"q(label_replace(up, "a", "$1", "b", "(.*)"))q"},
    {R"q(label_join(up, "a", ","))q", R"q(label_join(up, "a", ","))q"},
    {"time() - timestamp(up)", "time() - timestamp(up)"},
    {"day_of_week()", "day_of_week()"},
    {"round(a, 0.1)", "round(a, 0.1)"},
    {R"q(absent(up{job="x"}))q", R"q(absent(up{job="x"}))q"},
    {"histogram_quantile(0.9, sum by (le) (rate(b[5m])))",
     "histogram_quantile(0.9, sum by (le) (rate(b[5m])))"},
    {"a # comment\n + b", "a + b"},
    {"sum(a) # (\n", "sum(a)"},
};

const Understood kUnderstoodWithEverythingOn[] = {
    {"limitk(2, a)", "limitk(2, a)"},
    {"limit_ratio by (x) (-0.5, a)", "limit_ratio by (x) (-0.5, a)"},
    {"rate(a[5m] anchored)", "rate(a[5m] anchored)"},
    {"increase(a[5m] smoothed offset 1m)",
     "increase(a[5m] smoothed offset 1m)"},
    {"a smoothed", "a smoothed"},
    {"a + fill (0) b", "a + fill (0) b"},
    {"a + on (x) group_left () fill_left (1) fill_right (-2) b",
     "a + on (x) group_left () fill_left (1) fill_right (-2) b"},
    {"a / fill_right (5m) fill_left (NaN) b",
     "a / fill_left (NaN) fill_right (300) b"},
    {R"q(info(a, {data="x"}))q", R"q(info(a, {data="x"}))q"},
    {"info(a, {})", "info(a, {})"},
    {R"q(sort_by_label(a, "b", "c"))q", R"q(sort_by_label(a, "b", "c"))q"},
    {"step() + range() + start() - end()",
     "step() + range() + start() - end()"},
    {"max_of(1, 2) + min_of(3, 4)", "max_of(1, 2) + min_of(3, 4)"},
};

ExprPtr Parse(std::string_view query) {
  auto expr = ParseExpr(query, ParserOptions::Everything());
  INFO(query << ": " << expr.status());
  REQUIRE(expr.ok());
  return *std::move(expr);
}

TEST_CASE("queries are understood", "[promql][parse]") {
  for (const Understood& u : kUnderstood) {
    auto expr = ParseExpr(u.query);
    INFO(u.query << ": " << expr.status());
    REQUIRE(expr.ok());
    CHECK(Print(**expr) == u.printed);
  }
}

TEST_CASE("what flags switch on is understood", "[promql][parse]") {
  for (const Understood& u : kUnderstoodWithEverythingOn) {
    INFO(u.query);
    CHECK(Print(*Parse(u.query)) == u.printed);
    if (u.query != "a smoothed") CHECK_FALSE(ParseExpr(u.query).ok());
  }
}

// The tree with every group in parentheses.
std::string Grouped(const Expr& expr) {
  if (const auto* binary = As<Binary>(expr)) {
    return "(" + Grouped(*binary->lhs) + std::string(Text(binary->op)) +
           Grouped(*binary->rhs) + ")";
  }
  if (const auto* unary = As<Unary>(expr)) {
    return "(-" + Grouped(*unary->expr) + ")";
  }
  return Print(expr);
}

TEST_CASE("operators bind as tightly as they should", "[promql][parse]") {
  CHECK(Grouped(*Parse("-2^2")) == "(-(2^2))");
  CHECK(Grouped(*Parse("-a*b")) == "((-a)*b)");
  CHECK(Grouped(*Parse("2^-a*b")) == "((2^(-a))*b)");
  CHECK(Grouped(*Parse("2^3^4")) == "(2^(3^4))");
  CHECK(Grouped(*Parse("a-b-c")) == "((a-b)-c)");
  CHECK(Grouped(*Parse("a or b and c or d")) == "((aor(bandc))ord)");
  CHECK(Grouped(*Parse("a unless b and c")) == "((aunlessb)andc)");
  CHECK(Grouped(*Parse("a + b > c * d % e")) == "((a+b)>((c*d)%e))");
  CHECK(Grouped(*Parse("-a offset 5m ^ 2")) == "(-(a offset 5m^2))");
  CHECK(Grouped(*Parse("a offset -2^2")) == "(a offset -2s^2)");
  CHECK(Grouped(*Parse("a offset -step()*2")) == "(a offset -step()*2)");
}

TEST_CASE("nodes know their bytes", "[promql][parse]") {
  const std::string query = "sum by (a) (rate(foo{x=\"1\"}[5m] offset 1h)) / 2";
  const ExprPtr expr = Parse(query);
  std::vector<std::string> spans;
  Walk(*expr, [&](const Expr& node, std::span<const Expr* const>) {
    spans.push_back(
        query.substr(node.pos.begin, node.pos.end - node.pos.begin));
    return true;
  });
  CHECK(spans == std::vector<std::string>{
                     query, "sum by (a) (rate(foo{x=\"1\"}[5m] offset 1h))",
                     "rate(foo{x=\"1\"}[5m] offset 1h)",
                     "foo{x=\"1\"}[5m] offset 1h", "foo{x=\"1\"}", "2"});
}

TEST_CASE("an aggregation ends at its own parenthesis", "[promql][parse]") {
  const std::string query = "(sum(a)   )";
  const ExprPtr expr = Parse(query);
  CHECK(Unwrap(*expr).pos == TextRange{1, 7});
}

TEST_CASE("matching is kept between vectors only", "[promql][parse]") {
  const ExprPtr join = Parse("a * on (x) group_left (y, z) b");
  const auto& matching = *As<Binary>(*join)->matching;
  CHECK(matching.on);
  CHECK(matching.card == VectorMatching::Card::kManyToOne);
  CHECK(matching.labels == std::vector<std::string>{"x"});
  CHECK(matching.include == std::vector<std::string>{"y", "z"});
  CHECK_FALSE(As<Binary>(*Parse("a * 2"))->matching);
  CHECK(As<Binary>(*Parse("a or b"))->matching->card ==
        VectorMatching::Card::kManyToMany);
  const ExprPtr fill = Parse("a + on (x) fill_right (-5m) fill_left (2) b");
  CHECK(As<Binary>(*fill)->matching->fill_left == 2.0);
  CHECK(As<Binary>(*fill)->matching->fill_right == -300.0);
}

TEST_CASE("durations are resolved when the query's times are known",
          "[promql][parse]") {
  auto range = [](std::string_view query, const QueryTimes& times) {
    const ExprPtr expr = Parse(query);
    return As<MatrixSelector>(*expr)->range.Resolve(times, true);
  };
  const QueryTimes times = {Seconds(0).ms, Seconds(600).ms, Seconds(30)};
  CHECK(range("a[5m]", times)->ms == 300000);
  CHECK(range("a[step() * 2 + 1]", times)->ms == 61000);
  CHECK(range("a[max_of(range() / 10, 7s)]", times)->ms == 60000);
  CHECK(range("a[2 ^ 3 ^ 2]", times)->ms == 512000);
  CHECK(range("a[-(0 - 7) % 4]", times)->ms == 3000);
  CHECK(range("a[step()]", {}).status().message() ==
        "2:8: duration must be greater than 0");
  CHECK(range("a[1 / step()]", {}).status().message() ==
        "2:12: division by zero");
  CHECK(range("a[9e8 ^ 99]", {}).status().message() ==
        "2:10: duration is NaN or infinite");
}

TEST_CASE("a selector list and a metric are read alone", "[promql][parse]") {
  auto matchers = ParseMetricSelector("up{job=~\"a.*\"}");
  REQUIRE(matchers.ok());
  REQUIRE(matchers->size() == 2);
  CHECK((*matchers)[0]->ToString() == "job=~\"a.*\"");
  CHECK((*matchers)[1]->ToString() == "__name__=\"up\"");
  CHECK(ParseMetricSelector("{}").ok());
  CHECK_FALSE(ParseMetricSelector("").ok());
  CHECK_FALSE(ParseMetricSelector("up + up").ok());
  CHECK_FALSE(ParseMetricSelector("sum(up)").ok());

  auto metric = ParseMetric("up{job=\"a\", \"x.y\"=\"z\",}");
  REQUIRE(metric.ok());
  CHECK(*metric == Labels{{"__name__", "up"}, {"job", "a"}, {"x.y", "z"}});
  CHECK(*ParseMetric("{\"a b\"}") == Labels{{"__name__", "a b"}});
  CHECK(ParseMetric("up{job=~\"a\"}").status().message() ==
        "1:7: parse error: unexpected <op:=~> in label set, expected \"=\"");
}

TEST_CASE("a copy is the same tree", "[promql][parse]") {
  for (const Understood& u : kUnderstood) {
    const ExprPtr expr = Parse(u.query);
    CHECK(SameTree(*expr, *Clone(*expr)));
  }
  CHECK_FALSE(SameTree(*Parse("a + b"), *Parse("a - b")));
  CHECK_FALSE(SameTree(*Parse("a[5m]"), *Parse("a[6m]")));
}

}  // namespace
}  // namespace narthex::promql
