// What large queries may hold: ten thousand series at a thousand steps, whose
// samples are made when they are read, so that the memory is the query's.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {
namespace {

constexpr int64_t kInterval = 15'000;
constexpr int kSteps = 1'000;
// Instrumented builds are slow, and what they add to memory is not the query's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSeries = 1'000;
constexpr bool kResidentTells = false;
#else
constexpr int kSeries = 10'000;
constexpr bool kResidentTells = true;
#endif

// Counters, one sample every 15 s for ever.
class EndlessSet final : public SeriesSet {
 public:
  explicit EndlessSet(std::unique_ptr<SeriesSet> set) : set_(std::move(set)) {}

  size_t size() const override { return set_->size(); }
  LabelRow labels(size_t i) const override { return set_->labels(i); }
  size_t samples_hint(size_t) const override { return kSteps + 20; }
  absl::Status Read(size_t i, TimeRange range, const ReadContext&,
                    SampleColumns& out) const override {
    out.Clear();
    const int64_t first = (range.min.ms + kInterval - 1) / kInterval;
    const int64_t last = range.max.ms / kInterval;
    if (last < first) return absl::OkStatus();
    const auto n = static_cast<size_t>(last - first + 1);
    NARTHEX_RETURN_IF_ERROR(out.Reserve(n));
    for (size_t k = 0; k < n; ++k) {
      const int64_t at = first + static_cast<int64_t>(k);
      out.mutable_t()[k] = at * kInterval;
      out.mutable_v()[k] =
          static_cast<double>(at) * 1.7 + static_cast<double>(i);
    }
    out.SetSize(n);
    return absl::OkStatus();
  }
  absl::StatusOr<bool> ReadLatest(size_t, TimeRange, const ReadContext&,
                                  LatestSample&) const override {
    return Unimplemented("only ranges are asked for");
  }

 private:
  const std::unique_ptr<SeriesSet> set_;
};

class EndlessQuerier final : public Querier {
 public:
  explicit EndlessQuerier(std::unique_ptr<Querier> rows)
      : rows_(std::move(rows)) {}

  Symbols& symbols() override { return rows_->symbols(); }
  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(
      const SelectRequest& request, const ReadContext& ctx) override {
    NARTHEX_ASSIGN_OR_RETURN(auto set, rows_->Select(request, ctx));
    return std::make_unique<EndlessSet>(std::move(set));
  }
  absl::StatusOr<std::vector<std::string>> LabelNames(
      std::span<const Matcher* const> matchers, size_t limit,
      const ReadContext& ctx) override {
    return rows_->LabelNames(matchers, limit, ctx);
  }
  absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, std::span<const Matcher* const> matchers,
      size_t limit, const ReadContext& ctx) override {
    return rows_->LabelValues(name, matchers, limit, ctx);
  }
  absl::StatusOr<std::vector<ExemplarSeries>> Exemplars(
      std::span<const Matchers> selectors, TimeRange range,
      const ReadContext& ctx) override {
    return rows_->Exemplars(selectors, range, ctx);
  }
  const Annotations& warnings() const override { return rows_->warnings(); }

 private:
  const std::unique_ptr<Querier> rows_;
};

class EndlessStore final : public Queryable {
 public:
  EndlessStore() {
    std::vector<SeriesData> rows;
    for (int i = 0; i < kSeries; ++i) {
      SeriesData row;
      row.labels = Labels{{"__name__", "m"},
                          {"instance", std::to_string(i)},
                          {"job", std::to_string(i % 20)}};
      row.floats.push_back({kInterval * 100, 0});  // to be found at all
      rows.push_back(std::move(row));
    }
    rows_ = NewMemoryQueryable(std::move(rows));
  }
  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(
      TimeRange range) override {
    NARTHEX_ASSIGN_OR_RETURN(auto querier, rows_->NewQuerier(range));
    return std::make_unique<EndlessQuerier>(std::move(querier));
  }

 private:
  std::unique_ptr<Queryable> rows_;
};

// Of the process, in bytes; 0 where the system does not tell.
int64_t StatusBytes(std::string_view name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) {
      return std::atoll(line.c_str() + name.size() + 1) * 1024;
    }
  }
  return 0;
}

TEST_CASE("a large query runs in the memory it needs and not in a byte less",
          "[promql][engine]") {
  EndlessStore store;
  struct Case {
    const char* query;
    int64_t least_result;
    // Over the result; a quarter of the 105 MB that Prometheus takes for the
    // first, and 64 MiB for the second.
    int64_t most_beside;
  };
  for (const Case& c : {Case{"sum by (job) (rate(m[5m]))",
                             20 * kSteps * int64_t{sizeof(Sample)}, 26'000'000},
                        Case{"m", kSeries * kSteps * int64_t{sizeof(Sample)},
                             int64_t{64} << 20}}) {
    INFO(c.query);
    const auto run = [&](size_t limit) {
      EngineOptions options;
      options.max_bytes = limit;
      options.timeout = Minutes(20);
      return Engine(options).Range(
          store, c.query, {100 * kInterval, (100 + kSteps - 1) * kInterval},
          Duration(kInterval));
    };
    size_t peak = 0;
    {
      // Forgets the peak so far, if it may.
      std::ofstream("/proc/self/clear_refs") << "5";
      const int64_t before = StatusBytes("VmRSS:");
      const bool forgotten =
          before != 0 && StatusBytes("VmHWM:") - before < 8'000'000;
      const auto free = run(MemoryBudget::kUnlimited);
      const int64_t most = StatusBytes("VmHWM:");
      INFO(Message(free.status()));
      REQUIRE(free.ok());
      peak = free->stats.peak_bytes;
      REQUIRE(static_cast<int64_t>(peak) < c.least_result + c.most_beside);
      REQUIRE(static_cast<int64_t>(peak) >= c.least_result);
      // Labels as text and what malloc adds are the result's as well.
      const auto labels =
          static_cast<int64_t>(std::get<Matrix>(free->value).size() * 200);
      if (kResidentTells && forgotten) {
        CHECK(most - before < c.least_result + labels + c.most_beside);
      }
    }
    // The least that is enough lies not far below the peak: what is reserved
    // ahead can be less.
    size_t refused = peak - std::min<size_t>(peak, 4 << 20), needed = peak;
    if (refused != 0) REQUIRE(!run(refused).ok());
    while (needed - refused > 1) {
      const size_t middle = refused + (needed - refused) / 2;
      (run(middle).ok() ? needed : refused) = middle;
    }
    const auto enough = run(needed);
    INFO(Message(enough.status()));
    REQUIRE(enough.ok());
    REQUIRE(enough->stats.peak_bytes <= needed);
    const auto less = run(needed - 1);
    REQUIRE(less.status().code() == absl::StatusCode::kResourceExhausted);
    REQUIRE(std::string(Message(less.status())).find("memory") !=
            std::string::npos);
  }
}

}  // namespace
}  // namespace narthex::promql
