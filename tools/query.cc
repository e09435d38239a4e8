// `narthex query instant|range|series|labels`: asks a data directory (--data)
// or a server.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>

#include "narthex/api_client.h"
#include "narthex/base/status.h"
#include "narthex/narthex.h"
#include "narthex/promql/explain.h"
#include "tools/plot.h"
#include "tools/tool.h"
#include "tools/value_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

struct QueryFlags {
  std::string format = "promql";
  std::string data_dir = {};
  std::vector<std::string> headers = {};
  std::vector<std::string> arguments = {};  // [server] and what is asked
  std::vector<std::string> match = {};
  std::string time = {}, start = {}, end = {}, step = {};
  bool graph = false;
  bool explain = false, analyze = false;
};

// Who is asked.
class Source {
 public:
  virtual ~Source() = default;
  virtual absl::StatusOr<promql::Value> Instant(const std::string& expr,
                                                Timestamp at) = 0;
  virtual absl::StatusOr<promql::Value> Range(const std::string& expr,
                                              TimeRange range,
                                              Duration step) = 0;
  virtual absl::StatusOr<std::vector<Labels>> Series(
      std::span<const std::string> match, TimeRange range) = 0;
  virtual absl::StatusOr<std::vector<std::string>> LabelValues(
      const std::string& name, std::span<const std::string> match,
      TimeRange range) = 0;
  // The plan, with what its nodes cost if it is to be run; a step of 0: of an
  // instant query.
  virtual absl::StatusOr<promql::PlanReport> Explain(const std::string& expr,
                                                     TimeRange range,
                                                     Duration step,
                                                     bool run) = 0;
  // What "now" means to it.
  virtual Timestamp Now() = 0;
};

// A directory, read as it lies there: no lock, not a byte written.
class Directory final : public Source {
 public:
  explicit Directory(std::unique_ptr<Narthex> narthex)
      : narthex_(std::move(narthex)) {}

  absl::StatusOr<promql::Value> Instant(const std::string& expr,
                                        Timestamp at) override {
    return Told(narthex_->Query(expr, at));
  }
  absl::StatusOr<promql::Value> Range(const std::string& expr, TimeRange range,
                                      Duration step) override {
    return Told(narthex_->QueryRange(expr, range, step));
  }
  absl::StatusOr<std::vector<Labels>> Series(std::span<const std::string> match,
                                             TimeRange range) override {
    return narthex_->FindSeries(match, range);
  }
  absl::StatusOr<std::vector<std::string>> LabelValues(
      const std::string& name, std::span<const std::string> match,
      TimeRange range) override {
    return narthex_->LabelValues(name, range, match);
  }
  absl::StatusOr<promql::PlanReport> Explain(const std::string& expr,
                                             TimeRange range, Duration step,
                                             bool run) override {
    const promql::Engine& engine = narthex_->engine();
    if (!run) return promql::ExplainPlan(engine.options(), expr, range, step);
    promql::PlanReport report;
    const promql::QueryOptions options = {.report = &report};
    tsdb::Db& store = narthex_->storage();
    NARTHEX_RETURN_IF_ERROR(
        (step.ms == 0 ? engine.Instant(store, expr, range.min, options)
                      : engine.Range(store, expr, range, step, options))
            .status());
    return report;
  }
  // The newest sample's time: a directory may be old.
  Timestamp Now() override {
    const tsdb::Stats stats = narthex_->storage().stats(/*limit=*/0);
    Timestamp newest = stats.series == 0 ? kMinTime : stats.max_time;
    for (const tsdb::BlockMeta& block : narthex_->storage().Blocks()) {
      newest = std::max(newest, Timestamp(block.max_time.ms - 1));
    }
    const Timestamp now = narthex_->clock().Now();
    return newest == kMinTime ? now : std::min(newest, now);
  }

 private:
  static absl::StatusOr<promql::Value> Told(
      absl::StatusOr<promql::QueryResult> result) {
    if (!result.ok()) return result.status();
    using Kind = Annotation::Kind;
    for (const Kind kind : {Kind::kWarning, Kind::kInfo}) {
      for (const std::string& note :
           result->annotations.Render(kind, result->query)) {
        std::cerr << note << "\n";
      }
    }
    return std::move(result->value);
  }

  std::unique_ptr<Narthex> narthex_;
};

class Server final : public Source {
 public:
  explicit Server(std::unique_ptr<api::Client> client)
      : client_(std::move(client)) {}

  absl::StatusOr<promql::Value> Instant(const std::string& expr,
                                        Timestamp at) override {
    return client_->Query(expr, at);
  }
  absl::StatusOr<promql::Value> Range(const std::string& expr, TimeRange range,
                                      Duration step) override {
    return client_->QueryRange(expr, range, step);
  }
  absl::StatusOr<std::vector<Labels>> Series(std::span<const std::string> match,
                                             TimeRange range) override {
    return client_->Series(match, range);
  }
  absl::StatusOr<std::vector<std::string>> LabelValues(
      const std::string& name, std::span<const std::string> match,
      TimeRange range) override {
    return client_->LabelValues(name, match, range);
  }
  absl::StatusOr<promql::PlanReport> Explain(const std::string&, TimeRange,
                                             Duration, bool) override {
    return InvalidArgument(
        "--explain and --analyze want a data directory (--data): the HTTP API "
        "has no plans");
  }
  Timestamp Now() override { return Clock::System()->Now(); }

 private:
  std::unique_ptr<api::Client> client_;
};

absl::StatusOr<std::unique_ptr<Source>> OpenDirectory(const std::string& dir) {
  if (Env::Posix()->Exists(JoinPath(dir, "meta.json"))) {
    return InvalidArgument(
        StrCat(dir, " is a single block; give the directory that it lies in"));
  }
  Options options;
  options.data_dir = dir;
  options.read_only = true;
  options.storage.progress = StorageProgress();
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Narthex> narthex,
                           Narthex::Open(std::move(options)));
  return std::make_unique<Directory>(std::move(narthex));
}

absl::StatusOr<std::unique_ptr<Source>> OpenServer(
    const std::string& url, const std::vector<std::string>& headers) {
  api::ClientOptions options;
  for (const std::string& header : headers) {
    const size_t equals = header.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument(StrCat("expected KEY=VALUE got '", header, "'"));
    }
    options.headers.emplace_back(header.substr(0, equals),
                                 header.substr(equals + 1));
  }
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<api::Client> client,
                           api::Client::Make(url, std::move(options)));
  return std::make_unique<Server>(std::move(client));
}

// Opens the source; what is left of the arguments, `names`, stays.
absl::StatusOr<std::unique_ptr<Source>> OpenSource(QueryFlags& flags,
                                                   size_t arguments,
                                                   std::string_view names) {
  std::vector<std::string>& all = flags.arguments;
  if (!flags.data_dir.empty()) {
    if (all.size() != arguments) {
      return InvalidArgument(
          arguments == 0 ? StrCat("with --data there is no server to name")
                         : StrCat("with --data, give just ", names));
    }
    return OpenDirectory(flags.data_dir);
  }
  if (all.size() != arguments + 1) {
    return InvalidArgument(StrCat("give a server",
                                  arguments == 0 ? "" : " and ", names,
                                  "; or --data DIR instead of the server"));
  }
  const std::string url = all.front();
  all.erase(all.begin());
  return OpenServer(url, flags.headers);
}

int FailQuery(const std::string& expr, const absl::Status& status) {
  Fail(StrCat("query error: ", Message(status)));
  std::cerr << MarkQueryError(expr, Message(status));
  return kFailure;
}

// `otherwise` if the flag was not given; false: told and failed.
bool ReadTimeFlag(const std::string& text, std::string_view what,
                  Timestamp otherwise, Timestamp& out) {
  out = otherwise;
  if (text.empty()) return true;
  const auto time = ParseTimeFlag(text);
  if (!time.ok()) {
    Fail(StrCat("error parsing ", what, " time: ", Message(time.status())));
    return false;
  }
  out = *time;
  return true;
}

template <typename T>
int Show(const QueryFlags& flags, const T& value) {
  return Print(flags.format == "json" ? JsonText(value) : PromqlText(value))
             ? kSuccess
             : kFailure;
}

int ShowPlan(const QueryFlags& flags, Source& source, const std::string& expr,
             TimeRange range, Duration step) {
  const auto report = source.Explain(expr, range, step, flags.analyze);
  if (!report.ok()) return FailQuery(expr, report.status());
  return Print(flags.format == "json" ? report->ToJson() + "\n"
                                      : report->ToText())
             ? kSuccess
             : kFailure;
}

int Instant(QueryFlags flags) {
  auto source = OpenSource(flags, 1, "an expression");
  if (!source.ok()) return Fail(source.status());
  Timestamp at;
  if (!ReadTimeFlag(flags.time, "evaluation", (*source)->Now(), at)) {
    return kFailure;
  }
  const std::string& expr = flags.arguments.front();
  if (flags.explain || flags.analyze) {
    return ShowPlan(flags, **source, expr, {at, at}, Duration(0));
  }
  const auto value = (*source)->Instant(expr, at);
  if (!value.ok()) return FailQuery(expr, value.status());
  return Show(flags, *value);
}

int Range(QueryFlags flags) {
  auto source = OpenSource(flags, 1, "an expression");
  if (!source.ok()) return Fail(source.status());
  TimeRange range;
  if (!ReadTimeFlag(flags.end, "end", (*source)->Now(), range.max) ||
      !ReadTimeFlag(flags.start, "start", range.max - Minutes(5), range.min)) {
    return kFailure;
  }
  if (range.min >= range.max) return Fail("start time is not before end time");
  Duration step = Seconds(std::max<int64_t>(
      1, static_cast<int64_t>((range.max - range.min).seconds() / 250)));
  if (!flags.step.empty()) {
    const auto read = ParseDurationFlag(flags.step);
    if (!read.ok()) return Fail(read.status());
    if (read->ms != 0) step = *read;
  }
  const std::string& expr = flags.arguments.front();
  if (flags.explain || flags.analyze) {
    return ShowPlan(flags, **source, expr, range, step);
  }
  const auto value = (*source)->Range(expr, range, step);
  if (!value.ok()) return FailQuery(expr, value.status());
  const auto* matrix = std::get_if<promql::Matrix>(&*value);
  if (!flags.graph || matrix == nullptr) return Show(flags, *value);
  PlotOptions options;
  options.width = std::min(TerminalWidth(80), 200);
  options.colors = ColorsOnStdout();
  return Print(Plot(*matrix, range, options)) ? kSuccess : kFailure;
}

// Without --start and --end: of a server some 400 days around now, as promtool
// has it; of a directory, which may be old, all of it.
bool ReadLookupRange(const QueryFlags& flags, TimeRange& out) {
  const Timestamp now = Clock::System()->Now();
  const bool all = !flags.data_dir.empty();
  return ReadTimeFlag(flags.start, "start", all ? kMinTime : now - Hours(9999),
                      out.min) &&
         ReadTimeFlag(flags.end, "end", all ? kMaxTime : now + Hours(9999),
                      out.max);
}

int Series(QueryFlags flags) {
  auto source = OpenSource(flags, 0, "");
  if (!source.ok()) return Fail(source.status());
  TimeRange range;
  if (!ReadLookupRange(flags, range)) return kFailure;
  const auto series = (*source)->Series(flags.match, range);
  if (!series.ok()) {
    return Fail(StrCat("query error: ", Message(series.status())));
  }
  return Show(flags, *series);
}

int LabelsOf(QueryFlags flags) {
  auto source = OpenSource(flags, 1, "a label name");
  if (!source.ok()) return Fail(source.status());
  TimeRange range;
  if (!ReadLookupRange(flags, range)) return kFailure;
  const auto values =
      (*source)->LabelValues(flags.arguments.front(), flags.match, range);
  if (!values.ok()) {
    return Fail(StrCat("query error: ", Message(values.status())));
  }
  return Show(flags, *values);
}

}  // namespace

void AddQuery(CLI::App& parent, int& exit_code) {
  CLI::App* query =
      parent.add_subcommand("query", "Ask a data directory or a server");
  query->require_subcommand(1);
  auto flags = std::make_shared<QueryFlags>();
  query->add_option("-o,--format", flags->format, "Output: promql or json")
      ->check(CLI::IsMember({"promql", "json"}))
      ->capture_default_str();
  query->add_option("--data", flags->data_dir,
                    "Data directory to read instead of a server; nothing is "
                    "locked or written");

  auto add = [&](const char* name, const char* help, const char* arguments,
                 int (*run)(QueryFlags)) {
    CLI::App* verb = query->add_subcommand(name, help);
    verb->fallthrough();
    verb->add_option("arguments", flags->arguments, arguments);
    verb->callback([flags, run, &exit_code] { exit_code = run(*flags); });
    return verb;
  };
  auto option = [&](CLI::App* verb, const char* name, auto& value,
                    const char* help) {
    return verb->add_option(name, value, help)->allow_extra_args(false);
  };
  constexpr const char* kTime = "RFC 3339 or Unix timestamp";
  CLI::App* instant =
      add("instant", "Run an instant query", "[server] expr", Instant);
  option(instant, "--time", flags->time,
         "Evaluation time, RFC 3339 or Unix timestamp; now, or with --data "
         "the newest sample's");
  option(instant, "--header", flags->headers, "Extra header, KEY=VALUE");

  const auto plans = [&](CLI::App* verb) {
    verb->add_flag("--explain", flags->explain,
                   "With --data: print the query's plan, run nothing");
    verb->add_flag("--analyze", flags->analyze,
                   "With --data: run the query and print what every part of "
                   "its plan cost, instead of the answer");
  };
  plans(instant);

  CLI::App* range = add("range", "Run a range query", "[server] expr", Range);
  option(range, "--start", flags->start,
         "RFC 3339 or Unix timestamp; five minutes before the end");
  option(range, "--end", flags->end,
         "RFC 3339 or Unix timestamp; now, or with --data the newest sample's");
  option(range, "--step", flags->step,
         "Step, such as 15s; by default a 250th of the range");
  option(range, "--header", flags->headers, "Extra header, KEY=VALUE");
  range->add_flag("--graph", flags->graph, "Draw it in the terminal");
  plans(range);

  CLI::App* series = add("series", "List series", "[server]", Series);
  option(series, "--match", flags->match, "Series selector; can be repeated")
      ->required();
  option(series, "--start", flags->start, kTime);
  option(series, "--end", flags->end, kTime);

  CLI::App* labels =
      add("labels", "List the values of a label", "[server] name", LabelsOf);
  option(labels, "--match", flags->match, "Series selector; can be repeated");
  option(labels, "--start", flags->start, kTime);
  option(labels, "--end", flags->end, kTime);
}

}  // namespace narthex::tools
