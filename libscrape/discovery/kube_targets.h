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

// What a group may look up; null: not asked for, or not of this role.  With
// nodes, a pod whose node is not there has no target: a selector of nodes is
// one of pods.
struct KubeStores {
  const KubeStore* pods = nullptr;
  const KubeStore* services = nullptr;
  const KubeStore* nodes = nullptr;
  const KubeStore* namespaces = nullptr;
  const KubeStore* replica_sets = nullptr;  // for the deployment of a pod
  const KubeStore* jobs = nullptr;          // for its cron job
  bool job_names = false;  // of pods that a job controls, the job's name
};

// How a group of this role names its object: "pod/ns/name", "svc/ns/name", ...
std::string KubeSource(KubernetesRole role, std::string_view key);

// A group without targets: the object has none to offer now.
TargetGroup MakeKubeGroup(KubernetesRole role, const KubeObject& object,
                          const KubeStores& stores);

}  // namespace narthex::scrape
