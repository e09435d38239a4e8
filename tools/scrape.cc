// `narthex scrape URL`: one scrape in the hand.  Which format was agreed on,
// what is on the page, which metrics have how many series, what would be
// stored, and what could be better.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/scrape/exposition.h"
#include "narthex/scrape/lint.h"
#include "narthex/version.h"
#include "tools/http_call.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

using scrape::ExpositionParser;
using scrape::PageFormat;

constexpr size_t kBarWidth = 24;

struct Options {
  std::string url;
  std::string format = "auto";
  std::vector<std::string> headers;
  std::string timeout = "10s";
  size_t limit = 10;
  bool lint = true;
  bool raw = false;
};

struct Series {
  std::string text = {};
  std::string value = {};
  std::string at = {};  // of an exposed time
};

// All that a page says, read once.
struct PageContents {
  std::map<std::string, MetricType> types = {};
  std::map<MetricType, size_t> families = {};
  std::map<std::string, size_t> series_of = {};  // by metric name
  std::map<std::string, std::set<std::string>> values_of = {};  // by label
  std::vector<Series> series = {};
  size_t histograms = 0;
  size_t exemplars = 0;
  size_t timestamps = 0;
  size_t duplicates = 0;
  absl::Status status = {};
};

std::string HistogramText(const ExpositionParser& parser) {
  if (parser.histogram() != nullptr) {
    return parser.histogram()->ToFloat().ToString();
  }
  return parser.float_histogram()->ToString();
}

PageContents ReadPage(std::string_view page, PageFormat format) {
  PageContents out;
  ExpositionParser parser(page, format);
  LabelsScratch scratch;
  std::set<std::string> seen;
  for (auto entry = parser.Next(); entry != ExpositionParser::Entry::kEnd;
       entry = parser.Next()) {
    if (entry == ExpositionParser::Entry::kType) {
      if (out.types.emplace(parser.metric(), parser.type()).second) {
        ++out.families[parser.type()];
      }
    }
    const bool histogram = entry == ExpositionParser::Entry::kHistogram;
    if (!histogram && entry != ExpositionParser::Entry::kSeries) continue;
    parser.GetLabels(scratch);
    const Labels labels = Labels::FromPairs(scratch.pairs());
    Series series;
    series.text = labels.ToMetricString();
    series.value =
        histogram ? HistogramText(parser) : FormatValue(parser.value());
    if (parser.timestamp()) {
      ++out.timestamps;
      series.at = StrCat(" @", FormatSeconds(*parser.timestamp()));
    }
    if (histogram) ++out.histograms;
    Exemplar exemplar;
    while (parser.GetExemplar(exemplar)) ++out.exemplars;
    if (!seen.insert(StrCat(series.text, series.at)).second) {
      ++out.duplicates;
      continue;
    }
    ++out.series_of[std::string(labels.name())];
    for (const Label& label : labels) {
      if (label.name == kMetricName) continue;
      out.values_of[std::string(label.name)].insert(std::string(label.value));
    }
    out.series.push_back(std::move(series));
  }
  out.status = parser.status();
  return out;
}

std::string Bytes(size_t n) {
  char text[32];
  if (n < 10'000) return StrCat(n, " B");
  std::snprintf(text, sizeof(text), "%.1f KiB", static_cast<double>(n) / 1024);
  return text;
}

std::string_view FormatName(PageFormat format) {
  switch (format) {
    case PageFormat::kProtobuf:
      return "protobuf";
    case PageFormat::kOpenMetrics:
      return "OpenMetrics";
    case PageFormat::kText:
      break;
  }
  return "Prometheus text";
}

void Title(std::string_view text) {
  Print(StrCat("\n", Paint(text, "1", ColorsOnStdout()), "\n"));
}

// The largest of `counts`, with a bar for each.
void PrintLargest(std::string_view title,
                  const std::map<std::string, size_t>& counts, size_t limit,
                  const std::map<std::string, MetricType>* types) {
  if (counts.empty() || limit == 0) return;
  std::vector<std::pair<size_t, std::string>> sorted;
  size_t all = 0;
  for (const auto& [name, n] : counts) {
    sorted.emplace_back(n, name);
    all += n;
  }
  std::stable_sort(
      sorted.begin(), sorted.end(),
      [](const auto& a, const auto& b) { return a.first > b.first; });
  if (sorted.size() > limit) sorted.resize(limit);
  size_t width = 0;
  for (const auto& [n, name] : sorted) width = std::max(width, name.size());
  Title(title);
  for (const auto& [n, name] : sorted) {
    std::string line = StrCat("  ", name);
    line.append(width - name.size() + 2, ' ');
    char number[48];
    std::snprintf(number, sizeof(number), "%7zu  %5.1f %%  ", n,
                  100 * static_cast<double>(n) / static_cast<double>(all));
    line += number;
    std::string bar;
    const size_t cells =
        std::max<size_t>(1, n * kBarWidth / sorted.front().first);
    for (size_t i = 0; i < cells; ++i) bar += "█";
    line += Paint(bar, "36", ColorsOnStdout());
    if (types != nullptr) {
      const auto type = types->find(name);
      if (type != types->end()) {
        line.append((kBarWidth - cells) + 2, ' ');
        line += Paint(MetricTypeName(type->second), "2", ColorsOnStdout());
      }
    }
    Print(line + "\n");
  }
}

void PrintContents(const PageContents& page) {
  std::string families;
  for (const auto& [type, n] : page.families) {
    StrAppend(&families, families.empty() ? "" : ", ", n, " ",
              MetricTypeName(type));
  }
  Print(StrCat("  series    ", page.series.size(), " of ",
               page.series_of.size(), " metrics"));
  if (!families.empty()) Print(StrCat("; types: ", families));
  Print("\n");
  const auto more = [](size_t n, std::string_view what) {
    if (n != 0) Print(StrCat("            ", n, " ", what, "\n"));
  };
  more(page.histograms, "native histograms");
  more(page.exemplars, "exemplars");
  more(page.timestamps, "with a time of their own");
  more(page.duplicates, "twice on the page: only the first is stored");
}

void PrintStored(const PageContents& page, size_t limit) {
  Title("What would be stored, with the labels of the target added");
  size_t shown = 0;
  for (const Series& series : page.series) {
    if (limit != 0 && shown == limit) {
      Print(Paint(StrCat("  ... and ", page.series.size() - shown,
                         " more (--limit 0 shows all)\n"),
                  "2", ColorsOnStdout()));
      break;
    }
    ++shown;
    Print(StrCat("  ", series.text, " ",
                 Paint(series.value, "32", ColorsOnStdout()), series.at, "\n"));
  }
  Print(
      StrCat("  and of the scrape: up, scrape_duration_seconds, "
             "scrape_samples_scraped, scrape_samples_post_metric_relabeling, "
             "scrape_series_added\n"));
}

int PrintLint(std::string_view body, PageFormat format) {
  if (format == PageFormat::kProtobuf) return kSuccess;
  const auto report = scrape::InspectPage(body, format);
  if (!report.ok()) return Fail(report.status());
  Title("Lint");
  if (report->problems.empty()) {
    Print("  nothing to mend\n");
    return kSuccess;
  }
  for (const scrape::LintProblem& problem : report->problems) {
    Print(StrCat("  ", Paint(problem.metric, "33", ColorsOnStdout()), " ",
                 problem.text, "\n"));
  }
  return kLintFailure;
}

std::vector<scrape::ScrapeProtocol> Protocols(const std::string& format) {
  using scrape::ScrapeProtocol;
  if (format == "protobuf") return {ScrapeProtocol::kPrometheusProto};
  if (format == "openmetrics") {
    return {ScrapeProtocol::kOpenMetricsText100,
            ScrapeProtocol::kOpenMetricsText001};
  }
  if (format == "text") return {ScrapeProtocol::kPrometheusText004};
  return scrape::DefaultScrapeProtocols();
}

int Show(const Options& options) {
  const auto timeout = ParseDurationFlag(options.timeout);
  if (!timeout.ok()) return Fail(timeout.status());
  const auto headers = ParseHeaders(options.headers);
  if (!headers.ok()) return Fail(headers.status());
  scrape::HttpRequest request;
  request.url = options.url;
  if (request.url.find("://") == std::string::npos) {
    request.url = "http://" + request.url;
  }
  request.timeout = *timeout;
  request.headers = {
      {"Accept", scrape::AcceptHeader(Protocols(options.format),
                                      scrape::NameEscaping::kAllowUtf8)},
      {"User-Agent", StrCat("narthex/", GetBuildInfo().version)},
      {"X-Prometheus-Scrape-Timeout-Seconds",
       FormatFloat(timeout->seconds(), 'f')}};
  request.headers.insert(request.headers.end(), headers->begin(),
                         headers->end());
  const std::string url = request.url;
  const auto began = std::chrono::steady_clock::now();
  const auto answer = CallHttp(std::move(request));
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - began;
  if (!answer.ok()) return Fail(answer.status());
  if (options.raw) {
    Print(answer->body);
    return answer->status == 200 ? kSuccess : kFailure;
  }
  char time[32];
  std::snprintf(time, sizeof(time), "%.1f ms", took.count());
  Print(StrCat(Paint(url, "1", ColorsOnStdout()), "\n  answer    ",
               answer->StatusLine(), ", ", Bytes(answer->body.size()), " in ",
               time, "\n"));
  if (answer->status != 200) {
    return Fail(StrCat("server returned HTTP status ", answer->StatusLine()));
  }
  const auto format = scrape::NegotiateFormat(answer->content_type);
  if (!format.ok()) return Fail(format.status());
  Print(StrCat("  format    ", FormatName(*format), "  (", answer->content_type,
               ")\n"));
  const PageContents page = ReadPage(answer->body, *format);
  PrintContents(page);
  if (!page.status.ok()) {
    Flush();
    return Fail(StrCat("the scrape would fail, and store nothing but up 0: ",
                       Message(page.status)));
  }
  const size_t rows = options.limit == 0 ? 10 : options.limit;
  PrintLargest("Most series", page.series_of, rows, &page.types);
  std::map<std::string, size_t> values;
  for (const auto& [label, set] : page.values_of) values[label] = set.size();
  PrintLargest("Labels with most values", values, rows, nullptr);
  PrintStored(page, options.limit);
  return options.lint ? PrintLint(answer->body, *format) : kSuccess;
}

}  // namespace

void AddScrape(CLI::App& parent, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = parent.add_subcommand(
      "scrape",
      "Scrape a target once: format, cardinality, what would be stored, lint; "
      "exit code 3 if lint finds something");
  verb->add_option("url", options->url,
                   "The target, such as http://localhost:9100/metrics")
      ->required();
  verb->add_option("--format", options->format,
                   "What to ask for: auto, protobuf, openmetrics, text")
      ->check(CLI::IsMember({"auto", "protobuf", "openmetrics", "text"}))
      ->capture_default_str();
  verb->add_option("--header", options->headers,
                   "Header to send, NAME=VALUE; can be given several times")
      ->allow_extra_args(false);
  verb->add_option("--timeout", options->timeout, "How long it may take")
      ->capture_default_str();
  verb->add_option("--limit", options->limit,
                   "Rows of each list; 0: all series that would be stored")
      ->capture_default_str();
  verb->add_flag("!--no-lint", options->lint, "Leave the advice out");
  verb->add_flag("--raw", options->raw, "Print the page as it came");
  verb->callback([options, &exit_code] { exit_code = Show(*options); });
}

}  // namespace narthex::tools
