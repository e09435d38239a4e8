#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "narthex/model/sample.h"
#include "narthex/promql/parser.h"

namespace narthex::promql {
namespace {

SeriesDescription Series(std::string_view text) {
  auto series = ParseSeriesDescription(text);
  INFO(text << ": " << series.status());
  REQUIRE(series.ok());
  return *std::move(series);
}

// "1 _ stale ..."
std::string Values(std::string_view notation) {
  std::string out;
  for (const SeriesValue& v : Series("m " + std::string(notation)).values) {
    if (!out.empty()) out += ' ';
    if (v.omitted) {
      out += '_';
    } else if (v.histogram != nullptr) {
      out += v.histogram->ToTestString();
    } else {
      out += IsStale(v.value) ? "stale" : FormatFloat(v.value);
    }
  }
  return out;
}

std::string ErrorOf(std::string_view text) {
  return std::string(ParseSeriesDescription(text).status().message());
}

TEST_CASE("a series has a metric and values", "[promql][parse]") {
  CHECK(Series("up").values.empty());
  CHECK(Series("{}").labels == Labels{});
  CHECK(Series("up{a=\"b\", \"c d\"=\"e\"} 1").labels ==
        Labels{{"__name__", "up"}, {"a", "b"}, {"c d", "e"}});
  CHECK(Series("{\"x y\"} 1 2").labels == Labels{{"__name__", "x y"}});
  CHECK(Series("sum 1").labels == Labels{{"__name__", "sum"}});
}

TEST_CASE("values are numbers, gaps and stale markers", "[promql][parse]") {
  CHECK(Values("1 -2.5  +3\t1e3") == "1 -2.5 3 1000");
  CHECK(Values("_ stale inf -Inf NaN") == "_ stale +Inf -Inf NaN");
  CHECK(Values("010 .5") == "8 0.5");
}

TEST_CASE("a repeated value comes once more than it says", "[promql][parse]") {
  CHECK(Values("1x2") == "1 1 1");
  CHECK(Values("_x2 3") == "_ _ 3");
  CHECK(Values("_x0 3") == "3");
  CHECK(Values("0+10x3") == "0 10 20 30");
  CHECK(Values("5-2x2 -1+1x1") == "5 3 1 -1 0");
}

TEST_CASE("repeated steps are added up", "[promql][parse]") {
  const auto values = Series("m 0+0.1x10").values;
  CHECK(values[3].value == 0.1 + 0.1 + 0.1);
  CHECK(values[10].value == 0.9999999999999999);
}

TEST_CASE("histograms are described by their parts", "[promql][parse]") {
  const SeriesDescription series = Series(
      "h {{}} {{schema:-53 sum:-1.5 count:3 z_bucket:2 z_bucket_w:0.5 "
      "offset:-2 buckets:[1 2] n_offset:1 n_buckets:[3] custom_values:[5 inf] "
      "counter_reset_hint:not_reset}} {{buckets:[1] }}x1");
  REQUIRE(series.values.size() == 4);
  CHECK(series.values[0].histogram->positive_spans.empty());
  CHECK_FALSE(series.values[0].hint_set);
  const FloatHistogram& h = *series.values[1].histogram;
  CHECK(h.schema == -53);
  CHECK(h.sum == -1.5);
  CHECK(h.count == 3);
  CHECK(h.zero_count == 2);
  CHECK(h.zero_threshold == 0.5);
  CHECK(h.positive_spans == std::vector<Span>{{-2, 2}});
  CHECK(h.positive_buckets == std::vector<double>{1, 2});
  CHECK(h.negative_spans == std::vector<Span>{{1, 1}});
  CHECK(h.negative_buckets == std::vector<double>{3});
  CHECK(h.custom_values == std::vector<double>{5, HUGE_VAL});
  CHECK(h.hint == CounterResetHint::kNotReset);
  CHECK(series.values[1].hint_set);
  CHECK(series.values[3].histogram->positive_buckets == std::vector<double>{1});
}

TEST_CASE("repeated steps of histograms are added up", "[promql][parse]") {
  CHECK(Values("{{count:1 buckets:[1]}}+{{count:2 buckets:[1 1]}}x2") ==
        "{{count:1 buckets:[1]}} {{count:3 buckets:[2 1]}} "
        "{{count:5 buckets:[3 2]}}");
  CHECK(Values("{{count:5 buckets:[5]}}-{{count:2 buckets:[2]}}x1") ==
        "{{count:5 buckets:[5]}} {{count:3 buckets:[3]}}");
  CHECK(ErrorOf("m {{schema:1}}+{{schema:0}}x1") ==
        "1:30: parse error: error combining histograms: cannot merge from "
        "schema 0 to 1");
}

TEST_CASE("broken series are told with their place", "[promql][parse]") {
  CHECK(ErrorOf("m foo") ==
        "1:3: parse error: unexpected identifier \"foo\" in series values, "
        "expected number or \"stale\"");
  CHECK(ErrorOf("m 1x") ==
        "1:5: parse error: unexpected end of input in series values");
  CHECK(ErrorOf("m 1x1.5") ==
        "1:5: parse error: invalid repetition in series values: "
        "strconv.ParseUint: parsing \"1.5\": invalid syntax");
  CHECK(ErrorOf("m 5m") == "1:3: parse error: bad number syntax: \"5\"");
  CHECK(ErrorOf("m {{foo:1}}") ==
        "1:5: parse error: bad histogram descriptor found: \"foo\"");
  CHECK(ErrorOf("m {{sum:1 sum:2}}") ==
        "1:1: parse error: duplicate key \"sum\" in histogram");
  CHECK(ErrorOf("m 1x99999999999") ==
        "1:16: parse error: too many series values");
  CHECK(ErrorOf("m{a=\"b\" 1") ==
        "1:9: parse error: unexpected character inside braces: '1'");
}

}  // namespace
}  // namespace narthex::promql
