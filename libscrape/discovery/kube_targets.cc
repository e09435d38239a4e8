#include "libscrape/discovery/kube_targets.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "libscrape/discovery/kinds.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kServiceNameLabel = "kubernetes.io/service-name";

// Labels on their way: the last one of a name counts.  All but the address have
// the prefix of Kubernetes's meta labels.
class LabelMap {
 public:
  void Set(std::string_view name, std::string_view value) {
    map_[StrCat("__meta_kubernetes_", name)] = std::string(value);
  }
  template <typename Value>
  void SetIf(std::string_view name, const std::optional<Value>& value) {
    if (value) Set(name, *value);
  }
  void SetIf(std::string_view name, const std::optional<bool>& value) {
    if (value) Set(name, *value ? "true" : "false");
  }
  void SetPlain(std::string_view name, std::string_view value) {
    map_[std::string(name)] = std::string(value);
  }
  Labels Build() const {
    std::vector<Label> pairs;
    for (const auto& [name, value] : map_) pairs.push_back({name, value});
    return Labels::FromPairs(pairs);
  }

 private:
  std::map<std::string, std::string> map_;
};

// Every character outside [a-zA-Z0-9_] is an underscore.
std::string Sanitize(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '_';
    // The first byte stands for the whole character of UTF-8.
    const bool inside = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (!inside) out.push_back(legal ? c : '_');
  }
  return out;
}

void AddLabelsAndAnnotations(const KubeMeta& meta, std::string_view kind,
                             LabelMap& out) {
  for (const auto& [name, value] : meta.labels) {
    const std::string safe = Sanitize(name);
    out.Set(StrCat(kind, "_label_", safe), value);
    out.Set(StrCat(kind, "_labelpresent_", safe), "true");
  }
  for (const auto& [name, value] : meta.annotations) {
    const std::string safe = Sanitize(name);
    out.Set(StrCat(kind, "_annotation_", safe), value);
    out.Set(StrCat(kind, "_annotationpresent_", safe), "true");
  }
}

void AddMeta(const KubeMeta& meta, KubernetesRole role, LabelMap& out) {
  const std::string_view kind = KubernetesRoleName(role);
  out.Set(StrCat(kind, "_name"), meta.name);
  AddLabelsAndAnnotations(meta, kind, out);
}

const KubeObject* Find(const KubeStore* store, std::string_view key) {
  if (store == nullptr) return nullptr;
  const auto found = store->find(key);
  return found != store->end() ? &found->second : nullptr;
}

void AddNode(const KubeStores& stores, std::string_view name, LabelMap& out) {
  if (const KubeObject* node = Find(stores.nodes, name); node != nullptr) {
    AddMeta(node->meta, KubernetesRole::kNode, out);
  }
}

void AddNamespace(const KubeStores& stores, std::string_view name,
                  LabelMap& out) {
  if (const KubeObject* ns = Find(stores.namespaces, name); ns != nullptr) {
    AddLabelsAndAnnotations(ns->meta, "namespace", out);
  }
}

void AddService(const KubeObject& service, LabelMap& out) {
  out.Set("namespace", service.meta.name_space);
  AddMeta(service.meta, KubernetesRole::kService, out);
}

// What controls `name`, if it is of this kind: a deployment's replica set, a
// cron job's job.
void AddOwner(const KubeStore* store, const KubeMeta& pod,
              std::string_view kind, std::string_view label, LabelMap& out) {
  const KubeReference key{"", pod.name_space, pod.controller_name};
  const KubeObject* controller = Find(store, key.Key());
  if (controller != nullptr && controller->meta.controller_kind == kind) {
    out.Set(label, controller->meta.controller_name);
  }
}

void AddPod(const KubeObject& pod, const KubeStores& stores, LabelMap& out) {
  out.Set("pod_ip", pod.pod_ip);
  out.Set("pod_ready", pod.ready);
  out.Set("pod_phase", pod.phase);
  out.Set("pod_node_name", pod.node_name);
  out.Set("pod_host_ip", pod.host_ip);
  out.Set("pod_uid", pod.meta.uid);
  AddMeta(pod.meta, KubernetesRole::kPod, out);
  if (!pod.meta.controller_kind.empty()) {
    out.Set("pod_controller_kind", pod.meta.controller_kind);
  }
  if (!pod.meta.controller_name.empty()) {
    out.Set("pod_controller_name", pod.meta.controller_name);
  }
  if (pod.meta.controller_kind == "ReplicaSet") {
    AddOwner(stores.replica_sets, pod.meta, "Deployment", "pod_deployment_name",
             out);
  } else if (pod.meta.controller_kind == "Job") {
    if (stores.job_names) out.Set("pod_job_name", pod.meta.controller_name);
    AddOwner(stores.jobs, pod.meta, "CronJob", "pod_cronjob_name", out);
  }
}

std::string PortText(const KubePort& port) {
  return std::to_string(port.number.value_or(0));
}

// A port of a container, as targets of endpoints and slices show it.
void AddContainerPort(const KubeContainer& container, const KubePort& port,
                      std::string_view protocol, LabelMap& out) {
  out.Set("pod_container_name", container.name);
  out.Set("pod_container_image", container.image);
  out.Set("pod_container_port_name", port.name.value_or(""));
  out.Set("pod_container_port_number", PortText(port));
  out.Set("pod_container_port_protocol", protocol);
  out.Set("pod_container_init", container.init ? "true" : "false");
}

// The pods behind a group's endpoints, and which of their ports have a target.
class SeenPods {
 public:
  void Add(const KubeObject& pod, std::optional<int64_t> port) {
    auto known = std::find_if(pods_.begin(), pods_.end(),
                              [&](const Seen& s) { return s.pod == &pod; });
    if (known == pods_.end()) known = pods_.insert(known, Seen{&pod, {}});
    if (port) known->ports.push_back(*port);
  }

  // Targets for the ports of their containers that no endpoint named.
  void AddRest(const KubeStores& stores, TargetGroup& group) const {
    for (const Seen& seen : pods_) {
      const KubeObject& pod = *seen.pod;
      if (pod.pod_ip.empty()) continue;  // it starts, or was evicted
      for (const KubeContainer& container : pod.containers) {
        for (const KubePort& port : container.ports) {
          const int64_t number = port.number.value_or(0);
          if (std::find(seen.ports.begin(), seen.ports.end(), number) !=
              seen.ports.end()) {
            continue;
          }
          LabelMap labels;
          labels.SetPlain(kAddressLabel,
                          JoinHostPort(pod.pod_ip, PortText(port)));
          AddContainerPort(container, port, port.protocol.value_or(""), labels);
          AddPod(pod, stores, labels);
          group.targets.push_back(labels.Build());
        }
      }
    }
  }

 private:
  struct Seen {
    const KubeObject* pod = nullptr;
    std::vector<int64_t> ports = {};
  };
  std::vector<Seen> pods_;
};

const KubeObject* FindPod(const KubeStores& stores,
                          const std::optional<KubeReference>& reference) {
  if (!reference || reference->kind != "Pod") return nullptr;
  return Find(stores.pods, reference->Key());
}

void MakePod(const KubeObject& pod, const KubeStores& stores,
             TargetGroup& group) {
  if (pod.pod_ip.empty()) return;
  if (stores.nodes != nullptr && Find(stores.nodes, pod.node_name) == nullptr) {
    return;
  }
  LabelMap common;
  AddPod(pod, stores, common);
  common.Set("namespace", pod.meta.name_space);
  AddNode(stores, pod.node_name, common);
  AddNamespace(stores, pod.meta.name_space, common);
  group.labels = common.Build();
  for (const KubeContainer& container : pod.containers) {
    LabelMap base;
    base.Set("pod_container_name", container.name);
    base.Set("pod_container_id", container.id);
    base.Set("pod_container_image", container.image);
    base.Set("pod_container_init", container.init ? "true" : "false");
    if (container.ports.empty()) {
      base.SetPlain(kAddressLabel, pod.pod_ip);
      group.targets.push_back(base.Build());
    }
    for (const KubePort& port : container.ports) {
      LabelMap labels = base;
      labels.SetPlain(kAddressLabel, JoinHostPort(pod.pod_ip, PortText(port)));
      labels.Set("pod_container_port_number", PortText(port));
      labels.Set("pod_container_port_name", port.name.value_or(""));
      labels.Set("pod_container_port_protocol", port.protocol.value_or(""));
      group.targets.push_back(labels.Build());
    }
  }
}

void MakeService(const KubeObject& service, const KubeStores& stores,
                 TargetGroup& group) {
  LabelMap common;
  AddService(service, common);
  AddNamespace(stores, service.meta.name_space, common);
  group.labels = common.Build();
  for (const KubePort& port : service.ports) {
    LabelMap labels;
    labels.SetPlain(kAddressLabel,
                    JoinHostPort(StrCat(service.meta.name, ".",
                                        service.meta.name_space, ".svc"),
                                 PortText(port)));
    labels.Set("service_port_name", port.name.value_or(""));
    labels.Set("service_port_number", PortText(port));
    labels.Set("service_port_protocol", port.protocol.value_or(""));
    labels.Set("service_type", service.service_type);
    if (service.service_type == "ExternalName") {
      labels.Set("service_external_name", service.external_name);
    } else {
      labels.Set("service_cluster_ip", service.cluster_ip);
    }
    if (service.service_type == "LoadBalancer") {
      labels.Set("service_loadbalancer_ip", service.load_balancer_ip);
    }
    group.targets.push_back(labels.Build());
  }
}

void MakeEndpoints(const KubeObject& object, const KubeStores& stores,
                   TargetGroup& group) {
  LabelMap common;
  common.Set("namespace", object.meta.name_space);
  if (const KubeObject* service = Find(stores.services, object.meta.Key())) {
    AddService(*service, common);
  }
  AddMeta(object.meta, KubernetesRole::kEndpoints, common);
  AddNamespace(stores, object.meta.name_space, common);
  group.labels = common.Build();

  SeenPods seen;
  const auto add = [&](const KubeEndpoint& endpoint, const KubePort& port,
                       std::string_view ready) {
    LabelMap labels;
    labels.SetPlain(kAddressLabel,
                    JoinHostPort(endpoint.addresses.front(), PortText(port)));
    labels.Set("endpoint_port_name", port.name.value_or(""));
    labels.Set("endpoint_port_protocol", port.protocol.value_or(""));
    labels.Set("endpoint_ready", ready);
    if (endpoint.reference) {
      labels.Set("endpoint_address_target_kind", endpoint.reference->kind);
      labels.Set("endpoint_address_target_name", endpoint.reference->name);
    }
    labels.SetIf("endpoint_node_name", endpoint.node_name);
    labels.SetIf("endpoint_hostname", endpoint.hostname);
    if (endpoint.node_name) {
      AddNode(stores, *endpoint.node_name, labels);
    } else if (endpoint.reference && endpoint.reference->kind == "Node") {
      AddNode(stores, endpoint.reference->name, labels);
    }
    if (const KubeObject* pod = FindPod(stores, endpoint.reference)) {
      AddPod(*pod, stores, labels);
      for (const KubeContainer& container : pod->containers) {
        for (const KubePort& own : container.ports) {
          if (own.number != port.number) continue;
          AddContainerPort(container, own, port.protocol.value_or(""), labels);
          break;
        }
      }
      seen.Add(*pod, port.number);
    }
    group.targets.push_back(labels.Build());
  };
  for (const KubeSubset& subset : object.subsets) {
    for (const KubePort& port : subset.ports) {
      for (const KubeEndpoint& one : subset.ready) add(one, port, "true");
      for (const KubeEndpoint& one : subset.not_ready) add(one, port, "false");
    }
  }
  seen.AddRest(stores, group);
}

// One address of a slice with one of its ports.
void AddSliceTarget(const std::string& address, const KubeEndpoint& endpoint,
                    const KubePort& port, const KubeStores& stores,
                    SeenPods& seen, TargetGroup& group) {
  LabelMap labels;
  labels.SetPlain(kAddressLabel, port.number
                                     ? JoinHostPort(address, PortText(port))
                                     : address);
  labels.SetIf("endpointslice_port_name", port.name);
  labels.SetIf("endpointslice_port_protocol", port.protocol);
  if (port.number) labels.Set("endpointslice_port", PortText(port));
  labels.SetIf("endpointslice_port_app_protocol", port.app_protocol);
  labels.SetIf("endpointslice_endpoint_conditions_ready", endpoint.ready);
  labels.SetIf("endpointslice_endpoint_conditions_serving", endpoint.serving);
  labels.SetIf("endpointslice_endpoint_conditions_terminating",
               endpoint.terminating);
  labels.SetIf("endpointslice_endpoint_hostname", endpoint.hostname);
  if (endpoint.reference) {
    labels.Set("endpointslice_address_target_kind", endpoint.reference->kind);
    labels.Set("endpointslice_address_target_name", endpoint.reference->name);
  }
  labels.SetIf("endpointslice_endpoint_node_name", endpoint.node_name);
  labels.SetIf("endpointslice_endpoint_zone", endpoint.zone);
  for (const auto& [name, value] : endpoint.topology) {
    const std::string safe = Sanitize(name);
    labels.Set(StrCat("endpointslice_endpoint_topology_", safe), value);
    labels.Set(StrCat("endpointslice_endpoint_topology_present_", safe),
               "true");
  }
  if (endpoint.reference && endpoint.reference->kind == "Node") {
    AddNode(stores, endpoint.reference->name, labels);
  } else if (endpoint.node_name) {
    AddNode(stores, *endpoint.node_name, labels);
  }
  if (const KubeObject* pod = FindPod(stores, endpoint.reference)) {
    AddPod(*pod, stores, labels);
    for (const KubeContainer& container : pod->containers) {
      for (const KubePort& own : container.ports) {
        if (!port.number || own.number != port.number) continue;
        AddContainerPort(container, own, own.protocol.value_or(""), labels);
        break;
      }
    }
    seen.Add(*pod, port.number);
  }
  group.targets.push_back(labels.Build());
}

void MakeSlice(const KubeObject& slice, const KubeStores& stores,
               TargetGroup& group) {
  LabelMap common;
  common.Set("namespace", slice.meta.name_space);
  common.Set("endpointslice_address_type", slice.address_type);
  AddMeta(slice.meta, KubernetesRole::kEndpointSlice, common);
  const KubeObject* service = nullptr;
  const auto name = slice.meta.labels.find(std::string(kServiceNameLabel));
  if (name != slice.meta.labels.end()) {
    const KubeReference reference{"Service", slice.meta.name_space,
                                  name->second};
    service = Find(stores.services, reference.Key());
  }
  if (service != nullptr) {
    AddService(*service, common);
    // The same endpoints again, by their other addresses.
    if (!service->primary_family.empty() &&
        service->primary_family != slice.address_type) {
      return;
    }
  }
  AddNamespace(stores, slice.meta.name_space, common);
  group.labels = common.Build();
  SeenPods seen;
  for (const KubeEndpoint& endpoint : slice.endpoints) {
    for (const KubePort& port : slice.ports) {
      for (const std::string& address : endpoint.addresses) {
        AddSliceTarget(address, endpoint, port, stores, seen, group);
      }
    }
  }
  seen.AddRest(stores, group);
}

void MakeNode(const KubeObject& node, TargetGroup& group) {
  LabelMap common;
  common.Set("node_provider_id", node.provider_id);
  for (const auto& [type, status] : node.conditions) {
    common.Set(StrCat("node_condition_", Sanitize(type)), status);
  }
  AddMeta(node.meta, KubernetesRole::kNode, common);
  LabelMap labels;
  const auto first = [&](std::string_view type) {
    return std::find_if(node.addresses.begin(), node.addresses.end(),
                        [&](const auto& a) { return a.first == type; });
  };
  auto address = node.addresses.end();
  for (const std::string_view type :
       {"InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS",
        "LegacyHostIP", "Hostname"}) {
    if (address == node.addresses.end()) address = first(type);
  }
  if (address == node.addresses.end()) return;  // nobody knows where it is
  group.labels = common.Build();
  labels.SetPlain(
      kAddressLabel,
      JoinHostPort(address->second, std::to_string(node.kubelet_port)));
  labels.SetPlain("instance", node.meta.name);
  for (const auto& [type, text] : node.addresses) {
    labels.Set(StrCat("node_address_", Sanitize(type)), first(type)->second);
  }
  group.targets.push_back(labels.Build());
}

// A pattern of TLS hosts: the same, or `*` for the first part.
bool CoversHost(std::string_view pattern, std::string_view host) {
  if (pattern == host) return true;
  const size_t dot = std::min(host.find('.'), host.size());
  return pattern.starts_with('*') && host.substr(dot) == pattern.substr(1);
}

void MakeIngress(const KubeObject& ingress, const KubeStores& stores,
                 TargetGroup& group) {
  LabelMap common;
  common.Set("namespace", ingress.meta.name_space);
  common.SetIf("ingress_class_name", ingress.ingress_class);
  AddMeta(ingress.meta, KubernetesRole::kIngress, common);
  AddNamespace(stores, ingress.meta.name_space, common);
  group.labels = common.Build();
  for (const KubeIngressRule& rule : ingress.rules) {
    const bool tls = std::any_of(
        ingress.tls_hosts.begin(), ingress.tls_hosts.end(),
        [&](const std::string& host) { return CoversHost(host, rule.host); });
    const std::vector<std::string> paths =
        rule.paths.value_or(std::vector<std::string>{"/"});
    for (const std::string& path : paths) {
      LabelMap labels;
      labels.SetPlain(kAddressLabel, rule.host);
      labels.Set("ingress_scheme", tls ? "https" : "http");
      labels.Set("ingress_host", rule.host);
      labels.Set("ingress_path", path.empty() ? "/" : path);
      group.targets.push_back(labels.Build());
    }
  }
}

}  // namespace

std::string KubeSource(KubernetesRole role, std::string_view key) {
  return StrCat(
      role == KubernetesRole::kService ? "svc" : KubernetesRoleName(role), "/",
      key);
}

TargetGroup MakeKubeGroup(KubernetesRole role, const KubeObject& object,
                          const KubeStores& stores) {
  TargetGroup group;
  group.source = KubeSource(role, object.meta.Key());
  switch (role) {
    case KubernetesRole::kNode:
      MakeNode(object, group);
      break;
    case KubernetesRole::kPod:
      MakePod(object, stores, group);
      break;
    case KubernetesRole::kService:
      MakeService(object, stores, group);
      break;
    case KubernetesRole::kEndpoints:
      MakeEndpoints(object, stores, group);
      break;
    case KubernetesRole::kEndpointSlice:
      MakeSlice(object, stores, group);
      break;
    case KubernetesRole::kIngress:
      MakeIngress(object, stores, group);
      break;
  }
  return group;
}

}  // namespace narthex::scrape
