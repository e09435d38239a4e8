#include <catch2/catch.hpp>

#include "narthex/base/status.h"
#include "narthex/config.h"

namespace narthex {
namespace {

scrape::Job JobWith(const std::string& discovery) {
  const auto config =
      ParseConfig("scrape_configs:\n- job_name: j\n" + discovery, "/etc/p.yml");
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  // What is printed reads back as the same.
  const auto again = ParseConfig(FormatConfig(*config), "/etc/p.yml");
  INFO(FormatConfig(*config));
  REQUIRE(again.ok());
  CHECK(again->jobs == config->jobs);
  return config->jobs[0];
}

std::string ErrorOf(const std::string& discovery) {
  const auto config =
      ParseConfig("scrape_configs:\n- job_name: j\n" + discovery, "p.yml");
  REQUIRE_FALSE(config.ok());
  return std::string(Message(config.status()));
}

TEST_CASE("discovery by HTTP and DNS is configured as in Prometheus",
          "[narthex][config]") {
  const scrape::Job job = JobWith(R"(
  http_sd_configs:
  - url: https://sd.example/list
    refresh_interval: 5m
    authorization: {credentials_file: token}
  dns_sd_configs:
  - names: [_web._tcp.example]
  - {names: [a, b], type: aaaa, port: 9100, refresh_interval: 10s}
)");
  REQUIRE(job.http_discovery.size() == 1);
  CHECK(job.http_discovery[0].refresh_interval == Minutes(5));
  CHECK(job.http_discovery[0].http.credentials.file == "/etc/token");
  REQUIRE(job.dns_discovery.size() == 2);
  CHECK(job.dns_discovery[0].type == scrape::DnsType::kSrv);
  CHECK(job.dns_discovery[1].type == scrape::DnsType::kAaaa);
  CHECK(job.dns_discovery[1].port == 9100);
}

TEST_CASE("discovery in Kubernetes is configured as in Prometheus",
          "[narthex][config]") {
  const scrape::Job job = JobWith(R"(
  kubernetes_sd_configs:
  - role: endpointslice
    api_server: https://api.example
    tls_config: {ca_file: ca.crt}
    namespaces: {names: [one, two]}
    selectors:
    - {role: pod, label: app=x}
    - {role: endpointslice, field: metadata.name=y}
    attach_metadata: {node: true, namespace: true}
  - role: node
    kubeconfig_file: kube.yml
  - role: pod
    namespaces: {own_namespace: true}
)");
  REQUIRE(job.kubernetes_discovery.size() == 3);
  const scrape::KubernetesDiscovery& first = job.kubernetes_discovery[0];
  CHECK(first.role == scrape::KubernetesRole::kEndpointSlice);
  CHECK(first.http.tls.ca.file == "/etc/ca.crt");
  CHECK(first.namespaces == std::vector<std::string>{"one", "two"});
  CHECK(first.selectors.size() == 2);
  CHECK(first.attach_node);
  CHECK(first.attach_namespace);
  CHECK(job.kubernetes_discovery[1].kubeconfig_file == "/etc/kube.yml");
  CHECK(job.kubernetes_discovery[2].own_namespace);
}

TEST_CASE("all that pods belong to may be attached", "[narthex][config]") {
  const auto config = ParseConfig(
      "scrape_configs:\n- job_name: j\n  kubernetes_sd_configs:\n"
      "  - role: pod\n    attach_metadata: {deployment: true, cronjob: true}\n",
      "p.yml");
  REQUIRE(config.ok());
  const scrape::KubernetesDiscovery& sd =
      config->jobs[0].kubernetes_discovery[0];
  CHECK(sd.attach_deployment);
  CHECK_FALSE(sd.attach_job);
  CHECK(sd.attach_cronjob);
  const auto again = ParseConfig(FormatConfig(*config), "p.yml");
  REQUIRE(again.ok());
  CHECK(again->jobs == config->jobs);
}

TEST_CASE("wrong discovery is refused in Prometheus's words, with its place",
          "[narthex][config]") {
  CHECK(ErrorOf("  http_sd_configs: [{url: ftp://x}]\n") ==
        "p.yml:3:21: URL scheme must be 'http' or 'https'");
  CHECK(ErrorOf("  dns_sd_configs: [{names: [a], type: A}]\n") ==
        "p.yml:3:20: a port is required in DNS-SD configs for all record "
        "types except SRV");
  CHECK(ErrorOf("  kubernetes_sd_configs: [{api_server: 'http://x'}]\n")
            .find("role missing (one of: pod, service, endpoints, "
                  "endpointslice, node, ingress)") != std::string::npos);
  CHECK(ErrorOf("  kubernetes_sd_configs: [{role: pods}]\n")
            .find("unknown Kubernetes SD role \"pods\"") != std::string::npos);
  CHECK(ErrorOf("  kubernetes_sd_configs: [{role: pod, kubeconfig_file: a, "
                "api_server: 'http://b'}]\n")
            .find("cannot use 'kubeconfig_file' and 'api_server' "
                  "simultaneously") != std::string::npos);
  CHECK(ErrorOf("  kubernetes_sd_configs: [{role: pod, attach_metadata: "
                "{replicaset: true}}]\n")
            .find("replicaset") != std::string::npos);
}

TEST_CASE("of a kubeconfig the current context counts", "[narthex][config]") {
  constexpr char kFile[] = R"(
apiVersion: v1
kind: Config
current-context: b
clusters:
- name: far
  cluster:
    server: https://far.example:6443
    certificate-authority-data: Q0EgUEVN
    tls-server-name: api
- name: near
  cluster: {server: "http://near.example"}
contexts:
- name: a
  context: {cluster: near, user: nobody}
- name: b
  context: {cluster: far, user: me, namespace: mine}
users:
- name: me
  user:
    client-certificate: certs/me.crt
    client-key-data: a2V5
    token: s3cret
- name: program
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: bin/login
      args: [token, --cluster, "far"]
      env: [{name: PROFILE, value: prod}]
      interactiveMode: IfAvailable
      provideClusterInfo: true
      installHint: install login
    as: alice
    as-groups: [dev, ops]
)";
  const auto access = DecodeKubeconfig(kFile, "/home/me/.kube/config");
  REQUIRE(access.ok());
  CHECK(access->server == "https://far.example:6443");
  CHECK(access->own_namespace == "mine");
  CHECK(access->http.tls.ca.value == "CA PEM");
  CHECK(access->http.tls.server_name == "api");
  CHECK(access->http.tls.cert.file == "/home/me/.kube/certs/me.crt");
  CHECK(access->http.tls.key.value == "key");
  CHECK(access->http.credentials.value == "s3cret");

  // Over plain HTTP nobody is told who we are.
  std::string plain = kFile;
  plain.replace(plain.find("https://far.example:6443"), 24, "far.example:80");
  const auto open = DecodeKubeconfig(plain, "k");
  REQUIRE(open.ok());
  CHECK(open->server == "https://far.example:80");  // as it names a CA
  plain.replace(plain.find("far.example:80"), 14, "http://far");
  CHECK(DecodeKubeconfig(plain, "k")->http.credentials.empty());

  std::string text = kFile;
  text.replace(text.find("user: me"), 8, "user: program");
  const auto program = DecodeKubeconfig(text, "/home/me/.kube/config");
  INFO(program.status().ToString());
  REQUIRE(program.ok());
  REQUIRE(program->exec);
  CHECK(program->exec->api_version == "client.authentication.k8s.io/v1");
  CHECK(program->exec->command == "/home/me/.kube/bin/login");
  CHECK(program->exec->args ==
        std::vector<std::string>{"token", "--cluster", "far"});
  CHECK(program->exec->env[0] ==
        std::pair<std::string, std::string>("PROFILE", "prod"));
  CHECK(program->exec->install_hint == "install login");
  CHECK(program->exec->provide_cluster_info);
  REQUIRE(program->http.headers.size() == 3);
  CHECK(program->http.headers[0].first == "Impersonate-User");
  CHECK(program->http.headers[2].second.value == "ops");

  const auto exec_error = [&](std::string_view what, std::string_view with) {
    std::string wrong = text;
    wrong.replace(wrong.find(what), what.size(), with);
    return std::string(Message(DecodeKubeconfig(wrong, "k").status()));
  };
  CHECK(exec_error("command: bin/login", "other: x") ==
        "k:27:7: command must be specified for program to use exec "
        "authentication plugin");
  CHECK(exec_error("v1\n      command", "v1alpha1\n      command")
            .find("exec plugin: invalid apiVersion "
                  "\"client.authentication.k8s.io/v1alpha1\"") !=
        std::string::npos);
  CHECK(exec_error("IfAvailable", "Always").find("wants a terminal") !=
        std::string::npos);
  CHECK(exec_error("interactiveMode: IfAvailable", "x: y")
            .find("interactiveMode must be specified") != std::string::npos);
  CHECK(exec_error("PROFILE", "''").find("env variable name must be") !=
        std::string::npos);
  text.replace(text.find("current-context: b"), 18, "current-context: z");
  CHECK(std::string(Message(DecodeKubeconfig(text, "k").status()))
            .find("there is no context \"z\"") != std::string::npos);
}

}  // namespace
}  // namespace narthex
