#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {
namespace {

std::vector<SeriesData> Fleet() {
  std::mt19937_64 random(7);
  std::vector<SeriesData> fleet;
  for (int i = 0; i < 400; ++i) {
    SeriesData s;
    const std::string host = std::to_string(i / 2 % 40);
    const std::string le = i % 10 == 9 ? "+Inf" : std::to_string(i % 10);
    s.labels = Labels{{"__name__", i % 2 ? "m_total" : "n_total"},
                      {"host", host},
                      {"i", std::to_string(i)},
                      {"le", le}};
    double v = 0;
    for (int k = 0; k < 200; ++k) {
      if (random() % 50 == 0) continue;
      v += static_cast<double>(random() % 1000) / 7;
      if (random() % 60 == 0) v = 0;
      s.floats.push_back({k * 15'000, random() % 97 == 0 ? StaleNaN() : v});
    }
    fleet.push_back(std::move(s));
  }
  return fleet;
}

TEST_CASE("any number of threads gives the same bits", "[promql][exec]") {
  const auto store = NewMemoryQueryable(Fleet());
  ThreadPool pool(4);
  const Engine alone{EngineOptions{}};
  const Engine together{{.executor = &pool}};
  const char* queries[] = {
      "m_total",
      "rate(m_total[2m])",
      "sum by (host) (rate({__name__=~\".+_total\"}[5m]))",
      "avg(m_total) / stddev(n_total)",
      "topk by (host) (2, m_total)",
      "quantile by (host) (0.3, m_total)",
      "histogram_quantile(0.9, sum by (le) (rate(m_total[5m])))",
      "m_total * on (host) group_left sum by (host) (n_total)",
      "m_total > 100 or n_total unless on (host) m_total < 10",
      "stddev_over_time(m_total[10m])",
      "max_over_time(rate(m_total[1m])[5m:30s])",
      "rate(m_total[5m]) / rate(m_total[1m])",
      "count_values(\"v\", round(m_total, 100))",
  };
  for (const char* query : queries) {
    INFO(query);
    const auto a = alone.Range(*store, query, {0, 3'000'000}, Seconds(20));
    const auto b = together.Range(*store, query, {0, 3'000'000}, Seconds(20));
    INFO(Message(a.status()));
    REQUIRE(a.ok());
    REQUIRE(b.ok());
    REQUIRE(!std::get<Matrix>(a->value).empty());
    REQUIRE(SameBits(a->value, b->value));
    const auto c = alone.Instant(*store, query, Timestamp(1'234'567));
    const auto d = together.Instant(*store, query, Timestamp(1'234'567));
    REQUIRE(c.ok());
    REQUIRE(d.ok());
    REQUIRE(SameBits(c->value, d->value));
  }
}

TEST_CASE("a range query's step is what an instant query gives there",
          "[promql][exec]") {
  const auto store = NewMemoryQueryable(Fleet());
  const Engine engine{EngineOptions{}};
  for (const char* query :
       {"sum by (host) (rate(m_total[2m]))", "-m_total", "abs(m_total - 7)",
        "m_total and n_total", "label_join(m_total, \"x\", \"-\", \"host\")",
        "deriv(n_total[3m])", "count(m_total > 500)", "m_total offset 45s"}) {
    INFO(query);
    const auto range =
        engine.Range(*store, query, {900'000, 1'500'000}, Seconds(75));
    REQUIRE(range.ok());
    for (int64_t t = 900'000; t <= 1'500'000; t += 75'000) {
      const auto instant = engine.Instant(*store, query, Timestamp(t));
      REQUIRE(instant.ok());
      size_t found = 0;
      for (const MatrixSeries& series : std::get<Matrix>(range->value)) {
        for (const Sample& sample : series.floats) {
          if (sample.t != Timestamp(t)) continue;
          ++found;
          bool same = false;
          for (const VectorElement& e : std::get<Vector>(instant->value)) {
            if (e.labels == series.labels) same = Bits(e.v) == Bits(sample.v);
          }
          REQUIRE(same);
        }
      }
      REQUIRE(found == std::get<Vector>(instant->value).size());
    }
  }
}

}  // namespace
}  // namespace narthex::promql
