// `narthex check service-discovery`: whom a job would scrape now, as promtool
// prints it: labels before and after relabelling, sorted here.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "narthex/base/status.h"
#include "narthex/config.h"
#include "narthex/scrape/dns.h"
#include "narthex/scrape/target.h"
#include "narthex/version.h"
#include "tools/tool.h"
#include "tools/value_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

// What the Discoverers of one job said first, by source.
class FirstReports {
 public:
  explicit FirstReports(size_t discoverers) : silent_(discoverers) {}

  void Take(bool& spoke, std::vector<scrape::TargetGroup> groups) {
    absl::MutexLock lock(&mu_);
    for (scrape::TargetGroup& group : groups) {
      std::string source = group.source;
      groups_[std::move(source)].push_back(std::move(group));
    }
    if (!std::exchange(spoke, true)) --silent_;
  }
  // Until all of them have spoken, or the time is up.
  void Wait(Duration timeout) {
    absl::MutexLock lock(&mu_);
    const auto all = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return silent_ == 0;
    };
    mu_.AwaitWithTimeout(absl::Condition(&all), absl::Milliseconds(timeout.ms));
  }
  std::map<std::string, std::vector<scrape::TargetGroup>> TakeGroups() {
    absl::MutexLock lock(&mu_);
    return std::move(groups_);
  }

 private:
  absl::Mutex mu_;
  size_t silent_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<scrape::TargetGroup>> groups_
      ABSL_GUARDED_BY(mu_);
};

struct Outcome {
  Labels discovered = {};
  Labels labels = {};
  bool failed = false;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::vector<Outcome> Relabel(const scrape::Job& job,
                             const scrape::Relabeler& rules,
                             const std::vector<scrape::TargetGroup>& groups) {
  std::vector<Outcome> outcomes;
  for (const scrape::TargetGroup& group : groups) {
    for (const Labels& target : group.targets) {
      Outcome outcome;
      outcome.discovered = scrape::DiscoveredLabels(job, target, group.labels);
      auto made = scrape::MakeTarget(job, rules, target, group.labels);
      outcome.failed = !made.ok();
      if (made.ok() && !made->dropped) outcome.labels = made->target.labels;
      if (std::find(outcomes.begin(), outcomes.end(), outcome) ==
          outcomes.end()) {
        outcomes.push_back(std::move(outcome));
      }
    }
  }
  return outcomes;
}

void AppendLabels(const char* key, const Labels& labels, std::string& out) {
  StrAppend(&out, "    \"", key, "\": {");
  bool first = true;
  for (const Label& label : labels) {
    out += first ? "\n      " : ",\n      ";
    first = false;
    StrAppend(&out, JsonQuote(label.name), ": ", JsonQuote(label.value));
  }
  out += first ? "}" : "\n    }";
}

std::string ToJson(const std::vector<Outcome>& outcomes) {
  if (outcomes.empty()) return "[]";
  std::string out = "[";
  for (const Outcome& outcome : outcomes) {
    out += out.size() == 1 ? "\n  {\n" : ",\n  {\n";
    AppendLabels("discoveredLabels", outcome.discovered, out);
    out += ",\n";
    AppendLabels("labels", outcome.labels, out);
    // promtool shows that there is an error, and not which.
    if (outcome.failed) out += ",\n    \"error\": {}";
    out += "\n  }";
  }
  return out + "\n]";
}

int Discover(const scrape::Job& job, Duration timeout) {
  auto rules = scrape::Relabeler::Make(job.relabel, job.name_validation);
  if (!rules.ok()) return Fail(rules.status());
  auto http = scrape::NewCurlHttpClient();
  if (!http.ok()) return Fail(http.status());
  const auto logger = NewStderrLogger(LogLevel::kInfo);
  const auto dns = scrape::NewAresResolver();
  ThreadPool pool(2);

  scrape::DiscoveryContext context;
  context.clock = Clock::System();
  context.executor = &pool;
  context.env = Env::Posix();
  context.logger = logger.get();
  context.yaml = DecodeTargetYaml;
  context.http = http->get();
  context.dns = dns.get();
  context.kubeconfig = DecodeKubeconfig;
  context.user_agent = StrCat("narthex/", GetBuildInfo().version);

  const std::vector<scrape::DiscoveryConfig> configs =
      scrape::DiscoveryConfigs(job);
  FirstReports reports(configs.size());
  std::vector<std::unique_ptr<scrape::Discoverer>> discoverers;
  for (const scrape::DiscoveryConfig& config : configs) {
    auto made = scrape::NewDiscoverer(config, context);
    if (!made.ok()) {
      return Fail(
          StrCat("Could not create new discoverer ", Message(made.status())));
    }
    discoverers.push_back(*std::move(made));
  }
  for (const auto& discoverer : discoverers) {
    discoverer->Start([&reports, spoke = std::make_shared<bool>(false)](
                          std::vector<scrape::TargetGroup> groups) {
      reports.Take(*spoke, std::move(groups));
    });
  }
  reports.Wait(timeout);
  for (const auto& discoverer : discoverers) discoverer->Stop();

  std::vector<Outcome> outcomes;
  for (const auto& [source, groups] : reports.TakeGroups()) {
    for (Outcome& outcome : Relabel(job, *rules, groups)) {
      outcomes.push_back(std::move(outcome));
    }
  }
  Print(ToJson(outcomes));
  return kSuccess;
}

int Check(const std::string& file, const std::string& name,
          const std::string& timeout_text) {
  const auto timeout = ParseDurationFlag(timeout_text);
  if (!timeout.ok()) return Fail(timeout.status());
  const auto config = LoadConfig(*Env::Posix(), file);
  if (!config.ok()) {
    return Fail(StrCat("Cannot load config ", Message(config.status())));
  }
  for (const scrape::Job& job : config->jobs) {
    if (job.name == name) return Discover(job, *timeout);
  }
  std::string text = StrCat("Job ", name, " not found. Select one of:");
  for (const scrape::Job& job : config->jobs) {
    StrAppend(&text, "\n\t", job.name);
  }
  return Fail(text);
}

}  // namespace

void AddCheckServiceDiscovery(CLI::App& parent, int& exit_code) {
  struct Options {
    std::string file;
    std::string job;
    std::string timeout = "30s";
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb = parent.add_subcommand(
      "service-discovery",
      "Perform service discovery for the given job name and report the "
      "results, including relabeling");
  verb->add_option("config-file", options->file, "The prometheus config file")
      ->required();
  verb->add_option("job", options->job, "The job to run service discovery for")
      ->required();
  verb->add_option("--timeout", options->timeout,
                   "The time to wait for discovery results; narthex ends as "
                   "soon as every way of discovery has answered")
      ->capture_default_str();
  verb->callback([options, &exit_code] {
    exit_code = Check(options->file, options->job, options->timeout);
  });
}

}  // namespace narthex::tools
