// The ways to find targets that ask somebody: HTTP, DNS, Kubernetes; and which
// of all ways a job uses, as one value.
//
// Plain data with Prometheus's defaults and Prometheus's checks.  Any thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/scrape/discovery.h"
#include "narthex/scrape/dns.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {

// http_sd_configs: a list of target groups as JSON.  The last good list stays
// when the server fails.
struct HttpDiscovery {
  std::string url = {};
  Duration refresh_interval = Minutes(1);  // also how long an answer may take
  HttpOptions http = {};

  friend bool operator==(const HttpDiscovery &,
                         const HttpDiscovery &) = default;
};
absl::Status ValidateHttpDiscovery(const HttpDiscovery &config);

// dns_sd_configs: a group for each name.
struct DnsDiscovery {
  std::vector<std::string> names = {};
  DnsType type = DnsType::kSrv;
  int port = 0;  // of all types but SRV
  Duration refresh_interval = Seconds(30);

  friend bool operator==(const DnsDiscovery &, const DnsDiscovery &) = default;
};
absl::Status ValidateDnsDiscovery(const DnsDiscovery &config);

enum class KubernetesRole : uint8_t {
  kNode,
  kPod,
  kService,
  kEndpoints,
  kEndpointSlice,
  kIngress
};
absl::StatusOr<KubernetesRole> ParseKubernetesRole(std::string_view text);
std::string_view KubernetesRoleName(KubernetesRole role);

struct KubernetesSelector {
  KubernetesRole role = KubernetesRole::kPod;
  std::string label = {};
  std::string field = {};

  friend bool operator==(const KubernetesSelector &,
                         const KubernetesSelector &) = default;
};

// kubernetes_sd_configs: a group for each object of the role, kept up to date
// by watching the API server.  With neither api_server nor kubeconfig_file:
// that of the cluster in which this process runs.
struct KubernetesDiscovery {
  KubernetesRole role = KubernetesRole::kPod;
  std::string api_server = {};
  std::string kubeconfig_file = {};
  HttpOptions http = {};  // only with api_server
  bool own_namespace = false;
  std::vector<std::string> namespaces = {};  // empty: all
  std::vector<KubernetesSelector> selectors = {};
  bool attach_node = false;       // labels of the target's node
  bool attach_namespace = false;  // labels of the target's namespace
  // Of the roles that show pods, the name of what the pod belongs to.
  bool attach_deployment = false;
  bool attach_job = false;
  bool attach_cronjob = false;

  friend bool operator==(const KubernetesDiscovery &,
                         const KubernetesDiscovery &) = default;
};
absl::Status ValidateKubernetesDiscovery(const KubernetesDiscovery &config);

// A program that hands out a user's credentials: `exec` of a kubeconfig.
struct KubernetesExec {
  std::string api_version = {};  // "client.authentication.k8s.io/v1"
  std::string command = {};
  std::vector<std::string> args = {};
  std::vector<std::pair<std::string, std::string>> env = {};
  std::string install_hint = {};
  bool provide_cluster_info = false;  // it is told how to reach the server
};

// What a kubeconfig file says of its current context.
struct KubernetesAccess {
  std::string server = {};  // URL
  HttpOptions http = {};
  std::optional<KubernetesExec> exec = {};  // adds to `http`
  std::string own_namespace = {};           // empty: not known
};

// One of the ways.
using DiscoveryConfig =
    std::variant<std::vector<TargetGroup>, FileDiscovery, HttpDiscovery,
                 DnsDiscovery, KubernetesDiscovery>;

// "static", "file", "http", "dns", "kubernetes".
std::string_view DiscoveryName(const DiscoveryConfig &config);

// An error: this way is closed here, for example as this process runs in no
// cluster.  What may be mended while we run (a server that is down, a file that
// is not there yet) is no error: it is logged and tried again.
absl::StatusOr<std::unique_ptr<Discoverer>> NewDiscoverer(
    const DiscoveryConfig &config, const DiscoveryContext &context);

}  // namespace narthex::scrape
