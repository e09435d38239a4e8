#include "narthex/promql/printer.h"

#include <catch2/catch.hpp>
#include <string>

#include "narthex/promql/parser.h"
#include "test/support/promqltest_corpus.h"

namespace narthex::promql {
namespace {

ExprPtr Parse(std::string_view query) {
  auto expr = ParseExpr(query, ParserOptions::Everything());
  INFO(query << ": " << expr.status());
  REQUIRE(expr.ok());
  return *std::move(expr);
}

std::string Pretty(std::string_view query) {
  return PrettyPrint(*Parse(query));
}

TEST_CASE("what Prometheus prints so that it does not parse, parses",
          "[promql][parse]") {
  for (const char* query : {"info(up, {})", "sum by (\"nan\", \"Inf\") (up)"}) {
    CHECK(Print(*Parse(query)) == query);
  }
  const std::string name(90, 'b');
  const std::string text =
      Pretty("x offset (step() - 5m) @ 1.5 * (" + name + ")");
  CHECK(text == "  x offset (step() - 5m) @ 1.500\n*\n  (" + name + ")");
}

TEST_CASE("what fits on a line stays on it", "[promql][parse]") {
  CHECK(Pretty("sum( rate(a [5m]))by(b)") == "sum by (b) (rate(a[5m]))");
  const std::string line = "a + " + std::string(96, 'b');
  CHECK(Pretty(line) == line);
  CHECK(Pretty(line + "b") == "  a\n+\n  " + std::string(97, 'b'));
}

TEST_CASE("what doesn't fit is opened, level by level", "[promql][parse]") {
  CHECK(
      Pretty(R"(sum by (instance, mode) (
    rate(node_cpu_seconds_total{mode!="idle",job="node"}[5m]))
    / on (instance) group_left ()
    count by (instance) (node_cpu_seconds_total{mode="idle"}))") ==
      R"(  sum by (instance, mode) (rate(node_cpu_seconds_total{job="node",mode!="idle"}[5m]))
/ on (instance) group_left ()
  count by (instance) (node_cpu_seconds_total{mode="idle"}))");

  CHECK(Pretty("histogram_quantile(0.99, sum by (le, handler) (rate("
               "http_request_duration_seconds_bucket{job=\"api\",handler=~"
               "\"/v1/.*\"}[5m] offset 1h)))") ==
        R"(histogram_quantile(
  0.99,
  sum by (le, handler) (
    rate(http_request_duration_seconds_bucket{handler=~"/v1/.*",job="api"}[5m] offset 1h)
  )
))");

  CHECK(Pretty("-(some_long_metric_name_that_fills_a_line{with=\"labels\"} + "
               "another_long_metric_name_that_fills{with=\"more\"})") ==
        R"(-(
    some_long_metric_name_that_fills_a_line{with="labels"}
  +
    another_long_metric_name_that_fills{with="more"}
))");

  CHECK(Pretty("topk by (namespace) (5, sum_over_time(rate("
               "container_network_receive_bytes_total{namespace!=\"\"}[5m])"
               "[1h:30s]))") ==
        R"(topk by (namespace) (
  5,
  sum_over_time(rate(container_network_receive_bytes_total{namespace!=""}[5m])[1h:30s])
))");
}

TEST_CASE("the heads of nodes name them without their children",
          "[promql][parse]") {
  CHECK(PrintHead(*Parse("sum by (a) (b)")) == "sum by (a)");
  CHECK(PrintHead(*Parse("a == bool on (b) c")) == "== bool on (b)");
  CHECK(PrintHead(*Parse("rate(a[5m])")) == "rate");
  CHECK(PrintHead(*Parse("a[5m] offset 1m")) == "[5m] offset 1m");
  CHECK(PrintHead(*Parse("a{b=\"c\"}")) == "a{b=\"c\"}");
}

TEST_CASE("a tall tree is printed in reasonable time", "[promql][parse]") {
  std::string query = "a";
  for (int i = 0; i < 450; ++i) query = "abs((" + query + "))";
  const ExprPtr expr = Parse(query);
  CHECK(Print(*expr) == query);
  CHECK(SameTree(*expr, *Parse(PrettyPrint(*expr))));
  std::string chain = "metric_0";
  for (int i = 1; i < 900; ++i) chain += " or metric_" + std::to_string(i);
  CHECK(SameTree(*Parse(chain), *Parse(PrettyPrint(*Parse(chain)))));
}

TEST_CASE("what is printed parses to the same tree", "[promql][parse]") {
  const auto expressions = test::PromqltestExpressions();
  if (expressions.empty()) {
    WARN(
        "skipped: Prometheus's .test files are not here "
        "(NARTHEX_PROMQLTEST_DIR)");
    return;
  }
  REQUIRE(expressions.size() > 1500);
  for (const std::string& query : expressions) {
    INFO(query);
    auto expr = ParseExpr(query, ParserOptions::Everything());
    if (!expr.ok()) continue;  // those that must fail
    const std::string printed = Print(**expr);
    INFO(printed);
    const ExprPtr again = Parse(printed);
    // Matchers are printed in order, whatever order they were written in.
    CHECK(Print(*again) == printed);
    CHECK(SameTree(*again, *Parse(Print(*again))));
    CHECK(Print(*Parse(PrettyPrint(**expr))) == printed);
  }
}

}  // namespace
}  // namespace narthex::promql
