// `narthex convert operator`: ServiceMonitors, PodMonitors and Probes to
// scrape_configs.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/operator.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

int Convert(const std::vector<std::string>& names,
            const OperatorOptions& options) {
  std::vector<std::string> texts;
  for (const std::string& name : names) {
    auto text = ReadInput(name);
    if (!text.ok()) return Fail(text.status());
    texts.push_back(*std::move(text));
  }
  std::vector<OperatorFile> files;
  for (size_t i = 0; i < names.size(); ++i) {
    files.push_back({texts[i], names[i] == "-" ? "standard input" : names[i]});
  }
  const auto jobs = ReadOperatorObjects(files, options);
  if (!jobs.ok()) return Fail(jobs.status());
  Print(FormatJobsWithSecrets(*jobs));
  return kSuccess;
}

}  // namespace

void AddConvertOperator(CLI::App& parent, int& exit_code) {
  struct Flags {
    std::vector<std::string> files = {};
    OperatorOptions options = {};
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = parent.add_subcommand(
      "operator",
      "Print the scrape_configs that the Prometheus Operator makes of "
      "ServiceMonitors, PodMonitors and Probes, with the Secrets and "
      "ConfigMaps that they name and the Prometheus that selects them. "
      "Passwords are printed as they are");
  verb->add_option("files", flags->files,
                   "YAML files, several objects in one are fine; none: "
                   "standard input");
  verb->add_option("--shard", flags->options.shard,
                   "Which shard this is, from 0")
      ->capture_default_str();
  verb->add_option("--shards", flags->options.shards,
                   "How many shards the targets are split over; without it, "
                   "as the Prometheus among the objects says");
  verb->callback([flags, &exit_code] {
    if (flags->files.empty()) flags->files.emplace_back("-");
    exit_code = Convert(flags->files, flags->options);
  });
}

}  // namespace narthex::tools
