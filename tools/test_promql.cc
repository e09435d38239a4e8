// `narthex test promql FILE...`: runs scripts in the language of Prometheus's
// own `.test` files.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/testing/testing.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

struct Options {
  std::vector<std::string> files = {};
  testing::ScriptOptions script = {};
  bool quiet = false;
};

int Run(const Options& options) {
  int exit_code = kSuccess;
  size_t passed = 0, evals = 0;
  for (const std::string& file : options.files) {
    const auto report = testing::RunScriptFile(file, options.script);
    if (!report.ok()) {
      exit_code = Fail(report.status());
      continue;
    }
    passed += report->passed();
    evals += report->evals;
    if (!report->failures.empty()) exit_code = kFailure;
    std::string text = ToString(*report);
    if (options.quiet) text.erase(text.find('\n') + 1);
    Print(text);
    Flush();
  }
  if (options.files.size() > 1) {
    Print(StrCat("all: passed ", passed, " of ", evals, "\n"));
  }
  return exit_code;
}

}  // namespace

void AddTestPromql(CLI::App& parent, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = parent.add_subcommand(
      "promql", "Run PromQL test scripts (load, eval, expect)");
  verb->add_option("file", options->files, "Test scripts (.test)")->required();
  verb->add_option("--threads", options->script.threads,
                   "Answer every query with this many threads as well, which "
                   "must not change a bit of the answer; 1: don't")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  verb->add_option("--tile-steps", options->script.tile_steps,
                   "Answer every query in tiles of so many steps as well; 0: "
                   "don't")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  verb->add_flag("-q,--quiet", options->quiet,
                 "Count only, without saying what failed");
  verb->callback([options, &exit_code] { exit_code = Run(*options); });
}

}  // namespace narthex::tools
