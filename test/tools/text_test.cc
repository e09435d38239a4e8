// What the binary prints: pure texts, compared with promtool's.

#include <catch2/catch.hpp>
#include <cmath>

#include "narthex/base/status.h"
#include "tools/plot.h"
#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/value_text.h"

namespace narthex::tools {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("spans are printed as Go prints them", "[tools]") {
  CHECK(GoDuration(Hours(2)) == "2h0m0s");
  CHECK(GoDuration(Seconds(10)) == "10s");
  CHECK(GoDuration(Milliseconds(20252)) == "20.252s");
  CHECK(GoDuration(Milliseconds(1500)) == "1.5s");
  CHECK(GoDuration(Milliseconds(1)) == "1ms");
  CHECK(GoDuration(Duration(0)) == "0s");
  CHECK(GoDuration(Minutes(-61)) == "-1h1m0s");
}

TEST_CASE("bytes and times for people are printed as promtool does",
          "[tools]") {
  CHECK(HumanBytes(0) == "0B");
  CHECK(HumanBytes(513) == "513B");
  CHECK(HumanBytes(214 * 1024 + 1004) == "214KiB1004B");
  CHECK(HumanBytes(1 << 20) == "1MiB");
  CHECK(HumanTime(1700000015001) == "2023-11-14 22:13:35 +0000 UTC");
}

TEST_CASE("durations on the command line are Go's or Prometheus's", "[tools]") {
  CHECK(*ParseDurationFlag("1h30m") == Minutes(90));
  CHECK(*ParseDurationFlag("1.5s") == Milliseconds(1500));
  CHECK(*ParseDurationFlag("1m0.5s") == Milliseconds(60500));
  CHECK(*ParseDurationFlag("2d") == Hours(48));
  CHECK_FALSE(ParseDurationFlag("5").ok());
  CHECK_FALSE(ParseDurationFlag("5 s").ok());
  CHECK_FALSE(ParseDurationFlag("s").ok());
}

TEST_CASE("a query's mistake is marked where it is", "[tools]") {
  CHECK(MarkQueryError("sum(foo", "1:8: parse error: x") ==
        "  sum(foo\n         ^\n");
  CHECK(MarkQueryError("a +\n  nonsense b",
                       "invalid parameter \"query\": 2:3: parse error: x") ==
        "    nonsense b\n    ^~~~~~~~\n");
  CHECK(MarkQueryError("\tn\xc3\xb6 foo", "1:6: parse error: x") ==
        "  \tn\xc3\xb6 foo\n  \t   ^~~\n");
  CHECK(MarkQueryError("up", "no position here: 12").empty());
  CHECK(MarkQueryError("up", "7:1: beyond the text").empty());
}

TEST_CASE("values are printed as promtool prints them", "[tools]") {
  promql::Vector vector;
  vector.push_back(
      {Labels{{"__name__", "up"}, {"job", "a\"b"}}, 1795177652194, 1, nullptr});
  vector.push_back({Labels{}, 60000, NAN, nullptr});
  CHECK(PromqlText(vector) ==
        "up{job=\"a\\\"b\"} => 1 @[1795177652.194]\n{} => NaN @[60]\n");
  CHECK(JsonText(vector) ==
        R"([{"metric":{"__name__":"up","job":"a\"b"},)"
        R"("value":[1795177652.194,"1"]},{"metric":{},"value":[60,"NaN"]}])"
        "\n");
  promql::MatrixSeries series;
  series.labels = Labels{{"__name__", "up"}};
  series.floats = {{1000, 1}, {1100, 2.5}};
  const promql::Value matrix = promql::Matrix{series};
  CHECK(PromqlText(matrix) == "up =>\n1 @[1]\n2.5 @[1.1]\n");
  CHECK(JsonText(matrix) ==
        R"([{"metric":{"__name__":"up"},"values":[[1,"1"],[1.1,"2.5"]]}])"
        "\n");
  CHECK(PromqlText(promql::ScalarValue{4000, 2}) == "scalar: 2 @[4]\n");
  CHECK(JsonText(promql::StringValue{4000, "<"}) == "[4,\"\\u003c\"]\n");
  CHECK(PromqlText(promql::Vector{}) == "\n");
  CHECK(JsonText(promql::Vector{}) == "[]\n");
}

TEST_CASE("a graph has axes, a curve and a legend", "[tools]") {
  promql::MatrixSeries series;
  series.labels = Labels{{"__name__", "load"}};
  for (int64_t i = 0; i <= 100; ++i) {
    series.floats.push_back({i * 1000, static_cast<double>(i)});
  }
  const TimeRange range{0, 100'000};
  PlotOptions options;
  options.width = 60;
  options.height = 8;
  const std::string plot = Plot({series}, range, options);
  INFO(plot);
  CHECK_THAT(plot, Contains("100┤") && Contains("  0┤") && Contains("└──") &&
                       Contains("00:00:00") && Contains("00:01:40") &&
                       Contains("━━ load") &&
                       Contains("min 0  max 100  last 100"));
  CHECK_THAT(plot, !Contains("\033"));

  SECTION("colours are asked for") {
    options.colors = true;
    CHECK_THAT(Plot({series}, range, options), Contains("\033[36m"));
  }
  SECTION("without them, letters tell series apart") {
    promql::MatrixSeries other = series;
    for (Sample& sample : other.floats) sample.v = 50;
    const std::string both = Plot({series, other}, range, options);
    CHECK_THAT(both, Contains("aa") && Contains("bbbb"));
  }
  SECTION("nothing, one point and no numbers are no trouble") {
    CHECK(Plot({}, range, options) == "no data\n");
    series.floats = {{5000, 3}};
    CHECK_THAT(Plot({series}, range, options), Contains("last 3"));
    series.floats = {{5000, NAN}, {6000, INFINITY}};
    CHECK_THAT(Plot({series}, range, options), Contains("load"));
    series.floats = {{5000, 1e308}, {6000, -1e308}};
    CHECK_THAT(Plot({series}, {5000, 5000}, options), Contains("load"));
  }
}

}  // namespace
}  // namespace narthex::tools
