#include "libscrape/discovery/kube_objects.h"
#include "narthex/base/ascii.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace narthex::scrape {
namespace {

using Json = nlohmann::json;

// The member of an object; null if there is none.
const Json& At(const Json& json, const char* key) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(key);
  return found != json.end() ? *found : kNull;
}

std::string Text(const Json& json, const char* key) {
  const Json& value = At(json, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}
std::optional<std::string> MaybeText(const Json& json, const char* key) {
  const Json& value = At(json, key);
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}
std::optional<int64_t> MaybeNumber(const Json& json, const char* key) {
  const Json& value = At(json, key);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<int64_t>();
}
std::optional<bool> MaybeFlag(const Json& json, const char* key) {
  const Json& value = At(json, key);
  if (!value.is_boolean()) return std::nullopt;
  return value.get<bool>();
}
std::map<std::string, std::string> Texts(const Json& json, const char* key) {
  std::map<std::string, std::string> out;
  const Json& map = At(json, key);
  if (!map.is_object()) return out;
  for (const auto& [name, value] : map.items()) {
    if (value.is_string()) out.emplace(name, value.get<std::string>());
  }
  return out;
}
std::vector<std::string> List(const Json& json, const char* key) {
  std::vector<std::string> out;
  const Json& list = At(json, key);
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}
// Calls `read` for every item of a list.
template <typename Read>
void ForEach(const Json& json, const char* key, Read read) {
  const Json& list = At(json, key);
  if (!list.is_array()) return;
  for (const Json& item : list) read(item);
}

KubeMeta ReadMeta(const Json& json) {
  const Json& meta = At(json, "metadata");
  KubeMeta out;
  out.name_space = Text(meta, "namespace");
  out.name = Text(meta, "name");
  out.uid = Text(meta, "uid");
  out.labels = Texts(meta, "labels");
  out.annotations = Texts(meta, "annotations");
  bool found = false;
  ForEach(meta, "ownerReferences", [&](const Json& owner) {
    if (found || MaybeFlag(owner, "controller") != true) return;
    found = true;
    out.controller_kind = Text(owner, "kind");
    out.controller_name = Text(owner, "name");
  });
  return out;
}

KubePort ReadPort(const Json& json, const char* number) {
  KubePort port;
  port.name = MaybeText(json, "name");
  port.number = MaybeNumber(json, number);
  port.protocol = MaybeText(json, "protocol");
  port.app_protocol = MaybeText(json, "appProtocol");
  return port;
}

void ReadContainers(const Json& pod, bool init, KubeObject& out) {
  const Json& status = At(pod, "status");
  const char* const statuses =
      init ? "initContainerStatuses" : "containerStatuses";
  ForEach(At(pod, "spec"), init ? "initContainers" : "containers",
          [&](const Json& json) {
            KubeContainer container;
            container.name = Text(json, "name");
            container.image = Text(json, "image");
            container.init = init;
            bool found = false;
            ForEach(status, statuses, [&](const Json& one) {
              if (found || Text(one, "name") != container.name) return;
              found = true;
              container.id = Text(one, "containerID");
            });
            ForEach(json, "ports", [&](const Json& port) {
              container.ports.push_back(ReadPort(port, "containerPort"));
            });
            out.containers.push_back(std::move(container));
          });
}

void ReadPod(const Json& json, KubeObject& out) {
  const Json& status = At(json, "status");
  out.pod_ip = Text(status, "podIP");
  out.host_ip = Text(status, "hostIP");
  out.phase = Text(status, "phase");
  out.node_name = Text(At(json, "spec"), "nodeName");
  out.ready = "unknown";
  bool found = false;
  ForEach(status, "conditions", [&](const Json& condition) {
    if (found || Text(condition, "type") != "Ready") return;
    found = true;
    out.ready = AsciiLower(Text(condition, "status"));
  });
  ReadContainers(json, /*init=*/false, out);
  ReadContainers(json, /*init=*/true, out);
}

void ReadService(const Json& json, KubeObject& out) {
  const Json& spec = At(json, "spec");
  out.service_type = Text(spec, "type");
  out.cluster_ip = Text(spec, "clusterIP");
  out.external_name = Text(spec, "externalName");
  out.load_balancer_ip = Text(spec, "loadBalancerIP");
  ForEach(spec, "ports", [&](const Json& port) {
    out.ports.push_back(ReadPort(port, "port"));
  });
}

std::optional<KubeReference> ReadReference(const Json& json) {
  const Json& reference = At(json, "targetRef");
  if (!reference.is_object()) return std::nullopt;
  KubeReference out;
  out.kind = Text(reference, "kind");
  out.name_space = Text(reference, "namespace");
  out.name = Text(reference, "name");
  return out;
}

void ReadSubsets(const Json& json, KubeObject& out) {
  ForEach(json, "subsets", [&](const Json& item) {
    KubeSubset subset;
    ForEach(item, "ports", [&](const Json& port) {
      subset.ports.push_back(ReadPort(port, "port"));
    });
    const auto read = [&](const char* key, std::vector<KubeEndpoint>& into) {
      ForEach(item, key, [&](const Json& address) {
        KubeEndpoint endpoint;
        endpoint.addresses = {Text(address, "ip")};
        endpoint.reference = ReadReference(address);
        endpoint.node_name = MaybeText(address, "nodeName");
        endpoint.hostname = MaybeText(address, "hostname");
        into.push_back(std::move(endpoint));
      });
    };
    read("addresses", subset.ready);
    read("notReadyAddresses", subset.not_ready);
    out.subsets.push_back(std::move(subset));
  });
}

void ReadSlice(const Json& json, KubeObject& out) {
  out.address_type = Text(json, "addressType");
  ForEach(json, "ports", [&](const Json& port) {
    out.ports.push_back(ReadPort(port, "port"));
  });
  ForEach(json, "endpoints", [&](const Json& item) {
    KubeEndpoint endpoint;
    endpoint.addresses = List(item, "addresses");
    endpoint.reference = ReadReference(item);
    endpoint.node_name = MaybeText(item, "nodeName");
    endpoint.hostname = MaybeText(item, "hostname");
    endpoint.zone = MaybeText(item, "zone");
    const Json& conditions = At(item, "conditions");
    endpoint.ready = MaybeFlag(conditions, "ready");
    endpoint.serving = MaybeFlag(conditions, "serving");
    endpoint.terminating = MaybeFlag(conditions, "terminating");
    endpoint.topology = Texts(item, "deprecatedTopology");
    out.endpoints.push_back(std::move(endpoint));
  });
}

void ReadNode(const Json& json, KubeObject& out) {
  out.provider_id = Text(At(json, "spec"), "providerID");
  const Json& status = At(json, "status");
  out.kubelet_port =
      MaybeNumber(At(At(status, "daemonEndpoints"), "kubeletEndpoint"), "Port")
          .value_or(0);
  ForEach(status, "addresses", [&](const Json& address) {
    out.addresses.emplace_back(Text(address, "type"), Text(address, "address"));
  });
}

void ReadIngress(const Json& json, KubeObject& out) {
  const Json& spec = At(json, "spec");
  out.ingress_class = MaybeText(spec, "ingressClassName");
  ForEach(spec, "tls", [&](const Json& tls) {
    for (std::string& host : List(tls, "hosts")) {
      out.tls_hosts.push_back(std::move(host));
    }
  });
  ForEach(spec, "rules", [&](const Json& item) {
    KubeIngressRule rule;
    rule.host = Text(item, "host");
    if (const Json& http = At(item, "http"); http.is_object()) {
      rule.paths.emplace();
      ForEach(http, "paths", [&](const Json& path) {
        rule.paths->push_back(Text(path, "path"));
      });
    }
    out.rules.push_back(std::move(rule));
  });
}

std::string KeyOf(const std::string& name_space, const std::string& name) {
  return name_space.empty() ? name : name_space + "/" + name;
}

}  // namespace

std::string KubeMeta::Key() const { return KeyOf(name_space, name); }
std::string KubeReference::Key() const { return KeyOf(name_space, name); }

KubeObject ReadKubeObject(KubeKind kind, const Json& json) {
  KubeObject out;
  out.meta = ReadMeta(json);
  switch (kind) {
    case KubeKind::kNamespace:
      break;
    case KubeKind::kNode:
      ReadNode(json, out);
      break;
    case KubeKind::kPod:
      ReadPod(json, out);
      break;
    case KubeKind::kService:
      ReadService(json, out);
      break;
    case KubeKind::kEndpoints:
      ReadSubsets(json, out);
      break;
    case KubeKind::kEndpointSlice:
      ReadSlice(json, out);
      break;
    case KubeKind::kIngress:
      ReadIngress(json, out);
      break;
  }
  return out;
}

}  // namespace narthex::scrape
