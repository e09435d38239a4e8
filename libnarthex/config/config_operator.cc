// ServiceMonitor and PodMonitor of the Prometheus Operator as scrape configs:
// one for each endpoint, with the relabel rules that the operator writes.
//
// Without what only the operator knows: Secrets, ConfigMaps, scrape classes,
// enforced limits, and the rules that split targets over its shards.

#include <algorithm>
#include <map>

#include "libnarthex/config/config_parts.h"
#include "narthex/base/ascii.h"

namespace narthex::config {
namespace {

using scrape::RelabelAction;
using scrape::RelabelRule;

constexpr char kGroup[] = "monitoring.coreos.com/";

std::string Sanitized(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    const bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '_';
    if (!legal) c = '_';
  }
  return out;
}

RelabelRule Filter(RelabelAction action, std::vector<std::string> sources,
                   std::string regex) {
  RelabelRule rule;
  rule.action = action;
  rule.source_labels = std::move(sources);
  rule.regex = std::move(regex);
  return rule;
}
RelabelRule Copy(std::string source, std::string target) {
  RelabelRule rule;
  rule.source_labels = {std::move(source)};
  rule.target_label = std::move(target);
  return rule;
}
RelabelRule CopyPart(std::vector<std::string> sources, std::string regex,
                     std::string target) {
  RelabelRule rule;
  rule.source_labels = std::move(sources);
  rule.regex = std::move(regex);
  rule.target_label = std::move(target);
  rule.replacement = "${1}";
  return rule;
}
RelabelRule Fixed(std::string target, std::string value) {
  RelabelRule rule;
  rule.target_label = std::move(target);
  rule.replacement = std::move(value);
  return rule;
}

// One of the two kinds; what stands in both has the same name in both.
struct Monitor {
  bool service = true;
  std::string name = {};
  std::string name_space = {};
  std::map<std::string, std::string> match_labels = {};
  struct Expression {
    std::string key = {};
    std::string op = {};
    std::vector<std::string> values = {};
  };
  std::vector<Expression> match_expressions = {};
  std::vector<std::string> namespaces = {};  // empty: its own
  bool any_namespace = false;
  std::string job_label = {};
  std::vector<std::string> target_labels = {};
  std::vector<std::string> pod_target_labels = {};
  bool slices = false;  // endpoints by way of their slices
  bool attach_node = false;
  scrape::Job limits = {};  // and protocols: what endpoints begin with
};

// What of an endpoint is no field of a job.
struct Port {
  std::string name = {};
  std::string target = {};  // a container's port
  bool target_is_number = false;
  bool filter_running = true;
  std::vector<RelabelRule> rules = {};
};

absl::Status ReadSelector(const YamlNode& node, std::string_view file,
                          Monitor& out) {
  MapReader map(node, file, "selector");
  map.Read("matchLabels", [&](const YamlNode& labels) -> absl::Status {
    MapReader inner(labels, file, "matchLabels");
    for (const YamlEntry& entry : labels.entries) {
      inner.Read(entry.key, out.match_labels[entry.key]);
    }
    return inner.Finish();
  });
  map.ReadEach("matchExpressions", [&](const YamlNode& item) -> absl::Status {
    Monitor::Expression one;
    MapReader inner(item, file, "matchExpressions entry");
    inner.Read("key", one.key);
    inner.Read("operator", one.op);
    inner.Read("values", one.values);
    if (one.op != "In" && one.op != "NotIn" && one.op != "Exists" &&
        one.op != "DoesNotExist") {
      inner.Fail(StrCat("\"", one.op,
                        "\" is not a valid label selector "
                        "operator"));
    }
    out.match_expressions.push_back(std::move(one));
    return inner.Finish();
  });
  return map.Finish();
}

void ReadMonitorLimits(MapReader& map, scrape::Job& job) {
  map.Read("sampleLimit", job.sample_limit);
  map.Read("targetLimit", job.target_limit);
  map.Read("labelLimit", job.label_limit);
  map.Read("labelNameLengthLimit", job.label_name_length_limit);
  map.Read("labelValueLengthLimit", job.label_value_length_limit);
  map.Read("keepDroppedTargets", job.keep_dropped_targets);
  map.ReadBytes("bodySizeLimit", job.body_size_limit);
  ReadScrapeProtocols(map, "scrapeProtocols", job.protocols);
  map.ReadText("fallbackScrapeProtocol",
               [&](const std::string& text) -> absl::Status {
                 NARTHEX_ASSIGN_OR_RETURN(job.fallback_protocol,
                                          scrape::ParseScrapeProtocol(text));
                 return absl::OkStatus();
               });
}

void ReadRules(MapReader& map, std::string_view key, std::string_view file,
               std::vector<RelabelRule>& out) {
  map.ReadEach(key, [&](const YamlNode& node) -> absl::Status {
    RelabelRule rule;
    size_t modulus = 0;
    MapReader inner(node, file, "relabeling");
    inner.Read("sourceLabels", rule.source_labels);
    inner.Read("separator", rule.separator);
    inner.Read("regex", rule.regex);
    inner.Read("modulus", modulus);
    inner.Read("targetLabel", rule.target_label);
    inner.Read("replacement", rule.replacement);
    inner.ReadText("action", [&](const std::string& text) -> absl::Status {
      NARTHEX_ASSIGN_OR_RETURN(rule.action, scrape::ParseRelabelAction(text));
      return absl::OkStatus();
    });
    rule.modulus = modulus;
    NARTHEX_RETURN_IF_ERROR(inner.Finish());
    auto checked =
        scrape::Relabeler::Make({&rule, 1}, scrape::NameValidation::kUtf8);
    if (!checked.ok()) return ErrorAt(file, node, Message(checked.status()));
    out.push_back(std::move(rule));
    return absl::OkStatus();
  });
}

absl::Status ReadMonitorTls(const YamlNode& node, std::string_view file,
                            scrape::TlsOptions& out) {
  MapReader map(node, file, "tlsConfig");
  map.Read("caFile", out.ca.file);
  map.Read("certFile", out.cert.file);
  map.Read("keyFile", out.key.file);
  map.Read("serverName", out.server_name);
  map.Read("insecureSkipVerify", out.insecure_skip_verify);
  map.Read("minVersion", out.min_version);
  map.Read("maxVersion", out.max_version);
  map.Refuse({"ca", "cert", "keySecret"});
  return map.Finish();
}

absl::Status ReadEndpoint(const YamlNode& node, std::string_view file,
                          scrape::Job& job, Port& port) {
  MapReader map(node, file, "endpoint");
  map.Read("port", port.name);
  map.Read("targetPort", [&](const YamlNode& value) -> absl::Status {
    port.target = value.text;
    port.target_is_number =
        value.plain && !value.text.empty() &&
        value.text.find_first_not_of("0123456789") == std::string::npos;
    return absl::OkStatus();
  });
  map.ReadText("portNumber", [&](const std::string& text) -> absl::Status {
    port.target = text;
    port.target_is_number = true;
    return absl::OkStatus();
  });
  Duration interval = {}, timeout = {};
  map.Read("interval", interval);
  if (interval.ms != 0) job.interval = interval;
  job.timeout = std::min(job.timeout, job.interval);
  map.Read("scrapeTimeout", timeout);
  if (timeout.ms != 0) job.timeout = timeout;
  map.Read("path", job.metrics_path);
  map.Read("scheme", job.scheme);
  job.scheme = AsciiLower(job.scheme);
  map.Read("params", [&](const YamlNode& params) -> absl::Status {
    MapReader inner(params, file, "params");
    for (const YamlEntry& entry : params.entries) {
      inner.Read(entry.key, job.params[entry.key]);
    }
    return inner.Finish();
  });
  map.Read("honorLabels", job.honor_labels);
  map.Read("honorTimestamps", job.honor_timestamps);
  map.Read("trackTimestampsStaleness", job.track_timestamps_staleness);
  map.Read("followRedirects", job.http.follow_redirects);
  map.Read("enableHttp2", job.http.enable_http2);
  map.Read("proxyUrl", job.http.proxy.url);
  map.Read("noProxy", job.http.proxy.no_proxy);
  map.Read("proxyFromEnvironment", job.http.proxy.from_environment);
  map.Read("bearerTokenFile", job.http.credentials.file);
  map.Read("tlsConfig", [&](const YamlNode& tls) {
    return ReadMonitorTls(tls, file, job.http.tls);
  });
  map.Read("filterRunning", port.filter_running);
  ReadRules(map, "relabelings", file, port.rules);
  ReadRules(map, "metricRelabelings", file, job.metric_relabel);
  // They name Secrets of the cluster, which are not here.
  map.Refuse({"basicAuth", "authorization", "oauth2", "bearerTokenSecret",
              "proxyConnectHeader"});
  return map.Finish();
}

void AddSelector(const Monitor& monitor, std::vector<RelabelRule>& rules) {
  const std::string prefix =
      StrCat("__meta_kubernetes_", monitor.service ? "service" : "pod");
  const auto label = [&](const std::string& key) {
    return StrCat(prefix, "_label_", Sanitized(key));
  };
  const auto present = [&](const std::string& key) {
    return StrCat(prefix, "_labelpresent_", Sanitized(key));
  };
  for (const auto& [key, value] : monitor.match_labels) {
    rules.push_back(Filter(RelabelAction::kKeep, {label(key), present(key)},
                           StrCat("(", value, ");true")));
  }
  for (const Monitor::Expression& one : monitor.match_expressions) {
    const bool keep = one.op == "In" || one.op == "Exists";
    const RelabelAction action =
        keep ? RelabelAction::kKeep : RelabelAction::kDrop;
    if (one.op == "In" || one.op == "NotIn") {
      std::string values;
      for (const std::string& value : one.values) {
        StrAppend(&values, values.empty() ? "" : "|", value);
      }
      rules.push_back(Filter(action, {label(one.key), present(one.key)},
                             StrCat("(", values, ");true")));
    } else {
      rules.push_back(Filter(action, {present(one.key)}, "true"));
    }
  }
}

void AddPort(const Monitor& monitor, const Port& port,
             std::vector<RelabelRule>& rules) {
  if (!port.name.empty()) {
    std::string_view source = "__meta_kubernetes_pod_container_port_name";
    if (monitor.service) {
      source = monitor.slices ? "__meta_kubernetes_endpointslice_port_name"
                              : "__meta_kubernetes_endpoint_port_name";
    }
    rules.push_back(
        Filter(RelabelAction::kKeep, {std::string(source)}, port.name));
  } else if (!port.target.empty()) {
    rules.push_back(Filter(
        RelabelAction::kKeep,
        {port.target_is_number ? "__meta_kubernetes_pod_container_port_number"
                               : "__meta_kubernetes_pod_container_port_name"},
        port.target));
  }
}

// The operator's own rules, in its order.
std::vector<RelabelRule> RulesOf(const Monitor& monitor, const Port& port) {
  const RelabelRule running =
      Filter(RelabelAction::kDrop, {"__meta_kubernetes_pod_phase"},
             "(Failed|Succeeded)");
  std::vector<RelabelRule> rules = {Copy("job", "__tmp_prometheus_job_name")};
  if (!monitor.service && port.filter_running) rules.push_back(running);
  AddSelector(monitor, rules);
  AddPort(monitor, port, rules);
  if (monitor.service) {
    const std::string target = StrCat(
        "__meta_kubernetes_", monitor.slices ? "endpointslice" : "endpoint",
        "_address_target_");
    const std::vector<std::string> sources = {target + "kind", target + "name"};
    rules.push_back(CopyPart(sources, "Node;(.*)", "node"));
    rules.push_back(CopyPart(sources, "Pod;(.*)", "pod"));
  }
  rules.push_back(Copy("__meta_kubernetes_namespace", "namespace"));
  if (monitor.service) {
    rules.push_back(Copy("__meta_kubernetes_service_name", "service"));
    rules.push_back(Copy("__meta_kubernetes_pod_name", "pod"));
  }
  rules.push_back(Copy("__meta_kubernetes_pod_container_name", "container"));
  if (!monitor.service) {
    rules.push_back(Copy("__meta_kubernetes_pod_name", "pod"));
  }
  if (monitor.service && port.filter_running) rules.push_back(running);
  for (const std::string& label : monitor.target_labels) {
    rules.push_back(
        CopyPart({StrCat("__meta_kubernetes_service_label_", Sanitized(label))},
                 "(.+)", Sanitized(label)));
  }
  for (const std::string& label : monitor.pod_target_labels) {
    rules.push_back(
        CopyPart({StrCat("__meta_kubernetes_pod_label_", Sanitized(label))},
                 "(.+)", Sanitized(label)));
  }
  if (monitor.service) {
    rules.push_back(
        CopyPart({"__meta_kubernetes_service_name"}, "(.*)", "job"));
  } else {
    rules.push_back(
        Fixed("job", StrCat(monitor.name_space, "/", monitor.name)));
  }
  if (!monitor.job_label.empty()) {
    rules.push_back(CopyPart(
        {StrCat("__meta_kubernetes_", monitor.service ? "service" : "pod",
                "_label_", Sanitized(monitor.job_label))},
        "(.+)", "job"));
  }
  if (const std::string& shown = port.name.empty() ? port.target : port.name;
      !shown.empty()) {
    rules.push_back(Fixed("endpoint", shown));
  }
  return rules;
}

scrape::KubernetesDiscovery DiscoveryOf(const Monitor& monitor) {
  scrape::KubernetesDiscovery out;
  out.role = scrape::KubernetesRole::kPod;
  if (monitor.service) {
    out.role = monitor.slices ? scrape::KubernetesRole::kEndpointSlice
                              : scrape::KubernetesRole::kEndpoints;
  }
  if (!monitor.any_namespace) {
    out.namespaces = monitor.namespaces;
    if (out.namespaces.empty()) out.namespaces = {monitor.name_space};
  }
  out.attach_node = monitor.attach_node;
  return out;
}

absl::Status ReadSpec(const YamlNode& node, std::string_view file,
                      Monitor& monitor, std::vector<scrape::Job>& jobs) {
  MapReader map(node, file, "spec");
  map.Read("selector", [&](const YamlNode& selector) {
    return ReadSelector(selector, file, monitor);
  });
  map.Read("namespaceSelector", [&](const YamlNode& names) -> absl::Status {
    MapReader inner(names, file, "namespaceSelector");
    inner.Read("any", monitor.any_namespace);
    inner.Read("matchNames", monitor.namespaces);
    return inner.Finish();
  });
  map.Read("jobLabel", monitor.job_label);
  map.Read("podTargetLabels", monitor.pod_target_labels);
  map.Read("attachMetadata", [&](const YamlNode& attach) -> absl::Status {
    MapReader inner(attach, file, "attachMetadata");
    inner.Read("node", monitor.attach_node);
    return inner.Finish();
  });
  ReadMonitorLimits(map, monitor.limits);
  if (monitor.service) {
    map.Read("targetLabels", monitor.target_labels);
    map.ReadText("serviceDiscoveryRole",
                 [&](const std::string& text) -> absl::Status {
                   monitor.slices = text == "EndpointSlice";
                   if (monitor.slices || text == "Endpoints") {
                     return absl::OkStatus();
                   }
                   return InvalidArgument("must be Endpoints or EndpointSlice");
                 });
  }
  map.Refuse({"scrapeClass", "selectorMechanism"});
  // Last, as endpoints begin with what the rest says.
  size_t number = 0;
  map.ReadEach(monitor.service ? "endpoints" : "podMetricsEndpoints",
               [&](const YamlNode& item) -> absl::Status {
                 scrape::Job job = monitor.limits;
                 Port port;
                 job.name = StrCat(
                     monitor.service ? "serviceMonitor/" : "podMonitor/",
                     monitor.name_space, "/", monitor.name, "/", number++);
                 NARTHEX_RETURN_IF_ERROR(ReadEndpoint(item, file, job, port));
                 job.kubernetes_discovery = {DiscoveryOf(monitor)};
                 job.relabel = RulesOf(monitor, port);
                 job.relabel.insert(job.relabel.end(), port.rules.begin(),
                                    port.rules.end());
                 const absl::Status valid = scrape::ValidateJob(job);
                 if (!valid.ok()) return ErrorAt(file, item, Message(valid));
                 jobs.push_back(std::move(job));
                 return absl::OkStatus();
               });
  return map.Finish();
}

const YamlNode* Member(const YamlNode& map, std::string_view key) {
  for (const YamlEntry& entry : map.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string Text(const YamlNode* map, std::string_view key) {
  const YamlNode* value = map != nullptr ? Member(*map, key) : nullptr;
  return value != nullptr ? value->text : std::string();
}

absl::Status ReadMonitor(const YamlNode& root, std::string_view file,
                         std::vector<scrape::Job>& jobs) {
  if (root.kind == YamlNode::Kind::kNull) return absl::OkStatus();
  const std::string kind = Text(&root, "kind");
  const YamlNode* items = Member(root, "items");
  if (kind.ends_with("List") && items != nullptr) {
    for (const YamlNode& item : items->items) {
      NARTHEX_RETURN_IF_ERROR(ReadMonitor(item, file, jobs));
    }
    return absl::OkStatus();
  }
  Monitor monitor;
  monitor.service = kind == "ServiceMonitor";
  if (!Text(&root, "apiVersion").starts_with(kGroup) ||
      (!monitor.service && kind != "PodMonitor")) {
    return ErrorAt(file, root,
                   StrCat("is neither a ServiceMonitor nor a PodMonitor of ",
                          "monitoring.coreos.com but \"", kind, "\""));
  }
  const YamlNode* meta = Member(root, "metadata");
  monitor.name = Text(meta, "name");
  monitor.name_space = Text(meta, "namespace");
  if (monitor.name_space.empty()) monitor.name_space = "default";
  const YamlNode* spec = Member(root, "spec");
  if (monitor.name.empty() || spec == nullptr) {
    return ErrorAt(file, root, "has no metadata.name or no spec");
  }
  return ReadSpec(*spec, file, monitor, jobs);
}

}  // namespace
}  // namespace narthex::config

namespace narthex {

absl::StatusOr<std::vector<scrape::Job>> ReadMonitors(std::string_view yaml,
                                                      std::string_view file) {
  std::vector<scrape::Job> jobs;
  // Documents end at a line of dashes; those before count as empty lines, so
  // that positions stay true.
  std::string before;
  std::string document;
  const auto read = [&]() -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(const config::YamlNode root,
                             config::ParseYaml(before + document, file));
    before.append(
        static_cast<size_t>(std::count(document.begin(), document.end(), '\n')),
        '\n');
    document.clear();
    return config::ReadMonitor(root, file, jobs);
  };
  while (!yaml.empty()) {
    const size_t end = std::min(yaml.find('\n'), yaml.size());
    const std::string_view line = yaml.substr(0, end);
    yaml.remove_prefix(std::min(end + 1, yaml.size()));
    if (line.starts_with("---")) {
      document += '\n';
      NARTHEX_RETURN_IF_ERROR(read());
    } else {
      document += line;
      document += '\n';
    }
  }
  NARTHEX_RETURN_IF_ERROR(read());
  return jobs;
}

}  // namespace narthex
