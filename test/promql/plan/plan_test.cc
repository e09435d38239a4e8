#include <catch2/catch.hpp>
#include <string>

#include "narthex/base/status.h"
#include "narthex/promql/explain.h"

namespace narthex::promql {
namespace {

// A range query from 100 s to 200 s by 10 s: 11 steps.
std::string PlanOf(std::string_view query) {
  EngineOptions options;
  options.experimental_functions = true;
  auto text = Explain(options, query, {100'000, 200'000}, Seconds(10));
  return text.ok() ? *text : std::string(Message(text.status()));
}

TEST_CASE("what does not change from step to step is computed once",
          "[promql][plan]") {
  REQUIRE(PlanOf("rate(a[1m] @ 50) + b")
              .find("binary + one-to-one, 11 steps\n"
                    "  once, 11 steps\n"
                    "    window rate, 1 step\n"
                    "      read [1m] of selection 0 @ 50, 1 step\n"
                    "  scan of selection 1, 11 steps\n") == 0);
  SECTION("but not what depends on the time of the step") {
    REQUIRE(PlanOf("predict_linear(a[1m] @ 50, 60)")
                .find("window predict_linear, 11 steps") == 0);
    REQUIRE(PlanOf("timestamp(a @ 50)").find("once") == 0);
    REQUIRE(PlanOf("timestamp(abs(a @ 50))").find("call timestamp") == 0);
  }
  SECTION("of an aggregation only the operand is looked at") {
    REQUIRE(PlanOf("topk(scalar(a), b @ 10)").find("once") == 0);
  }
  SECTION("literals are left alone") {
    REQUIRE(PlanOf("1 + 1").find("once") == 0);
    REQUIRE(PlanOf("1").find("number") == 0);
    REQUIRE(PlanOf("start() + end()").find("once") == 0);
  }
}

TEST_CASE("equal selectors are selected once, over all times that are needed",
          "[promql][plan]") {
  REQUIRE(PlanOf("rate(a{x=\"1\",y!=\"2\"}[5m]) / "
                 "rate(a{y!=\"2\",x=\"1\"}[1h] offset 1m)")
              .find("selection 0: {x=\"1\",y!=\"2\",__name__=\"a\"} from "
                    "-3559.999 to 200, for rate, 2 users") !=
          std::string::npos);
}

TEST_CASE("a subquery has a grid of its own", "[promql][plan]") {
  REQUIRE(PlanOf("max_over_time(a[1m:7s])") ==
          "window max_over_time, 11 steps\n"
          "  subquery [1m], 11 steps\n"
          "    scan of selection 0, 23 steps\n"
          "selection 0: {__name__=\"a\"} from -257.999 to 196, for "
          "max_over_time, 1 user\n");
}

TEST_CASE("a range query needs a value at every step", "[promql][plan]") {
  REQUIRE(PlanOf("a[5m]") ==
          "invalid expression type \"range vector\" for range query, must be "
          "Scalar or instant Vector");
  REQUIRE(PlanOf("\"x\"") ==
          "invalid expression type \"string\" for range query, must be Scalar "
          "or instant Vector");
}

}  // namespace
}  // namespace narthex::promql
