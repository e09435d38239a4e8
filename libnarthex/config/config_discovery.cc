// Whom to scrape: static_configs and the ways of discovery; the YAML files that
// file_sd_configs name.

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

namespace {

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

absl::StatusOr<scrape::HttpDiscovery> ReadHttpDiscovery(const YamlNode& node,
                                                        std::string_view file) {
  scrape::HttpDiscovery out;
  MapReader map(node, file, "http_sd_configs entry");
  map.Read("url", out.url);
  map.Read("refresh_interval", out.refresh_interval);
  ReadHttpOptions(map, file, out.http);
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  const absl::Status valid = scrape::ValidateHttpDiscovery(out);
  if (!valid.ok()) return ErrorAt(file, node, Message(valid));
  return out;
}

absl::StatusOr<scrape::DnsDiscovery> ReadDnsDiscovery(const YamlNode& node,
                                                      std::string_view file) {
  scrape::DnsDiscovery out;
  size_t port = 0;
  MapReader map(node, file, "dns_sd_configs entry");
  map.Read("names", out.names);
  map.Read("refresh_interval", out.refresh_interval);
  map.ReadText("type", [&](const std::string& text) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(out.type, scrape::ParseDnsType(text));
    return absl::OkStatus();
  });
  map.Read("port", port);
  if (port > 65535) map.Fail("port must be at most 65535");
  out.port = static_cast<int>(port);
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  const absl::Status valid = scrape::ValidateDnsDiscovery(out);
  if (!valid.ok()) return ErrorAt(file, node, Message(valid));
  return out;
}

void ReadRole(MapReader& map, scrape::KubernetesRole& out) {
  map.ReadText("role", [&](const std::string& text) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(out, scrape::ParseKubernetesRole(text));
    return absl::OkStatus();
  });
}

absl::StatusOr<scrape::KubernetesSelector> ReadSelector(const YamlNode& node,
                                                        std::string_view file) {
  scrape::KubernetesSelector out;
  MapReader map(node, file, "selectors entry");
  ReadRole(map, out.role);
  if (!map.Has("role")) map.Fail("role missing");
  map.Read("label", out.label);
  map.Read("field", out.field);
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  return out;
}

absl::StatusOr<scrape::KubernetesDiscovery> ReadKubernetesDiscovery(
    const YamlNode& node, std::string_view file) {
  scrape::KubernetesDiscovery out;
  MapReader map(node, file, "kubernetes_sd_configs entry");
  ReadRole(map, out.role);
  if (!map.Has("role")) {
    map.Fail(
        "role missing (one of: pod, service, endpoints, endpointslice, node, "
        "ingress)");
  }
  map.Read("api_server", out.api_server);
  map.Read("kubeconfig_file", out.kubeconfig_file);
  out.kubeconfig_file = FromFolderOf(file, out.kubeconfig_file);
  ReadHttpOptions(map, file, out.http);
  map.Read("namespaces", [&](const YamlNode& namespaces) -> absl::Status {
    MapReader inner(namespaces, file, "namespaces");
    inner.Read("own_namespace", out.own_namespace);
    inner.Read("names", out.namespaces);
    return inner.Finish();
  });
  map.ReadEach("selectors", [&](const YamlNode& item) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(scrape::KubernetesSelector selector,
                             ReadSelector(item, file));
    out.selectors.push_back(std::move(selector));
    return absl::OkStatus();
  });
  map.Read("attach_metadata", [&](const YamlNode& attach) -> absl::Status {
    MapReader inner(attach, file, "attach_metadata");
    inner.Read("node", out.attach_node);
    inner.Read("namespace", out.attach_namespace);
    inner.Read("deployment", out.attach_deployment);
    inner.Read("job", out.attach_job);
    inner.Read("cronjob", out.attach_cronjob);
    return inner.Finish();
  });
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  const absl::Status valid = scrape::ValidateKubernetesDiscovery(out);
  if (!valid.ok()) return ErrorAt(file, node, Message(valid));
  return out;
}

// A list whose items `read` makes.
template <typename Item>
void ReadList(MapReader& map, std::string_view key, std::string_view file,
              absl::StatusOr<Item> (*read)(const YamlNode&, std::string_view),
              std::vector<Item>& out) {
  map.ReadEach(key, [&](const YamlNode& node) -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(Item item, read(node, file));
    out.push_back(std::move(item));
    return absl::OkStatus();
  });
}

}  // namespace

void ReadDiscovery(MapReader& map, std::string_view file, scrape::Job& job) {
  ReadList(map, "static_configs", file, &ReadTargetGroup, job.static_groups);
  for (size_t i = 0; i < job.static_groups.size(); ++i) {
    job.static_groups[i].source = std::to_string(i);
  }
  ReadList(map, "file_sd_configs", file, &ReadFileDiscovery,
           job.file_discovery);
  ReadList(map, "http_sd_configs", file, &ReadHttpDiscovery,
           job.http_discovery);
  ReadList(map, "dns_sd_configs", file, &ReadDnsDiscovery, job.dns_discovery);
  ReadList(map, "kubernetes_sd_configs", file, &ReadKubernetesDiscovery,
           job.kubernetes_discovery);
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
