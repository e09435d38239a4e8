#include "libscrape/discovery/kube_objects.h"

#include "libscrape/discovery/kube_json.h"
#include "narthex/base/ascii.h"

namespace narthex::scrape {
namespace {

using Json = nlohmann::json;

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

// Where the balancer is; if nobody has said so yet, where it was asked to be.
void ReadLoadBalancer(const Json& service, KubeObject& out) {
  ForEach(At(At(service, "status"), "loadBalancer"), "ingress",
          [&](const Json& ingress) {
            const std::string ip = Text(ingress, "ip");
            if (ip.empty()) return;
            if (!out.load_balancer_ip.empty()) out.load_balancer_ip += ',';
            out.load_balancer_ip += ip;
          });
  if (!out.load_balancer_ip.empty()) return;
  out.load_balancer_ip = Text(At(service, "spec"), "loadBalancerIP");
}

void ReadService(const Json& json, KubeObject& out) {
  const Json& spec = At(json, "spec");
  out.service_type = Text(spec, "type");
  out.cluster_ip = Text(spec, "clusterIP");
  out.external_name = Text(spec, "externalName");
  ReadLoadBalancer(json, out);
  const std::string policy = Text(spec, "ipFamilyPolicy");
  if (policy == "PreferDualStack" || policy == "RequireDualStack") {
    const std::vector<std::string> families = TextList(spec, "ipFamilies");
    if (!families.empty()) out.primary_family = families.front();
  }
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
    endpoint.addresses = TextList(item, "addresses");
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
  ForEach(status, "conditions", [&](const Json& condition) {
    out.conditions.emplace_back(AsciiLower(Text(condition, "type")),
                                AsciiLower(Text(condition, "status")));
  });
  ForEach(status, "addresses", [&](const Json& address) {
    out.addresses.emplace_back(Text(address, "type"), Text(address, "address"));
  });
}

void ReadIngress(const Json& json, KubeObject& out) {
  const Json& spec = At(json, "spec");
  out.ingress_class = MaybeText(spec, "ingressClassName");
  ForEach(spec, "tls", [&](const Json& tls) {
    for (std::string& host : TextList(tls, "hosts")) {
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
    case KubeKind::kReplicaSet:
    case KubeKind::kJob:
      // Only whose they are shows in a target.
      out.meta.labels.clear();
      out.meta.annotations.clear();
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
