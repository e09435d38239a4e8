#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/promql/explain.h"
#include "test/promql/engine/lab.h"

namespace narthex::promql {
namespace {

using test::Lab;

void Fill(Lab& lab) {
  std::vector<std::string> lines;
  for (int i = 0; i < 30; ++i) {
    lines.push_back(StrCat("m{i=\"", i, "\",j=\"", i % 3, "\"} 0+1x59"));
  }
  lab.Load(Seconds(10), lines);
}

TEST_CASE("EXPLAIN ANALYZE counts what every node did", "[promql][report]") {
  ThreadPool pool(3);
  for (Executor* executor :
       {static_cast<Executor*>(nullptr), static_cast<Executor*>(&pool)}) {
    for (const size_t tile : {0, 4}) {
      Lab lab({.tile_steps = tile, .executor = executor});
      Fill(lab);
      PlanReport report;
      const auto result = lab.engine().Range(
          lab.store(), "sum by (j) (rate(m[1m])) > 0", {100'000, 190'000},
          Seconds(10), {.report = &report});
      REQUIRE(result.ok());
      REQUIRE(report.analyzed);
      REQUIRE(report.nodes.size() == 5);
      const std::vector<std::string> texts = {
          "binary >", "aggregate sum by (j)", "window rate",
          "read [1m] of selection 0", "number 0"};
      for (size_t i = 0; i < texts.size(); ++i) {
        INFO(i);
        REQUIRE(report.nodes[i].text == texts[i]);
        REQUIRE(report.nodes[i].steps == 10);
      }
      REQUIRE(report.nodes[0].series == 3);
      REQUIRE(report.nodes[0].values == 30);
      REQUIRE(report.nodes[1].values == 30);
      REQUIRE(report.nodes[2].series == 30);
      REQUIRE(report.nodes[2].values == 300);
      REQUIRE(report.nodes[2].bytes > 0);
      // What the nodes decoded is what the query did.
      int64_t samples = 0;
      for (const PlanStep& node : report.nodes) samples += node.samples;
      REQUIRE(samples == result->stats.samples_decoded);
      REQUIRE(report.nodes[3].samples == samples);
      REQUIRE(report.nodes[3].values == samples);
      if (tile == 0) REQUIRE(samples == 30 * 15);
      for (const PlanStep& node : report.nodes) {
        REQUIRE(node.seconds >= node.own_seconds);
      }
      // The answer is what it is without anybody looking.
      const auto plain =
          lab.engine().Range(lab.store(), "sum by (j) (rate(m[1m])) > 0",
                             {100'000, 190'000}, Seconds(10));
      REQUIRE(SameBits(plain->value, result->value));
      REQUIRE(report.ToText().find("    window rate, 10 steps: 30 series, 300 "
                                   "values, ") != std::string::npos);
      const std::string json = report.ToJson();
      REQUIRE(json.find("{\"nodes\":[{\"text\":\"binary >\",\"depth\":0,"
                        "\"pos\":{\"start\":0,\"end\":28},\"steps\":10,"
                        "\"series\":3,\"values\":30,") == 0);
    }
  }
}

TEST_CASE("EXPLAIN says what would be read", "[promql][report]") {
  const auto report =
      ExplainPlan(EngineOptions{}, "a{b=\"\\\"\"} @ 10", {0, 0}, Duration(0));
  REQUIRE(report.ok());
  REQUIRE(!report->analyzed);
  REQUIRE(report->ToJson() ==
          "{\"nodes\":[{\"text\":\"once\",\"depth\":0,\"pos\":{\"start\":0,"
          "\"end\":14},\"steps\":1},{\"text\":\"scan of selection 0 @ 10\","
          "\"depth\":1,\"pos\":{\"start\":0,\"end\":14},\"steps\":1}],"
          "\"selections\":[\"{b=\\\"\\\\\\\"\\\",__name__=\\\"a\\\"} from "
          "-289.999 to 10, for query, 1 user\"]}");
}

}  // namespace
}  // namespace narthex::promql
