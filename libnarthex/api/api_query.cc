// query, query_range, format_query, parse_query.

#include <memory>
#include <variant>

#include "libnarthex/api/api.h"
#include "narthex/promql/printer.h"

namespace narthex::api {
namespace {

constexpr int64_t kMaxPoints = 11000;

// A turn among the queries that may run at once.
class Turn {
 public:
  // Waits until it is this query's turn, or its deadline has passed.
  Turn(const Context& context, Duration timeout) : context_(context) {
    absl::MutexLock lock(&context_.mu);
    auto free = [this]() ABSL_SHARED_LOCKS_REQUIRED(context_.mu) {
      return context_.running < context_.options.max_concurrent_queries;
    };
    ok_ = context_.mu.AwaitWithTimeout(absl::Condition(&free),
                                       absl::Milliseconds(timeout.ms));
    if (ok_) ++context_.running;
  }
  ~Turn() {
    if (!ok_) return;
    absl::MutexLock lock(&context_.mu);
    --context_.running;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  bool ok() const { return ok_; }

 private:
  const Context& context_;
  bool ok_ = false;
};

// timeout and lookback_delta.
ApiError ReadQueryOptions(const Call& call, promql::QueryOptions& out,
                          bool& already_over) {
  out.cancel = call.request.cancel;
  if (const auto text = call.form.Get("timeout"); !text.empty()) {
    const auto timeout = ParseDurationOrSeconds(text);
    if (!timeout.ok()) {
      return InvalidParameter("timeout", Message(timeout.status()));
    }
    out.timeout = *timeout;
    already_over = timeout->ms <= 0;
  }
  if (const auto text = call.form.Get("lookback_delta"); !text.empty()) {
    const auto lookback = ParseDurationOrSeconds(text);
    if (!lookback.ok()) {
      return BadData(StrCat("error parsing lookback delta duration: ",
                            Message(lookback.status())));
    }
    out.lookback = *lookback;
  }
  return NoError();
}

void WriteStats(JsonWriter& json, const promql::QueryStats& stats,
                TimeRange range, Duration step) {
  json.BeginObject();
  json.Key("timings");
  json.BeginObject();
  auto timing = [&](std::string_view key, double seconds) {
    json.Key(key);
    json.Number(seconds);
  };
  timing("evalTotalTime", stats.prepare_time + stats.eval_time);
  timing("resultSortTime", 0);
  timing("queryPreparationTime", stats.prepare_time);
  timing("innerEvalTime", stats.eval_time);
  timing("execQueueTime", 0);
  timing("execTotalTime", stats.total_time);
  json.EndObject();
  json.Key("samples");
  json.BeginObject();
  if (!stats.total_queryable_samples_per_step.empty()) {
    json.Key("totalQueryableSamplesPerStep");
    json.BeginArray();
    Timestamp t = range.min;
    for (const int64_t n : stats.total_queryable_samples_per_step) {
      json.BeginArray();
      json.Number(static_cast<double>(t.ms) / 1000);
      json.Int(n);
      json.EndArray();
      t = t + step;
    }
    json.EndArray();
  }
  json.Key("totalQueryableSamples");
  json.Int(stats.total_queryable_samples);
  json.Key("samplesRead");
  json.Int(stats.samples_decoded);
  json.Key("peakSamples");
  json.Int(stats.peak_samples);
  json.EndObject();
  json.EndObject();
}

// Parses, waits for its turn, runs, writes: an instant query if there is no
// step.
ApiError Run(Call& call, size_t limit, TimeRange range, Duration step) {
  promql::QueryOptions options;
  options.per_step_stats = call.form.Get("stats") == "all";
  bool already_over = false;
  if (auto error = ReadQueryOptions(call, options, already_over)) return error;

  const promql::Engine& engine = call.narthex().engine();
  call.query = std::string(call.form.Get("query"));
  const auto expr =
      promql::ParseExpr(call.query, ParserOptionsOf(engine.options()));
  if (!expr.ok()) return InvalidParameter("query", Message(expr.status()));
  const promql::ValueType type = (*expr)->type;
  if (step.ms != 0 && type != promql::ValueType::kScalar &&
      type != promql::ValueType::kVector) {
    return InvalidParameter(
        "query",
        StrCat("invalid expression type \"", promql::DocumentedName(type),
               "\" for range query, must be Scalar or instant Vector"));
  }

  if (already_over) {
    return InvalidParameter("query", "context deadline exceeded");
  }
  Duration patience = engine.options().timeout;
  if (options.timeout.ms != 0) patience = std::min(patience, options.timeout);
  const Turn turn(call.context, patience);
  if (!turn.ok()) {
    return {ErrorType::kTimeout, "query timed out in query queue"};
  }

  tsdb::Db& store = call.narthex().storage();
  auto result =
      step.ms == 0
          ? engine.Instant(store, **expr, call.query, range.min, options)
          : engine.Range(store, **expr, call.query, range, step, options);
  if (!result.ok()) return FromStatus(result.status());

  call.annotations = std::move(result->annotations);
  if (auto* vector = std::get_if<promql::Vector>(&result->value)) {
    Truncate(*vector, limit, call);
  } else if (auto* matrix = std::get_if<promql::Matrix>(&result->value)) {
    Truncate(*matrix, limit, call);
  }

  JsonWriter json(call.data);
  json.BeginObject();
  json.Key("resultType");
  json.String(promql::ResultType(result->value));
  json.Key("result");
  json.Write(result->value);
  if (const auto stats = call.form.Get("stats"); !stats.empty()) {
    if (stats != "true" && stats != "all") {
      call.annotations.Add(
          {.text = StrCat("value ", GoQuote(stats),
                          " for parameter \"stats\" is deprecated and will be "
                          "rejected in the next major release, use \"true\" or "
                          "\"all\"")});
    }
    json.Key("stats");
    WriteStats(json, result->stats, range, step);
  }
  json.EndObject();
  return NoError();
}

}  // namespace

ApiError Query(Call& call) {
  size_t limit = 0;
  if (auto error = ReadLimit(call.form, limit)) return error;
  Timestamp at;
  if (auto error =
          ReadTime(call.form, "time", call.narthex().clock().Now(), at)) {
    return error;
  }
  return Run(call, limit, {at, at}, Duration(0));
}

ApiError QueryRange(Call& call) {
  size_t limit = 0;
  if (auto error = ReadLimit(call.form, limit)) return error;
  const auto start = ParseTime(call.form.Get("start"));
  if (!start.ok()) return InvalidParameter("start", Message(start.status()));
  const auto end = ParseTime(call.form.Get("end"));
  if (!end.ok()) return InvalidParameter("end", Message(end.status()));
  if (*end < *start) {
    return InvalidParameter("end",
                            "end timestamp must not be before start time");
  }
  const auto step = ParseDurationOrSeconds(call.form.Get("step"));
  if (!step.ok()) return InvalidParameter("step", Message(step.status()));
  if (step->ms <= 0) {
    return InvalidParameter(
        "step",
        "zero or negative query resolution step widths are not accepted. Try "
        "a positive integer");
  }
  if ((*end - *start).ms / step->ms > kMaxPoints) {
    return BadData(
        "exceeded maximum resolution of 11,000 points per timeseries. Try "
        "decreasing the query resolution (?step=XX)");
  }
  return Run(call, limit, {*start, *end}, *step);
}

ApiError FormatQuery(Call& call) {
  const auto expr =
      promql::ParseExpr(call.form.Get("query"),
                        ParserOptionsOf(call.narthex().engine().options()));
  if (!expr.ok()) return InvalidParameter("query", Message(expr.status()));
  JsonWriter(call.data).String(promql::PrettyPrint(**expr));
  return NoError();
}

ApiError ParseQuery(Call& call) {
  const auto expr =
      promql::ParseExpr(call.form.Get("query"),
                        ParserOptionsOf(call.narthex().engine().options()));
  if (!expr.ok()) return InvalidParameter("query", Message(expr.status()));
  JsonWriter json(call.data);
  WriteAst(json, **expr);
  return NoError();
}

}  // namespace narthex::api
