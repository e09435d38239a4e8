// One query from text to value: the spine of querying.

#include "narthex/promql/engine.h"

#include <algorithm>
#include <utility>

#include "libpromql/engine/collect.h"
#include "libpromql/engine/report.h"
#include "libpromql/exec/scope.h"
#include "libpromql/plan/plan.h"
#include "narthex/base/status.h"
#include "narthex/promql/ast.h"
#include "narthex/promql/explain.h"
#include "narthex/promql/parser.h"

namespace narthex::promql {

ParserOptions ParserOptionsOf(const EngineOptions& options) {
  ParserOptions parser;
  parser.experimental_functions = options.experimental_functions;
  parser.duration_expressions = options.duration_expressions;
  parser.extended_range_selectors = options.extended_range_selectors;
  parser.binop_fill_modifiers = options.binop_fill_modifiers;
  parser.functions = options.functions;
  return parser;
}

namespace {

PlanOptions PlanOptionsOf(const EngineOptions& options,
                          const QueryOptions& query) {
  PlanOptions plan;
  plan.lookback = query.lookback.ms > 0 ? query.lookback : options.lookback;
  plan.default_subquery_step = options.default_subquery_step;
  plan.start_times = options.start_timestamps;
  return plan;
}

// A grid too long for any result is refused before memory is asked for it.
absl::Status CheckGrids(const PlanNode& node, int64_t max_samples) {
  if (node.grid.steps >
      static_cast<size_t>(std::max<int64_t>(max_samples, 0))) {
    return ResourceExhausted(
        "query processing would load too many samples into memory in query "
        "execution");
  }
  for (const PlanPtr& input : node.inputs) {
    NARTHEX_RETURN_IF_ERROR(CheckGrids(*input, max_samples));
  }
  return absl::OkStatus();
}

double Seconds(int64_t nanos) { return static_cast<double>(nanos) / 1e9; }

// What one query has of its own; the rest is the engine's.
class Run {
 public:
  Run(const EngineOptions& options, const QueryOptions& query, Queryable& store,
      std::string_view text, ResultSink* sink = nullptr)
      : options_(options),
        query_(query),
        store_(store),
        sink_(sink),
        text_(text),
        begun_(options.clock->MonotonicNanos()),
        deadline_(*options.clock, Timeout(options, query)),
        budget_(options.max_bytes, options.budget) {}

  absl::StatusOr<QueryResult> Text(const QueryTimes& times, bool range_query) {
    NARTHEX_ASSIGN_OR_RETURN(const ExprPtr expr,
                             ParseExpr(text_, ParserOptionsOf(options_)));
    return Tree(*expr, times, range_query);
  }

  absl::StatusOr<QueryResult> Tree(const Expr& expr, const QueryTimes& times,
                                   bool range_query) {
    PlanOptions plan_options = PlanOptionsOf(options_, query_);
    NARTHEX_ASSIGN_OR_RETURN(const Plan plan,
                             MakePlan(expr, times, range_query, plan_options));
    QueryResult result;
    result.query = std::string(text_);
    if (plan.root->kind == NodeKind::kString) {
      result.value = CollectString(plan);
      return result;
    }
    NARTHEX_RETURN_IF_ERROR(CheckGrids(*plan.root, options_.max_samples));
    auto querier = store_.NewQuerier(plan.DataRange());
    if (!querier.ok()) return querier.status();
    InlineExecutor here;
    Executor& executor =
        options_.executor != nullptr ? *options_.executor : here;
    QueryScope scope(plan, options_, plan_options.lookback, **querier, budget_,
                     executor,
                     {options_.max_samples, &deadline_, query_.cancel,
                      query_.report != nullptr,
                      options_.per_step_stats && query_.per_step_stats});
    const int64_t prepared = options_.clock->MonotonicNanos();
    auto value = Evaluate(expr, times, plan, plan_options, scope);
    if (!value.ok()) return Worded(value.status(), scope);
    result.value = *std::move(value);
    result.annotations = std::move(scope.annotations());
    result.annotations.Merge((*querier)->warnings());
    FillStats(scope, prepared, result.stats);
    if (query_.report != nullptr) {
      *query_.report = ReportOf(plan, scope.work(), result.stats);
    }
    return result;
  }

 private:
  static Duration Timeout(const EngineOptions& options,
                          const QueryOptions& query) {
    if (query.timeout.ms <= 0) return options.timeout;
    return std::min(options.timeout, query.timeout);
  }

  // All steps at once, or tile by tile.
  absl::StatusOr<Value> Evaluate(const Expr& expr, const QueryTimes& times,
                                 const Plan& plan, PlanOptions plan_options,
                                 QueryScope& scope) {
    const size_t steps = plan.grid.steps;
    const size_t tile = options_.tile_steps;
    const bool whole = !plan.range_query || tile == 0 || tile >= steps;
    scope.BeginTile(plan, /*only=*/whole);
    if (plan.root->kind == NodeKind::kRead ||
        plan.root->kind == NodeKind::kSubquery) {
      return CollectSamples(scope);
    }
    Collector collector(scope, plan.range_query ? sink_ : nullptr);
    if (whole) {
      if (steps == 0) return Value(Matrix());
      NARTHEX_RETURN_IF_ERROR(collector.Add(plan));
      return collector.Take();
    }
    plan_options.steps = tile;
    for (size_t first = 0; first < steps; first += tile) {
      plan_options.first_step = first;
      NARTHEX_ASSIGN_OR_RETURN(
          const Plan part,
          MakePlan(expr, times, /*range_query=*/true, plan_options));
      scope.BeginTile(part, /*only=*/false);
      NARTHEX_RETURN_IF_ERROR(collector.Add(part));
    }
    return collector.Take();
  }

  // A store that noticed the deadline first says so in its own words.
  static absl::Status Worded(const absl::Status& status,
                             const QueryScope& scope) {
    if (status.code() == absl::StatusCode::kCancelled ||
        status.code() == absl::StatusCode::kDeadlineExceeded) {
      NARTHEX_RETURN_IF_ERROR(scope.Check());
    }
    return status;
  }

  void FillStats(const QueryScope& scope, int64_t prepared,
                 QueryStats& stats) const {
    const int64_t now = options_.clock->MonotonicNanos();
    stats.total_queryable_samples = scope.queryable_samples();
    stats.peak_samples = scope.peak_samples();
    stats.series = scope.series();
    stats.samples_decoded = scope.decoded_samples();
    stats.peak_bytes = budget_.peak();
    stats.total_queryable_samples_per_step = scope.samples_per_step();
    stats.prepare_time = Seconds(prepared - begun_);
    stats.eval_time = Seconds(now - prepared);
    stats.total_time = Seconds(now - begun_);
  }

  const EngineOptions& options_;
  const QueryOptions& query_;
  Queryable& store_;
  ResultSink* const sink_;
  const std::string_view text_;
  const int64_t begun_;
  const CancelToken deadline_;
  MemoryBudget budget_;
};

}  // namespace

Engine::Engine(EngineOptions options) : options_(std::move(options)) {}
Engine::~Engine() = default;

absl::StatusOr<QueryResult> Engine::Instant(Queryable& store,
                                            std::string_view query,
                                            Timestamp at,
                                            const QueryOptions& options) const {
  return Run(options_, options, store, query)
      .Text({at, at, Duration(0)}, /*range_query=*/false);
}

absl::StatusOr<QueryResult> Engine::Range(Queryable& store,
                                          std::string_view query,
                                          TimeRange range, Duration step,
                                          const QueryOptions& options) const {
  return Run(options_, options, store, query)
      .Text({range.min, range.max, step}, /*range_query=*/true);
}

absl::StatusOr<QueryResult> Engine::Range(Queryable& store,
                                          std::string_view query,
                                          TimeRange range, Duration step,
                                          ResultSink& sink,
                                          const QueryOptions& options) const {
  return Run(options_, options, store, query, &sink)
      .Text({range.min, range.max, step}, /*range_query=*/true);
}

absl::StatusOr<QueryResult> Engine::Instant(Queryable& store, const Expr& expr,
                                            std::string_view text, Timestamp at,
                                            const QueryOptions& options) const {
  return Run(options_, options, store, text)
      .Tree(expr, {at, at, Duration(0)}, /*range_query=*/false);
}

absl::StatusOr<QueryResult> Engine::Range(Queryable& store, const Expr& expr,
                                          std::string_view text,
                                          TimeRange range, Duration step,
                                          const QueryOptions& options) const {
  return Run(options_, options, store, text)
      .Tree(expr, {range.min, range.max, step}, /*range_query=*/true);
}

absl::StatusOr<PlanReport> ExplainPlan(const EngineOptions& options,
                                       std::string_view query, TimeRange range,
                                       Duration step) {
  NARTHEX_ASSIGN_OR_RETURN(const ExprPtr expr,
                           ParseExpr(query, ParserOptionsOf(options)));
  const bool range_query = step.ms > 0;
  NARTHEX_ASSIGN_OR_RETURN(
      const Plan plan,
      MakePlan(*expr, {range.min, range_query ? range.max : range.min, step},
               range_query, PlanOptionsOf(options, {})));
  return ReportOf(plan);
}

absl::StatusOr<std::string> Explain(const EngineOptions& options,
                                    std::string_view query, TimeRange range,
                                    Duration step) {
  NARTHEX_ASSIGN_OR_RETURN(const PlanReport report,
                           ExplainPlan(options, query, range, step));
  return report.ToText();
}

}  // namespace narthex::promql
