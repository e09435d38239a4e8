// Limits: a query that would hold too much is refused, with an error that says
// what asked for it; the program lives on.  In tiles the same query fits.

#include <iostream>

#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

using narthex::promql::Engine;

int main() {
  std::vector<narthex::SeriesData> rows;
  for (int i = 0; i < 200; ++i) {
    narthex::SeriesData row;
    row.labels =
        narthex::Labels{{"__name__", "load"}, {"instance", std::to_string(i)}};
    for (int k = 0; k < 1000; ++k)
      row.floats.push_back({k * 15'000, k % 60 / 2.0});
    rows.push_back(std::move(row));
  }
  const auto store = narthex::NewMemoryQueryable(std::move(rows));
  const char* const query = "quantile(0.9, avg_over_time(load[5m]))";
  const narthex::TimeRange range = {0, 15'000'000};
  const narthex::Duration step = narthex::Seconds(15);

  // 1 MiB is less than 200 series of 1000 steps take.
  const Engine strict({.max_bytes = size_t{1} << 20});
  const auto refused = strict.Range(*store, query, range, step);
  std::cout << "1 MiB: " << refused.status() << "\n";

  // So many steps at a time: what is held shrinks, the answer is the same.
  const Engine tiled({.max_bytes = size_t{1} << 20, .tile_steps = 50});
  const auto answered = tiled.Range(*store, query, range, step);
  std::cout << "1 MiB, tiles of 50 steps: "
            << (answered.ok() ? "answered" : answered.status().ToString())
            << "\n";

  // Samples, as Prometheus counts them.
  const Engine few({.max_samples = 1000});
  const auto many = few.Range(*store, query, range, step);
  std::cout << "1000 samples: " << many.status() << "\n";
  return !refused.ok() && answered.ok() && !many.ok() ? 0 : 1;
}
