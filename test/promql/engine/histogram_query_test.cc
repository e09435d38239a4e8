// Native histograms, anchored ranges and info() from text to answer; that they
// mean what Prometheus means, its own .test files hold.

#include <catch2/catch.hpp>
#include <string>

#include "test/promql/engine/lab.h"

namespace narthex::promql::test {
namespace {

EngineOptions Everything() {
  EngineOptions options;
  options.experimental_functions = true;
  options.extended_range_selectors = true;
  options.start_timestamps = true;
  return options;
}

TEST_CASE("histograms are rated, summed and asked for quantiles",
          "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1),
           {"h{a=\"1\"} {{count:0 buckets:[0 0]}}+{{count:60 sum:90 "
            "buckets:[30 30]}}x10",
            "h{a=\"2\"} {{count:0 buckets:[0 0]}}+{{count:60 sum:90 "
            "buckets:[60]}}x10"});
  REQUIRE(lab.At("sum(rate(h[5m]))", Minutes(10)) ==
          "{} => {count:2, sum:3, (0.5,1]:1.5, (1,2]:0.5} @[600000]");
  REQUIRE(lab.At("histogram_count(sum(rate(h[5m])))", Minutes(10)) ==
          "{} => 2 @[600000]");
  REQUIRE(lab.At("histogram_quantile(0.75, sum(rate(h[5m])))", Minutes(10)) ==
          "{} => 1 @[600000]");
  REQUIRE(lab.At("h{a=\"1\"} + 1", Minutes(10)) ==
          "\nPromQL info: incompatible sample types encountered for binary "
          "operator \"+\": histogram + float (1:1)");
  REQUIRE(lab.At("delta(h{a=\"1\"}[5m]) </ 1", Minutes(10)) ==
          "{a=\"1\"} => {count:150, sum:106.06601717798213, (0.5,1]:150} "
          "@[600000]\nPromQL warning: this native histogram metric is not a "
          "gauge: \"h\" (1:7)");
}

TEST_CASE("steps that see one histogram share it", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(2), {"h {{count:1 buckets:[1]}} {{count:2 buckets:[2]}}"});
  REQUIRE(lab.Range("h * 2", Minutes(0), Minutes(3), Minutes(1)) ==
          "{} =>\n{count:2, sum:0, (0.5,1]:2} @[0]\n"
          "{count:2, sum:0, (0.5,1]:2} @[60000]\n"
          "{count:4, sum:0, (0.5,1]:4} @[120000]\n"
          "{count:4, sum:0, (0.5,1]:4} @[180000]");
}

TEST_CASE("anchored and smoothed ranges have values at their ends",
          "[promql][engine]") {
  Lab lab(Everything());
  lab.Load(Minutes(1), {"m 0+10x10"});
  REQUIRE(lab.At("m[90s] anchored", Minutes(5)) ==
          "m =>\n30 @[210000]\n40 @[240000]\n50 @[300000]");
  REQUIRE(lab.At("m[90s] smoothed", Minutes(5)) ==
          "m =>\n35 @[210000]\n40 @[240000]\n50 @[300000]");
  REQUIRE(lab.At("increase(m[90s] smoothed)", Seconds(330)) ==
          "{} => 15 @[330000]\nPromQL info: metric might not be a counter, "
          "name does not end in _total/_sum/_count/_bucket: \"m\" (1:10)");
  REQUIRE(lab.At("m smoothed", Seconds(330)) == "m => 55 @[330000]");
  lab.Load(Minutes(1), {"h {{count:1 buckets:[1]}}x10"});
  REQUIRE(lab.At("h[90s] anchored", Minutes(5)) ==
          "anchored modifier is not supported with histograms");
}

TEST_CASE("info() adds labels of the newest info series", "[promql][engine]") {
  Lab lab(Everything());
  lab.Load(Minutes(1),
           {"up{instance=\"a\",job=\"j\"} 1 1 1 1",
            "target_info{instance=\"a\",job=\"j\",zone=\"x\"} 1 1 stale",
            "target_info{instance=\"a\",job=\"j\",zone=\"y\"} _ _ 1 1"});
  REQUIRE(lab.Range("info(up)", Minutes(0), Minutes(3), Minutes(1)) ==
          "up{instance=\"a\", job=\"j\", zone=\"x\"} =>\n1 @[0]\n1 @[60000]\n"
          "up{instance=\"a\", job=\"j\", zone=\"y\"} =>\n1 @[120000]\n"
          "1 @[180000]");
}

TEST_CASE("a store's histogram whose spans lie is refused",
          "[promql][engine]") {
  SeriesData series;
  series.labels = Labels{{"__name__", "h"}};
  FloatHistogram h;
  h.count = 1;
  h.positive_spans = {{0, 1000}};
  h.positive_buckets = {1};
  series.histograms.emplace_back(0, h);
  const auto store = NewMemoryQueryable({series});
  const Engine engine;
  for (const char* query : {"h", "sum(h)", "histogram_quantile(0.5, h)"}) {
    const auto result = engine.Instant(*store, query, 0);
    REQUIRE_FALSE(result.ok());
    CHECK(Message(result.status()) ==
          "expanding series: a histogram's spans and buckets differ");
  }
}

}  // namespace
}  // namespace narthex::promql::test
