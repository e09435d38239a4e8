// ServiceMonitor, PodMonitor and Probe of the Prometheus Operator as scrape
// configs: one for each endpoint, with the relabel rules that the operator
// writes.
//
// Without scrape classes, ScrapeConfigs, and sharding by zones.

#include <algorithm>

#include "libnarthex/config/operator_parts.h"
#include "narthex/base/ascii.h"

namespace narthex::config {
namespace {

constexpr char kGroup[] = "monitoring.coreos.com/";
constexpr char kRelabelByRole[] = "RoleSelector";

absl::Status ReadSelector(const YamlNode& node, std::string_view file,
                          LabelSelector& out) {
  MapReader map(node, file, "selector");
  map.Read("matchLabels", [&](const YamlNode& labels) -> absl::Status {
    MapReader inner(labels, file, "matchLabels");
    for (const YamlEntry& entry : labels.entries) {
      inner.Read(entry.key, out.labels[entry.key]);
    }
    return inner.Finish();
  });
  map.ReadEach("matchExpressions", [&](const YamlNode& item) -> absl::Status {
    LabelExpression one;
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
    out.expressions.push_back(std::move(one));
    return inner.Finish();
  });
  return map.Finish();
}

// The smaller of both, of those that there are.
template <typename Limit>
void Enforce(Limit enforced, Limit& own) {
  if (enforced == 0) return;
  own = own == 0 ? enforced : std::min(own, enforced);
}

void ReadMonitorLimits(MapReader& map, const OperatorSettings& settings,
                       scrape::Job& job) {
  ReadLimits(map, job);
  const scrape::Job& enforced = settings.enforced;
  Enforce(enforced.sample_limit, job.sample_limit);
  Enforce(enforced.target_limit, job.target_limit);
  Enforce(enforced.label_limit, job.label_limit);
  Enforce(enforced.label_name_length_limit, job.label_name_length_limit);
  Enforce(enforced.label_value_length_limit, job.label_value_length_limit);
  Enforce(enforced.keep_dropped_targets, job.keep_dropped_targets);
  Enforce(enforced.body_size_limit, job.body_size_limit);
  map.Read("scrapeNativeHistograms", job.scrape_native_histograms);
  map.Read("scrapeClassicHistograms", job.always_scrape_classic_histograms);
  map.Read("convertClassicHistogramsToNHCB",
           job.convert_classic_histograms_to_nhcb);
  if (job.scrape_native_histograms) {
    job.protocols = scrape::ProtobufFirstScrapeProtocols();
  }
  ReadScrapeProtocols(map, "scrapeProtocols", job.protocols);
  ReadFallbackProtocol(map, "fallbackScrapeProtocol", job);
}

void ReadIntervals(MapReader& map, const OperatorSettings& settings,
                   scrape::Job& job) {
  if (settings.interval) job.interval = *settings.interval;
  if (settings.timeout) job.timeout = *settings.timeout;
  Duration interval = {}, timeout = {};
  map.Read("interval", interval);
  if (interval.ms != 0) job.interval = interval;
  job.timeout = std::min(job.timeout, job.interval);
  map.Read("scrapeTimeout", timeout);
  if (timeout.ms != 0) job.timeout = timeout;
}

absl::Status ReadEndpoint(const YamlNode& node, const Monitor& monitor,
                          const OperatorAssets& assets,
                          const OperatorSettings& settings, scrape::Job& job,
                          MonitorPort& port) {
  const std::string_view file = monitor.object.file;
  MapReader map(node, file, "endpoint", KeyCase::kCamel);
  map.Read("port", port.name);
  map.Read("targetPort", [&](const YamlNode& value) -> absl::Status {
    port.target = value.text;
    port.target_is_number =
        value.plain && !value.text.empty() &&
        value.text.find_first_not_of("0123456789") == std::string::npos;
    return absl::OkStatus();
  });
  map.Read("portNumber", port.number);
  ReadIntervals(map, settings, job);
  map.Read("path", job.metrics_path);
  map.Read("scheme", job.scheme);
  job.scheme = AsciiLower(job.scheme);
  map.Read("params", [&](const YamlNode& params) {
    return ReadParams(params, file, job.params);
  });
  map.Read("honorLabels", job.honor_labels);
  map.Read("honorTimestamps", job.honor_timestamps);
  if (settings.override_honor_labels) job.honor_labels = false;
  if (settings.override_honor_timestamps) job.honor_timestamps = false;
  map.Read("trackTimestampsStaleness", job.track_timestamps_staleness);
  ReadMonitorProxy(map, monitor.object, assets, job.http.proxy);
  ReadMonitorHttp(map, monitor.object, assets, job.http);
  map.Read("filterRunning", port.filter_running);
  ReadRelabelRules(map, "relabelings", file, job.name_validation, port.rules);
  ReadRelabelRules(map, "metricRelabelings", file, job.name_validation,
                   job.metric_relabel);
  job.metric_relabel =
      WithNamespace(monitor.object, settings, std::move(job.metric_relabel));
  return map.Finish();
}

scrape::KubernetesDiscovery DiscoveryOf(const Monitor& monitor,
                                        const OperatorSettings& settings,
                                        scrape::KubernetesRole role) {
  scrape::KubernetesDiscovery out;
  out.role = role;
  if (settings.ignore_namespace_selectors) {
    out.namespaces = {monitor.object.name_space};
  } else if (!monitor.any_namespace) {
    out.namespaces = monitor.namespaces;
    if (out.namespaces.empty()) out.namespaces = {monitor.object.name_space};
  }
  out.attach_node = monitor.attach_node;
  if (monitor.select_by_role) {
    const std::string text = SelectorText(monitor.selector);
    out.selectors = {{role, text, {}}};
    if (monitor.service()) {
      out.selectors.push_back({scrape::KubernetesRole::kService, text, {}});
    }
  }
  return out;
}

void ReadNamespaces(MapReader& map, Monitor& out) {
  map.Read("namespaceSelector", [&](const YamlNode& names) -> absl::Status {
    MapReader inner(names, out.object.file, "namespaceSelector");
    inner.Read("any", out.any_namespace);
    inner.Read("matchNames", out.namespaces);
    return inner.Finish();
  });
}

// What a kind's spec has beside its endpoints.
void ReadMonitor(MapReader& map, const OperatorSettings& settings,
                 Monitor& monitor) {
  const std::string_view file = monitor.object.file;
  map.Read("selector", [&](const YamlNode& selector) {
    return ReadSelector(selector, file, monitor.selector);
  });
  ReadNamespaces(map, monitor);
  map.Read("jobLabel", monitor.job_label);
  map.Read("podTargetLabels", monitor.pod_target_labels);
  map.Read("attachMetadata", [&](const YamlNode& attach) -> absl::Status {
    MapReader inner(attach, file, "attachMetadata");
    inner.Read("node", monitor.attach_node);
    return inner.Finish();
  });
  map.ReadText(
      "selectorMechanism", [&](const std::string& text) -> absl::Status {
        monitor.select_by_role = text == kRelabelByRole;
        if (monitor.select_by_role || text == "RelabelConfig") {
          return absl::OkStatus();
        }
        return InvalidArgument("must be RelabelConfig or RoleSelector");
      });
  ReadMonitorLimits(map, settings, monitor.limits);
  map.Refuse({"scrapeClass"});
  if (!monitor.service()) return;
  map.Read("targetLabels", monitor.target_labels);
  monitor.slices = settings.slices;
  map.ReadText("serviceDiscoveryRole",
               [&](const std::string& text) -> absl::Status {
                 monitor.slices = text == "EndpointSlice";
                 if (monitor.slices || text == "Endpoints") {
                   return absl::OkStatus();
                 }
                 return InvalidArgument("must be Endpoints or EndpointSlice");
               });
}

absl::Status Add(const OperatorObject& object, const YamlNode& node,
                 scrape::Job job, std::vector<scrape::Job>& jobs) {
  const absl::Status valid = scrape::ValidateJob(job);
  if (!valid.ok()) return ErrorAt(object.file, node, Message(valid));
  jobs.push_back(std::move(job));
  return absl::OkStatus();
}

absl::Status TranslateMonitor(const OperatorObject& object,
                              const YamlNode& spec,
                              const OperatorAssets& assets,
                              const OperatorSettings& settings,
                              std::vector<scrape::Job>& jobs) {
  Monitor monitor;
  monitor.object = object;
  MapReader map(spec, object.file, "spec", KeyCase::kCamel);
  ReadMonitor(map, settings, monitor);
  const bool service = monitor.service();
  scrape::KubernetesRole role = scrape::KubernetesRole::kPod;
  if (service) {
    role = monitor.slices ? scrape::KubernetesRole::kEndpointSlice
                          : scrape::KubernetesRole::kEndpoints;
  }
  size_t number = 0;
  map.ReadEach(
      service ? "endpoints" : "podMetricsEndpoints",
      [&](const YamlNode& item) -> absl::Status {
        scrape::Job job = monitor.limits;
        MonitorPort port;
        job.name = StrCat(service ? "serviceMonitor/" : "podMonitor/",
                          object.name_space, "/", object.name, "/", number++);
        NARTHEX_RETURN_IF_ERROR(
            ReadEndpoint(item, monitor, assets, settings, job, port));
        job.kubernetes_discovery = {DiscoveryOf(monitor, settings, role)};
        job.relabel = RulesOf(monitor, port, settings);
        return Add(object, item, std::move(job), jobs);
      });
  return map.Finish();
}

absl::Status ReadProbeTargets(const YamlNode& node, Monitor& monitor,
                              const OperatorSettings& settings,
                              scrape::Job& job, ProbeTargets& out) {
  const std::string_view file = monitor.object.file;
  MapReader map(node, file, "targets");
  map.Read("ingress", [&](const YamlNode& ingress) -> absl::Status {
    out.ingress = true;
    MapReader inner(ingress, file, "ingress", KeyCase::kCamel);
    inner.Read("selector", [&](const YamlNode& selector) {
      return ReadSelector(selector, file, out.selector);
    });
    ReadNamespaces(inner, monitor);
    ReadRelabelRules(inner, "relabelingConfigs", file, job.name_validation,
                     out.rules);
    return inner.Finish();
  });
  // The operator takes it, if both are there.
  map.Read("staticConfig", [&](const YamlNode& list) -> absl::Status {
    out = {};
    std::vector<std::string> targets;
    Labels labels;
    MapReader inner(list, file, "staticConfig", KeyCase::kCamel);
    inner.Read("static", targets);
    inner.Read("labels", [&](const YamlNode& pairs) -> absl::Status {
      NARTHEX_ASSIGN_OR_RETURN(labels, ReadLabels(pairs, file));
      return absl::OkStatus();
    });
    if (labels.Get("namespace").empty()) {
      std::vector<Label> more(labels.begin(), labels.end());
      more.push_back({"namespace", monitor.object.name_space});
      labels = Labels::FromPairs(more);
    }
    ReadRelabelRules(inner, "relabelingConfigs", file, job.name_validation,
                     out.rules);
    job.static_groups = {scrape::MakeTargetGroup(targets, labels)};
    job.static_groups[0].source = "0";
    return inner.Finish();
  });
  if (!out.ingress && job.static_groups.empty()) {
    map.Fail("has neither staticConfig nor ingress");
  }
  if (out.ingress) {
    job.kubernetes_discovery = {
        DiscoveryOf(monitor, settings, scrape::KubernetesRole::kIngress)};
  }
  return map.Finish();
}

absl::Status TranslateProbe(const OperatorObject& object, const YamlNode& spec,
                            const OperatorAssets& assets,
                            const OperatorSettings& settings,
                            std::vector<scrape::Job>& jobs) {
  const std::string_view file = object.file;
  Monitor monitor;
  monitor.object = object;
  scrape::Job job;
  job.name = StrCat("probe/", object.name_space, "/", object.name);
  job.metrics_path = "/probe";
  job.honor_timestamps = !settings.override_honor_timestamps;
  std::string job_label, url, module;
  ProbeTargets targets;
  MapReader map(spec, file, "spec", KeyCase::kCamel);
  map.Read("jobName", job_label);
  map.Read("prober", [&](const YamlNode& prober) -> absl::Status {
    MapReader inner(prober, file, "prober");
    inner.Read("url", url);
    inner.Read("scheme", job.scheme);
    job.scheme = AsciiLower(job.scheme);
    inner.Read("path", job.metrics_path);
    ReadMonitorProxy(inner, object, assets, job.http.proxy);
    return inner.Finish();
  });
  if (url.empty()) map.Fail("has no prober with a url");
  map.ReadEach("params", [&](const YamlNode& item) -> absl::Status {
    std::string name;
    std::vector<std::string> values;
    MapReader inner(item, file, "params entry");
    inner.Read("name", name);
    inner.Read("values", values);
    job.params[name] = std::move(values);
    return inner.Finish();
  });
  map.Read("module", module);
  if (!module.empty()) job.params["module"] = {module};
  ReadIntervals(map, settings, job);
  ReadMonitorLimits(map, settings, job);
  ReadMonitorHttp(map, object, assets, job.http);
  map.Read("targets", [&](const YamlNode& node) {
    return ReadProbeTargets(node, monitor, settings, job, targets);
  });
  ReadRelabelRules(map, "metricRelabelings", file, job.name_validation,
                   job.metric_relabel);
  job.metric_relabel =
      WithNamespace(object, settings, std::move(job.metric_relabel));
  map.Refuse({"scrapeClass"});
  NARTHEX_RETURN_IF_ERROR(map.Finish());
  job.relabel = ProbeRulesOf(object, job_label, url, targets, settings);
  return Add(object, spec, std::move(job), jobs);
}

// One object, or those of a List.
absl::Status Collect(const YamlNode& root, std::string_view file,
                     std::vector<OperatorObject>& out) {
  if (root.kind == YamlNode::Kind::kNull) return absl::OkStatus();
  OperatorObject object{&root, file, TextAt(root, "kind"), {}, {}};
  const YamlNode* items = FindMember(root, "items");
  if (object.kind.ends_with("List") && items != nullptr) {
    for (const YamlNode& item : items->items) {
      NARTHEX_RETURN_IF_ERROR(Collect(item, file, out));
    }
    return absl::OkStatus();
  }
  const bool ours = TextAt(root, "apiVersion").starts_with(kGroup);
  static constexpr std::string_view kOurs[] = {
      "ServiceMonitor", "PodMonitor", "Probe", "Prometheus", "PrometheusAgent"};
  const bool known =
      ours ? std::count(std::begin(kOurs), std::end(kOurs), object.kind) != 0
           : object.kind == "Secret" || object.kind == "ConfigMap";
  if (!known) {
    return ErrorAt(file, root,
                   StrCat("is neither a ServiceMonitor, PodMonitor, Probe or "
                          "Prometheus of monitoring.coreos.com nor a Secret "
                          "or ConfigMap but \"",
                          object.kind, "\""));
  }
  if (const YamlNode* meta = FindMember(root, "metadata")) {
    object.name = TextAt(*meta, "name");
    object.name_space = TextAt(*meta, "namespace");
  }
  if (object.name_space.empty()) object.name_space = "default";
  if (object.name.empty()) return ErrorAt(file, root, "has no metadata.name");
  out.push_back(std::move(object));
  return absl::OkStatus();
}

absl::Status Translate(const OperatorObject& object,
                       const OperatorAssets& assets,
                       const OperatorSettings& settings,
                       std::vector<scrape::Job>& jobs) {
  const bool probe = object.kind == "Probe";
  if (!probe && !object.kind.ends_with("Monitor")) return absl::OkStatus();
  const YamlNode* spec = FindMember(*object.node, "spec");
  if (spec == nullptr) {
    return ErrorAt(object.file, *object.node, "has no spec");
  }
  return probe ? TranslateProbe(object, *spec, assets, settings, jobs)
               : TranslateMonitor(object, *spec, assets, settings, jobs);
}

// Documents end at a line of dashes; those before count as empty lines, so that
// positions stay true.
absl::Status ReadDocuments(const OperatorFile& file,
                           std::vector<YamlNode>& out) {
  std::string_view text = file.text;
  std::string before;
  std::string document;
  const auto read = [&]() -> absl::Status {
    NARTHEX_ASSIGN_OR_RETURN(YamlNode root,
                             ParseYaml(before + document, file.name));
    out.push_back(std::move(root));
    before.append(
        static_cast<size_t>(std::count(document.begin(), document.end(), '\n')),
        '\n');
    document.clear();
    return absl::OkStatus();
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with("---")) {
      document += '\n';
      NARTHEX_RETURN_IF_ERROR(read());
    } else {
      document += line;
      document += '\n';
    }
  }
  return read();
}

}  // namespace
}  // namespace narthex::config

namespace narthex {

absl::StatusOr<std::vector<scrape::Job>> ReadOperatorObjects(
    std::span<const OperatorFile> files, const OperatorOptions& options) {
  std::vector<std::vector<config::YamlNode>> documents(files.size());
  std::vector<config::OperatorObject> objects;
  for (size_t i = 0; i < files.size(); ++i) {
    NARTHEX_RETURN_IF_ERROR(config::ReadDocuments(files[i], documents[i]));
    for (const config::YamlNode& root : documents[i]) {
      NARTHEX_RETURN_IF_ERROR(config::Collect(root, files[i].name, objects));
    }
  }
  config::OperatorAssets assets;
  config::OperatorSettings settings;
  for (const config::OperatorObject& object : objects) {
    if (object.kind == "Secret" || object.kind == "ConfigMap") {
      NARTHEX_RETURN_IF_ERROR(config::ReadAssets(object, assets));
    } else if (object.kind.starts_with("Prometheus")) {
      NARTHEX_RETURN_IF_ERROR(config::ReadSettings(object, settings));
    }
  }
  if (options.shards) settings.shards = options.shards;
  settings.shard = options.shard;
  if (settings.shard >= settings.shards.value_or(1)) {
    return InvalidArgument(StrCat("there is no shard ", settings.shard, " of ",
                                  settings.shards.value_or(1)));
  }
  std::vector<scrape::Job> jobs;
  for (const config::OperatorObject& object : objects) {
    NARTHEX_RETURN_IF_ERROR(config::Translate(object, assets, settings, jobs));
  }
  return jobs;
}

absl::StatusOr<std::vector<scrape::Job>> ReadMonitors(std::string_view yaml,
                                                      std::string_view file) {
  const OperatorFile one{yaml, file};
  return ReadOperatorObjects({&one, 1});
}

}  // namespace narthex
