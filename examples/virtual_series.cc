// PromQL over the program's own structs, beside what a store holds: no scrape,
// no samples kept.

#include <iostream>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/virtual_series.h"

namespace {

struct Queue {
  std::string name;
  double length = 0;
};

class QueueLengths final : public narthex::promql::SeriesSource {
 public:
  explicit QueueLengths(const std::vector<Queue>& queues) : queues_(queues) {}

  absl::Status Collect(const narthex::promql::SourceRequest& request,
                       narthex::promql::SeriesCollector& out) override {
    for (const Queue& queue : queues_) {
      // As long as it is, it is now.
      NARTHEX_RETURN_IF_ERROR(out.Add(
          narthex::Labels{{"__name__", "queue_length"}, {"queue", queue.name}},
          {{request.range.max, queue.length}}));
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<Queue>& queues_;
};

}  // namespace

int main() {
  std::vector<Queue> queues = {{"mail", 12}, {"jobs", 3}};
  QueueLengths lengths(queues);

  // The limits are stored; any Queryable will do, a Db too.
  std::vector<narthex::SeriesData> rows;
  for (const char* name : {"jobs", "mail"}) {
    narthex::SeriesData row;
    row.labels = narthex::Labels{{"__name__", "queue_limit"}, {"queue", name}};
    for (int k = 0; k < 10; ++k) row.floats.push_back({k * 10'000, 10.0});
    rows.push_back(std::move(row));
  }
  const auto stored = narthex::NewMemoryQueryable(std::move(rows));
  const auto both = narthex::promql::NewVirtualQueryable(lengths, stored.get());

  const narthex::promql::Engine engine;
  for (const double mail : {12.0, 8.0}) {
    queues[0].length = mail;
    const auto result =
        engine.Instant(*both, "queue_length > on (queue) queue_limit", 90'000);
    if (!result.ok()) {
      std::cerr << result.status() << "\n";
      return 1;
    }
    std::cout << "too long: " << result->value << "\n";
  }
  return 0;
}
