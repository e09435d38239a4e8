#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "libnarthex/testing/promql_script.h"
#include "libnarthex/testing/script_compare.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/promql/parser.h"
#include "narthex/promql/printer.h"
#include "narthex/testing/testing.h"

namespace narthex::testing {
namespace {

using promql::As;
using promql::AtModifier;
using promql::Expr;

// Their value depends on the evaluation time even if their arguments' doesn't.
constexpr std::string_view kTimeDependent[] = {
    "day_of_month", "day_of_week", "day_of_year", "days_in_month",  "end",
    "hour",         "minute",      "month",       "predict_linear", "range",
    "start",        "step",        "time",        "timestamp",      "year"};

// Pins every selector and subquery that isn't pinned to `t`; false if that
// doesn't fix the value.
bool Pin(Expr& expr, Timestamp t) {
  const AtModifier pinned = {AtModifier::Kind::kTime, t};
  auto pin = [&](AtModifier& at) {
    if (at.kind != AtModifier::Kind::kTime) at = pinned;
  };
  if (auto* vector = As<promql::VectorSelector>(expr)) {
    pin(vector->at);
    return true;
  }
  if (auto* subquery = As<promql::Subquery>(expr)) {
    pin(subquery->at);
    return true;  // and with it all that is inside
  }
  if (const auto* call = As<promql::Call>(expr)) {
    const bool depends =
        std::find(std::begin(kTimeDependent), std::end(kTimeDependent),
                  call->function->name) != std::end(kTimeDependent);
    if (depends) return false;
  }
  bool fixed = true;
  promql::ForEachChild(expr, [&](Expr& child) { fixed &= Pin(child, t); });
  return fixed;
}

// Whether the text calls something that a range query answers otherwise.
bool AsksForQueryTimes(std::string_view expr) {
  for (std::string_view call : {"start()", "end()", "range()", "step()"}) {
    if (expr.find(call) != std::string_view::npos) return true;
  }
  return false;
}

struct InstantQuery {
  std::string expr = {};
  Timestamp at = 0;
};

// The query itself, and the same pinned, at other times.
std::vector<InstantQuery> Variants(const EvalCommand& eval, bool vary) {
  std::vector<InstantQuery> queries = {{eval.expr, eval.at}};
  auto expr = promql::ParseExpr(eval.expr, promql::ParserOptions::Everything());
  if (!vary || !expr.ok() || !Pin(**expr, eval.at)) return queries;
  const std::string pinned = promql::Print(**expr);
  const int64_t t = eval.at.ms;
  if (t == 0) {
    for (int64_t at : {-1000, 0, 1000}) queries.push_back({pinned, at});
  } else {
    for (int64_t at :
         {SaturatingMul(t, -10), int64_t{0}, t / 5, t, SaturatingMul(t, 10)}) {
      queries.push_back({pinned, at});
    }
  }
  return queries;
}

// The middle of a range query as the instant vector or scalar it stands for.
promql::Value MiddleOf(const promql::Value& range, Timestamp at,
                       bool is_scalar) {
  const auto* matrix = std::get_if<promql::Matrix>(&range);
  if (matrix == nullptr) return range;
  promql::Vector vector;
  for (const promql::MatrixSeries& series : *matrix) {
    for (const Sample& sample : series.floats) {
      if (sample.t == at) {
        vector.push_back({series.labels, at, sample.v, nullptr});
      }
    }
    for (const promql::HistogramSample& sample : series.histograms) {
      if (sample.t == at) {
        vector.push_back({series.labels, at, 0, sample.histogram});
      }
    }
  }
  if (is_scalar && vector.size() == 1) {
    return promql::ScalarValue{at, vector[0].v};
  }
  return vector;
}

class Runner {
 public:
  explicit Runner(const ScriptOptions& options)
      : options_(options), engine_(options.engine) {
    AddVariants();
  }

  void Run(const ClearCommand&) {
    store_.Clear();
    load_error_ = {};
  }

  void Run(const LoadCommand& load) {
    if (absl::Status status =
            store_.Load(load.step, load.series, {load.line, load.with_nhcb});
        !status.ok()) {
      load_error_ = std::string(Message(status));
    }
  }

  void Run(const EvalCommand& eval) {
    ++report_.evals;
    std::string what =
        load_error_.empty() ? Evaluate(eval) : "not loaded: " + load_error_;
    if (what.empty()) return;
    report_.failures.push_back({eval.line, eval.expr, std::move(what)});
  }

  ScriptReport Take() { return std::move(report_); }

 private:
  using Result = absl::StatusOr<promql::QueryResult>;

  std::string Evaluate(const EvalCommand& eval) {
    if (eval.range) {
      std::string differs;
      const Result result =
          Range(eval.expr, {eval.start, eval.end}, eval.step, differs);
      return differs.empty() ? Check(eval, result) : differs;
    }
    for (const InstantQuery& query : Variants(eval, options_.vary_instants)) {
      std::string what = EvaluateInstant(eval, query);
      if (what.empty()) continue;
      if (query.expr == eval.expr && query.at == eval.at) return what;
      return StrCat(what, "\n  as ", query.expr, " at ", query.at.ms, " ms");
    }
    return {};
  }

  std::string EvaluateInstant(const EvalCommand& eval,
                              const InstantQuery& query) {
    std::string differs;
    const Result instant = Instant(query, differs);
    if (!differs.empty()) return differs;
    std::string what = Check(eval, instant);
    if (!what.empty() || !instant.ok()) return what;
    if (!options_.vary_instants || eval.instant_only ||
        AsksForQueryTimes(query.expr)) {
      return {};
    }
    const Result range =
        Range(query.expr, {query.at - Minutes(1), query.at + Minutes(1)},
              Minutes(1), differs);
    if (!range.ok()) {
      differs = StrCat("error: ", Message(range.status()));
    } else if (differs.empty() && !eval.ordered) {
      const bool is_scalar =
          std::holds_alternative<promql::ScalarValue>(instant->value);
      differs = CompareValue(eval, MiddleOf(range->value, query.at, is_scalar));
    }
    return differs.empty() ? differs
                           : StrCat(differs, "\n  in the range query");
  }

  std::string Check(const EvalCommand& eval, const Result& result) {
    if (!result.ok()) return CompareFailure(eval, result.status());
    if (eval.fail) return "expected error but got none";
    std::string what = CompareAnnotations(eval, *result);
    return what.empty() ? CompareValue(eval, result->value) : what;
  }

  Result Instant(const InstantQuery& query, std::string& differs) {
    return Same(
        [&](const promql::Engine& engine) {
          return engine.Instant(store_, query.expr, query.at);
        },
        differs);
  }

  Result Range(const std::string& expr, TimeRange range, Duration step,
               std::string& differs) {
    return Same(
        [&](const promql::Engine& engine) {
          return engine.Range(store_, expr, range, step);
        },
        differs);
  }

  // The engine's answer; `differs` says how that of a variant does.
  template <typename Ask>
  Result Same(Ask ask, std::string& differs) {
    Result one = ask(engine_);
    for (const Variant& variant : variants_) {
      const std::string other = Difference(one, ask(*variant.engine));
      if (other.empty()) continue;
      differs = StrCat("with ", variant.name, " ", other);
      break;
    }
    return one;
  }

  static std::string Difference(const Result& one, const Result& other) {
    if (!one.ok() || !other.ok()) {
      if (one.status() == other.status()) return {};
      return StrCat("the answer is ", TextOf(other), " instead of ",
                    TextOf(one));
    }
    for (Annotation::Kind kind :
         {Annotation::Kind::kWarning, Annotation::Kind::kInfo}) {
      if (one->annotations.Render(kind, one->query) !=
          other->annotations.Render(kind, other->query)) {
        return StrCat("the annotations differ:\n", TextOf(other),
                      "\ninstead of\n", TextOf(one));
      }
    }
    if (promql::SameBits(one->value, other->value)) return {};
    return StrCat("the bits differ:\n", TextOf(other), "\ninstead of\n",
                  TextOf(one));
  }

  static std::string TextOf(const Result& result) {
    if (!result.ok()) return StrCat("error: ", Message(result.status()));
    std::ostringstream text;
    text << *result;
    return text.str();
  }

  // The same engine, otherwise at work: the answers must not show it.
  struct Variant {
    std::string name = {};
    std::unique_ptr<promql::Engine> engine = nullptr;
  };

  void AddVariants() {
    const std::string tiles =
        StrCat("tiles of ", options_.tile_steps, " steps");
    promql::EngineOptions options = options_.engine;
    options.tile_steps = options_.tile_steps;
    if (options.tile_steps != 0) AddVariant(tiles, options);
    if (options_.threads <= 1) return;
    pool_.emplace(options_.threads);
    options.executor = &*pool_;
    const std::string threads = StrCat(options_.threads, " threads");
    if (options.tile_steps != 0) {
      AddVariant(StrCat(threads, " and ", tiles), options);
    }
    options.tile_steps = options_.engine.tile_steps;
    AddVariant(threads, options);
  }

  void AddVariant(std::string name, const promql::EngineOptions& options) {
    variants_.push_back(
        {std::move(name), std::make_unique<promql::Engine>(options)});
  }

  const ScriptOptions& options_;
  const promql::Engine engine_;
  std::optional<ThreadPool> pool_;
  std::vector<Variant> variants_;
  TestStore store_;
  std::string load_error_;  // since the last clear
  ScriptReport report_;
};

}  // namespace

promql::EngineOptions ScriptEngineOptions() {
  promql::EngineOptions options;
  options.experimental_functions = true;
  options.extended_range_selectors = true;
  options.binop_fill_modifiers = true;
  options.delayed_name_removal = true;
  options.start_timestamps = true;
  options.max_samples = 10000;
  options.timeout = Seconds(100);
  return options;
}

absl::StatusOr<ScriptReport> RunScript(std::string_view name,
                                       std::string_view text,
                                       const ScriptOptions& options) {
  auto commands = ParseScript(text);
  if (!commands.ok()) return Annotate(commands.status(), name);
  Runner runner(options);
  for (const Command& command : *commands) {
    std::visit([&](const auto& c) { runner.Run(c); }, command);
  }
  ScriptReport report = runner.Take();
  report.name = std::string(name);
  return report;
}

absl::StatusOr<ScriptReport> RunScriptFile(const std::string& path,
                                           const ScriptOptions& options) {
  NARTHEX_ASSIGN_OR_RETURN(const std::string text,
                           Env::Posix()->ReadFile(path));
  return RunScript(path, text, options);
}

std::string ToString(const ScriptReport& report) {
  std::string out = StrCat(report.name, ": passed ", report.passed(), " of ",
                           report.evals, "\n");
  for (const ScriptFailure& failure : report.failures) {
    StrAppend(&out, "\n", report.name, ":", failure.line, ": ", failure.expr,
              "\n  ", failure.what, "\n");
  }
  return out;
}

}  // namespace narthex::testing
