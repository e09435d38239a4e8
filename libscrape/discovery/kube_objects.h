// Kubernetes objects, cut down to what targets are made of: two that compare
// equal give the same targets, so that a heartbeat is no change.
//
// Plain data, read from the API's JSON; what is missing or of a wrong type is
// left empty, as objects of any origin are legal input.

#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace narthex::scrape {

struct KubeMeta {
  std::string name_space = {};
  std::string name = {};
  std::string uid = {};
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
  // Of the owner that controls the object.
  std::string controller_kind = {};
  std::string controller_name = {};

  // "namespace/name", or the name alone.
  std::string Key() const;
  friend bool operator==(const KubeMeta&, const KubeMeta&) = default;
};

struct KubePort {
  std::optional<std::string> name = {};
  std::optional<int64_t> number = {};
  std::optional<std::string> protocol = {};
  std::optional<std::string> app_protocol = {};

  friend bool operator==(const KubePort&, const KubePort&) = default;
};

struct KubeContainer {
  std::string name = {};
  std::string image = {};
  std::string id = {};
  bool init = false;
  std::vector<KubePort> ports = {};

  friend bool operator==(const KubeContainer&, const KubeContainer&) = default;
};

// What an endpoint stands for.
struct KubeReference {
  std::string kind = {};
  std::string name_space = {};
  std::string name = {};

  std::string Key() const;
  friend bool operator==(const KubeReference&, const KubeReference&) = default;
};

struct KubeEndpoint {
  std::vector<std::string> addresses = {};
  std::optional<KubeReference> reference = {};
  std::optional<std::string> node_name = {};
  std::optional<std::string> hostname = {};
  std::optional<std::string> zone = {};
  std::optional<bool> ready = {};
  std::optional<bool> serving = {};
  std::optional<bool> terminating = {};
  std::map<std::string, std::string> topology = {};

  friend bool operator==(const KubeEndpoint&, const KubeEndpoint&) = default;
};

// Addresses times ports.
struct KubeSubset {
  std::vector<KubePort> ports = {};
  std::vector<KubeEndpoint> ready = {};
  std::vector<KubeEndpoint> not_ready = {};

  friend bool operator==(const KubeSubset&, const KubeSubset&) = default;
};

struct KubeIngressRule {
  std::string host = {};
  std::optional<std::vector<std::string>> paths = {};

  friend bool operator==(const KubeIngressRule&,
                         const KubeIngressRule&) = default;
};

enum class KubeKind : uint8_t {
  kNode,
  kNamespace,
  kPod,
  kService,
  kEndpoints,
  kEndpointSlice,
  kIngress,
  kReplicaSet,
  kJob
};

// Any of them; `meta` of all, the rest by kind.
struct KubeObject {
  KubeMeta meta = {};

  // Pod; node_name too.
  std::string pod_ip = {};
  std::string host_ip = {};
  std::string phase = {};
  std::string ready = {};  // "true", "false", "unknown"
  std::string node_name = {};
  std::vector<KubeContainer> containers = {};  // then those that only begin

  // Service.
  std::string service_type = {};
  std::string cluster_ip = {};
  std::string external_name = {};
  std::string load_balancer_ip = {};  // several: with commas
  std::string primary_family = {};    // "IPv4"; empty: it has but one
  std::vector<KubePort> ports = {};   // of an endpoint slice too

  // Endpoints; endpoint slice.
  std::vector<KubeSubset> subsets = {};
  std::string address_type = {};
  std::vector<KubeEndpoint> endpoints = {};

  // Node.
  std::string provider_id = {};
  int64_t kubelet_port = 0;
  std::vector<std::pair<std::string, std::string>> addresses = {};  // by type
  // Type and status, both in lower case.
  std::vector<std::pair<std::string, std::string>> conditions = {};

  // Ingress.
  std::optional<std::string> ingress_class = {};
  std::vector<std::string> tls_hosts = {};
  std::vector<KubeIngressRule> rules = {};

  friend bool operator==(const KubeObject&, const KubeObject&) = default;
};

KubeObject ReadKubeObject(KubeKind kind, const nlohmann::json& json);

}  // namespace narthex::scrape
