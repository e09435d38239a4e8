// PromQL over data that is not in a narthex database: a Queryable of one's own,
// here over a table of temperatures that the program keeps anyway.
//
// A store answers three questions: which series match (labels first, all of
// them), which samples a series has (as columns), and which labels there are.

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "narthex/model/querier.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

namespace {

// What the program has: readings of one room, one a minute.
struct Room {
  std::string name;
  std::vector<double> celsius;  // of minute 0, 1, ...
};

// The rooms as a store: one series each, `temperature{room="..."}`.  Small
// stores need no code for labels, symbols and matching: they make plain rows of
// what is asked for, and hand them to NewMemoryQueryable.
class RoomStore final : public narthex::Queryable {
 public:
  explicit RoomStore(const std::vector<Room>& rooms) : rooms_(rooms) {}

  absl::StatusOr<std::unique_ptr<narthex::Querier>> NewQuerier(
      narthex::TimeRange range) override {
    std::vector<narthex::SeriesData> rows;
    for (const Room& room : rooms_) {
      narthex::SeriesData row;
      row.labels =
          narthex::Labels{{"__name__", "temperature"}, {"room", room.name}};
      for (size_t minute = 0; minute < room.celsius.size(); ++minute) {
        const narthex::Timestamp t = static_cast<int64_t>(minute) * 60'000;
        if (range.Contains(t)) row.floats.push_back({t, room.celsius[minute]});
      }
      rows.push_back(std::move(row));
    }
    // The rows must outlive the Querier: both live in one object.
    auto view = std::make_unique<View>();
    view->rows = narthex::NewMemoryQueryable(std::move(rows));
    auto querier = view->rows->NewQuerier(range);
    if (!querier.ok()) return querier.status();
    view->querier = *std::move(querier);
    return view;
  }

 private:
  // Passes everything on; a larger store would answer from its own index.
  struct View final : narthex::Querier {
    narthex::Symbols& symbols() override { return querier->symbols(); }
    absl::StatusOr<std::unique_ptr<narthex::SeriesSet>> Select(
        const narthex::SelectRequest& request,
        const narthex::ReadContext& ctx) override {
      return querier->Select(request, ctx);
    }
    absl::StatusOr<std::vector<std::string>> LabelNames(
        std::span<const narthex::Matcher* const> matchers, size_t limit,
        const narthex::ReadContext& ctx) override {
      return querier->LabelNames(matchers, limit, ctx);
    }
    absl::StatusOr<std::vector<std::string>> LabelValues(
        std::string_view name,
        std::span<const narthex::Matcher* const> matchers, size_t limit,
        const narthex::ReadContext& ctx) override {
      return querier->LabelValues(name, matchers, limit, ctx);
    }
    absl::StatusOr<std::vector<narthex::ExemplarSeries>> Exemplars(
        std::span<const narthex::Matchers> selectors, narthex::TimeRange range,
        const narthex::ReadContext& ctx) override {
      return querier->Exemplars(selectors, range, ctx);
    }
    const narthex::Annotations& warnings() const override {
      return querier->warnings();
    }

    std::unique_ptr<narthex::Queryable> rows;
    std::unique_ptr<narthex::Querier> querier;
  };

  const std::vector<Room>& rooms_;
};

}  // namespace

int main() {
  const std::vector<Room> rooms = {{"kitchen", {20, 21, 23, 22, 21}},
                                   {"cellar", {11, 11, 12, 11, 11}}};
  RoomStore store(rooms);
  const narthex::promql::Engine engine;
  const narthex::Timestamp now = 4 * 60'000;
  for (const char* query :
       {"temperature", "max_over_time(temperature[5m]) > 20",
        "max(temperature) - min(temperature)"}) {
    const auto answer = engine.Instant(store, query, now);
    if (!answer.ok()) {
      std::cerr << answer.status() << "\n";
      return 1;
    }
    std::cout << query << "\n" << *answer << "\n";
  }
}
