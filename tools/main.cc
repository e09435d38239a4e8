// `narthex`: promtool's verbs and the server in one binary.

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "narthex/base/status.h"
#include "narthex/version.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

// Where each verb stands: below a group, or (nullptr) at the top.
struct Verb {
  const char* group;
  void (*add)(CLI::App& parent, int& exit_code);
};
const std::vector<Verb> kVerbs = {
    {nullptr, AddServe},
    {nullptr, AddQuery},
    {nullptr, AddScrape},
    {"tsdb", AddTsdbList},
    {"tsdb", AddTsdbAnalyze},
    {"tsdb", AddTsdbDump},
    {"tsdb", AddTsdbDumpOpenMetrics},
    {"tsdb", AddTsdbCreateBlocksFrom},
    {"tsdb", AddTsdbVerify},
    {"tsdb", AddTsdbBench},
    {"check", AddCheckMetrics},
    {"check", AddCheckServiceDiscovery},
    {"push", AddPushMetrics},
    {"convert", AddConvertOperator},
    {"test", AddTestPromql},
    {"promql", AddPromqlFormat},
    {"promql", AddPromqlParse},
};

struct Group {
  const char* name;
  const char* description;
};
constexpr Group kGroups[] = {
    {"tsdb", "Look into a data directory"},
    {"check", "Check files and pages"},
    {"push", "Push to a server"},
    {"convert", "Turn one configuration into another"},
    {"test", "Run tests written in files"},
    {"promql", "Work on PromQL expressions"},
};

// What is wrong with the command line.
std::string Mistake(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  if (error.get_name() == "RequiredError" && !rest.empty()) {
    return StrCat("expected command but got \"", rest.front(), "\"");
  }
  std::string text = error.what();
  while (!text.empty() && (text.back() == '.' || text.back() == '\n')) {
    text.pop_back();
  }
  return text;
}

int Main(int argc, char** argv) {
  CLI::App app("Prometheus in one binary: scrape, store, query, look inside.");
  app.name("narthex");
  app.set_help_flag("-h,--help", "Show this help and exit");
  app.set_version_flag("--version", StrCat("narthex ", GetBuildInfo().version));
  app.require_subcommand(1);

  int exit_code = kSuccess;
  for (const Verb& verb : kVerbs) {
    if (verb.group == nullptr) verb.add(app, exit_code);
  }
  for (const Group& group : kGroups) {
    CLI::App* parent = app.add_subcommand(group.name, group.description);
    parent->require_subcommand(1)->fallthrough();
    for (const Verb& verb : kVerbs) {
      if (verb.group != nullptr && verb.group == std::string_view(group.name)) {
        verb.add(*parent, exit_code);
      }
    }
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    return Fail(StrCat("narthex: error: ", Mistake(app, e), ", try --help"));
  }
  if (!Flush() && exit_code == kSuccess) exit_code = kFailure;
  return exit_code;
}

}  // namespace
}  // namespace narthex::tools

int main(int argc, char** argv) {
  // Debian's Abseil looks for deadlocks at every lock; that is for tests.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return narthex::tools::Main(argc, argv);
}
