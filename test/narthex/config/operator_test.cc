#include <catch2/catch.hpp>

#include "narthex/base/status.h"
#include "narthex/config.h"

namespace narthex {
namespace {

constexpr char kMonitors[] = R"(apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: web
  namespace: shop
spec:
  jobLabel: app.kubernetes.io/name
  targetLabels: [team]
  podTargetLabels: [version]
  sampleLimit: 1000
  namespaceSelector: {matchNames: [shop, shop-two]}
  selector:
    matchLabels: {app: web, tier: front}
    matchExpressions:
    - {key: zone, operator: NotIn, values: [a, b]}
    - {key: legacy, operator: DoesNotExist}
  endpoints:
  - port: http-metrics
    interval: 30s
    path: /internal/metrics
    honorLabels: true
    relabelings:
    - {sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node, action: Replace}
    metricRelabelings:
    - {sourceLabels: [__name__], regex: go_.*, action: drop}
  - targetPort: 8443
    scheme: HTTPS
    interval: 5s
    tlsConfig: {insecureSkipVerify: true}
    bearerTokenFile: /var/run/token
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: agents}
spec:
  namespaceSelector: {any: true}
  attachMetadata: {node: true}
  selector: {matchLabels: {app: agent}}
  podMetricsEndpoints:
  - port: metrics
    filterRunning: false
)";

std::string Rule(const scrape::RelabelRule& rule) {
  std::string out(scrape::RelabelActionName(rule.action));
  for (const std::string& source : rule.source_labels) out += " " + source;
  return out + " /" + rule.regex + "/ " + rule.target_label + "=" +
         rule.replacement;
}

TEST_CASE("monitors become jobs with the operator's rules",
          "[narthex][operator]") {
  const auto jobs = ReadMonitors(kMonitors, "m.yml");
  INFO(jobs.status().ToString());
  REQUIRE(jobs.ok());
  REQUIRE(jobs->size() == 3);

  const scrape::Job& web = (*jobs)[0];
  CHECK(web.name == "serviceMonitor/shop/web/0");
  CHECK(web.interval == Seconds(30));
  CHECK(web.metrics_path == "/internal/metrics");
  CHECK(web.honor_labels);
  CHECK(web.sample_limit == 1000);
  CHECK(web.kubernetes_discovery[0].role == scrape::KubernetesRole::kEndpoints);
  CHECK(web.kubernetes_discovery[0].namespaces ==
        std::vector<std::string>{"shop", "shop-two"});
  std::vector<std::string> rules;
  for (const auto& rule : web.relabel) rules.push_back(Rule(rule));
  const std::string m = "__meta_kubernetes_";
  const std::string kind =
      m + "endpoint_address_target_kind " + m + "endpoint_address_target_name";
  CHECK(rules == std::vector<std::string>{
                     "replace job /(.*)/ __tmp_prometheus_job_name=$1",
                     "keep " + m + "service_label_app " + m +
                         "service_labelpresent_app /(web);true/ =$1",
                     "keep " + m + "service_label_tier " + m +
                         "service_labelpresent_tier /(front);true/ =$1",
                     "drop " + m + "service_label_zone " + m +
                         "service_labelpresent_zone /(a|b);true/ =$1",
                     "drop " + m + "service_labelpresent_legacy /true/ =$1",
                     "keep " + m + "endpoint_port_name /http-metrics/ =$1",
                     "replace " + kind + " /Node;(.*)/ node=${1}",
                     "replace " + kind + " /Pod;(.*)/ pod=${1}",
                     "replace " + m + "namespace /(.*)/ namespace=$1",
                     "replace " + m + "service_name /(.*)/ service=$1",
                     "replace " + m + "pod_name /(.*)/ pod=$1",
                     "replace " + m + "pod_container_name /(.*)/ container=$1",
                     "drop " + m + "pod_phase /(Failed|Succeeded)/ =$1",
                     "replace " + m + "service_label_team /(.+)/ team=${1}",
                     "replace " + m + "pod_label_version /(.+)/ version=${1}",
                     "replace " + m + "service_name /(.*)/ job=${1}",
                     "replace " + m +
                         "service_label_app_kubernetes_io_name /(.+)/ job=${1}",
                     "replace /(.*)/ endpoint=http-metrics",
                     "replace " + m + "pod_node_name /(.*)/ node=$1"});
  REQUIRE(web.metric_relabel.size() == 1);

  const scrape::Job& second = (*jobs)[1];
  CHECK(second.name == "serviceMonitor/shop/web/1");
  CHECK(second.scheme == "https");
  CHECK(second.timeout == Seconds(5));
  CHECK(second.http.tls.insecure_skip_verify);
  CHECK(second.http.credentials.file == "/var/run/token");
  CHECK(Rule(second.relabel[5]) ==
        "keep " + m + "pod_container_port_number /8443/ =$1");

  const scrape::Job& pod = (*jobs)[2];
  CHECK(pod.name == "podMonitor/default/agents/0");
  CHECK(pod.kubernetes_discovery[0].namespaces.empty());
  CHECK(pod.kubernetes_discovery[0].attach_node);
  CHECK(Rule(pod.relabel[1]) == "keep " + m + "pod_label_app " + m +
                                    "pod_labelpresent_app /(agent);true/ =$1");
  CHECK(Rule(pod.relabel[pod.relabel.size() - 2]) ==
        "replace /(.*)/ job=default/agents");
}

TEST_CASE("what is printed of monitors is a configuration",
          "[narthex][operator]") {
  const auto jobs = ReadMonitors(kMonitors, "m.yml");
  REQUIRE(jobs.ok());
  const auto config = ParseConfig(FormatJobs(*jobs), "p.yml");
  INFO(FormatJobs(*jobs));
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  CHECK(config->jobs == *jobs);
}

TEST_CASE("monitors that can't be translated say where and why",
          "[narthex][operator]") {
  const auto error = [](std::string_view yaml) {
    const auto jobs = ReadMonitors(yaml, "m.yml");
    REQUIRE_FALSE(jobs.ok());
    return std::string(Message(jobs.status()));
  };
  CHECK(error("kind: Probe\napiVersion: monitoring.coreos.com/v1\n")
            .find("is neither a ServiceMonitor nor a PodMonitor") !=
        std::string::npos);
  std::string text = kMonitors;
  text += "    basicAuth: {username: {name: s, key: k}}\n";
  CHECK(error(text).starts_with("m.yml:42:"));
  CHECK(error(text).find("basicAuth") != std::string::npos);
  text = kMonitors;
  text.replace(text.find("NotIn"), 5, "Maybe");
  CHECK(error(text).find("\"Maybe\" is not a valid label selector operator") !=
        std::string::npos);
}

}  // namespace
}  // namespace narthex
