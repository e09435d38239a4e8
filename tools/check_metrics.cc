// `narthex check metrics`: a page on standard input, looked at by promtool's
// rules.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/scrape/lint.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

constexpr char kAll[] = "all";
constexpr char kNone[] = "none";

// Cells of equal width, four blanks apart, as promtool prints its table.
void PrintCardinality(const scrape::PageReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"Metric", "Cardinality", "Percentage"}};
  const auto percent = [](double share, int decimals) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.*f%%", decimals, share * 100);
    return std::string(text);
  };
  for (const scrape::MetricCardinality& metric : report.cardinality) {
    rows.push_back({metric.metric, std::to_string(metric.series),
                    percent(metric.share, 2)});
  }
  rows.push_back({"Total", std::to_string(report.series), percent(1, 0)});
  constexpr size_t kPadding = 4;
  std::vector<size_t> widths(3, 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size() + kPadding);
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - row[i].size(), ' ');
    }
    line += '\n';
    Print(line);
  }
}

int Check(const std::string& format, bool extended, bool lint) {
  if (!extended && !lint) {
    Fail("error: at least one of --extended or linting must be enabled");
    return Fail(
        "Use --extended for cardinality analysis, or remove --lint=none to "
        "enable linting");
  }
  const auto page = ReadInput("-");
  if (!page.ok()) return Fail(page.status());
  const auto report = scrape::InspectPage(
      *page, format == "openmetrics" ? scrape::PageFormat::kOpenMetrics
                                     : scrape::PageFormat::kText);
  if (!report.ok()) {
    return Fail(StrCat("error while linting: ", Message(report.status())));
  }
  const bool problems = lint && !report->problems.empty();
  if (problems) {
    for (const scrape::LintProblem& problem : report->problems) {
      Fail(StrCat(problem.metric, " ", problem.text));
    }
  }
  if (extended) PrintCardinality(*report);
  return problems ? kLintFailure : kSuccess;
}

}  // namespace

void AddCheckMetrics(CLI::App& parent, int& exit_code) {
  struct Options {
    std::string format = "prometheus";
    std::string lint = kAll;
    bool extended = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* metrics = parent.add_subcommand(
      "metrics",
      "Pass Prometheus metrics over stdin to lint them for consistency and "
      "correctness, and optionally perform cardinality analysis");
  metrics->add_flag("--extended", options->extended,
                    "Print extended information related to the cardinality of "
                    "the metrics");
  metrics
      ->add_option("--lint", options->lint,
                   "Linting checks to apply for metrics: all, none")
      ->check(CLI::IsMember({kAll, kNone}))
      ->capture_default_str();
  metrics
      ->add_option("--format", options->format,
                   "Format of the metrics: prometheus, openmetrics")
      ->check(CLI::IsMember({"prometheus", "openmetrics"}))
      ->capture_default_str();
  metrics->callback([options, &exit_code] {
    exit_code =
        Check(options->format, options->extended, options->lint != kNone);
  });
}

}  // namespace narthex::tools
