// `narthex tsdb dump` and `dump-openmetrics`: every sample of a directory.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "narthex/base/budget.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"
#include "narthex/model/series.h"
#include "narthex/promql/parser.h"
#include "narthex/tsdb/db.h"
#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/value_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

struct DumpFlags {
  std::string dir = kDefaultDir;
  int64_t min_time = kMinMillis;
  int64_t max_time = kMaxMillis;
  std::vector<std::string> match = {};
  std::string format = "prom";
  bool openmetrics = false;
};

// Go's %g: the shortest digits that read back.
std::string GoG(double v) { return FormatFloat(v, 'g'); }

// Prints series in one of the formats, samples into a buffer that is reused.
class Dumper {
 public:
  explicit Dumper(const DumpFlags& flags) : flags_(flags), columns_(budget_) {}

  absl::Status Run(Querier& querier, const SeriesSet& set) {
    const ReadContext ctx{budget_, cancel_};
    const TimeRange range{flags_.min_time, flags_.max_time};
    Progress progress("dumping");
    for (size_t i = 0; i < set.size(); ++i) {
      const Labels labels = ToLabels(querier.symbols(), set.labels(i));
      if (flags_.format == "seriesjson") {
        WriteJson(labels);
      } else {
        NARTHEX_RETURN_IF_ERROR(set.Read(i, range, ctx, columns_));
        if (flags_.openmetrics) {
          WriteOpenMetrics(labels);
        } else {
          WriteSamples(labels);
        }
      }
      if (!Print(text_)) return Unavailable("nobody reads the output");
      text_.clear();
      progress.Set(i + 1, set.size());
    }
    if (flags_.openmetrics) Print("# EOF\n");
    return absl::OkStatus();
  }

 private:
  void WriteSamples(const Labels& labels) {
    const std::string name = labels.ToString();
    SampleIterator it(columns_);
    for (SampleKind kind; (kind = it.Next()) != SampleKind::kNone;) {
      StrAppend(&text_, name, " ",
                kind == SampleKind::kFloat ? GoG(it.value())
                                           : it.histogram().ToString(),
                " ", it.t().ms, "\n");
    }
  }

  void WriteOpenMetrics(const Labels& labels) {
    std::string name(labels.name()), rest;
    for (const Label& label : labels) {
      if (label.name == kMetricName) continue;
      StrAppend(&rest, rest.empty() ? "" : ",", label.name, "=",
                GoQuote(label.value));
    }
    // promtool stops a series at its first histogram; stale markers are NaN.
    SampleIterator it(columns_);
    while (it.Next() == SampleKind::kFloat) {
      char time[32];
      std::snprintf(time, sizeof(time), "%.3f",
                    static_cast<double>(it.t().ms) / 1000);
      StrAppend(&text_, name, "{", rest, "} ", GoG(it.value()), " ",
                std::string(time), "\n");
    }
  }

  void WriteJson(const Labels& labels) {
    text_ += "{";
    for (const Label& label : labels) {
      if (text_.size() > 1) text_ += ",";
      StrAppend(&text_, JsonQuote(label.name), ":", JsonQuote(label.value));
    }
    text_ += "}\n";
  }

  const DumpFlags& flags_;
  MemoryBudget budget_;
  CancelToken cancel_;
  SampleColumns columns_;
  std::string text_;
};

absl::Status Dump(const DumpFlags& flags) {
  std::vector<Matchers> selectors;
  for (const std::string& text : flags.match) {
    NARTHEX_ASSIGN_OR_RETURN(Matchers matchers,
                             promql::ParseMetricSelector(text));
    selectors.push_back(std::move(matchers));
  }
  if (selectors.empty()) selectors.emplace_back();  // everything

  NARTHEX_RETURN_IF_ERROR(CheckDir(flags.dir));
  tsdb::Options options;
  options.read_only = true;
  options.progress = StorageProgress();
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<tsdb::Db> db,
                           tsdb::Db::Open(flags.dir, options));
  const TimeRange range{flags.min_time, flags.max_time};
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Querier> querier,
                           db->NewQuerier(range));
  MemoryBudget budget;
  const CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  std::vector<std::unique_ptr<SeriesSet>> sets;
  for (const Matchers& matchers : selectors) {
    std::vector<const Matcher*> borrowed;
    for (const MatcherPtr& matcher : matchers)
      borrowed.push_back(matcher.get());
    SelectRequest request;
    request.matchers = borrowed;
    request.range = range;
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<SeriesSet> set,
                             querier->Select(request, ctx));
    sets.push_back(std::move(set));
  }
  std::unique_ptr<SeriesSet> all;
  if (sets.size() == 1) {
    all = std::move(sets.front());
  } else {
    all = MergeSeriesSets(std::move(sets), querier->symbols(), true);
  }
  return Dumper(flags).Run(*querier, *all);
}

CLI::App* AddDump(CLI::App& parent, int& exit_code, const char* name,
                  const char* help, const std::shared_ptr<DumpFlags>& flags) {
  CLI::App* dump = parent.add_subcommand(name, help);
  dump->add_option("dir", flags->dir, "Database path")->capture_default_str();
  dump->add_option("--min-time", flags->min_time,
                   "Minimum timestamp, in milliseconds since the Unix epoch");
  dump->add_option("--max-time", flags->max_time,
                   "Maximum timestamp, in milliseconds since the Unix epoch");
  dump->add_option("--match", flags->match,
                   "Series selector; can be repeated; default: everything")
      ->allow_extra_args(false);
  // Nothing is ever written: accepted for promtool's sake.
  dump->add_option_function<std::string>(
      "--sandbox-dir-root", [](const std::string&) {},
      "Not needed: nothing is written");
  dump->callback([flags, &exit_code] {
    const absl::Status status = Dump(*flags);
    exit_code = status.ok() ? kSuccess : Fail(status);
  });
  return dump;
}

}  // namespace

void AddTsdbDump(CLI::App& parent, int& exit_code) {
  auto flags = std::make_shared<DumpFlags>();
  AddDump(parent, exit_code, "dump",
          "Dump data (series and samples, or just series)", flags)
      ->add_option("--format", flags->format, "prom or seriesjson")
      ->check(CLI::IsMember({"prom", "seriesjson"}))
      ->capture_default_str();
}

void AddTsdbDumpOpenMetrics(CLI::App& parent, int& exit_code) {
  auto flags = std::make_shared<DumpFlags>();
  flags->openmetrics = true;
  AddDump(parent, exit_code, "dump-openmetrics",
          "Dump samples as OpenMetrics, without native histograms", flags);
}

}  // namespace narthex::tools
