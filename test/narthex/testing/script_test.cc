#include <catch2/catch.hpp>
#include <string>

#include "narthex/testing/catch2.h"
#include "narthex/testing/testing.h"

namespace narthex::testing {
namespace {

ScriptReport Run(std::string_view text) {
  auto report = RunScript("script", text);
  INFO(report.status());
  REQUIRE(report.ok());
  return *std::move(report);
}

// What the only failure of a script says; "" if nothing failed.
std::string FailureOf(std::string_view text) {
  const ScriptReport report = Run(text);
  REQUIRE(report.evals == 1);
  return report.failures.empty() ? "" : report.failures[0].what;
}

std::string ErrorOf(std::string_view text) {
  return std::string(RunScript("script", text).status().message());
}

const std::string kLoad = R"(
load 1m
  requests{job="a"} 0+60x10
  requests{job="b"} 0+30x10
  gone 1 2 stale

)";

TEST_CASE("what is expected passes", "[narthex][testing]") {
  const ScriptReport report = Run(kLoad + R"(
# A comment.
eval instant at 10m rate(requests[5m])
  {job="a"} 1
  {job="b"} 0.5

eval instant at 1m gone
  gone 2

eval instant at 5m gone

eval instant at 10m scalar(sum(requests))
  900

eval range from 0 to 2m step 1m requests{job="a"}
  requests{job="a"} 0 60 120

eval range from 1m to 3m step 1m gone
  gone 2 _

eval instant at 1m "text"
  expect string "text"

eval instant at 3m gone[3m]
  expect range vector from 0 to 3m step 1m
  gone _ 2

eval instant at 10m sort_desc(requests)
  expect ordered
  requests{job="a"} 600
  requests{job="b"} 300

eval instant at 0 requests + on () requests
  expect fail regex: found duplicate series for the match group

eval_fail instant at 0 requests + on () requests

eval instant at 1m quantile(2, requests)
  expect warn regex: quantile value should be between 0 and 1
  expect no_info
  {} Inf

clear
eval instant at 10m requests
)");
  INFO(ToString(report));
  CHECK(report.evals == 13);
  CHECK(report.failures.empty());
}

TEST_CASE("what isn't expected fails, and says how", "[narthex][testing]") {
  CHECK(FailureOf(kLoad + "eval instant at 10m sum(requests)\n  {} 901") ==
        "expected 901 for {} but got 900\n  - {} 901\n  + {} 900");
  CHECK(FailureOf(kLoad + "eval instant at 10m requests{job=\"a\"}") ==
        "unexpected metric requests{job=\"a\"} in result\n"
        "  + requests{job=\"a\"} 600");
  CHECK(FailureOf(kLoad + "eval instant at 10m nothing\n  nothing 1") ==
        "expected metric nothing not found\n  - nothing 1\n  nothing came");
  CHECK(FailureOf(kLoad + "eval instant at 10m scalar(nothing)\n  1")
            .starts_with("expected scalar 1 but got NaN"));
  CHECK(FailureOf(kLoad +
                  "eval range from 0 to 2m step 1m requests{job=\"a\"}\n"
                  "  requests{job=\"a\"} 0 60 121")
            .starts_with("points of requests{job=\"a\"} differ"));
  CHECK(FailureOf(kLoad +
                  "eval range from 0 to 2m step 1m requests{job=\"a\"}\n"
                  "  requests{job=\"a\"} 0 60")
            .starts_with("points of requests{job=\"a\"} differ"));
  CHECK(FailureOf(kLoad + "eval instant at 1m \"a\"\n  expect string \"b\"") ==
        "expected string \"b\" but got \"a\"");
  CHECK(FailureOf(kLoad +
                  "eval instant at 10m sort(requests)\n  expect ordered\n"
                  "  requests{job=\"a\"} 600\n  requests{job=\"b\"} 300")
            .starts_with("expected metric requests{job=\"b\"} at position 2 "
                         "but was at 1"));
  CHECK(FailureOf("eval instant at 0 1\n  expect fail\n  1") ==
        "expected error but got none");
  CHECK(FailureOf("eval instant at 0 vector(1)\n  expect warn\n  {} 1")
            .starts_with("expected warning not found: any"));
  CHECK(FailureOf(kLoad + "eval instant at 1m quantile(2, requests)\n"
                          "  expect no_warn\n  {} Inf")
            .starts_with("unexpected warning: PromQL warning: quantile value"));
}

TEST_CASE("a broken script is told with its line", "[narthex][testing]") {
  CHECK(ErrorOf("\nload\n") ==
        "script: line 2: invalid load command. "
        "(load[_with_nhcb] <step:duration>)");
  CHECK(ErrorOf("load x\n  a 1\n") ==
        "script: line 1: invalid step definition \"x\": "
        "not a valid duration string: \"x\"");
  CHECK(ErrorOf("jump\n") == "script: line 1: invalid command \"jump\"");
  CHECK(ErrorOf("eval instant at 1m sum(\n") ==
        "script: line 1: 1:5: parse error: unclosed left parenthesis");
  CHECK(ErrorOf("eval instant at 1m a\n  a 1 2\n")
            .starts_with("script: line 2: expecting multiple values"));
  CHECK(ErrorOf("eval instant at 1m a\n  expect warn\n  expect no_warn\n") ==
        "script: line 3: invalid expect lines, warn and no_warn cannot be "
        "used together");
  CHECK(ErrorOf("eval range from 2m to 1m step 1m a\n")
            .find("is before start timestamp") != std::string::npos);
}

TEST_CASE("after a load that fails nothing passes until the next clear",
          "[narthex][testing]") {
  const ScriptReport report = Run(R"(
load 1m
  a 1 bogus

eval instant at 0 vector(1)
  {} 1

clear
eval instant at 0 vector(1)
  {} 1
)");
  CHECK(report.evals == 2);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].what.starts_with("not loaded: line 3: 1:5: "));
}

TEST_CASE("classic histograms are loaded as native ones too",
          "[narthex][testing]") {
  const ScriptReport report = Run(R"(
load_with_nhcb 1m
  h_bucket{le="1"} 1 2
  h_bucket{le="2"} 3 4
  h_bucket{le="+Inf"} 3 5
  h_count 3 5
  h_sum 4 7

eval instant at 1m h
  h {{schema:-53 count:5 sum:7 custom_values:[1 2] buckets:[2 2 1]}}

eval instant at 1m h_count
  h_count 5
)");
  INFO(ToString(report));
  CHECK(report.failures.empty());
  TestStore store;
  CHECK(store
            .Load(Minutes(1), "h_bucket{le=\"1\"} 3\nh_bucket{le=\"2\"} 1",
                  {.first_line = 1, .with_nhcb = true})
            .message() == "count is not cumulative: 1 < 3");
}

TEST_CASE("a test store is filled by notation", "[narthex][testing]") {
  TestStore store;
  REQUIRE(store.Load(Minutes(1), "a{b=\"c\"} 0+1x5\nd _ 7 stale").ok());
  CHECK(store.size() == 2);
  const promql::Engine engine(ScriptEngineOptions());
  const auto answer = engine.Instant(store, "a + 1", Minutes(5).ms);
  REQUIRE(answer.ok());
  CHECK(std::get<promql::Vector>(answer->value)[0].v == 6);
  CHECK(store.Load(Minutes(1), "a{b=\"c\"} 1").message() ==
        "out of order sample at 0 of a{b=\"c\"}");
  CHECK(
      store.Load(Minutes(1), "x 1\ny@st -1m\n", {.first_line = 10}).message() ==
      "line 11: @st line has no following sample line");
  store.Clear();
  CHECK(store.size() == 0);
}

}  // namespace
}  // namespace narthex::testing
