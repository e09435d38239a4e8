#include "libscrape/loop/job_discovery.h"

#include <string_view>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

absl::Status ValidateFiles(const FileDiscovery& files) {
  if (files.files.empty()) {
    return InvalidArgument(
        "file service discovery config must contain at least one path name");
  }
  for (const std::string& path : files.files) {
    NARTHEX_RETURN_IF_ERROR(ValidateDiscoveryPath(path));
  }
  if (files.refresh_interval.ms <= 0) {
    return InvalidArgument("refresh interval must be above 0");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<DiscoveryConfig> DiscoveryConfigs(const Job& job) {
  std::vector<DiscoveryConfig> configs;
  std::vector<TargetGroup> groups = job.static_groups;
  if (!job.targets.empty()) groups.push_back(MakeTargetGroup(job.targets));
  if (!groups.empty()) configs.emplace_back(std::move(groups));
  for (const auto& config : job.file_discovery) configs.emplace_back(config);
  for (const auto& config : job.http_discovery) configs.emplace_back(config);
  for (const auto& config : job.dns_discovery) configs.emplace_back(config);
  for (const auto& config : job.kubernetes_discovery) {
    configs.emplace_back(config);
  }
  if (configs.empty() && job.source != nullptr) {
    configs.emplace_back(std::vector{MakeTargetGroup({"in-process"})});
  }
  return configs;
}

absl::Status ValidateDiscovery(const Job& job) {
  for (const TargetGroup& group : job.static_groups) {
    if (!job.relabel.empty()) break;  // the rules may mend it
    for (const Labels& target : group.targets) {
      const std::string_view address = target.Get(kAddressLabel);
      if (address.find('/') != std::string_view::npos) {
        return InvalidArgument(
            StrCat(GoQuote(address), " is not a valid hostname"));
      }
    }
  }
  for (const FileDiscovery& config : job.file_discovery) {
    NARTHEX_RETURN_IF_ERROR(ValidateFiles(config));
  }
  for (const HttpDiscovery& config : job.http_discovery) {
    NARTHEX_RETURN_IF_ERROR(ValidateHttpDiscovery(config));
  }
  for (const DnsDiscovery& config : job.dns_discovery) {
    NARTHEX_RETURN_IF_ERROR(ValidateDnsDiscovery(config));
  }
  for (const KubernetesDiscovery& config : job.kubernetes_discovery) {
    NARTHEX_RETURN_IF_ERROR(ValidateKubernetesDiscovery(config));
  }
  return absl::OkStatus();
}

}  // namespace narthex::scrape
