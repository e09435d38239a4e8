// What a good page of metrics should not do: the advice of `check metrics`, and
// which metrics have how many series.
//
// Pure functions; any thread.  Texts are promtool's.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

struct LintProblem {
  std::string metric = {};
  std::string text = {};

  friend auto operator<=>(const LintProblem &, const LintProblem &) = default;
};

struct MetricCardinality {
  std::string metric = {};
  size_t series = 0;
  double share = 0;  // of all series of the page, 0 to 1
};

struct PageReport {
  std::vector<LintProblem> problems = {};  // sorted by metric, then text
  std::vector<MetricCardinality> cardinality = {};  // most series first
  size_t series = 0;
};

// An error: the page does not parse.
absl::StatusOr<PageReport> InspectPage(std::string_view page,
                                       PageFormat format);

}  // namespace narthex::scrape
