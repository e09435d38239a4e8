#include "libscrape/exposition/nhcb_parser.h"

#include <catch2/catch.hpp>

#include "test/scrape/exposition/entries.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kPage =
    "# HELP h Help.\n"
    "# TYPE h histogram\n"
    "h_bucket{job=\"a\",le=\"1\"} 2\n"
    "h_bucket{le=\"5\",job=\"a\"} 2\n"
    "h_bucket{job=\"a\",le=\"+Inf\"} 7\n"
    "h_sum{job=\"a\"} 33.5\n"
    "h_count{job=\"a\"} 7\n"
    "h_bucket{job=\"b\",le=\"1\"} 1.5\n"
    "h_count{job=\"b\"} 2.5\n"
    "# TYPE g gauge\n"
    "g 1\n";

ParserOptions Convert(bool keep) {
  ParserOptions options;
  options.convert_classic_histograms_to_nhcb = true;
  options.keep_classic_histograms = keep;
  return options;
}

TEST_CASE("classic histograms of text pages come out as native ones",
          "[scrape][exposition]") {
  const std::string a =
      R"({__name__="h", job="a"} {{schema:-53 count:7 sum:33.5 )"
      "custom_values:[1 5] buckets:[2 0 5]}}";
  const std::string b =
      R"({__name__="h", job="b"} float {{schema:-53 count:2.5 )"
      "custom_values:[1] buckets:[1.5 1]}}";
  Parsed parsed = ParsePage(kPage, PageFormat::kText, Convert(false));
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries ==
          std::vector<std::string>{"HELP h Help.", "TYPE h histogram", a, b,
                                   "TYPE g gauge", R"({__name__="g"} 1)"});
  parsed = ParsePage(kPage, PageFormat::kText, Convert(true));
  REQUIRE(parsed.entries.size() == 13);
  REQUIRE(parsed.entries[6] == R"({__name__="h_count", job="a"} 7)");
  REQUIRE(parsed.entries[7] == a);
  REQUIRE(parsed.entries[10] == b);
}

TEST_CASE("what does not add up stays out, its other samples too",
          "[scrape][exposition]") {
  const auto entries = [](std::string_view lines) {
    return ParsePage(StrCat("# TYPE h histogram\n", lines), PageFormat::kText,
                     Convert(false))
        .entries;
  };
  REQUIRE(entries("h_bucket{le=\"1\"} 3\nh_bucket{le=\"2\"} 2\n").size() == 1);
  REQUIRE(entries("h_bucket{le=\"+Inf\"} 3\nh_count 2\n").size() == 1);
  REQUIRE(entries("h_bucket{le=\"1\"} -3\n").size() == 1);
  // No parts of the histogram.
  REQUIRE(entries("h 1\nh_bucket 1\nother_bucket{le=\"1\"} 1\n").size() == 4);
  REQUIRE(entries("h_bucket{le=\"x\"} 1\n")[1] ==
          R"({__name__="h_bucket", le="x"} 1)");
  // Out of order, twice, without count and sum.
  REQUIRE(entries("h_bucket{le=\"5\"} 9\nh_bucket{le=\"1\"} 4\n"
                  "h_bucket{le=\"1\"} 4\n")[1] ==
          R"({__name__="h"} {{schema:-53 count:9 custom_values:[1 5] )"
          "buckets:[4 5]}}");
  REQUIRE(
      entries("h_sum 3\nh_count 2\n")[1] ==
      R"({__name__="h"} {{schema:-53 count:2 sum:3 custom_values:[] buckets:[2]}})");
}

TEST_CASE("large pages take time in proportion", "[scrape][exposition]") {
  // Buckets from the highest to the lowest; then start times that are looked
  // for in a page that goes wrong at its end.  Either took the square once.
  constexpr int kLines = 200'000;
  std::string buckets = "# TYPE h histogram\n";
  for (int i = kLines; i > 0; --i) {
    StrAppend(&buckets, "h_bucket{le=\"", i, "\"} ", i, "\n");
  }
  const Parsed parsed = ParsePage(buckets + "# TYPE g gauge\n",
                                  PageFormat::kText, Convert(false));
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries.size() == 3);

  std::string counters = "# TYPE c counter\n";
  for (int i = 0; i < kLines; ++i)
    StrAppend(&counters, "c_total{i=\"", i, "\"} 1\n");
  ParserOptions options;
  options.start_times = true;
  REQUIRE(ParsePage(counters + "c_total x\n# EOF\n", PageFormat::kOpenMetrics,
                    options)
              .entries.size() == kLines + 1);
}

TEST_CASE("exemplars and start times go with the histogram",
          "[scrape][exposition]") {
  ParserOptions options = Convert(false);
  options.start_times = true;
  const Parsed parsed = ParsePage(
      "# TYPE h histogram\n"
      "h_bucket{le=\"1\"} 2 # {id=\"x\"} 0.5 7\n"
      "h_bucket{le=\"+Inf\"} 3 # {id=\"y\"} 1.5\n"
      "h_count 3\nh_sum 4\nh_created 12.5\n"
      "# EOF\n",
      PageFormat::kOpenMetrics, options);
  REQUIRE(parsed.error == "");
  REQUIRE(parsed.entries ==
          std::vector<std::string>{
              "TYPE h histogram",
              R"({__name__="h"} {{schema:-53 count:3 sum:4 custom_values:[1] )"
              R"(buckets:[2 1]}} # {id="x"} 0.5 @7000 # {id="y"} 1.5)"
              " since 12500"});
}

TEST_CASE("a page that ends badly ends so behind its histograms",
          "[scrape][exposition]") {
  const Parsed parsed = ParsePage("# TYPE h histogram\nh_count 2\nh_sum x\n",
                                  PageFormat::kText, Convert(false));
  REQUIRE(parsed.entries.size() == 1);
  REQUIRE(parsed.error.starts_with("line 3, column 7"));
}

}  // namespace
}  // namespace narthex::scrape
