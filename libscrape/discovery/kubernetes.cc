// Targets of a Kubernetes cluster: the objects of a role and of what the role's
// targets show of others, each kept up to date by a watch.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "libscrape/discovery/discovery_counters.h"
#include "libscrape/discovery/kinds.h"
#include "libscrape/discovery/kube_targets.h"
#include "libscrape/discovery/kube_watch.h"
#include "libscrape/discovery/strand.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kAccount =
    "/var/run/secrets/kubernetes.io/serviceaccount/";

struct KindName {
  KubeKind kind;
  std::string_view group;  // of the path, before the namespace
  std::string_view plural;
  bool namespaced;
};
constexpr KindName kKinds[] = {
    {KubeKind::kNode, "/api/v1", "nodes", false},
    {KubeKind::kNamespace, "/api/v1", "namespaces", false},
    {KubeKind::kPod, "/api/v1", "pods", true},
    {KubeKind::kService, "/api/v1", "services", true},
    {KubeKind::kEndpoints, "/api/v1", "endpoints", true},
    {KubeKind::kEndpointSlice, "/apis/discovery.k8s.io/v1", "endpointslices",
     true},
    {KubeKind::kIngress, "/apis/networking.k8s.io/v1", "ingresses", true},
    {KubeKind::kReplicaSet, "/apis/apps/v1", "replicasets", true},
    {KubeKind::kJob, "/apis/batch/v1", "jobs", true}};

std::string PathOf(const KindName& kind, std::string_view name_space) {
  if (!kind.namespaced || name_space.empty()) {
    return StrCat(kind.group, "/", kind.plural);
  }
  return StrCat(kind.group, "/namespaces/", QueryEscape(name_space), "/",
                kind.plural);
}

struct RoleName {
  KubernetesRole role;
  std::string_view name;
  KubeKind kind;
};
constexpr RoleName kRoles[] = {
    {KubernetesRole::kPod, "pod", KubeKind::kPod},
    {KubernetesRole::kService, "service", KubeKind::kService},
    {KubernetesRole::kEndpoints, "endpoints", KubeKind::kEndpoints},
    {KubernetesRole::kEndpointSlice, "endpointslice", KubeKind::kEndpointSlice},
    {KubernetesRole::kNode, "node", KubeKind::kNode},
    {KubernetesRole::kIngress, "ingress", KubeKind::kIngress}};

const RoleName& Find(KubernetesRole role) {
  return *std::find_if(
      std::begin(kRoles), std::end(kRoles),
      [&](const RoleName& known) { return known.role == role; });
}

// Which selectors a role may have: those of the kinds that it looks at.
std::vector<KubernetesRole> SelectorsOf(KubernetesRole role) {
  switch (role) {
    case KubernetesRole::kPod:
      return {KubernetesRole::kPod, KubernetesRole::kNode};
    case KubernetesRole::kEndpoints:
    case KubernetesRole::kEndpointSlice:
      return {KubernetesRole::kPod, KubernetesRole::kService, role};
    case KubernetesRole::kNode:
    case KubernetesRole::kService:
    case KubernetesRole::kIngress:
      break;
  }
  return {role};
}

class KubeDiscovery : public std::enable_shared_from_this<KubeDiscovery> {
 public:
  KubeDiscovery(KubernetesDiscovery config, KubeServer server,
                std::vector<std::string> namespaces,
                const DiscoveryContext& context)
      : config_(std::move(config)),
        kind_(Find(config_.role).kind),
        server_(std::move(server)),
        namespaces_(std::move(namespaces)),
        context_(context),
        strand_(Strand::Make(context.clock, context.executor)) {}

  void Start(Discoverer::Sink sink) {
    sink_ = std::move(sink);
    Add(kind_);
    const bool endpoints = config_.role == KubernetesRole::kEndpoints ||
                           config_.role == KubernetesRole::kEndpointSlice;
    if (endpoints) {
      Add(KubeKind::kService);
      Add(KubeKind::kPod);
    }
    if (endpoints || kind_ == KubeKind::kPod) {
      if (config_.attach_node) Add(KubeKind::kNode);
      if (config_.attach_deployment) Add(KubeKind::kReplicaSet);
      if (config_.attach_cronjob) Add(KubeKind::kJob);
    }
    if (config_.attach_namespace && kind_ != KubeKind::kNode) {
      Add(KubeKind::kNamespace);
    }
    strand_->Post([self = shared_from_this()] {
      for (const auto& watch : self->watches_) watch->Start();
    });
  }

  void Stop() {
    strand_->Close();
    if (server_.credentials != nullptr) server_.credentials->Close();
    for (const auto& watch : watches_) watch->Abandon();
    // The watches know us, and we them.
    watches_.clear();
  }

 private:
  void Add(KubeKind kind) {
    const KindName& name = *std::find_if(
        std::begin(kKinds), std::end(kKinds),
        [&](const KindName& known) { return known.kind == kind; });
    KubeResource resource;
    resource.kind = kind;
    for (const KubernetesSelector& selector : config_.selectors) {
      if (Find(selector.role).kind != kind) continue;
      resource.label_selector = selector.label;
      resource.field_selector = selector.field;
    }
    // As Prometheus counts: what the role is about, and services.
    if (kind == kind_ || kind == KubeKind::kService) {
      const std::string_view role =
          kind == kind_ ? KubernetesRoleName(config_.role) : "service";
      resource.added = &KubeEvents(context_, role, "add");
      resource.updated = &KubeEvents(context_, role, "update");
      resource.deleted = &KubeEvents(context_, role, "delete");
    }
    KubeStore& store = stores_[kind];
    std::set<std::string> paths;
    for (const std::string& name_space : namespaces_) {
      resource.path = PathOf(name, name_space);
      if (!paths.insert(resource.path).second) continue;
      watches_.push_back(std::make_shared<KubeWatch>(
          server_, resource, strand_, store,
          [this, kind](const std::vector<std::string>& keys) {
            Changed(kind, keys);
          }));
    }
  }

  const KubeStore* StoreOf(KubeKind kind) const {
    const auto found = stores_.find(kind);
    return found != stores_.end() ? &found->second : nullptr;
  }

  void Changed(KubeKind kind, const std::vector<std::string>& keys) {
    const KubeStore& objects = stores_[kind_];
    for (const std::string& key : keys) {
      if (kind == kind_) {
        dirty_.insert(key);
      } else if (kind == KubeKind::kNode) {
        for (const auto& [own, object] : objects) dirty_.insert(own);
      } else {
        // All in the same namespace.
        const std::string prefix = key.substr(0, key.find('/')) + "/";
        for (auto it = objects.lower_bound(prefix);
             it != objects.end() && it->first.starts_with(prefix); ++it) {
          dirty_.insert(it->first);
        }
      }
    }
    if (std::exchange(flushing_, true)) return;
    strand_->Post([self = shared_from_this()] { self->Flush(); });
  }

  void Flush() {
    flushing_ = false;
    const bool synced =
        std::all_of(watches_.begin(), watches_.end(),
                    [](const auto& watch) { return watch->synced(); });
    if (!synced) return;
    KubeStores stores;
    stores.pods = StoreOf(KubeKind::kPod);
    stores.services = StoreOf(KubeKind::kService);
    stores.nodes = StoreOf(KubeKind::kNode);
    stores.namespaces = StoreOf(KubeKind::kNamespace);
    stores.replica_sets = StoreOf(KubeKind::kReplicaSet);
    stores.jobs = StoreOf(KubeKind::kJob);
    stores.job_names = config_.attach_job;
    const KubeStore& objects = stores_[kind_];
    std::vector<TargetGroup> changed;
    for (const std::string& key : dirty_) {
      TargetGroup group;
      const auto object = objects.find(key);
      if (object != objects.end()) {
        group = MakeKubeGroup(config_.role, object->second, stores);
      }
      group.source = KubeSource(config_.role, key);
      const auto [known, fresh] = reported_.try_emplace(group.source);
      if (group.targets.empty()) {
        reported_.erase(known);
        if (fresh) continue;  // nobody has heard of it
      } else {
        if (known->second == group) continue;
        known->second = group;
      }
      if (object != objects.end()) WarnOfCapacity(object->second.meta);
      changed.push_back(std::move(group));
    }
    dirty_.clear();
    // The first report is made even if it is empty: now all is known.
    if (!changed.empty() || !std::exchange(said_, true)) {
      sink_(std::move(changed));
    }
    said_ = true;
  }

  // Kubernetes keeps 1,000 addresses in an endpoints object, and no more.
  void WarnOfCapacity(const KubeMeta& meta) const {
    if (kind_ != KubeKind::kEndpoints) return;
    const auto label =
        meta.labels.find("endpoints.kubernetes.io/over-capacity");
    if (label == meta.labels.end()) return;
    const bool truncated = label->second == "truncated";
    if (!truncated && label->second != "warning") return;
    Log(context_.logger, LogLevel::kWarn,
        StrCat("Number of endpoints in one Endpoints object exceeds 1000",
               truncated ? " and has been truncated" : "",
               ", please use \"role: endpointslice\" instead"),
        {{"endpoint", meta.name}});
  }

  const KubernetesDiscovery config_;
  const KubeKind kind_;
  const KubeServer server_;
  const std::vector<std::string> namespaces_;  // "": all
  const DiscoveryContext context_;
  const std::shared_ptr<Strand> strand_;
  // Fixed by Start.
  Discoverer::Sink sink_;
  std::vector<std::shared_ptr<KubeWatch>> watches_;
  // On the strand only.
  std::map<KubeKind, KubeStore> stores_;
  std::set<std::string> dirty_;
  bool flushing_ = false;
  bool said_ = false;
  std::map<std::string, TargetGroup> reported_;
};

class KubernetesDiscoverer final : public Discoverer {
 public:
  explicit KubernetesDiscoverer(std::shared_ptr<KubeDiscovery> discovery)
      : discovery_(std::move(discovery)) {}
  ~KubernetesDiscoverer() override { Stop(); }
  void Start(Sink sink) override { discovery_->Start(std::move(sink)); }
  void Stop() override { discovery_->Stop(); }

 private:
  const std::shared_ptr<KubeDiscovery> discovery_;
};

// The cluster that runs this process: what Kubernetes gives to every pod.
absl::StatusOr<KubernetesAccess> InClusterAccess(Env& env) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || *host == '\0' || *port == '\0') {
    return FailedPrecondition(
        "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
        "KUBERNETES_SERVICE_PORT must be defined");
  }
  KubernetesAccess access;
  access.server = StrCat("https://", JoinHostPort(host, port));
  access.http.credentials.file = StrCat(kAccount, "token");
  if (!env.Exists(access.http.credentials.file)) {
    return FailedPrecondition(StrCat("open ", access.http.credentials.file,
                                     ": no such file or directory"));
  }
  const std::string ca = StrCat(kAccount, "ca.crt");
  if (env.Exists(ca)) access.http.tls.ca.file = ca;
  auto own = env.ReadFile(StrCat(kAccount, "namespace"));
  if (own.ok()) access.own_namespace = *std::move(own);
  return access;
}

absl::StatusOr<KubernetesAccess> AccessOf(const KubernetesDiscovery& config,
                                          const DiscoveryContext& context) {
  if (!config.api_server.empty()) {
    return KubernetesAccess{config.api_server, config.http, {}};
  }
  if (config.kubeconfig_file.empty()) {
    NARTHEX_ASSIGN_OR_RETURN(KubernetesAccess access,
                             InClusterAccess(*context.env));
    if (config.own_namespace && access.own_namespace.empty()) {
      return FailedPrecondition(
          "could not read own namespace name (empty file)");
    }
    return access;
  }
  if (!context.kubeconfig) {
    return Unimplemented(
        StrCat(config.kubeconfig_file, ": no reader of kubeconfig files here"));
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::string bytes,
                           context.env->ReadFile(config.kubeconfig_file));
  return context.kubeconfig(bytes, config.kubeconfig_file);
}

}  // namespace

absl::StatusOr<KubernetesRole> ParseKubernetesRole(std::string_view text) {
  for (const RoleName& known : kRoles) {
    if (known.name == text) return known.role;
  }
  return InvalidArgument(StrCat("unknown Kubernetes SD role ", GoQuote(text)));
}

std::string_view KubernetesRoleName(KubernetesRole role) {
  return Find(role).name;
}

absl::Status ValidateKubernetesDiscovery(const KubernetesDiscovery& config) {
  const bool custom = !(config.http == HttpOptions{});
  NARTHEX_RETURN_IF_ERROR(ValidateHttpOptions(config.http));
  if (!config.api_server.empty() && !config.kubeconfig_file.empty()) {
    return InvalidArgument(
        "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  }
  if (!config.kubeconfig_file.empty() && custom) {
    return InvalidArgument(
        "cannot use a custom HTTP client configuration together with "
        "'kubeconfig_file'");
  }
  if (config.api_server.empty() && custom) {
    return InvalidArgument(
        "to use custom HTTP client configuration please provide the "
        "'api_server' URL explicitly");
  }
  if (!config.api_server.empty() && config.own_namespace) {
    return InvalidArgument(
        "cannot use 'api_server' and 'namespaces.own_namespace' "
        "simultaneously");
  }
  if (!config.kubeconfig_file.empty() && config.own_namespace) {
    return InvalidArgument(
        "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' "
        "simultaneously");
  }
  std::set<KubernetesRole> seen;
  const std::vector<KubernetesRole> allowed = SelectorsOf(config.role);
  for (const KubernetesSelector& selector : config.selectors) {
    if (!seen.insert(selector.role).second) {
      return InvalidArgument(StrCat("duplicated selector role: ",
                                    KubernetesRoleName(selector.role)));
    }
    if (std::find(allowed.begin(), allowed.end(), selector.role) ==
        allowed.end()) {
      std::string names;
      for (const KubernetesRole role : allowed) {
        StrAppend(&names, names.empty() ? "" : ", ", KubernetesRoleName(role));
      }
      return InvalidArgument(StrCat(KubernetesRoleName(config.role),
                                    " role supports only ", names,
                                    " selectors"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Discoverer>> NewKubernetesDiscoverer(
    KubernetesDiscovery config, const DiscoveryContext& context) {
  NARTHEX_ASSIGN_OR_RETURN(KubernetesAccess access, AccessOf(config, context));
  KubeServer server;
  server.url = std::move(access.server);
  while (server.url.ends_with('/')) server.url.pop_back();
  if (access.exec) {
    const Secret& ca = access.http.tls.ca;
    std::string pem = ca.value;
    if (access.exec->provide_cluster_info && !ca.file.empty()) {
      NARTHEX_ASSIGN_OR_RETURN(pem, context.env->ReadFile(ca.file));
    }
    std::string info = ExecInfo(access, pem);
    server.credentials = std::make_shared<KubeCredentials>(
        *std::move(access.exec), std::move(info), std::move(access.http),
        context.clock);
  } else {
    server.options =
        std::make_shared<const HttpOptions>(std::move(access.http));
  }
  server.http = context.http;
  server.logger = context.logger;
  server.failures = &KubeFailures(context);
  server.user_agent =
      context.user_agent.empty() ? "narthex" : context.user_agent;
  std::vector<std::string> namespaces = config.namespaces;
  if (config.own_namespace) namespaces.push_back(access.own_namespace);
  if (namespaces.empty()) namespaces.emplace_back();
  return std::make_unique<KubernetesDiscoverer>(std::make_shared<KubeDiscovery>(
      std::move(config), std::move(server), std::move(namespaces), context));
}

}  // namespace narthex::scrape
