// The PromQL engine: text and a store in, a value out.
//
//   Engine engine({.executor = &pool});
//   auto r = engine.Range(store, "rate(http_requests_total[5m])",
//                         {start, end}, Minutes(1));
//
// An Engine is immutable: any thread, any number of queries at once.  It
// borrows executor, clock and budget, which must outlive it.  For the same
// store and query the answer is the same to the last bit, whatever the width
// of the executor.

#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/clock.h"
#include "narthex/base/executor.h"
#include "narthex/base/time.h"
#include "narthex/model/annotations.h"
#include "narthex/model/querier.h"
#include "narthex/promql/value.h"

namespace narthex::promql {

class FunctionSet;
struct PlanReport;

struct EngineOptions {
  // --- What a query means.

  // How far back an instant selector looks for a sample.
  Duration lookback = Minutes(5);
  // Of a subquery `[1h:]` that names none.
  Duration default_subquery_step = Minutes(1);

  // --- Feature flags of Prometheus 3.14.

  bool experimental_functions = false;
  bool extended_range_selectors = false;
  bool binop_fill_modifiers = false;
  // Arithmetic in `[...]` and after offset; Prometheus's server always has it.
  bool duration_expressions = true;
  bool delayed_name_removal = false;
  bool type_and_unit_labels = false;
  bool start_timestamps = false;
  bool per_step_stats = false;

  // --- Limits of one query.

  // Samples held at once, counted as Prometheus counts them.
  int64_t max_samples = 50'000'000;
  Duration timeout = Minutes(2);
  // Bytes that one query may hold, and whom else to ask; null: nobody.
  size_t max_bytes = MemoryBudget::kUnlimited;
  MemoryBudget *budget = nullptr;

  // Steps of a range query that are evaluated together; 0: all.  Memory of what
  // needs all series at once (topk, quantile, joins, sort) is series times
  // these instead of series times all steps, at the price of reading the
  // samples that neighbouring tiles share twice.  Values are the same to the
  // last bit; of a query with several errors another one may be told.
  size_t tile_steps = 0;

  // --- Functions of the embedding program beside PromQL's own; borrowed.

  const FunctionSet *functions = nullptr;

  // --- Where it runs.

  Executor *executor = nullptr;  // null: in the caller's thread
  Clock *clock = Clock::System();
};

// What may differ from query to query.  Zeros and nulls: as the engine has it.
struct QueryOptions {
  Duration lookback = Duration(0);
  // Shorter than the engine's; a longer one is cut to it.
  Duration timeout = Duration(0);
  // Borrowed: Cancel() from any thread ends the query soon.
  const CancelToken *cancel = nullptr;
  // Fills QueryStats' samples per step, if the engine has per_step_stats.
  bool per_step_stats = false;
  // Borrowed: EXPLAIN ANALYZE; what the plan's nodes cost goes there
  // (narthex/promql/explain.h).  Not filled if the query fails.
  PlanReport *report = nullptr;
};

// Takes the series of a range query as they are ready, so that nobody ever
// holds the whole result.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  // In no particular order.  With tiles a series may come several times, its
  // samples ascending; else every series comes once.  An error ends the query
  // with it.
  virtual absl::Status Add(MatrixSeries series) = 0;
};

struct QueryStats {
  // Samples that the query looked at: a window's samples count once per step.
  int64_t total_queryable_samples = 0;
  int64_t peak_samples = 0;
  int64_t series = 0;           // selected, once per distinct selector
  int64_t samples_decoded = 0;  // handed over by the store
  size_t peak_bytes = 0;
  // Seconds.
  double prepare_time = 0;  // parse, plan, select
  double eval_time = 0;
  double total_time = 0;
  // One per step if asked for, else empty.
  std::vector<int64_t> total_queryable_samples_per_step = {};
};

struct QueryResult {
  Value value = {};
  Annotations annotations = {};
  QueryStats stats = {};
  // The text that the annotations' positions count in.
  std::string query = {};
};

// The value, then a line per warning and info.
std::ostream &operator<<(std::ostream &out, const QueryResult &result);

struct Expr;
struct ParserOptions;

// What of the language an engine takes.
ParserOptions ParserOptionsOf(const EngineOptions &options);

class Engine {
 public:
  explicit Engine(EngineOptions options = {});
  ~Engine();
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;

  const EngineOptions &options() const { return options_; }

  // Errors: kInvalidArgument with `line:col: parse error: ...` or what is wrong
  // with the query; kDeadlineExceeded, kCancelled and kResourceExhausted with
  // Prometheus's texts; else what the store said, after "expanding series: ".
  absl::StatusOr<QueryResult> Instant(Queryable &store, std::string_view query,
                                      Timestamp at,
                                      const QueryOptions &options = {}) const;
  // At range.min, + step, ... up to range.max.  The step must be positive.
  absl::StatusOr<QueryResult> Range(Queryable &store, std::string_view query,
                                    TimeRange range, Duration step,
                                    const QueryOptions &options = {}) const;

  // The same, but every series goes to `sink`, and the result's matrix is
  // empty.  What has come before an error has come.
  absl::StatusOr<QueryResult> Range(Queryable &store, std::string_view query,
                                    TimeRange range, Duration step,
                                    ResultSink &sink,
                                    const QueryOptions &options = {}) const;

  // The same of a tree that is at hand (rules, prepared queries).  `text` is
  // what the tree's positions count in.
  absl::StatusOr<QueryResult> Instant(Queryable &store, const Expr &expr,
                                      std::string_view text, Timestamp at,
                                      const QueryOptions &options = {}) const;
  absl::StatusOr<QueryResult> Range(Queryable &store, const Expr &expr,
                                    std::string_view text, TimeRange range,
                                    Duration step,
                                    const QueryOptions &options = {}) const;

 private:
  const EngineOptions options_;
};

}  // namespace narthex::promql
