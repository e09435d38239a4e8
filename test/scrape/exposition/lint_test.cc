#include "narthex/scrape/lint.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

using Lines = std::vector<std::string>;

Lines Problems(std::string_view page, PageFormat format = PageFormat::kText) {
  const auto report = InspectPage(page, format);
  if (!report.ok()) return {std::string(Message(report.status()))};
  Lines lines;
  for (const LintProblem& p : report->problems) {
    lines.push_back(p.metric + " " + p.text);
  }
  return lines;
}

TEST_CASE("a good page has no problems", "[scrape][exposition]") {
  REQUIRE(
      Problems("# HELP a_total A.\n# TYPE a_total counter\na_total 1\n"
               "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
               "h_seconds_bucket{le=\"1\"} 1\nh_seconds_bucket{le=\"+Inf\"} "
               "1\nh_seconds_sum 1\nh_seconds_count 1\n"
               "# HELP s_bytes S.\n# TYPE s_bytes summary\n"
               "s_bytes{quantile=\"0.5\"} 1\ns_bytes_sum 1\ns_bytes_count 2\n")
          .empty());
}

TEST_CASE("problems are promtool's", "[scrape][exposition]") {
  REQUIRE(Problems("# TYPE BadCamel gauge\nBadCamel{someLabel=\"x\"} 1\n") ==
          Lines{"BadCamel label names should be written in 'snake_case' not "
                "'camelCase'",
                "BadCamel metric names should be written in 'snake_case' not "
                "'camelCase'",
                "BadCamel no help text"});
  const auto with_help = [](const std::string& name, const std::string& type,
                            const std::string& labels = "") {
    return Problems("# HELP " + name + " x\n# TYPE " + name + " " + type +
                    "\n" + name + labels + " 1\n");
  };
  REQUIRE(with_help("requests", "counter") ==
          Lines{"requests counter metrics should have \"_total\" suffix"});
  REQUIRE(with_help("requests_total", "gauge") ==
          Lines{"requests_total non-counter metrics should not have \"_total\" "
                "suffix"});
  REQUIRE(with_help("x_milliseconds", "gauge") ==
          Lines{"x_milliseconds use base unit \"seconds\" instead of "
                "\"milliseconds\""});
  REQUIRE(with_help("thermometers", "gauge").empty());
  REQUIRE(with_help("x_ms", "gauge") ==
          Lines{"x_ms metric names should not contain abbreviated units"});
  REQUIRE(with_help("x_gauge", "gauge") ==
          Lines{"x_gauge metric name should not include type 'gauge'"});
  REQUIRE(with_help("x:y", "gauge") ==
          Lines{"x:y metric names should not contain ':'"});
  REQUIRE(with_help("x_bucket", "gauge", "{le=\"1\"}") ==
          Lines{"x_bucket non-histogram metrics should not have \"_bucket\" "
                "suffix",
                "x_bucket non-histogram metrics should not have \"le\" label"});
  REQUIRE(with_help("x_timestamp_seconds", "histogram").size() == 1);
  REQUIRE(with_help("x_count", "untyped").empty());
  REQUIRE(
      Problems("# HELP a x\n# TYPE a gauge\na{b=\"c\"} 1\na{b=\"c\"} 2\n") ==
      Lines{"a metric not unique"});
}

TEST_CASE("what no scrape would take is an error", "[scrape][exposition]") {
  REQUIRE(Problems("# TYPE a gauge\na 1\n# TYPE a gauge\n") ==
          Lines{"line 3: second TYPE line for metric name \"a\", or TYPE "
                "reported after samples"});
  REQUIRE(Problems("# HELP a x\n# HELP a y\n") ==
          Lines{"line 2: second HELP line for metric name \"a\""});
  REQUIRE(Problems("a\n").at(0).find("line 1, column 2") == 0);
}

TEST_CASE("OpenMetrics names its counters without _total",
          "[scrape][exposition]") {
  REQUIRE(Problems("# TYPE a counter\n# HELP a x\na_total 1\na_created 2\n"
                   "# TYPE i info\n# HELP i x\ni_info{v=\"1\"} 1\n# EOF\n",
                   PageFormat::kOpenMetrics)
              .empty());
}

TEST_CASE("cardinality counts series by metric", "[scrape][exposition]") {
  const auto report = InspectPage(
      "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
      "h_sum 1\nh_count 1\na{x=\"1\"} 1\na{x=\"2\"} 1\nb 1\n# TYPE none gauge\n"
      "# TYPE s summary\ns{quantile=\"0.5\",x=\"1\"} 1\ns{quantile=\"0.9\",x="
      "\"1\"} 1\ns_sum{x=\"1\"} 1\ns_count{x=\"1\"} 1\n",
      PageFormat::kText);
  REQUIRE(report.ok());
  REQUIRE(report->series == 11);
  REQUIRE(report->cardinality.size() == 4);
  REQUIRE(report->cardinality[0].metric == "h");
  REQUIRE(report->cardinality[0].series == 4);
  REQUIRE(report->cardinality[1].metric == "s");
  REQUIRE(report->cardinality[3].series == 1);
  REQUIRE(report->cardinality[3].share == Approx(1.0 / 11));
}

}  // namespace
}  // namespace narthex::scrape
