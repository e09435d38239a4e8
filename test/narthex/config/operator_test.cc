#include <catch2/catch.hpp>

#include "narthex/base/status.h"
#include "narthex/config.h"
#include "narthex/operator.h"

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
  CHECK(error("kind: ScrapeConfig\napiVersion: monitoring.coreos.com/v1\n")
            .find("is neither a ServiceMonitor, PodMonitor, Probe or "
                  "Prometheus") != std::string::npos);
  std::string text = kMonitors;
  text += "    basicAuth: {username: {name: s, key: k}}\n";
  CHECK(error(text).starts_with("m.yml:42:27: Secret/default/s is not among"));
  text += "---\n{apiVersion: v1, kind: Secret, metadata: {name: s}}\n";
  CHECK(error(text) == "m.yml:42:27: Secret/default/s has no key \"k\"");
  text = kMonitors;
  text.replace(text.find("NotIn"), 5, "Maybe");
  CHECK(error(text).find("\"Maybe\" is not a valid label selector operator") !=
        std::string::npos);
}

constexpr char kAssets[] = R"(apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: web, namespace: shop}
  data: {user: YWxpY2U=, password: "czNjcmV0IQ==", key: S0VZ}
  stringData: {token: t0k3n}
- apiVersion: v1
  kind: Secret
  metadata: {name: web, namespace: elsewhere}
  stringData: {token: wrong}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: certs, namespace: shop}
  data: {ca: "-----BEGIN\nCA\n", id: client}
)";

constexpr char kSecured[] = R"(apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web, namespace: shop}
spec:
  sampleLimit: 500
  selectorMechanism: RoleSelector
  serviceDiscoveryRole: EndpointSlice
  selector:
    matchLabels: {tier: front}
    matchExpressions:
    - {key: app, operator: In, values: [web, api]}
    - {key: old, operator: DoesNotExist}
  endpoints:
  - port: a
    basicAuth:
      username: {name: web, key: user}
      password: {name: web, key: password}
    tlsConfig:
      ca: {configMap: {name: certs, key: ca}}
      cert: {secret: {name: web, key: token}}
      keySecret: {name: web, key: key}
    proxyUrl: http://proxy
    proxyConnectHeader: {X-Who: [{name: web, key: user}, {name: web, key: token}]}
  - port: b
    bearerTokenSecret: {name: web, key: token}
    honorLabels: true
  - port: c
    authorization: {type: Token, credentials: {name: web, key: token}}
  - port: d
    oauth2:
      clientId: {configMap: {name: certs, key: id}}
      clientSecret: {name: web, key: password}
      tokenUrl: http://login/token
      scopes: [read]
)";

constexpr char kPrometheus[] = R"(apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: main, namespace: monitoring}
spec:
  replicas: 2
  shards: 3
  scrapeInterval: 20s
  enforcedSampleLimit: 100
  enforcedTargetLimit: 7
  enforcedBodySizeLimit: 1MB
  enforcedNamespaceLabel: tenant
  excludedFromEnforcement:
  - {group: monitoring.coreos.com, resource: podmonitors, namespace: default}
  overrideHonorLabels: true
  ignoreNamespaceSelectors: true
  podTargetLabels: [release]
)";

TEST_CASE("what monitors refer to is found among the objects",
          "[narthex][operator]") {
  const OperatorFile files[] = {{kSecured, "m.yml"}, {kAssets, "s.yml"}};
  const auto jobs = ReadOperatorObjects(files);
  INFO(jobs.status().ToString());
  REQUIRE(jobs.ok());
  REQUIRE(jobs->size() == 4);
  const scrape::HttpOptions& a = (*jobs)[0].http;
  CHECK(a.basic_auth_user.value == "alice");
  CHECK(a.basic_auth_password.value == "s3cret!");
  CHECK(a.tls.ca.value == "-----BEGIN\nCA\n");
  CHECK(a.tls.cert.value == "t0k3n");
  CHECK(a.tls.key.value == "KEY");
  REQUIRE(a.proxy.connect_headers.size() == 2);
  CHECK(a.proxy.connect_headers[1].second.value == "t0k3n");
  CHECK((*jobs)[1].http.credentials.value == "t0k3n");
  CHECK((*jobs)[2].http.auth_type == "Token");
  REQUIRE((*jobs)[3].http.oauth2);
  CHECK((*jobs)[3].http.oauth2->client_id == "client");
  CHECK((*jobs)[3].http.oauth2->client_secret.value == "s3cret!");

  // Selected by the API server: no rules, but selectors.
  const scrape::KubernetesDiscovery& sd = (*jobs)[0].kubernetes_discovery[0];
  REQUIRE(sd.selectors.size() == 2);
  CHECK(sd.selectors[0].role == scrape::KubernetesRole::kEndpointSlice);
  CHECK(sd.selectors[1].role == scrape::KubernetesRole::kService);
  CHECK(sd.selectors[1].label == "app in (api,web),!old,tier=front");
  CHECK(Rule((*jobs)[0].relabel[1]) ==
        "keep __meta_kubernetes_endpointslice_port_name /a/ =$1");

  // It can be written down and read again; for others' eyes, without secrets.
  const auto again = ParseConfig(FormatJobsWithSecrets(*jobs), "p.yml");
  INFO(again.status().ToString());
  REQUIRE(again.ok());
  CHECK(again->jobs == *jobs);
  CHECK(FormatJobs(*jobs).find("s3cret!") == std::string::npos);
}

TEST_CASE("what a Prometheus object says holds for all monitors",
          "[narthex][operator]") {
  const OperatorFile files[] = {{kSecured, "m.yml"},
                                {kAssets, "s.yml"},
                                {kPrometheus, "p.yml"},
                                {kMonitors, "more.yml"}};
  const auto jobs = ReadOperatorObjects(files, {.shard = 2, .shards = {}});
  INFO(jobs.status().ToString());
  REQUIRE(jobs.ok());
  const scrape::Job& b = (*jobs)[1];
  CHECK(b.interval == Seconds(20));
  CHECK(b.sample_limit == 100);
  CHECK(b.target_limit == 7);
  CHECK(b.body_size_limit == 1 << 20);
  CHECK_FALSE(b.honor_labels);
  std::vector<std::string> last;
  for (auto it = b.relabel.end() - 4; it != b.relabel.end(); ++it) {
    last.push_back(Rule(*it));
  }
  CHECK(last == std::vector<std::string>{
                    "replace /(.*)/ tenant=shop",
                    "replace __address__ __tmp_hash /(.+);/ __tmp_hash=$1",
                    "hashmod __tmp_hash /(.*)/ __tmp_hash=$1",
                    "keep __tmp_hash __tmp_disable_sharding /2;|.+;.+/ =$1"});
  CHECK((b.relabel.end() - 2)->modulus == 3);
  CHECK(Rule(b.metric_relabel.back()) == "replace /(.*)/ tenant=shop");

  const scrape::Job& agents = jobs->back();
  CHECK(agents.name == "podMonitor/default/agents/0");
  CHECK(agents.metric_relabel.empty());  // left out of enforcement
  CHECK(agents.kubernetes_discovery[0].namespaces ==
        std::vector<std::string>{"default"});
  bool release = false;
  for (const auto& rule : agents.relabel) {
    release |= rule.target_label == "release";
  }
  CHECK(release);

  CHECK(Message(
            ReadOperatorObjects(files, {.shard = 3, .shards = {}}).status()) ==
        "there is no shard 3 of 3");
  CHECK(ReadOperatorObjects(files, {.shard = 3, .shards = 4}).ok());
}

TEST_CASE("probes become jobs", "[narthex][operator]") {
  constexpr char kProbes[] = R"(apiVersion: monitoring.coreos.com/v1
kind: Probe
metadata: {name: sites, namespace: web}
spec:
  jobName: blackbox
  module: http_2xx
  interval: 30s
  params: [{name: module, values: [other]}, {name: hostname, values: [a]}]
  prober: {url: "prober:9115", scheme: HTTPS, path: /check}
  targets:
    staticConfig:
      static: [https://a.example, https://b.example]
      labels: {env: prod}
      relabelingConfigs: [{targetLabel: added, replacement: "1"}]
---
apiVersion: monitoring.coreos.com/v1
kind: Probe
metadata: {name: ingresses, namespace: web}
spec:
  prober: {url: "prober:9115"}
  targets:
    ingress:
      selector: {matchLabels: {probe: "yes"}}
      namespaceSelector: {any: true}
)";
  const OperatorFile file{kProbes, "p.yml"};
  const auto jobs = ReadOperatorObjects({&file, 1}, {.shard = 0, .shards = 2});
  INFO(jobs.status().ToString());
  REQUIRE(jobs.ok());
  REQUIRE(jobs->size() == 2);
  const scrape::Job& sites = (*jobs)[0];
  CHECK(sites.name == "probe/web/sites");
  CHECK(sites.metrics_path == "/check");
  CHECK(sites.scheme == "https");
  CHECK(sites.params.at("module") == std::vector<std::string>{"http_2xx"});
  CHECK(sites.params.at("hostname") == std::vector<std::string>{"a"});
  REQUIRE(sites.static_groups.size() == 1);
  CHECK(sites.static_groups[0].labels ==
        Labels{{"env", "prod"}, {"namespace", "web"}});
  const auto rules = [](const scrape::Job& job) {
    std::vector<std::string> out;
    for (const auto& rule : job.relabel) out.push_back(Rule(rule));
    return out;
  };
  const std::vector<std::string> sharding = {
      "replace __param_target __tmp_hash /(.+);/ __tmp_hash=$1",
      "hashmod __tmp_hash /(.*)/ __tmp_hash=$1",
      "keep __tmp_hash __tmp_disable_sharding /0;|.+;.+/ =$1"};
  std::vector<std::string> expected = {
      "replace job /(.*)/ __tmp_prometheus_job_name=$1",
      "replace /(.*)/ job=blackbox",
      "replace __address__ /(.*)/ __param_target=$1",
      "replace __param_target /(.*)/ instance=$1",
      "replace /(.*)/ __address__=prober:9115",
      "replace /(.*)/ added=1"};
  expected.insert(expected.end(), sharding.begin(), sharding.end());
  CHECK(rules(sites) == expected);

  const std::string m = "__meta_kubernetes_";
  expected = {
      "replace job /(.*)/ __tmp_prometheus_job_name=$1",
      "keep " + m + "ingress_label_probe " + m +
          "ingress_labelpresent_probe /(yes);true/ =$1",
      "replace " + m + "ingress_scheme __address__ " + m +
          "ingress_path /(.+);(.+);(.+)/ __param_target=${1}://${2}${3}",
      "replace " + m + "namespace /(.*)/ namespace=$1",
      "replace " + m + "ingress_name /(.*)/ ingress=$1",
      "replace __address__ /(.*)/ __tmp_ingress_address=$1",
      "replace __param_target /(.*)/ instance=$1",
      "replace /(.*)/ __address__=prober:9115"};
  expected.insert(expected.end(), sharding.begin(), sharding.end());
  CHECK(rules((*jobs)[1]) == expected);
  CHECK((*jobs)[1].kubernetes_discovery[0].role ==
        scrape::KubernetesRole::kIngress);
  CHECK((*jobs)[1].metrics_path == "/probe");
}

}  // namespace
}  // namespace narthex
