// Kubernetes objects to target groups, with Prometheus's meta labels.
//
// Pure functions of what the stores hold; one thread.

#pragma once

#include <map>
#include <string>
#include <string_view>

#include "libscrape/discovery/kube_objects.h"
#include "narthex/scrape/discovery.h"
#include "narthex/scrape/discovery_kinds.h"

namespace narthex::scrape {

// By KubeMeta::Key().
using KubeStore = std::map<std::string, KubeObject, std::less<>>;

// What a group may look up; null: not asked for, or not of this role.
struct KubeStores {
  const KubeStore* pods = nullptr;
  const KubeStore* services = nullptr;
  const KubeStore* nodes = nullptr;
  const KubeStore* namespaces = nullptr;
  // Pods of nodes that are not there are left out: a selector of nodes is one
  // of pods.
  bool only_known_nodes = false;
};

// How a group of this role names its object: "pod/ns/name", "svc/ns/name", ...
std::string KubeSource(KubernetesRole role, std::string_view key);

// A group without targets: the object has none to offer now.
TargetGroup MakeKubeGroup(KubernetesRole role, const KubeObject& object,
                          const KubeStores& stores);

}  // namespace narthex::scrape
