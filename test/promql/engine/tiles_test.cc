// Steps in tiles, threads, limits of memory, counting: whatever the way a query
// is evaluated, the answer is the same.

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {
namespace {

std::unique_ptr<Queryable> Machines(int series, int samples) {
  std::mt19937_64 random(11);
  std::vector<SeriesData> rows;
  for (int i = 0; i < series; ++i) {
    SeriesData row;
    row.labels = Labels{{"__name__", i % 2 ? "m_total" : "n"},
                        {"host", std::to_string(i / 4)},
                        {"i", std::to_string(i)},
                        {"le", i % 5 == 4 ? "+Inf" : std::to_string(i % 5)}};
    double v = 0;
    for (int k = 0; k < samples; ++k) {
      v += static_cast<double>(random() % 1000) / 7;
      if (random() % 60 == 0) v = 0;
      if (random() % 40 == 0) continue;
      row.floats.push_back({k * 15'000, random() % 90 == 0 ? StaleNaN() : v});
    }
    rows.push_back(std::move(row));
  }
  return NewMemoryQueryable(std::move(rows));
}

const char* const kQueries[] = {
    "m_total",
    "-n",
    "rate(m_total[2m])",
    "sum by (host) (rate(m_total[5m]))",
    "topk(scalar(count(n)) / 10, n)",
    "topk(scalar(n{i=\"0\"}), n @ 300)",
    "quantile(0.4, m_total)",
    "stddev_over_time(m_total[10m])",
    "avg_over_time(m_total[10m])",
    "deriv(m_total[10m])",
    "double_exponential_smoothing(m_total[10m], 0.3, 0.6)",
    "max_over_time(rate(m_total[1m])[5m:30s])",
    "sum_over_time(n[7m] offset 3m)",
    "m_total * on (host) group_left sum by (host) (n)",
    "m_total > 100 or n unless on (host) m_total < 10",
    "count_values(\"v\", round(m_total, 100))",
    "histogram_quantile(0.9, sum by (le) (rate(m_total[5m])))",
    "n - n @ end()",
    "timestamp(n) + start() + step()",
    "absent(n{host=\"nobody\"})",
    "label_replace(n, \"host\", \"x$1\", \"host\", \"(.*)\")",
    "limit_ratio(0.3, n)",
    "mad_over_time(n[5m])",
};

TEST_CASE("tiles and threads don't change a bit", "[promql][engine]") {
  const auto store = Machines(60, 260);
  ThreadPool pool(4);
  EngineOptions options;
  options.experimental_functions = true;
  const Engine plain(options);
  for (const size_t tile : {1, 7, 64, 100}) {
    for (Executor* executor :
         {static_cast<Executor*>(nullptr), static_cast<Executor*>(&pool)}) {
      EngineOptions other = options;
      other.tile_steps = tile;
      other.executor = executor;
      const Engine tiled(other);
      for (const char* query : kQueries) {
        INFO(query << " in tiles of " << tile);
        const TimeRange range = {0, 3'600'000};
        const auto a = plain.Range(*store, query, range, Seconds(25));
        const auto b = tiled.Range(*store, query, range, Seconds(25));
        INFO(Message(a.status()) << Message(b.status()));
        REQUIRE(a.ok());
        REQUIRE(b.ok());
        REQUIRE(SameBits(a->value, b->value));
        REQUIRE(a->stats.total_queryable_samples ==
                b->stats.total_queryable_samples);
      }
    }
  }
}

TEST_CASE("series that become one are an error whichever tile they are in",
          "[promql][engine]") {
  std::vector<SeriesData> rows;
  for (int i = 0; i < 2; ++i) {
    SeriesData row;
    row.labels = Labels{{"__name__", i == 0 ? "a_total" : "b_total"}};
    // One ends long before the other begins.
    for (int k = 0; k < 20; ++k) {
      row.floats.push_back({i * 1'000'000 + k * 10'000, double(k)});
    }
    rows.push_back(std::move(row));
  }
  const auto store = NewMemoryQueryable(std::move(rows));
  for (const size_t tile : {0, 5}) {
    EngineOptions options;
    options.tile_steps = tile;
    const auto result =
        Engine(options).Range(*store, "rate({__name__=~\".+_total\"}[1m])",
                              {0, 1'200'000}, Seconds(10));
    REQUIRE(!result.ok());
    REQUIRE(std::string(Message(result.status())) ==
            "vector cannot contain metrics with the same labelset");
  }
}

TEST_CASE("a sink gets what the matrix would hold", "[promql][engine]") {
  struct Gather final : ResultSink {
    Matrix matrix;
    absl::Status Add(MatrixSeries series) override {
      for (MatrixSeries& s : matrix) {
        if (s.labels != series.labels) continue;
        s.floats.insert(s.floats.end(), series.floats.begin(),
                        series.floats.end());
        return absl::OkStatus();
      }
      matrix.push_back(std::move(series));
      return absl::OkStatus();
    }
  };
  const auto store = Machines(40, 200);
  for (const size_t tile : {0, 9}) {
    EngineOptions options;
    options.tile_steps = tile;
    const Engine engine(options);
    Gather gather;
    const auto streamed = engine.Range(*store, "rate(m_total[2m])",
                                       {0, 3'000'000}, Seconds(30), gather);
    const auto whole =
        Engine(EngineOptions{})
            .Range(*store, "rate(m_total[2m])", {0, 3'000'000}, Seconds(30));
    REQUIRE(streamed.ok());
    REQUIRE(whole.ok());
    REQUIRE(std::get<Matrix>(streamed->value).empty());
    std::sort(gather.matrix.begin(), gather.matrix.end(),
              [](const MatrixSeries& a, const MatrixSeries& b) {
                return a.labels < b.labels;
              });
    REQUIRE(SameBits(Value(gather.matrix), whole->value));
  }
  SECTION("and its error is the query's") {
    struct Full final : ResultSink {
      absl::Status Add(MatrixSeries) override {
        return ResourceExhausted("the disk is full");
      }
    } full;
    const auto result =
        Engine(EngineOptions{})
            .Range(*store, "n", {0, 3'000'000}, Seconds(30), full);
    REQUIRE(std::string(Message(result.status())) == "the disk is full");
  }
}

TEST_CASE("a query runs in the memory it needs and not in a byte less",
          "[promql][engine]") {
  const auto store = Machines(100, 600);
  struct Case {
    const char* query;
    double series;  // of the result
  };
  for (const Case& c : {Case{"sum by (host) (rate(m_total[5m]))", 25},
                        Case{"n", 50}, Case{"topk(3, m_total)", 50}}) {
    INFO(c.query);
    const TimeRange range = {0, 9'000'000};
    auto run = [&](size_t limit) {
      EngineOptions options;
      options.max_bytes = limit;
      return Engine(options).Range(*store, c.query, range, Seconds(9));
    };
    const auto free = run(MemoryBudget::kUnlimited);
    REQUIRE(free.ok());
    // 1001 steps: the result, and what a few blocks hold.
    REQUIRE(free->stats.peak_bytes <
            c.series * 1001 * sizeof(Sample) + (8 << 20));
    // The peak is enough; what is reserved ahead can be less.
    size_t refused = 0, needed = free->stats.peak_bytes;
    while (needed - refused > 1) {
      const size_t middle = refused + (needed - refused) / 2;
      (run(middle).ok() ? needed : refused) = middle;
    }
    const auto enough = run(needed);
    INFO(Message(enough.status()));
    REQUIRE(enough.ok());
    REQUIRE(SameBits(enough->value, free->value));
    REQUIRE(enough->stats.peak_bytes <= needed);
    const auto less = run(needed - 1);
    REQUIRE(less.status().code() == absl::StatusCode::kResourceExhausted);
    REQUIRE(std::string(Message(less.status())).find("memory") !=
            std::string::npos);
  }
}

TEST_CASE("samples are counted as Prometheus counts them", "[promql][engine]") {
  std::vector<SeriesData> rows(1);
  rows[0].labels = Labels{{"__name__", "a"}};
  for (int k = 0; k < 100; ++k) {
    rows[0].floats.push_back({k * 10'000, double(k)});
  }
  const auto store = NewMemoryQueryable(std::move(rows));
  struct Case {
    const char* query;
    int64_t total;
    std::vector<int64_t> steps;
  };
  // 201 s to 221 s by 10 s: three steps.
  for (const size_t tile : {0, 2}) {
    EngineOptions options;
    options.per_step_stats = true;
    options.tile_steps = tile;
    const Engine engine(options);
    for (const Case& c : std::vector<Case>{
             {"a", 3, {1, 1, 1}},
             {"a + a", 6, {2, 2, 2}},
             {"sum_over_time(a[1m])", 18, {6, 6, 6}},
             {"rate(a[1m] @ 100)", 18, {6, 6, 6}},
             {"a @ 100", 3, {1, 1, 1}},
             // The inside of a subquery counts nowhere, its points do.
             {"max_over_time(a[1m:20s])", 9, {3, 3, 3}},
             {"1 + 1", 0, {0, 0, 0}},
         }) {
      INFO(c.query);
      const auto result = engine.Range(*store, c.query, {201'000, 221'000},
                                       Seconds(10), {.per_step_stats = true});
      REQUIRE(result.ok());
      REQUIRE(result->stats.total_queryable_samples == c.total);
      REQUIRE(result->stats.total_queryable_samples_per_step == c.steps);
      const auto unasked =
          engine.Range(*store, c.query, {201'000, 221'000}, Seconds(10));
      REQUIRE(unasked->stats.total_queryable_samples_per_step.empty());
    }
    const auto instant = engine.Instant(*store, "a[1m]", Timestamp(200'000),
                                        {.per_step_stats = true});
    REQUIRE(instant->stats.total_queryable_samples_per_step ==
            std::vector<int64_t>{6});
  }
}

}  // namespace
}  // namespace narthex::promql
