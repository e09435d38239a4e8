// EXPLAIN and EXPLAIN ANALYZE: what a query would read and do, and what each
// part of it cost when it ran.

#include <iostream>

#include "narthex/model/series.h"
#include "narthex/promql/explain.h"

int main() {
  std::vector<narthex::SeriesData> rows;
  for (int i = 0; i < 100; ++i) {
    narthex::SeriesData row;
    row.labels = narthex::Labels{{"__name__", "requests_total"},
                                 {"job", i % 2 ? "api" : "web"},
                                 {"instance", std::to_string(i)}};
    for (int k = 0; k < 240; ++k) row.floats.push_back({k * 15'000, k * 2.5});
    rows.push_back(std::move(row));
  }
  const auto store = narthex::NewMemoryQueryable(std::move(rows));
  const char* const query = "sum by (job) (rate(requests_total[5m]))";
  const narthex::TimeRange range = {600'000, 3'600'000};

  // Nothing is read.
  const auto plan =
      narthex::promql::Explain({}, query, range, narthex::Seconds(15));
  if (!plan.ok()) {
    std::cerr << plan.status() << "\n";
    return 1;
  }
  std::cout << *plan << "\n";

  // Run it, and look at the bill.
  const narthex::promql::Engine engine;
  narthex::promql::PlanReport report;
  const auto result = engine.Range(*store, query, range, narthex::Seconds(15),
                                   {.report = &report});
  if (!result.ok()) {
    std::cerr << result.status() << "\n";
    return 1;
  }
  std::cout << report.ToText();
  // For programs: report.nodes, or the same as JSON.
  return report.nodes[1].series == 100 && !report.ToJson().empty() ? 0 : 1;
}
