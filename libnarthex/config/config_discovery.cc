// Whom to scrape: static_configs, file_sd_configs, and the YAML files that the
// latter name.

#include "libnarthex/config/config_parts.h"

namespace narthex::config {

absl::StatusOr<scrape::TargetGroup> ReadTargetGroup(const YamlNode& node,
                                                    std::string_view file) {
  scrape::TargetGroup group;
  std::vector<std::string> targets;
  MapReader map(node, file, "target group");
  map.Read("targets", targets);
  map.Read("labels", [&](const YamlNode& labels) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(group.labels, ReadLabels(labels, file));
    return absl::OkStatus();
  });
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  for (const std::string& target : targets) {
    group.targets.push_back(Labels{{scrape::kAddressLabel, target}});
  }
  return group;
}

absl::StatusOr<scrape::FileDiscovery> ReadFileDiscovery(const YamlNode& node,
                                                        std::string_view file) {
  scrape::FileDiscovery out;
  MapReader map(node, file, "file_sd_configs entry");
  map.Read("files", out.files);
  map.Read("refresh_interval", out.refresh_interval);
  if (out.files.empty()) {
    map.Fail(
        "file service discovery config must contain at least one path name");
  }
  for (std::string& path : out.files) {
    const absl::Status valid = scrape::ValidateDiscoveryPath(path);
    if (!valid.ok()) map.Fail(Message(valid));
    path = FromFolderOf(file, path);
  }
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  return out;
}

}  // namespace narthex::config

namespace narthex {

absl::StatusOr<std::vector<scrape::TargetGroup>> DecodeTargetYaml(
    std::string_view bytes, std::string_view path) {
  NARTHEX_ASSIGN_OR_RETURN(const config::YamlNode root,
                           config::ParseYaml(bytes, path));
  std::vector<scrape::TargetGroup> groups;
  if (root.kind == config::YamlNode::Kind::kNull) return groups;
  if (root.kind != config::YamlNode::Kind::kSequence) {
    return config::ErrorAt(path, root, "must be a list of target groups");
  }
  for (const config::YamlNode& item : root.items) {
    if (item.kind == config::YamlNode::Kind::kNull) {
      return config::ErrorAt(path, item, "nil target group item found");
    }
    NARTHEX_ASSIGN_OR_RETURN(scrape::TargetGroup group,
                             config::ReadTargetGroup(item, path));
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace narthex
