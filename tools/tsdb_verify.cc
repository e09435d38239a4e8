// `narthex tsdb verify [--repair] [DIR]`: is every byte what it should be?

#include "narthex/tsdb/verify.h"

#include <CLI/CLI.hpp>

#include <memory>

#include "narthex/base/status.h"
#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

int VerifyDir(const std::string& dir, bool repair) {
  if (const auto status = CheckDir(dir); !status.ok()) return Fail(status);
  tsdb::VerifyOptions options;
  options.repair = repair;
  const auto report = tsdb::Verify(dir, options);
  if (!report.ok()) return Fail(report.status());
  for (const tsdb::Problem& problem : report->problems) {
    Print(StrCat(problem.file, ":", problem.offset, ": ", problem.what, "\n"));
  }
  for (const std::string& done : report->repairs) {
    Print(StrCat("repaired: ", done, "\n"));
  }
  const auto count = [](uint64_t n, std::string_view what) {
    return StrCat(n, " ", std::string(what), n == 1 ? "" : "s");
  };
  Print(StrCat(
      count(report->blocks, "block"), ", ", report->series, " series, ",
      count(report->chunks, "chunk"), ", ", count(report->samples, "sample"),
      ", ", count(report->log_records, "log record"), ": ",
      report->problems.empty() ? std::string("no problems")
                               : count(report->problems.size(), "problem"),
      "\n"));
  return report->ok() || repair ? kSuccess : kFailure;
}

}  // namespace

void AddTsdbVerify(CLI::App& parent, int& exit_code) {
  struct Flags {
    std::string dir = kDefaultDir;
    bool repair = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* verify = parent.add_subcommand(
      "verify", "Check every byte of a data directory, a snapshot or a block");
  verify->add_option("dir", flags->dir, "Database path")->capture_default_str();
  verify->add_flag("--repair", flags->repair,
                   "Write anew what is whole of damaged blocks and logs, and "
                   "set the damaged files aside; nothing is deleted");
  verify->callback([flags, &exit_code] {
    exit_code = VerifyDir(flags->dir, flags->repair);
  });
}

}  // namespace narthex::tools
