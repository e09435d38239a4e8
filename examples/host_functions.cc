// PromQL with functions of one's own: one that maps values, one over windows.

#include <algorithm>
#include <iostream>
#include <optional>

#include "narthex/model/series.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/host_function.h"

using narthex::promql::FunctionSet;
using narthex::promql::HostColumn;
using narthex::promql::HostWindow;

int main() {
  FunctionSet functions;
  // fahrenheit(v): a column of values at a time.
  absl::Status added =
      functions.Add({.name = "fahrenheit", .map = [](const HostColumn& column) {
                       for (double& v : column.values) v = v * 1.8 + 32;
                       return absl::OkStatus();
                     }});
  // spread_over_time(m[range], least): greatest minus smallest, if at least so
  // much.
  if (added.ok()) {
    added = functions.Add(
        {.name = "spread_over_time",
         .window = [](const HostWindow& window) -> std::optional<double> {
           const auto [min, max] =
               std::minmax_element(window.v.begin(), window.v.end());
           if (*max - *min < window.params[0]) return std::nullopt;
           return *max - *min;
         },
         .scalars = 1});
  }
  if (!added.ok()) {
    std::cerr << added << "\n";
    return 1;
  }

  std::vector<narthex::SeriesData> rows(1);
  rows[0].labels =
      narthex::Labels{{"__name__", "room_celsius"}, {"room", "attic"}};
  for (int k = 0; k < 60; ++k) {
    rows[0].floats.push_back({k * 60'000, 20.0 + k % 7});
  }
  const auto store = narthex::NewMemoryQueryable(std::move(rows));

  const narthex::promql::Engine engine({.functions = &functions});
  for (const char* query :
       {"fahrenheit(room_celsius)", "spread_over_time(room_celsius[30m], 2)",
        "spread_over_time(room_celsius[30m], 50)"}) {
    const auto result = engine.Instant(*store, query, 3'540'000);
    if (!result.ok()) {
      std::cerr << result.status() << "\n";
      return 1;
    }
    std::cout << query << "\n  " << result->value << "\n";
  }
  return 0;
}
