// A query's plan, and what each of its nodes cost when it ran: what is read,
// what is computed once, how the rest is stacked.
//
//   PlanReport report;
//   engine.Range(store, query, range, step, {.report = &report});
//   std::cout << report.ToText();
//
// Values; any thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/annotations.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {

// One node.  Costs are of a query that ran; zeros of one that was explained.
struct PlanStep {
  std::string text = {};  // "window rate"
  int depth = 0;          // the root's is 0; children follow their parent
  TextRange pos = {};     // in the query's text
  size_t steps = 0;       // at which it is evaluated

  int64_t series = 0;   // that it gave
  int64_t values = 0;   // that they had
  int64_t samples = 0;  // decoded for it
  // Seconds, children included.  What several threads did at the same time
  // counts for each of them.
  double seconds = 0;
  double own_seconds = 0;  // without children
  size_t bytes = 0;        // of its largest block of values
};

struct PlanReport {
  std::vector<PlanStep> nodes = {};
  // What is read from the store: "{__name__="a"} from 0 to 60, for rate ...".
  std::vector<std::string> selections = {};
  bool analyzed = false;
  // Of the whole query, if analyzed.
  QueryStats stats = {};

  // One line per node, children indented, then one per selection.
  std::string ToText() const;
  // {"nodes":[{"text":...,"depth":0,"pos":{"start":0,"end":4},...}],...}
  std::string ToJson() const;
};

// What would be done; nothing is read from a store.  A step of 0: an instant
// query at range.min.
absl::StatusOr<PlanReport> ExplainPlan(const EngineOptions& options,
                                       std::string_view query, TimeRange range,
                                       Duration step);
// The same as text.
absl::StatusOr<std::string> Explain(const EngineOptions& options,
                                    std::string_view query, TimeRange range,
                                    Duration step);

}  // namespace narthex::promql
