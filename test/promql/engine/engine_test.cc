#include <catch2/catch.hpp>
#include <cmath>

#include <string>

#include "test/promql/engine/lab.h"

namespace narthex::promql::test {
namespace {

TEST_CASE("an instant selector gives the newest sample within the lookback",
          "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"up{job=\"a\"} 0+1x3", "up{job=\"b\"} 7 8 stale"});
  REQUIRE(lab.At("up", Minutes(1)) ==
          "up{job=\"a\"} => 1 @[60000]\nup{job=\"b\"} => 8 @[60000]");
  SECTION("a stale marker ends a series at once") {
    REQUIRE(lab.At("up", Minutes(2)) == "up{job=\"a\"} => 2 @[120000]");
  }
  SECTION("the lookback is open on its left") {
    REQUIRE(lab.At("up", Milliseconds(8 * 60'000 - 1)) ==
            "up{job=\"a\"} => 3 @[479999]");
    REQUIRE(lab.At("up", Minutes(8)) == "");
  }
  SECTION("offset and @ move the instant") {
    REQUIRE(lab.At("up{job=\"a\"} offset 1m", Minutes(2)) ==
            "up{job=\"a\"} => 1 @[120000]");
    REQUIRE(lab.At("up{job=\"a\"} @ 60", Minutes(30)) ==
            "up{job=\"a\"} => 1 @[1800000]");
  }
  SECTION("an unknown metric is an empty answer") {
    REQUIRE(lab.At("nosuch", Minutes(1)) == "");
  }
}

TEST_CASE("a range query gives a sorted matrix", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"b 0+1x3", "a 10 20 _ 40"});
  REQUIRE(
      lab.Range("{__name__=~\"a|b\"}", Minutes(0), Minutes(2), Minutes(1)) ==
      "a =>\n10 @[0]\n20 @[60000]\n20 @[120000]\n"
      "b =>\n0 @[0]\n1 @[60000]\n2 @[120000]");
}

TEST_CASE("rate extrapolates as Prometheus does", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(5), {"http_requests_total{path=\"/foo\"} 0+10x10",
                        "http_requests_total{path=\"/bar\"} 0+10x5 0+10x5"});
  REQUIRE(lab.At("increase(http_requests_total[50m])", Minutes(50)) ==
          "{path=\"/bar\"} => 88.88888888888889 @[3000000]\n"
          "{path=\"/foo\"} => 100 @[3000000]");
  REQUIRE(lab.At("changes(http_requests_total[50m])", Minutes(50)) ==
          "{path=\"/bar\"} => 9 @[3000000]\n"
          "{path=\"/foo\"} => 9 @[3000000]");
  REQUIRE(lab.At("resets(http_requests_total[50m])", Minutes(50)) ==
          "{path=\"/bar\"} => 1 @[3000000]\n"
          "{path=\"/foo\"} => 0 @[3000000]");
}

TEST_CASE("a counter without a counter's name is noted once",
          "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"foo{a=\"1\"} 0+1x10", "foo{a=\"2\"} 0+1x10"});
  REQUIRE(lab.At("sum(rate(foo[5m]))", Minutes(10)) ==
          "{} => 0.03333333333333333 @[600000]\n"
          "PromQL info: metric might not be a counter, name does not end in "
          "_total/_sum/_count/_bucket: \"foo\" (1:10)");
}

TEST_CASE("vectors meet by their labels", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1),
           {"errors{host=\"a\",code=\"500\"} 24",
            "errors{host=\"a\",code=\"404\"} 30",
            "errors{host=\"b\",code=\"500\"} 3", "requests{host=\"a\"} 600",
            "requests{host=\"b\"} 20", "info{host=\"a\",os=\"linux\"} 1"});
  const Duration at = Seconds(30);
  REQUIRE(lab.At("errors{code=\"500\"} / ignoring(code) requests", at) ==
          "{host=\"a\"} => 0.04 @[30000]\n{host=\"b\"} => 0.15 @[30000]");
  REQUIRE(lab.At("errors / ignoring(code) group_left requests", at) ==
          "{code=\"404\", host=\"a\"} => 0.05 @[30000]\n"
          "{code=\"500\", host=\"a\"} => 0.04 @[30000]\n"
          "{code=\"500\", host=\"b\"} => 0.15 @[30000]");
  REQUIRE(lab.At("requests * on(host) group_left(os) info", at) ==
          "{host=\"a\", os=\"linux\"} => 600 @[30000]");
  REQUIRE(lab.At("requests > 100", at) ==
          "requests{host=\"a\"} => 600 @[30000]");
  REQUIRE(lab.At("100 < bool requests", at) ==
          "{host=\"a\"} => 1 @[30000]\n{host=\"b\"} => 0 @[30000]");
  REQUIRE(lab.At("requests and on(host) info", at) ==
          "requests{host=\"a\"} => 600 @[30000]");
  REQUIRE(lab.At("requests unless on(host) info", at) ==
          "requests{host=\"b\"} => 20 @[30000]");
  REQUIRE(lab.At("info or requests", at) ==
          "info{host=\"a\", os=\"linux\"} => 1 @[30000]\n"
          "requests{host=\"a\"} => 600 @[30000]\n"
          "requests{host=\"b\"} => 20 @[30000]");
  SECTION("ambiguity is an error that names both") {
    REQUIRE(lab.At("requests / ignoring(code) errors", at) ==
            "found duplicate series for the match group {host=\"a\"} on the "
            "right hand-side of the operation: "
            "[{__name__=\"errors\", code=\"404\", host=\"a\"}, "
            "{__name__=\"errors\", code=\"500\", host=\"a\"}];many-to-many "
            "matching not allowed: matching labels must be unique on one "
            "side");
    REQUIRE(lab.At("errors / ignoring(code) requests", at) ==
            "multiple matches for labels: many-to-one matching must be "
            "explicit (group_left/group_right)");
  }
}

TEST_CASE("series that take turns on the one side are joined step by step",
          "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1),
           {"use{node=\"n\"} 10x5", "pod{node=\"n\",pod=\"old\"} 1 1 1 stale",
            "pod{node=\"n\",pod=\"new\"} _ _ _ 2 2 2"});
  REQUIRE(lab.Range("use * on(node) group_left(pod) pod", Minutes(0),
                    Minutes(5), Minutes(1)) ==
          "{node=\"n\", pod=\"new\"} =>\n20 @[180000]\n20 @[240000]\n"
          "20 @[300000]\n"
          "{node=\"n\", pod=\"old\"} =>\n10 @[0]\n10 @[60000]\n10 @[120000]");
}

TEST_CASE("aggregations group, and topk picks per step", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1),
           {"m{g=\"x\",i=\"1\"} 1 9", "m{g=\"x\",i=\"2\"} 5 5",
            "m{g=\"y\",i=\"1\"} 3 3", "m{g=\"y\",i=\"2\"} NaN NaN"});
  REQUIRE(lab.At("sum by (g) (m)", Seconds(0)) ==
          "{g=\"x\"} => 6 @[0]\n{g=\"y\"} => NaN @[0]");
  REQUIRE(lab.At("max without (i) (m)", Seconds(0)) ==
          "{g=\"x\"} => 5 @[0]\n{g=\"y\"} => 3 @[0]");
  REQUIRE(lab.At("count(m)", Seconds(0)) == "{} => 4 @[0]");
  REQUIRE(lab.At("quantile(0.5, m{g=\"x\"})", Seconds(0)) == "{} => 3 @[0]");
  REQUIRE(lab.At("topk by (g) (1, m)", Seconds(0)) ==
          "m{g=\"x\", i=\"2\"} => 5 @[0]\nm{g=\"y\", i=\"1\"} => 3 @[0]");
  REQUIRE(lab.Range("topk(1, m)", Minutes(0), Minutes(1), Minutes(1)) ==
          "m{g=\"x\", i=\"1\"} =>\n9 @[60000]\n"
          "m{g=\"x\", i=\"2\"} =>\n5 @[0]");
  REQUIRE(lab.At("count_values(\"v\", m{g=\"x\"})", Seconds(0)) ==
          "{v=\"1\"} => 1 @[0]\n{v=\"5\"} => 1 @[0]");
}

TEST_CASE("a subquery's instants are multiples of its step",
          "[promql][engine]") {
  Lab lab;
  lab.Load(Seconds(10), {"metric 1+1x1000"});
  REQUIRE(lab.At("sum_over_time(metric[50s:10s])", Seconds(100)) ==
          "{} => 45 @[100000]");
  REQUIRE(lab.At("metric[20s:7s] offset 1s", Seconds(50)) ==
          "metric =>\n4 @[35000]\n5 @[42000]\n5 @[49000]");
}

TEST_CASE("classic histograms give quantiles", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(5),
           {"h_bucket{le=\"0.1\"} 0+5x10", "h_bucket{le=\".2\"} 0+7x10",
            "h_bucket{le=\"+Inf\"} 0+12x10"});
  REQUIRE(lab.At("histogram_quantile(0.5, h_bucket)", Minutes(50)) ==
          "{} => 0.15000000000000002 @[3000000]");
}

TEST_CASE("scalars, strings and bare ranges are answers too",
          "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"m 1 stale 3"});
  REQUIRE(lab.At("1 + 2 * 3", Seconds(5)) == "scalar: 7 @[5000]");
  REQUIRE(lab.At("\"text\"", Seconds(5)) == "text");
  REQUIRE(lab.At("m[5m]", Minutes(2)) == "m =>\n1 @[0]\n3 @[120000]");
  REQUIRE(lab.Range("m[5m]", Minutes(0), Minutes(1), Minutes(1)) ==
          "invalid expression type \"range vector\" for range query, must be "
          "Scalar or instant Vector");
  REQUIRE(lab.Range("time()", Minutes(0), Minutes(1), Minutes(1)) ==
          "{} =>\n0 @[0]\n60 @[60000]");
}

TEST_CASE("a bad query says where", "[promql][engine]") {
  Lab lab;
  REQUIRE(lab.At("rate(foo)", Seconds(0)).find("1:6: parse error:") == 0);
}

TEST_CASE("limits refuse a query instead of the host", "[promql][engine]") {
  SECTION("samples") {
    Lab lab({.max_samples = 10});
    lab.Load(Minutes(1), {"m 0x100"});
    REQUIRE(lab.Range("m", Minutes(0), Minutes(50), Minutes(1)) ==
            "query processing would load too many samples into memory in "
            "query execution");
  }
  SECTION("steps beyond any memory") {
    Lab lab;
    lab.Load(Minutes(1), {"m 0x100"});
    REQUIRE(lab.At("max_over_time(vector(1)[100y:1ms])", Minutes(1))
                .find("too many samples") != std::string::npos);
  }
  SECTION("bytes") {
    Lab lab({.max_bytes = 64 * 1024});
    lab.Load(Seconds(1), {"m 0x20000"});
    const auto result =
        lab.TryRange("m", Seconds(0), Seconds(20000), Seconds(1));
    REQUIRE(result.status().code() == absl::StatusCode::kResourceExhausted);
  }
  SECTION("cancellation") {
    Lab lab;
    lab.Load(Minutes(1), {"m 0x100"});
    CancelToken token;
    token.Cancel();
    const auto result = lab.engine().Instant(lab.store(), "m", Timestamp(0),
                                             {.cancel = &token});
    REQUIRE(Message(result.status()) ==
            "query was canceled in expression evaluation");
  }
  SECTION("time") {
    Lab lab({.timeout = Milliseconds(0)});
    lab.Load(Minutes(1), {"m 0x100"});
    REQUIRE(lab.At("m", Minutes(1)) ==
            "query timed out in expression evaluation");
  }
}

TEST_CASE("trimming a number is refused", "[promql][engine]") {
  Lab lab;
  CHECK(lab.At("1 >/ 1", Minutes(1)) ==
        "operator \">/\" not allowed for Scalar operations");
  CHECK(lab.Range("time() </ 1", Minutes(0), Minutes(5), Minutes(1)) ==
        "operator \"</\" not allowed for Scalar operations");
}

TEST_CASE("annotations point where Prometheus's point", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"m 1x10 {{count:1 sum:1 buckets:[1]}}x10"});
  // The sign belongs to the operand.
  CHECK(lab.At("min(+m)", Minutes(15)) ==
        "\nPromQL info: ignored histogram in min aggregation (1:5)");
  // The first argument, though it is not the range.
  CHECK(lab.At("count(quantile_over_time(0.5, m[15m]))", Minutes(15)) ==
        "{} => 1 @[900000]\nPromQL info: ignored histograms in a range "
        "containing both floats and histograms for metric name \"m\" (1:26)");
  // Where a subquery stood is forgotten.
  CHECK(lab.At("count(rate(m[5m:1m]))", Minutes(8)) ==
        "{} => 1 @[480000]\nPromQL info: metric might not be a counter, name "
        "does not end in _total/_sum/_count/_bucket: \"m\" (1:1)");
}

TEST_CASE("an operand that cannot matter still warns", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"m 1x10"});
  CHECK(
      lab.At("none ^ on (a) (m or histogram_quantile(3, none))", Minutes(5)) ==
      "\nPromQL warning: quantile value should be between 0 and 1, got 3 "
      "(1:40)");
}

TEST_CASE("only a bare selector has its samples' times", "[promql][engine]") {
  Lab lab;
  lab.Load(Minutes(1), {"m 1x10"});
  CHECK(lab.At("timestamp((m))", Seconds(630)) == "{} => 600 @[630000]");
  CHECK(lab.At("timestamp(+m)", Seconds(630)) == "{} => 630 @[630000]");

  EngineOptions options;
  options.experimental_functions = true;
  options.start_timestamps = true;
  const Engine engine(options);
  SeriesData row;
  row.labels = {{"__name__", "m"}};
  row.floats = {{600'000, 1}};
  row.start_times = {540'000};
  const auto store = NewMemoryQueryable({row});
  auto ask = [&](std::string_view query) {
    auto result = engine.Instant(*store, query, Timestamp(630'000));
    return result.ok() ? ToString(result->value)
                       : std::string(Message(result.status()));
  };
  CHECK(ask("start_timestamp((m @ 610))") == "{} => 540 @[630000]");
  CHECK(ask("start_timestamp(+m)").empty());
  CHECK(ask("start_timestamp(+m @ 610)").empty());
  CHECK(ask("start_timestamp(-m)").empty());
}

TEST_CASE("powers are the C library's, a last digit from Go's",
          "[promql][engine]") {
  Lab lab;
  auto power = lab.TryAt("2 ^ 1.5", Minutes(0));
  REQUIRE(power.ok());
  const double ours = std::get<ScalarValue>(power->value).v;
  CHECK(ours == std::pow(2, 1.5));
  // Prometheus's, in which Go's function ends in another digit than glibc's.
  const double theirs = 2.82842712474619;
  CHECK(theirs != 2.8284271247461903);
  CHECK(std::abs(ours - theirs) <= std::nextafter(theirs, 3) - theirs);
}

}  // namespace
}  // namespace narthex::promql::test
