// W4: PromQL over two days of made-up series; W4F: dashboards over the fleet.
// An operation is parse, plan, evaluate, and let go of a sorted result with
// labels as text.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "benchmarks/bench.h"
#include "benchmarks/fleet.h"
#include "benchmarks/query_cases.h"
#include "narthex/base/status.h"
#include "narthex/model/appender.h"
#include "narthex/promql/engine.h"
#include "narthex/tsdb/db.h"

namespace narthex::bench {
namespace {

using promql::Engine;
using promql::QueryResult;

// A store in a directory of its own that goes with it.
class ScratchDb {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchDb>> Make() {
    std::string dir =
        (std::filesystem::temp_directory_path() / "narthex-w4.XXXXXX").string();
    if (mkdtemp(dir.data()) == nullptr) return Internal("no scratch directory");
    auto made = std::unique_ptr<ScratchDb>(new ScratchDb(dir));
    tsdb::Options options;
    options.retention = Duration(0);
    options.min_block_duration = options.max_block_duration = Hours(24);
    NARTHEX_ASSIGN_OR_RETURN(made->db_, tsdb::Db::Open(dir, options));
    return made;
  }
  ~ScratchDb() {
    db_.reset();
    std::error_code error;
    std::filesystem::remove_all(dir_, error);
  }
  tsdb::Db& operator*() { return *db_; }

 private:
  explicit ScratchDb(std::string dir) : dir_(std::move(dir)) {}
  const std::string dir_;
  std::unique_ptr<tsdb::Db> db_;
};

// a_X, b_X and the buckets h_X for one, ten and a hundred series.
std::vector<Labels> RangeSeries() {
  std::vector<Labels> all;
  auto buckets = [&all](std::string_view name, std::string_view l) {
    for (int j = 0; j <= 10; ++j) {
      const std::string le = j < 10 ? StrCat(j) : "+Inf";
      all.push_back(l.empty()
                        ? Labels{{"__name__", name}, {"le", le}}
                        : Labels{{"__name__", name}, {"l", l}, {"le", le}});
    }
  };
  all.push_back(Labels{{"__name__", "a_one"}});
  all.push_back(Labels{{"__name__", "b_one"}});
  buckets("h_one", "");
  for (auto [n, name] : {std::pair(10, "ten"), std::pair(100, "hundred")}) {
    const std::string a = StrCat("a_", name), b = StrCat("b_", name);
    for (int i = 0; i < n; ++i) {
      const std::string l = StrCat(i);
      all.push_back(Labels{{"__name__", a}, {"l", l}});
      all.push_back(Labels{{"__name__", b}, {"l", l}});
      buckets(StrCat("h_", name), l);
    }
  }
  return all;
}

absl::Status LoadRangeData(tsdb::Db& db) {
  const std::vector<Labels> series = RangeSeries();
  const double n = static_cast<double>(series.size());
  auto appender = db.NewAppender();
  std::vector<SeriesRef> refs(series.size());
  std::vector<double> values(series.size());
  for (int s = 0; s < kRangeSamples; ++s) {
    const Timestamp t(int64_t{s} * kRangeInterval);
    if (s == 0) {
      for (size_t i = 0; i < series.size(); ++i) {
        NARTHEX_ASSIGN_OR_RETURN(refs[i], appender->Resolve(series[i]));
      }
    }
    for (size_t i = 0; i < series.size(); ++i) {
      values[i] = s + static_cast<double>(i) / n;
    }
    NARTHEX_RETURN_IF_ERROR(
        appender->AppendFloats({.refs = refs, .values = values, .at = t}, {}));
    const std::string l = StrCat(s / (kRangeSamples / 50));
    NARTHEX_ASSIGN_OR_RETURN(
        const SeriesRef sparse,
        appender->Resolve(Labels{{"__name__", "sparse"}, {"l", l}}));
    if (AppendFloat(*appender, sparse, t, s / n) != Appended::kStored) {
      return Internal("a sample was refused");
    }
    NARTHEX_RETURN_IF_ERROR(appender->Commit());
  }
  return db.Compact();
}

// `i` of the histograms that grow from sample to sample.
Histogram TestHistogram(int64_t i) {
  Histogram h;
  h.count = static_cast<uint64_t>(12 + i * 9);
  h.zero_count = static_cast<uint64_t>(2 + i);
  h.zero_threshold = 0.001;
  h.sum = 18.4 * static_cast<double>(i + 1);
  h.schema = 1;
  h.positive_spans = h.negative_spans = {{0, 2}, {1, 2}};
  h.positive_deltas = h.negative_deltas = {i + 1, 1, -1, 0};
  return h;
}

absl::Status LoadHistograms(tsdb::Db& db) {
  auto appender = db.NewAppender();
  for (int i = 0; i < 1000; ++i) {
    NARTHEX_ASSIGN_OR_RETURN(
        const SeriesRef ref,
        appender->Resolve(Labels{{"__name__", "native_histogram_series"},
                                 {"foo", "bar"},
                                 {"h", StrCat(i)}}));
    for (int j = 0; j < 500; ++j) {
      if (appender->AppendHistogram(ref, Timestamp(int64_t{j} * 15000),
                                    Timestamp(0),
                                    TestHistogram(j)) != Appended::kStored) {
        return Unimplemented("the store takes no native histograms");
      }
    }
    NARTHEX_RETURN_IF_ERROR(appender->Commit());
  }
  return absl::OkStatus();
}

struct Answer {
  double series = 0, points = 0, sum = 0;

  void Add(double v) {
    ++points;
    if (std::isfinite(v)) sum += v;
  }
  explicit Answer(const promql::Value& value) {
    if (const auto* matrix = std::get_if<promql::Matrix>(&value)) {
      series = static_cast<double>(matrix->size());
      for (const promql::MatrixSeries& s : *matrix) {
        for (const Sample& sample : s.floats) Add(sample.v);
        points += static_cast<double>(s.histograms.size());
      }
    } else if (const auto* vector = std::get_if<promql::Vector>(&value)) {
      series = static_cast<double>(vector->size());
      for (const promql::VectorElement& e : *vector) Add(e.v);
    }
  }
};

class QueryBench {
 public:
  explicit QueryBench(const BenchFlags& flags)
      : only_(flags.only), seconds_(flags.seconds) {
    if (flags.threads > 1) pool_.emplace(flags.threads);
    promql::EngineOptions options;
    options.experimental_functions = true;
    options.timeout = Seconds(100);
    options.executor = pool_ ? &*pool_ : nullptr;
    engine_.emplace(options);
  }

  // A query that fails is told, and the rest go on.
  void Measure(
      std::string_view workload, const std::string& name,
      const std::function<absl::StatusOr<QueryResult>(const Engine&)>& query) {
    if ((name + "$").find(only_) == std::string::npos) return;
    auto first = query(*engine_);
    if (!first.ok()) {
      std::fprintf(stderr, "%s %s: %s\n", std::string(workload).c_str(),
                   name.c_str(), std::string(Message(first.status())).c_str());
      return;
    }
    const Answer answer(first->value);
    const double peak = static_cast<double>(first->stats.peak_bytes);
    first = QueryResult();
    const double wall0 = WallSeconds(), cpu0 = ProcessCpuSeconds();
    int n = 0;
    for (; n < 3 || (n < 8000 * seconds_ && WallSeconds() - wall0 < seconds_); ++n) {
      (void)query(*engine_);
    }
    const double wall = WallSeconds() - wall0;
    const double cpu = ProcessCpuSeconds() - cpu0;
    Emit(workload, name, "ns_per_op", wall * 1e9 / n, "ns");
    Emit(workload, name, "cpu_ns_per_op", cpu * 1e9 / n, "ns");
    Emit(workload, name, "peak_bytes", peak, "B");
    Emit(workload, name, "result_series", answer.series, "1");
    Emit(workload, name, "result_points", answer.points, "1");
    Emit(workload, name, "result_sum", answer.sum, "1");
  }

 private:
  const std::string only_;
  const double seconds_;
  std::optional<ThreadPool> pool_;
  std::optional<Engine> engine_;
};

}  // namespace

absl::Status RunQueries(const BenchFlags& flags) {
  QueryBench bench(flags);
  {
    NARTHEX_ASSIGN_OR_RETURN(auto scratch, ScratchDb::Make());
    tsdb::Db& db = **scratch;
    NARTHEX_RETURN_IF_ERROR(LoadRangeData(db));
    const Timestamp end(int64_t{kRangeSamples} * kRangeInterval);
    for (const RangeCase& which : RangeCases()) {
      const TimeRange range = {end - Duration(which.steps * kRangeInterval),
                               end};
      bench.Measure("W4", StrCat(which.query, " steps=", which.steps),
                    [&](const Engine& engine) {
                      return engine.Range(db, which.query, range,
                                          Duration(kRangeInterval));
                    });
    }
    for (const char* query : kInstantCases) {
      bench.Measure("W4", StrCat(query, " instant"), [&](const Engine& engine) {
        return engine.Instant(db, query, end - Duration(kRangeInterval));
      });
    }
    Emit("W4", "range_data", "rss_peak", ReadMemoryUse().peak, "B");
  }
  NARTHEX_ASSIGN_OR_RETURN(auto scratch, ScratchDb::Make());
  const absl::Status loaded = LoadHistograms(**scratch);
  if (!loaded.ok()) {
    std::fprintf(stderr, "W4 native histograms: %s\n",
                 std::string(Message(loaded)).c_str());
    return absl::OkStatus();
  }
  for (const char* query : kHistogramCases) {
    bench.Measure(
        "W4", StrCat(query, " native 2h/30s"), [&](const Engine& engine) {
          return engine.Range(**scratch, query,
                              {Timestamp(0), Timestamp(7200000)}, Seconds(30));
        });
  }
  return absl::OkStatus();
}

absl::Status RunFleetQueries(const BenchFlags& flags) {
  if (flags.dir.empty()) return InvalidArgument("-dir is missing");
  QueryBench bench(flags);
  tsdb::Options options;
  options.retention = Duration(0);
  NARTHEX_ASSIGN_OR_RETURN(auto db, tsdb::Db::Open(flags.dir, options));
  const Timestamp end(kFleetStart + 7200000 - 15000);
  for (const char* query : kFleetCases) {
    bench.Measure("W4F", StrCat(query, " instant"), [&](const Engine& engine) {
      return engine.Instant(*db, query, end);
    });
    bench.Measure("W4F", StrCat(query, " 1h/15s"), [&](const Engine& engine) {
      return engine.Range(*db, query, {end - Hours(1), end}, Seconds(15));
    });
  }
  const MemoryUse use = ReadMemoryUse();
  Emit("W4F", "all", "rss", use.resident, "B");
  Emit("W4F", "all", "rss_peak", use.peak, "B");
  return db->Close();
}

}  // namespace narthex::bench
