// `narthex tsdb bench write`: how fast are samples taken?  What promtool's verb
// of that name measures: series with an ever growing value, scraped over and
// over, each batch of a thousand committed on its own.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/tsdb/db.h"
#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

constexpr int64_t kInterval = 30000;  // ms between two scrapes
constexpr size_t kBatch = 1000;       // series that one scrape has
// Scrapes of one target before it is the next one's turn: less than the hour
// that the head takes samples from.
constexpr size_t kRound = 100;

struct BenchFlags {
  std::string out = "benchout";
  size_t metrics = 10000;
  size_t scrapes = 3000;
  size_t threads = 1;
  std::string file = {};
};

// {"name":"value", ...}: a line of the file, without nesting.
absl::StatusOr<Labels> ParseLine(std::string_view line) {
  LabelsBuilder builder;
  size_t at = line.find('{');
  const auto text = [&](std::string& out) {
    at = line.find('"', at);
    if (at == std::string_view::npos) return false;
    for (++at; at < line.size() && line[at] != '"'; ++at) {
      if (line[at] == '\\' && at + 1 < line.size()) ++at;
      out += line[at];
    }
    return at++ < line.size();
  };
  for (;;) {
    std::string name, value;
    if (at == std::string_view::npos || !text(name)) break;
    if (line.find(':', at) == std::string_view::npos || !text(value)) {
      return InvalidArgument(StrCat("a name without a value: ", line));
    }
    builder.Set(name, value);
  }
  return builder.Build();
}

absl::StatusOr<std::vector<Labels>> ReadSeries(const BenchFlags& flags) {
  std::vector<Labels> series;
  if (flags.file.empty()) {
    for (size_t i = 0; i < flags.metrics; ++i) {
      series.push_back({{"__name__", StrCat("metric_", i % 100)},
                        {"instance", StrCat("host-", i / 100 % 100, ":9100")},
                        {"job", "bench"},
                        {"series", StrCat(i)}});
    }
    return series;
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::string bytes,
                           Env::Posix()->ReadFile(flags.file));
  absl::flat_hash_set<Labels, LabelsHash> seen;
  std::string_view rest = bytes;
  while (!rest.empty() && series.size() < flags.metrics) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    NARTHEX_ASSIGN_OR_RETURN(Labels labels, ParseLine(line));
    if (!labels.empty() && seen.insert(labels).second) {
      series.push_back(std::move(labels));
    }
  }
  return series;
}

// What one scrape after the other brings.
struct Target {
  std::span<const Labels> series = {};
  std::vector<SeriesRef> refs = {};
  std::vector<double> values = {};

  absl::Status Scrape(tsdb::Db& db, size_t from, size_t to) {
    values.resize(series.size(), 123456789);
    for (size_t i = from; i < to; ++i) {
      const std::unique_ptr<Appender> appender = db.NewAppender();
      for (size_t k = refs.size(); k < series.size(); ++k) {
        NARTHEX_ASSIGN_OR_RETURN(const SeriesRef ref,
                                 appender->Resolve(series[k]));
        refs.push_back(ref);
      }
      for (double& value : values) value += 1000;
      FloatBatch batch;
      batch.refs = refs;
      batch.values = values;
      batch.at = static_cast<int64_t>(i + 1) * kInterval;
      NARTHEX_RETURN_IF_ERROR(appender->AppendFloats(batch, {}));
      NARTHEX_RETURN_IF_ERROR(appender->Commit());
    }
    return absl::OkStatus();
  }
};

// Times a stage, as promtool words it.
class Stage {
 public:
  explicit Stage(std::string name)
      : name_(std::move(name)), begin_(std::chrono::steady_clock::now()) {
    Print(StrCat(">> start stage=", name_, "\n"));
  }
  double Done() {
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - begin_;
    Print(StrCat(
        ">> completed stage=", name_, " duration=",
        GoDuration(Duration(static_cast<int64_t>(took.count() * 1000))), "\n"));
    return took.count();
  }

 private:
  const std::string name_;
  const std::chrono::steady_clock::time_point begin_;
};

absl::Status Bench(const BenchFlags& flags) {
  Env& env = *Env::Posix();
  const std::string dir = JoinPath(flags.out, "storage");
  if (env.Exists(dir)) {
    return FailedPrecondition(
        StrCat(dir, " is there already: remove it, or name another --out"));
  }
  NARTHEX_RETURN_IF_ERROR(env.MakeDirs(dir));
  Stage reading("readData");
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<Labels> series, ReadSeries(flags));
  reading.Done();
  tsdb::Options options;  // without an executor: nothing is compacted
  NARTHEX_ASSIGN_OR_RETURN(const std::unique_ptr<tsdb::Db> db,
                           tsdb::Db::Open(dir, options));

  Stage ingesting("ingestScrapes");
  std::vector<Target> targets;
  for (size_t at = 0; at < series.size(); at += kBatch) {
    targets.push_back(
        {std::span(series).subspan(at, std::min(kBatch, series.size() - at))});
  }
  Progress progress("ingesting");
  for (size_t from = 0; from < flags.scrapes; from += kRound) {
    const size_t to = std::min(from + kRound, flags.scrapes);
    std::vector<absl::Status> results(flags.threads, absl::OkStatus());
    std::vector<std::thread> threads;
    for (size_t n = 0; n < flags.threads; ++n) {
      threads.emplace_back([&, n] {
        for (size_t i = n; i < targets.size() && results[n].ok();
             i += flags.threads) {
          results[n] = targets[i].Scrape(*db, from, to);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& result : results) NARTHEX_RETURN_IF_ERROR(result);
    progress.Set(to, flags.scrapes);
  }
  Print("ingestion completed\n");
  const double seconds = ingesting.Done();
  const uint64_t samples = uint64_t{series.size()} * flags.scrapes;
  Print(StrCat(" > total samples: ", samples, "\n > samples/sec: ",
               static_cast<double>(samples) / std::max(seconds, 1e-9), "\n"));
  Stage stopping("stopStorage");
  NARTHEX_RETURN_IF_ERROR(db->Close());
  stopping.Done();
  return absl::OkStatus();
}

}  // namespace

void AddTsdbBench(CLI::App& parent, int& exit_code) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* bench = parent.add_subcommand("bench", "Run benchmarks");
  bench->require_subcommand(1);
  CLI::App* write =
      bench->add_subcommand("write", "Run a write performance benchmark");
  write->add_option("--out", flags->out, "Set the output path")
      ->capture_default_str();
  write->add_option("--metrics", flags->metrics, "Number of series")
      ->capture_default_str();
  write
      ->add_option("--scrapes", flags->scrapes, "Number of scrapes to simulate")
      ->capture_default_str();
  write->add_option("--threads", flags->threads, "Threads that write")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  write->add_option("file", flags->file,
                    "Series, a JSON object of labels a line; made up if "
                    "none is given");
  write->callback([flags, &exit_code] {
    const absl::Status status = Bench(*flags);
    exit_code = status.ok() ? kSuccess : Fail(status);
  });
}

}  // namespace narthex::tools
