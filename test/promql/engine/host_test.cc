#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/promql/host_function.h"
#include "narthex/promql/printer.h"
#include "narthex/promql/virtual_series.h"
#include "test/promql/engine/lab.h"

namespace narthex::promql {
namespace {

using test::Lab;

HostFunction Named(std::string name) {
  HostFunction f;
  f.name = std::move(name);
  f.map = [](const HostColumn&) { return absl::OkStatus(); };
  return f;
}

TEST_CASE("built-in functions can be written as a host's", "[promql][host]") {
  FunctionSet functions;
  HostFunction twin = Named("my_abs");
  twin.map = [](const HostColumn& c) {
    for (double& v : c.values) v = std::fabs(v);
    return absl::OkStatus();
  };
  REQUIRE(functions.Add(twin).ok());
  twin = Named("my_clamp_min");
  twin.scalars = 1;
  twin.map = [](const HostColumn& c) {
    for (size_t k = 0; k < c.values.size(); ++k) {
      c.values[k] = std::fmax(c.values[k], c.params[0][k]);
    }
    return absl::OkStatus();
  };
  REQUIRE(functions.Add(twin).ok());
  HostFunction window;
  window.name = "my_last";
  window.keeps_name = true;
  window.window = [](const HostWindow& w) { return std::optional(w.v.back()); };
  REQUIRE(functions.Add(window).ok());
  window.name = "my_count";
  window.keeps_name = false;
  window.window = [](const HostWindow& w) {
    return std::optional(static_cast<double>(w.v.size()));
  };
  REQUIRE(functions.Add(window).ok());
  window.name = "my_share_above";
  window.scalars = 1;
  window.window = [](const HostWindow& w) -> std::optional<double> {
    double n = 0;
    for (double v : w.v) n += v > w.params[0] ? 1 : 0;
    if (n == 0) return std::nullopt;
    return n / static_cast<double>(w.v.size());
  };
  REQUIRE(functions.Add(window).ok());

  ThreadPool pool(3);
  Lab lab({.functions = &functions, .executor = &pool});
  lab.Load(Seconds(10), {"m{i=\"a\"} -5+1x20", "m{i=\"b\"} 3 _ _ stale 4x8"});
  auto same = [&](const char* mine, const char* theirs) {
    INFO(mine);
    REQUIRE(lab.Range(mine, Seconds(0), Seconds(200), Seconds(15)) ==
            lab.Range(theirs, Seconds(0), Seconds(200), Seconds(15)));
    REQUIRE(lab.At(mine, Seconds(70)) == lab.At(theirs, Seconds(70)));
  };
  same("my_abs(m)", "abs(m)");
  same("my_clamp_min(m, time() / 50)", "clamp_min(m, time() / 50)");
  same("my_last(m[1m] offset 10s)", "last_over_time(m[1m] offset 10s)");
  same("my_count(m[1m])", "count_over_time(m[1m])");
  same("sum(my_count(m[1m:20s]))", "sum(count_over_time(m[1m:20s]))");
  same("my_abs(m @ 30)", "abs(m @ 30)");
  REQUIRE(lab.At("my_share_above(m[1m], 0)", Seconds(80)) ==
          "{i=\"a\"} => 0.5 @[80000]\n{i=\"b\"} => 1 @[80000]");

  SECTION("they print as they were written") {
    ParserOptions parser;
    parser.functions = &functions;
    const auto expr = ParseExpr("my_share_above(m[1m], 2)", parser);
    REQUIRE(expr.ok());
    REQUIRE(Print(**expr) == "my_share_above(m[1m], 2)");
  }
  SECTION("types are checked like those of any function") {
    REQUIRE(lab.At("my_abs(m[1m])", Seconds(0)) ==
            "1:8: parse error: expected type instant vector in call to "
            "function \"my_abs\", got range vector");
    REQUIRE(lab.At("my_clamp_min(m)", Seconds(0))
                .find("expected 2 argument(s) in call to \"my_clamp_min\"") !=
            std::string::npos);
  }
  SECTION("who does not know them does not know them") {
    Lab other;
    other.Load(Seconds(10), {"m 1"});
    REQUIRE(other.At("my_abs(m)", Seconds(0)) ==
            "1:1: parse error: unknown function with name \"my_abs\"");
  }
}

TEST_CASE("what a host function does wrong stays in its query",
          "[promql][host]") {
  FunctionSet functions;
  HostFunction bad = Named("throws");
  bad.map = [](const HostColumn&) -> absl::Status {
    throw std::runtime_error("out of cheese");
  };
  REQUIRE(functions.Add(bad).ok());
  HostFunction window;
  window.name = "refuses";
  window.window =
      [](const HostWindow&) -> absl::StatusOr<std::optional<double>> {
    return FailedPrecondition("not today");
  };
  REQUIRE(functions.Add(window).ok());
  ThreadPool pool(3);
  Lab lab({.functions = &functions, .executor = &pool});
  lab.Load(Seconds(10), {"m 1x10"});
  REQUIRE(lab.At("throws(m)", Seconds(10)) == "function throws: out of cheese");
  REQUIRE(lab.At("refuses(m[1m])", Seconds(10)) ==
          "function refuses: not today");
  REQUIRE(lab.At("m", Seconds(10)) == "m => 1 @[10000]");
}

TEST_CASE("names of host functions are free names", "[promql][host]") {
  FunctionSet functions;
  REQUIRE(functions.Add(Named("mine")).ok());
  REQUIRE(functions.Add(Named("mine")).code() ==
          absl::StatusCode::kAlreadyExists);
  REQUIRE(functions.Add(Named("rate")).code() ==
          absl::StatusCode::kAlreadyExists);
  for (const char* name : {"", "1st", "a-b", "sum", "by", "offset", "nan"}) {
    INFO(name);
    REQUIRE(functions.Add(Named(name)).code() ==
            absl::StatusCode::kInvalidArgument);
  }
  HostFunction neither;
  neither.name = "neither";
  REQUIRE(functions.Add(neither).code() == absl::StatusCode::kInvalidArgument);
}

class Queues final : public SeriesSource {
 public:
  absl::Status Collect(const SourceRequest& request,
                       SeriesCollector& out) override {
    ++asked;
    for (const auto& [name, length] : lengths) {
      NARTHEX_RETURN_IF_ERROR(
          out.Add(Labels{{"__name__", "queue"}, {"name", name}},
                  {{request.range.max, length}}));
    }
    return failure;
  }
  std::vector<std::pair<std::string, double>> lengths = {{"b", 3}, {"a", 2}};
  absl::Status failure;
  int asked = 0;
};

TEST_CASE("series that nobody stores are queried like any other",
          "[promql][host]") {
  Queues queues;
  Lab lab;
  lab.Load(Seconds(10), {"limit{name=\"a\"} 4x10", "limit{name=\"b\"} 6x10",
                         "queue{name=\"a\"} 77x10", "queue{name=\"c\"} 5x10"});
  const auto both = NewVirtualQueryable(queues, &lab.store());
  const Engine engine{EngineOptions{}};
  auto at = [&](Queryable& store, const char* query) {
    const auto result = engine.Instant(store, query, Timestamp(50'000));
    return result.ok() ? ToString(result->value)
                       : std::string(Message(result.status()));
  };
  // The host's series hides the stored one; the rest is there.
  REQUIRE(at(*both, "queue") ==
          "queue{name=\"a\"} => 2 @[50000]\n"
          "queue{name=\"b\"} => 3 @[50000]\n"
          "queue{name=\"c\"} => 5 @[50000]");
  REQUIRE(at(*both, "sum(queue / limit)") == "{} => 1 @[50000]");
  REQUIRE(at(*both, "queue{name!=\"a\"}").find("\"a\"") == std::string::npos);
  const auto alone = NewVirtualQueryable(queues);
  REQUIRE(at(*alone, "max(queue)") == "{} => 3 @[50000]");
  REQUIRE(at(*alone, "limit") == "");
  SECTION("once per selector") {
    queues.asked = 0;
    REQUIRE(at(*both, "queue + queue - queue") != "");
    REQUIRE(queues.asked == 1);
  }
  SECTION("label names and values are theirs too") {
    auto querier = both->NewQuerier({0, 100'000});
    MemoryBudget budget;
    const CancelToken cancel;
    REQUIRE(*(*querier)->LabelValues("name", {}, 0, {budget, cancel}) ==
            std::vector<std::string>{"a", "b", "c"});
  }
  SECTION("bad sources end in errors") {
    queues.lengths.push_back({"a", 1});
    REQUIRE(at(*both, "queue") ==
            "expanding series: series of the host: queue{name=\"a\"} is there "
            "more than once");
    queues.lengths.pop_back();
    queues.failure = Unavailable("asleep");
    REQUIRE(at(*both, "queue") ==
            "expanding series: series of the host: asleep");
  }
}

}  // namespace
}  // namespace narthex::promql
