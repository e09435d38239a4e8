// Objects of the Prometheus Operator, read: what its monitors may refer to,
// what its Prometheus says of all of them, and the rules that it writes.
//
// Values and pure functions; any thread.  Nodes and files are borrowed from
// the documents.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libnarthex/config/config_parts.h"
#include "narthex/operator.h"

namespace narthex::config {

// An object, and where it stands.
struct OperatorObject {
  const YamlNode* node = nullptr;
  std::string_view file = {};
  std::string kind = {};
  std::string name = {};
  std::string name_space = {};
};

// Secrets and ConfigMaps, by "Secret/<namespace>/<name>", then by key.
using OperatorAssets =
    std::map<std::string, std::map<std::string, std::string>, std::less<>>;

// What a Prometheus object says of all monitors.
struct OperatorSettings {
  std::optional<size_t> shards = {};  // none: no object, nothing is sharded
  size_t shard = 0;
  scrape::Job enforced = {};  // its limits alone count; 0: none
  std::string enforced_namespace_label = {};
  struct Exclusion {
    std::string resource = {};  // "servicemonitors"
    std::string name_space = {};
    std::string name = {};  // empty: all
  };
  std::vector<Exclusion> excluded = {};
  bool override_honor_labels = false;
  bool override_honor_timestamps = false;
  bool ignore_namespace_selectors = false;
  std::vector<std::string> pod_target_labels = {};
  bool slices = false;  // endpoints by way of their slices
  std::optional<Duration> interval = {};
  std::optional<Duration> timeout = {};
};

// operator_assets.cc

absl::Status ReadAssets(const OperatorObject& object, OperatorAssets& out);
absl::Status ReadSettings(const OperatorObject& object, OperatorSettings& out);
// The fields of an endpoint, or of a Probe, that say how to talk to a target.
void ReadMonitorHttp(MapReader& map, const OperatorObject& monitor,
                     const OperatorAssets& assets, scrape::HttpOptions& out);
void ReadMonitorProxy(MapReader& map, const OperatorObject& monitor,
                      const OperatorAssets& assets, scrape::ProxyOptions& out);

// operator_rules.cc

struct LabelExpression {
  std::string key = {};
  std::string op = {};  // "In", "NotIn", "Exists", "DoesNotExist"
  std::vector<std::string> values = {};
};
struct LabelSelector {
  std::map<std::string, std::string> labels = {};
  std::vector<LabelExpression> expressions = {};
};

// One of the kinds; what stands in several has the same name in all.
struct Monitor {
  OperatorObject object = {};
  LabelSelector selector = {};
  bool select_by_role = false;               // by the API server, not by rules
  std::vector<std::string> namespaces = {};  // empty: its own
  bool any_namespace = false;
  std::string job_label = {};
  std::vector<std::string> target_labels = {};
  std::vector<std::string> pod_target_labels = {};
  bool slices = false;
  bool attach_node = false;
  scrape::Job limits = {};  // and protocols: what endpoints begin with

  bool service() const { return object.kind == "ServiceMonitor"; }
};

// What of an endpoint is no field of a job.
struct MonitorPort {
  std::string name = {};
  std::string target = {};  // a container's port, by name or number
  bool target_is_number = false;
  std::string number = {};  // likewise, newer
  bool filter_running = true;
  std::vector<scrape::RelabelRule> rules = {};
};

// The operator's own rules, in its order, then the user's.
std::vector<scrape::RelabelRule> RulesOf(const Monitor& monitor,
                                         const MonitorPort& port,
                                         const OperatorSettings& settings);
// As a Kubernetes label selector: "app=web,tier in (a,b)".
std::string SelectorText(const LabelSelector& selector);

struct ProbeTargets {
  bool ingress = false;  // else a static list
  LabelSelector selector = {};
  std::vector<scrape::RelabelRule> rules = {};
};
std::vector<scrape::RelabelRule> ProbeRulesOf(const OperatorObject& probe,
                                              const std::string& job,
                                              const std::string& prober,
                                              const ProbeTargets& targets,
                                              const OperatorSettings& settings);
// `rules`, and the enforced namespace label if there is one.
std::vector<scrape::RelabelRule> WithNamespace(
    const OperatorObject& monitor, const OperatorSettings& settings,
    std::vector<scrape::RelabelRule> rules);

}  // namespace narthex::config
