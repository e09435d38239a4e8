// The rules of good metric names, as promtool's `check metrics` has them.

#include "narthex/scrape/lint.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libscrape/exposition/families.h"
#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

struct Unit {
  std::string_view name;
  std::string_view base;
};
constexpr Unit kUnits[] = {
    {"amperes", "amperes"},    {"bytes", "bytes"},     {"celsius", "celsius"},
    {"grams", "grams"},        {"joules", "joules"},   {"kelvin", "kelvin"},
    {"meters", "meters"},      {"metres", "metres"},   {"seconds", "seconds"},
    {"volts", "volts"},        {"minutes", "seconds"}, {"hours", "seconds"},
    {"days", "seconds"},       {"weeks", "seconds"},   {"kelvins", "kelvin"},
    {"fahrenheit", "celsius"}, {"rankine", "celsius"}, {"inches", "meters"},
    {"yards", "meters"},       {"miles", "meters"},    {"bits", "bytes"},
    {"calories", "joules"},    {"pounds", "grams"},    {"ounces", "grams"},
};
constexpr std::string_view kPrefixes[] = {
    "",     "pico",  "nano", "micro", "milli", "centi", "deci",
    "deca", "hecto", "kilo", "kibi",  "mega",  "mibi",  "giga",
    "gibi", "tera",  "tebi", "peta",  "pebi"};
constexpr std::string_view kAbbreviations[] = {"s",  "ms", "us", "ns", "sec",
                                               "b",  "kb", "mb", "gb", "tb",
                                               "pb", "m",  "h",  "d"};

bool IsCamelCase(std::string_view name) {
  for (size_t i = 1; i < name.size(); ++i) {
    if (name[i - 1] >= 'a' && name[i - 1] <= 'z' && name[i] >= 'A' &&
        name[i] <= 'Z') {
      return true;
    }
  }
  return false;
}

// `word` stands between underscores, or behind one at the end.
bool HasWord(std::string_view name, std::string_view word) {
  const std::string behind = StrCat("_", word);
  return name.ends_with(behind) ||
         name.find(behind + "_") != std::string_view::npos;
}

// The first word of the name that is a unit, with or without a prefix.
bool FindUnit(std::string_view name, std::string_view& unit,
              std::string_view& base) {
  while (!name.empty()) {
    const size_t end = std::min(name.find('_'), name.size());
    const std::string_view word = name.substr(0, end);
    for (std::string_view prefix : kPrefixes) {
      if (!word.starts_with(prefix)) continue;
      for (const Unit& u : kUnits) {
        if (word.substr(prefix.size()) == u.name) {
          unit = word;
          base = u.base;
          return true;
        }
      }
    }
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return false;
}

class FamilyLinter {
 public:
  FamilyLinter(const PageFamily& family, PageFormat format,
               std::vector<LintProblem>& problems)
      : family_(family),
        name_(family.name),
        // OpenMetrics says the `_total` of a counter only on its samples.
        counts_named_(format == PageFormat::kOpenMetrics),
        problems_(problems) {}

  void Check() {
    if (!family_.has_help || family_.empty_help) Add("no help text");
    CheckUnits();
    CheckSuffixes();
    CheckWords();
    CheckLabels();
  }

 private:
  void Add(std::string_view text) {
    problems_.push_back({family_.name, std::string(text)});
  }

  void CheckUnits() {
    std::string_view unit;
    std::string_view base;
    if (FindUnit(name_, unit, base) && unit != base) {
      Add(StrCat("use base unit ", GoQuote(base), " instead of ",
                 GoQuote(unit)));
    }
  }

  void CheckSuffixes() {
    const MetricType type = family_.type;
    const bool counter = type == MetricType::kCounter;
    const bool total = name_.ends_with("_total");
    if (counter && !total && !counts_named_) {
      Add("counter metrics should have \"_total\" suffix");
    }
    if (type == MetricType::kUnknown) return;
    if (!counter && total) {
      Add("non-counter metrics should not have \"_total\" suffix");
    }
    if (type != MetricType::kGauge && name_.ends_with("_timestamp_seconds")) {
      Add("non-gauge metrics should not have \"_timestamp_seconds\" suffix");
    }
    if (IsHistogram()) return;
    if (name_.ends_with("_bucket")) {
      Add("non-histogram metrics should not have \"_bucket\" suffix");
    }
    if (type == MetricType::kSummary) return;
    if (name_.ends_with("_count")) {
      Add("non-histogram and non-summary metrics should not have \"_count\" "
          "suffix");
    }
    if (name_.ends_with("_sum")) {
      Add("non-histogram and non-summary metrics should not have \"_sum\" "
          "suffix");
    }
  }

  void CheckWords() {
    const std::string lower = AsciiLower(name_);
    // Its own type; another's may be what it is about.
    const std::string_view type = MetricTypeName(family_.type);
    if (family_.type != MetricType::kUnknown && HasWord(lower, type)) {
      Add(StrCat("metric name should not include type '", type, "'"));
    }
    if (name_.find(':') != std::string_view::npos) {
      Add("metric names should not contain ':'");
    }
    if (IsCamelCase(name_)) {
      Add("metric names should be written in 'snake_case' not 'camelCase'");
    }
    for (std::string_view abbreviation : kAbbreviations) {
      if (HasWord(lower, abbreviation)) {
        Add("metric names should not contain abbreviated units");
      }
    }
  }

  void CheckLabels() {
    const bool typed = family_.type != MetricType::kUnknown;
    for (const PageMetric& metric : family_.metrics) {
      for (const Label& label : metric.labels) {
        if (typed && !IsHistogram() && label.name == "le") {
          Add("non-histogram metrics should not have \"le\" label");
        }
        if (typed && family_.type != MetricType::kSummary &&
            label.name == "quantile") {
          Add("non-summary metrics should not have \"quantile\" label");
        }
        if (IsCamelCase(label.name)) {
          Add("label names should be written in 'snake_case' not 'camelCase'");
        }
      }
      const bool simple =
          !IsHistogram() && family_.type != MetricType::kSummary;
      for (size_t i = 1; simple && !counts_named_ && i < metric.times; ++i) {
        Add("metric not unique");
      }
    }
  }

  bool IsHistogram() const {
    return family_.type == MetricType::kHistogram ||
           family_.type == MetricType::kGaugeHistogram;
  }

  const PageFamily& family_;
  const std::string_view name_;
  const bool counts_named_;
  std::vector<LintProblem>& problems_;
};

// Series of a family; of histograms and summaries, as its first metric has
// them.
size_t Cardinality(const PageFamily& family) {
  switch (family.type) {
    case MetricType::kHistogram:
    case MetricType::kGaugeHistogram:
    case MetricType::kSummary:
      return family.metrics.size() * (2 + family.metrics[0].parts);
    default: {
      size_t n = 0;
      for (const PageMetric& metric : family.metrics) n += metric.times;
      return n;
    }
  }
}

}  // namespace

absl::StatusOr<PageReport> InspectPage(std::string_view page,
                                       PageFormat format) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<PageFamily> families,
                           ReadFamilies(page, format));
  PageReport report;
  for (const PageFamily& family : families) {
    FamilyLinter(family, format, report.problems).Check();
    const size_t series = Cardinality(family);
    report.cardinality.push_back({.metric = family.name, .series = series});
    report.series += series;
  }
  std::sort(report.problems.begin(), report.problems.end());
  for (MetricCardinality& metric : report.cardinality) {
    metric.share =
        static_cast<double>(metric.series) / static_cast<double>(report.series);
  }
  std::stable_sort(report.cardinality.begin(), report.cardinality.end(),
                   [](const MetricCardinality& a, const MetricCardinality& b) {
                     return a.series != b.series ? a.series > b.series
                                                 : a.metric < b.metric;
                   });
  return report;
}

}  // namespace narthex::scrape
