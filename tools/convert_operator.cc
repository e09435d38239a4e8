// `narthex convert operator`: ServiceMonitors and PodMonitors to
// scrape_configs.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/config.h"
#include "tools/tool.h"
#include "tools/verbs.h"

namespace narthex::tools {
namespace {

int Convert(const std::vector<std::string>& files) {
  std::vector<scrape::Job> jobs;
  for (const std::string& file : files) {
    const auto yaml = ReadInput(file);
    if (!yaml.ok()) return Fail(yaml.status());
    auto read = ReadMonitors(*yaml, file == "-" ? "standard input" : file);
    if (!read.ok()) return Fail(read.status());
    for (scrape::Job& job : *read) jobs.push_back(std::move(job));
  }
  Print(FormatJobs(jobs));
  return kSuccess;
}

}  // namespace

void AddConvertOperator(CLI::App& parent, int& exit_code) {
  auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* verb = parent.add_subcommand(
      "operator",
      "Print the scrape_configs that the Prometheus Operator makes of "
      "ServiceMonitors and PodMonitors");
  verb->add_option("files", *files,
                   "YAML files, several objects in one are fine; none: "
                   "standard input");
  verb->callback([files, &exit_code] {
    if (files->empty()) files->emplace_back("-");
    exit_code = Convert(*files);
  });
}

}  // namespace narthex::tools
