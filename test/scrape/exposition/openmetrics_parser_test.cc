#include "libscrape/exposition/openmetrics_parser.h"

#include <catch2/catch.hpp>
#include <string>

#include "test/scrape/exposition/entries.h"

namespace narthex::scrape {
namespace {

using Lines = std::vector<std::string>;

Parsed Parse(std::string_view page) {
  return ParsePage(page, PageFormat::kOpenMetrics);
}
std::string ErrorOf(std::string_view page) { return Parse(page).error; }

TEST_CASE("an OpenMetrics page says types, units, seconds and exemplars",
          "[scrape][exposition]") {
  const Parsed got = Parse(
      "# HELP rpc_seconds How \\\"long\\\"\n"
      "# TYPE rpc_seconds histogram\n"
      "# UNIT rpc_seconds seconds\n"
      "rpc_seconds_bucket{le=\"1\"} 17 1520879607.789 # {id=\"a b\"} 0.5\n"
      "rpc_seconds_bucket{le=\"+Inf\"} 20 # {id=\"c\",x=\"y\"} 4 12.5\n"
      "rpc_seconds_count 20 -0.5\n"
      "# TYPE x stateset\n"
      "x{x=\"on\"} 1\n"
      "# TYPE i info\n"
      "i_info{v=\"1\"} 1\n"
      "# TYPE g gaugehistogram\n"
      "{\"utf.8\",a=\"b\"} 1\n"
      "# HELP empty \n"
      "# EOF\n");
  REQUIRE(got.error.empty());
  REQUIRE(
      got.entries ==
      Lines{"HELP rpc_seconds How \"long\"", "TYPE rpc_seconds histogram",
            "UNIT rpc_seconds seconds",
            "{__name__=\"rpc_seconds_bucket\", le=\"1.0\"} 17 @1520879607789 # "
            "{id=\"a b\"} 0.5",
            "{__name__=\"rpc_seconds_bucket\", le=\"+Inf\"} 20 # {id=\"c\", "
            "x=\"y\"} 4 @12500",
            "{__name__=\"rpc_seconds_count\"} 20 @-500", "TYPE x stateset",
            "{__name__=\"x\", x=\"on\"} 1", "TYPE i info",
            "{__name__=\"i_info\", v=\"1\"} 1", "TYPE g gaugehistogram",
            "{__name__=\"utf.8\", a=\"b\"} 1", "HELP empty "});
}

TEST_CASE("an OpenMetrics page ends with EOF and nothing behind it",
          "[scrape][exposition]") {
  REQUIRE(ErrorOf("a 1\n").find("data does not end with # EOF") !=
          std::string::npos);
  REQUIRE(ErrorOf("").find("data does not end with # EOF") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1").find("data does not end with # EOF") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1\n# EOF\nb 2\n").find("unexpected data after # EOF") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1\n# EOF").empty());
  ExpositionParser parser("# EOF\n", PageFormat::kOpenMetrics);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(parser.Next() == ExpositionParser::Entry::kEnd);
    REQUIRE(parser.status().ok());
  }
}

TEST_CASE("OpenMetrics is strict about blanks and commas",
          "[scrape][exposition]") {
  for (const char* page :
       {"a  1\n# EOF\n", " a 1\n# EOF\n", "a\t1\n# EOF\n",
        "a{b = \"c\"} 1\n# EOF\n", "a{b=\"c\"d=\"e\"} 1\n# EOF\n",
        "a{b=\"c\n\"} 1\n# EOF\n", "\n# EOF\n", "# a comment\n# EOF\n",
        "#HELP a b\n# EOF\n", "# TYPE a untyped\n# EOF\n",
        "# UNIT a_bytes seconds\n# EOF\n", "# HELP a\n# EOF\n",
        "a 1 # {b=\"c\"}\n# EOF\n", "a 1 # {\"b\"} 1\n# EOF\n",
        "a 1 NaN\n# EOF\n", "a 1 1e400\n# EOF\n", "a 1 2 3\n# EOF\n"}) {
    INFO(page);
    REQUIRE_FALSE(ErrorOf(page).empty());
  }
  REQUIRE(ErrorOf("a{b=\"c\",} 1\n# EOF\n").empty());
}

TEST_CASE("after an error nothing more is parsed", "[scrape][exposition]") {
  ExpositionParser parser("a x\nb 1\n# EOF\n", PageFormat::kOpenMetrics);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(parser.Next() == ExpositionParser::Entry::kEnd);
    REQUIRE_FALSE(parser.status().ok());
  }
  REQUIRE(parser.status().message().find("line 1") != std::string::npos);
}

TEST_CASE("OpenMetrics: _created lines are start times if asked for",
          "[scrape][exposition]") {
  const std::string page =
      "# TYPE c counter\n"
      "c_total{a=\"1\"} 5 # {id=\"x\"} 1\nc_created{a=\"1\"} 100.25\n"
      "c_total{a=\"2\"} 6\n"
      "c_total{a=\"3\"} 7\nc_created{a=\"3\"} 300\n"
      "# TYPE s summary\n"
      "s{quantile=\"0.5\"} 1\ns_count 1\ns_created 400\ns_sum 2\n"
      "# TYPE g gauge\n"
      "g_created 1\n"
      "# EOF\n";
  ParserOptions options;
  options.start_times = true;
  const Parsed parsed = ParsePage(page, PageFormat::kOpenMetrics, options);
  REQUIRE(parsed.error == "");
  // The first line below decides; of a="2" it is another's.
  REQUIRE(parsed.entries ==
          std::vector<std::string>{
              "TYPE c counter",
              R"({__name__="c_total", a="1"} 5 # {id="x"} 1 since 100250)",
              R"({__name__="c_total", a="2"} 6)",
              R"({__name__="c_total", a="3"} 7 since 300000)", "TYPE s summary",
              R"({__name__="s", quantile="0.5"} 1 since 400000)",
              R"({__name__="s_count"} 1 since 400000)",
              R"({__name__="s_sum"} 2)", "TYPE g gauge",
              R"({__name__="g_created"} 1)"});
  REQUIRE(ParsePage(page, PageFormat::kOpenMetrics).entries.size() == 13);
}

}  // namespace
}  // namespace narthex::scrape
