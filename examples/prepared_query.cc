// A query with parameters: its shape is fixed when it is prepared, and values
// that come from users can't change it.

#include <iostream>

#include "narthex/model/series.h"
#include "narthex/promql/prepared.h"

using narthex::promql::MatcherList;
using narthex::promql::ParameterType;
using narthex::promql::PreparedQuery;

int main() {
  std::vector<narthex::SeriesData> rows;
  for (const char* job : {"api", "web"}) {
    narthex::SeriesData row;
    row.labels = narthex::Labels{{"__name__", "latency"}, {"job", job}};
    for (int k = 0; k < 100; ++k) {
      row.floats.push_back(
          {k * 10'000, (job[0] == 'a' ? 1 : 5) + k % 10 / 10.0});
    }
    rows.push_back(std::move(row));
  }
  const auto store = narthex::NewMemoryQueryable(std::move(rows));
  const narthex::promql::Engine engine;

  const auto query =
      PreparedQuery::Prepare("quantile_over_time($q, latency{$who}[$window])",
                             {{"q", ParameterType::kNumber},
                              {"who", ParameterType::kMatchers},
                              {"window", ParameterType::kDuration}},
                             engine);
  if (!query.ok()) {
    std::cerr << query.status() << "\n";
    return 1;
  }
  // The last of them looks like an injection, and is just an odd job.
  for (const char* job : {"api", "web", "x\"} or latency{y=\""}) {
    const auto bound = query->Bind({{"q", 0.9},
                                    {"who", MatcherList{{"job", job}}},
                                    {"window", narthex::Minutes(5)}});
    if (!bound.ok()) {
      std::cerr << bound.status() << "\n";
      return 1;
    }
    // Parsed once, run as often as one likes.
    const auto result = bound->Instant(engine, *store, 900'000);
    if (!result.ok()) {
      std::cerr << result.status() << "\n";
      return 1;
    }
    std::cout << bound->text() << "\n  " << result->value << "\n";
  }
  return 0;
}
