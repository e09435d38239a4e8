// A program that measures itself and asks itself: metrics of its own, scraped
// without a socket.  docs/guide/scrape.md shows this file from the next line
// on.
#include <chrono>
#include <iostream>
#include <thread>

#include "narthex/instrument/registry.h"
#include "narthex/narthex.h"

int main() {
  narthex::instrument::Registry registry;
  auto& requests = registry.AddCounter({.name = "app_requests_total",
                                        .help = "Requests, by their outcome.",
                                        .labels = {"outcome"}});
  auto& seconds = registry.AddHistogram({.name = "app_request_seconds",
                                         .help = "How long they took.",
                                         .bounds = {0.1, 0.5, 1}});

  // Hot code keeps what With() returns; Inc and Observe are cheap.
  const auto good = requests.With({"good"});
  for (int i = 0; i < 40; ++i) {
    good->Inc();
    seconds.With()->Observe(i * 0.02);
  }
  requests.With({"bad"})->Inc(2, /*exemplar=*/{{"trace_id", "c0ffee"}});

  auto nx = narthex::Narthex::Open({});  // in memory
  if (!nx.ok() || !registry.status().ok()) return 1;
  auto added =
      (*nx)->AddSource("app", registry.NewSource(), narthex::Milliseconds(100));
  if (!added.ok()) return 1;

  const auto ask = [&](const char* query) {
    return (*nx)->Query(query, (*nx)->clock().Now()).value();
  };
  // Until the first scrape has been.
  while (std::get<narthex::promql::Vector>(ask("up").value).empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::cout << ask("sum by (outcome) (app_requests_total)") << "\n"
            << ask("app_request_seconds_bucket{le='0.5'}") << "\n";
}
