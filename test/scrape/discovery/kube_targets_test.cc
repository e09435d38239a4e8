// Labels that Prometheus 3.5 does not know, so that no peer here can be asked:
// what 3.14 makes of these objects, worked out by hand from its documentation.

#include "libscrape/discovery/kube_targets.h"

#include <catch2/catch.hpp>

#include "libscrape/discovery/kube_json.h"

namespace narthex::scrape {
namespace {

KubeObject Read(KubeKind kind, std::string_view json) {
  return ReadKubeObject(kind, ParseKubeJson(json));
}
void Put(KubeStore& store, KubeObject object) {
  std::string key = object.meta.Key();
  store.insert_or_assign(std::move(key), std::move(object));
}
std::string Meta(const Labels& labels, std::string_view name) {
  return std::string(
      labels.Get(std::string("__meta_kubernetes_").append(name)));
}

// A pod that the controller `kind`/`name` runs.
KubeObject Pod(std::string kind, std::string name) {
  std::string json =
      R"({"metadata":{"namespace":"shop","name":"p","ownerReferences":[)"
      R"({"kind":"Deployment","name":"not-in-control"},)"
      R"({"kind":"KIND","name":"NAME","controller":true}]},)"
      R"("spec":{"nodeName":"n1","containers":[{"name":"c","image":"i"}]},)"
      R"("status":{"podIP":"10.0.0.1"}})";
  json.replace(json.find("KIND"), 4, kind);
  json.replace(json.find("NAME"), 4, name);
  return Read(KubeKind::kPod, json);
}

TEST_CASE("A node shows its conditions", "[kubernetes]") {
  const KubeObject node =
      Read(KubeKind::kNode,
           R"({"metadata":{"name":"n1"},"status":{"addresses":[)"
           R"({"type":"InternalIP","address":"10.0.0.1"}],"conditions":[)"
           R"({"type":"Ready","status":"True","lastHeartbeatTime":"now"},)"
           R"({"type":"DiskPressure","status":"False"},)"
           R"({"type":"example.com/NPU-Health","status":"Unknown"}]}})");
  const TargetGroup group = MakeKubeGroup(KubernetesRole::kNode, node, {});
  CHECK(Meta(group.labels, "node_condition_ready") == "true");
  CHECK(Meta(group.labels, "node_condition_diskpressure") == "false");
  CHECK(Meta(group.labels, "node_condition_example_com_npu_health") ==
        "unknown");
}

TEST_CASE("A balancer's addresses come from where it is", "[kubernetes]") {
  const auto address = [](std::string_view status) {
    const std::string json =
        R"({"metadata":{"namespace":"shop","name":"lb"},"spec":{)"
        R"("type":"LoadBalancer","loadBalancerIP":"192.0.2.1",)"
        R"("ports":[{"port":80}]},"status":)" +
        std::string(status) + "}";
    const TargetGroup group = MakeKubeGroup(KubernetesRole::kService,
                                            Read(KubeKind::kService, json), {});
    return Meta(group.targets.at(0), "service_loadbalancer_ip");
  };
  CHECK(address(R"({"loadBalancer":{"ingress":[{"ip":"192.0.2.7"},)"
                R"({"hostname":"lb.example"},{"ip":"2001:db8::7"}]}})") ==
        "192.0.2.7,2001:db8::7");
  CHECK(address(R"({"loadBalancer":{"ingress":[{"hostname":"h"}]}})") ==
        "192.0.2.1");
  CHECK(address("{}") == "192.0.2.1");
}

TEST_CASE("Of a dual-stack service one family's slices have targets",
          "[kubernetes]") {
  const auto targets = [](std::string_view spec, std::string_view family) {
    KubeStore services;
    Put(services, Read(KubeKind::kService,
                       R"({"metadata":{"namespace":"shop","name":"web"},)"
                       R"("spec":)" +
                           std::string(spec) + "}"));
    KubeStores stores;
    stores.services = &services;
    const KubeObject slice =
        Read(KubeKind::kEndpointSlice,
             R"({"metadata":{"namespace":"shop","name":"web-1","labels":)"
             R"({"kubernetes.io/service-name":"web"}},"ports":[{"port":80}],)"
             R"("endpoints":[{"addresses":["10.0.0.1"]}],"addressType":")" +
                 std::string(family) + R"("})");
    return MakeKubeGroup(KubernetesRole::kEndpointSlice, slice, stores)
        .targets.size();
  };
  const char* const dual =
      R"({"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv6","IPv4"]})";
  CHECK(targets(dual, "IPv6") == 1);
  CHECK(targets(dual, "IPv4") == 0);
  const char* const single =
      R"({"ipFamilyPolicy":"SingleStack","ipFamilies":["IPv6"]})";
  CHECK(targets(single, "IPv4") == 1);
  CHECK(targets(R"({"ipFamilyPolicy":"RequireDualStack"})", "IPv4") == 1);
  CHECK(targets("{}", "IPv4") == 1);
}

TEST_CASE("A pod names the deployment, job and cron job that it belongs to",
          "[kubernetes]") {
  const auto owner = [](std::string_view json, KubeKind kind) {
    KubeStore store;
    Put(store, Read(kind, json));
    return store;
  };
  const KubeStore replica_sets = owner(
      R"({"metadata":{"namespace":"shop","name":"web-6d","labels":{"a":"b"},)"
      R"("ownerReferences":[{"kind":"Deployment","name":"web",)"
      R"("controller":true}]}})",
      KubeKind::kReplicaSet);
  const KubeStore jobs =
      owner(R"({"metadata":{"namespace":"shop","name":"backup-29",)"
            R"("ownerReferences":[{"kind":"CronJob","name":"backup",)"
            R"("controller":true}]}})",
            KubeKind::kJob);
  const auto labels = [](const KubeObject& pod, const KubeStores& stores) {
    return MakeKubeGroup(KubernetesRole::kPod, pod, stores).labels;
  };

  KubeStores stores;
  Labels none = labels(Pod("ReplicaSet", "web-6d"), stores);
  CHECK(Meta(none, "pod_controller_name") == "web-6d");
  CHECK(Meta(none, "pod_deployment_name").empty());
  none = labels(Pod("Job", "backup-29"), stores);
  CHECK(Meta(none, "pod_job_name").empty());

  stores.replica_sets = &replica_sets;
  stores.jobs = &jobs;
  stores.job_names = true;
  CHECK(Meta(labels(Pod("ReplicaSet", "web-6d"), stores),
             "pod_deployment_name") == "web");
  // Nobody knows that one.
  CHECK(Meta(labels(Pod("ReplicaSet", "other"), stores), "pod_deployment_name")
            .empty());
  const Labels job = labels(Pod("Job", "backup-29"), stores);
  CHECK(Meta(job, "pod_job_name") == "backup-29");
  CHECK(Meta(job, "pod_cronjob_name") == "backup");
  const Labels once = labels(Pod("Job", "once"), stores);
  CHECK(Meta(once, "pod_job_name") == "once");
  CHECK(Meta(once, "pod_cronjob_name").empty());
}

TEST_CASE("With the nodes' labels, pods of unknown nodes have no targets",
          "[kubernetes]") {
  KubeStore nodes;
  KubeStores stores;
  const KubeObject pod = Pod("ReplicaSet", "x");
  CHECK(MakeKubeGroup(KubernetesRole::kPod, pod, stores).targets.size() == 1);
  stores.nodes = &nodes;
  CHECK(MakeKubeGroup(KubernetesRole::kPod, pod, stores).targets.empty());
  Put(nodes, Read(KubeKind::kNode, R"({"metadata":{"name":"n1"}})"));
  CHECK(MakeKubeGroup(KubernetesRole::kPod, pod, stores).targets.size() == 1);
}

}  // namespace
}  // namespace narthex::scrape
