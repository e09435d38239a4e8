// `narthex tsdb list [DIR]`: the blocks of a data directory.

#include <CLI/CLI.hpp>

#include "tools/tool.h"
#include "tools/tsdb_text.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

int List(const std::string& dir, bool human_readable) {
  if (const auto status = CheckDir(dir); !status.ok()) return Fail(status);
  std::vector<std::string> problems;
  const auto blocks = tsdb::ListBlocks(*Env::Posix(), dir, &problems);
  if (!blocks.ok()) return Fail(blocks.status());
  for (const std::string& problem : problems) Fail(problem);
  PrintBlocks(*blocks, /*header=*/true, human_readable);
  return problems.empty() ? kSuccess : kFailure;
}

}  // namespace

void AddTsdbList(CLI::App& parent, int& exit_code) {
  struct Options {
    std::string dir = kDefaultDir;
    bool human_readable = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* list = parent.add_subcommand("list", "List tsdb blocks");
  list->add_option("dir", options->dir, "Database path")->capture_default_str();
  list->add_flag("-r,--human-readable", options->human_readable,
                 "Print human readable values");
  list->callback([options, &exit_code] {
    exit_code = List(options->dir, options->human_readable);
  });
}

}  // namespace narthex::tools
