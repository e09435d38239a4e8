// The relabel rules that the Prometheus Operator writes for its monitors.

#include <algorithm>

#include "libnarthex/config/operator_parts.h"
#include "narthex/base/ascii.h"

namespace narthex::config {
namespace {

using scrape::RelabelAction;
using scrape::RelabelRule;
using Rules = std::vector<RelabelRule>;

constexpr char kHash[] = "__tmp_hash";
constexpr char kNoSharding[] = "__tmp_disable_sharding";

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
                     std::string target, std::string replacement = "${1}") {
  RelabelRule rule;
  rule.source_labels = std::move(sources);
  rule.regex = std::move(regex);
  rule.target_label = std::move(target);
  rule.replacement = std::move(replacement);
  return rule;
}
RelabelRule Fixed(std::string target, std::string value) {
  RelabelRule rule;
  rule.target_label = std::move(target);
  rule.replacement = std::move(value);
  return rule;
}

// `prefix`: "__meta_kubernetes_service".
void AddSelector(const LabelSelector& selector, std::string_view prefix,
                 Rules& rules) {
  const auto both = [&](const std::string& key) -> std::vector<std::string> {
    return {StrCat(prefix, "_label_", Sanitized(key)),
            StrCat(prefix, "_labelpresent_", Sanitized(key))};
  };
  for (const auto& [key, value] : selector.labels) {
    rules.push_back(
        Filter(RelabelAction::kKeep, both(key), StrCat("(", value, ");true")));
  }
  for (const LabelExpression& one : selector.expressions) {
    const bool keep = one.op == "In" || one.op == "Exists";
    const RelabelAction action =
        keep ? RelabelAction::kKeep : RelabelAction::kDrop;
    if (one.op == "In" || one.op == "NotIn") {
      std::string values;
      for (const std::string& value : one.values) {
        StrAppend(&values, values.empty() ? "" : "|", value);
      }
      rules.push_back(
          Filter(action, both(one.key), StrCat("(", values, ");true")));
    } else {
      rules.push_back(Filter(action, {both(one.key)[1]}, "true"));
    }
  }
}

void AddPort(const Monitor& monitor, const MonitorPort& port, Rules& rules) {
  const auto keep = [&](std::string source, const std::string& value) {
    rules.push_back(Filter(RelabelAction::kKeep, {std::move(source)}, value));
  };
  const std::string container = "__meta_kubernetes_pod_container_port_";
  if (!port.name.empty()) {
    if (monitor.service()) {
      keep(StrCat("__meta_kubernetes_endpoint", monitor.slices ? "slice" : "",
                  "_port_name"),
           port.name);
    } else {
      keep(container + "name", port.name);
    }
  } else if (!port.number.empty()) {
    keep(container + "number", port.number);
  } else if (!port.target.empty()) {
    keep(container + (port.target_is_number ? "number" : "name"), port.target);
  }
}

void AddTargetLabels(const std::vector<std::string>& labels,
                     std::string_view prefix, Rules& rules) {
  for (const std::string& label : labels) {
    rules.push_back(CopyPart({StrCat(prefix, "_label_", Sanitized(label))},
                             "(.+)", Sanitized(label)));
  }
}

// Of the targets, by the hash of `label`, those of this shard; a target may
// bring a hash of its own, or opt out.
void AddSharding(const OperatorSettings& settings, const std::string& label,
                 Rules& rules) {
  if (!settings.shards) return;
  rules.push_back(CopyPart({label, kHash}, "(.+);", kHash, "$1"));
  RelabelRule hash = Copy(kHash, kHash);
  hash.action = RelabelAction::kHashMod;
  hash.modulus = *settings.shards;
  rules.push_back(std::move(hash));
  rules.push_back(Filter(RelabelAction::kKeep, {kHash, kNoSharding},
                         StrCat(settings.shard, ";|.+;.+")));
}

void Append(Rules more, Rules& rules) {
  std::move(more.begin(), more.end(), std::back_inserter(rules));
}

bool IsExcluded(const OperatorObject& monitor,
                const OperatorSettings& settings) {
  const std::string resource = AsciiLower(monitor.kind) + "s";
  return std::any_of(settings.excluded.begin(), settings.excluded.end(),
                     [&](const OperatorSettings::Exclusion& one) {
                       return one.resource == resource &&
                              one.name_space == monitor.name_space &&
                              (one.name.empty() || one.name == monitor.name);
                     });
}

}  // namespace

Rules WithNamespace(const OperatorObject& monitor,
                    const OperatorSettings& settings, Rules rules) {
  const std::string& label = settings.enforced_namespace_label;
  if (!label.empty() && !IsExcluded(monitor, settings)) {
    rules.push_back(Fixed(label, monitor.name_space));
  }
  return rules;
}

Rules RulesOf(const Monitor& monitor, const MonitorPort& port,
              const OperatorSettings& settings) {
  const std::string meta = "__meta_kubernetes_";
  const bool service = monitor.service();
  const RelabelRule running =
      Filter(RelabelAction::kDrop, {meta + "pod_phase"}, "(Failed|Succeeded)");
  Rules rules = {Copy("job", "__tmp_prometheus_job_name")};
  if (!service && port.filter_running) rules.push_back(running);
  const std::string selected = meta + (service ? "service" : "pod");
  if (!monitor.select_by_role) AddSelector(monitor.selector, selected, rules);
  AddPort(monitor, port, rules);
  if (service) {
    const std::string target = StrCat(
        meta, "endpoint", monitor.slices ? "slice" : "", "_address_target_");
    const std::vector<std::string> sources = {target + "kind", target + "name"};
    rules.push_back(CopyPart(sources, "Node;(.*)", "node"));
    rules.push_back(CopyPart(sources, "Pod;(.*)", "pod"));
  }
  rules.push_back(Copy(meta + "namespace", "namespace"));
  if (service) {
    rules.push_back(Copy(meta + "service_name", "service"));
    rules.push_back(Copy(meta + "pod_name", "pod"));
  }
  rules.push_back(Copy(meta + "pod_container_name", "container"));
  if (!service) rules.push_back(Copy(meta + "pod_name", "pod"));
  if (service && port.filter_running) rules.push_back(running);
  AddTargetLabels(monitor.target_labels, meta + "service", rules);
  AddTargetLabels(monitor.pod_target_labels, meta + "pod", rules);
  AddTargetLabels(settings.pod_target_labels, meta + "pod", rules);
  if (service) {
    rules.push_back(CopyPart({meta + "service_name"}, "(.*)", "job"));
  } else {
    rules.push_back(Fixed(
        "job", StrCat(monitor.object.name_space, "/", monitor.object.name)));
  }
  if (!monitor.job_label.empty()) {
    rules.push_back(
        CopyPart({StrCat(selected, "_label_", Sanitized(monitor.job_label))},
                 "(.+)", "job"));
  }
  if (const std::string& shown = port.name.empty() ? port.target : port.name;
      !shown.empty()) {
    rules.push_back(Fixed("endpoint", shown));
  }
  Append(WithNamespace(monitor.object, settings, port.rules), rules);
  AddSharding(settings, "__address__", rules);
  return rules;
}

std::string SelectorText(const LabelSelector& selector) {
  std::vector<std::pair<std::string, std::string>> parts;  // by key
  for (const auto& [key, value] : selector.labels) {
    parts.emplace_back(key, StrCat(key, "=", value));
  }
  for (const LabelExpression& one : selector.expressions) {
    std::vector<std::string> sorted = one.values;
    std::sort(sorted.begin(), sorted.end());
    std::string values;
    for (const std::string& value : sorted) {
      StrAppend(&values, values.empty() ? "" : ",", value);
    }
    std::string text = one.key;
    if (one.op == "DoesNotExist") text = "!" + one.key;
    if (one.op == "In") StrAppend(&text, " in (", values, ")");
    if (one.op == "NotIn") StrAppend(&text, " notin (", values, ")");
    parts.emplace_back(one.key, std::move(text));
  }
  std::stable_sort(
      parts.begin(), parts.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [key, text] : parts) {
    StrAppend(&out, out.empty() ? "" : ",", text);
  }
  return out;
}

Rules ProbeRulesOf(const OperatorObject& probe, const std::string& job,
                   const std::string& prober, const ProbeTargets& targets,
                   const OperatorSettings& settings) {
  Rules rules = {Copy("job", "__tmp_prometheus_job_name")};
  if (!job.empty()) rules.push_back(Fixed("job", job));
  const std::string meta = "__meta_kubernetes_";
  const std::string target = "__param_target";
  if (targets.ingress) {
    AddSelector(targets.selector, meta + "ingress", rules);
    rules.push_back(CopyPart(
        {meta + "ingress_scheme", "__address__", meta + "ingress_path"},
        "(.+);(.+);(.+)", target, "${1}://${2}${3}"));
    rules.push_back(Copy(meta + "namespace", "namespace"));
    rules.push_back(Copy(meta + "ingress_name", "ingress"));
    rules.push_back(Copy("__address__", "__tmp_ingress_address"));
  } else {
    rules.push_back(Copy("__address__", target));
  }
  rules.push_back(Copy(target, "instance"));
  rules.push_back(Fixed("__address__", prober));
  Append(WithNamespace(probe, settings, targets.rules), rules);
  AddSharding(settings, target, rules);
  return rules;
}

}  // namespace narthex::config
