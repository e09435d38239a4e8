// Service discovery: whom to scrape.  A Discoverer reports groups of targets
// and reports a group again when it changes.
//
// Start and Stop come from one thread at a time; the sink is called on the
// Executor, never by two threads at once for one Discoverer, and never after
// Stop has returned.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"

namespace narthex {
class MetricRegistry;
}

namespace narthex::scrape {

inline constexpr std::string_view kAddressLabel = "__address__";

// Targets that share labels.  Each target has at least `__address__`.
struct TargetGroup {
  std::vector<Labels> targets = {};
  Labels labels = {};
  // Names the group within its Discoverer; a later group of the same source
  // replaces it, one without targets removes it.
  std::string source = {};

  friend bool operator==(const TargetGroup &, const TargetGroup &) = default;
};

// One group per address list, as static_configs has it.
TargetGroup MakeTargetGroup(const std::vector<std::string> &addresses,
                            const Labels &labels = {});

class Discoverer {
 public:
  // Groups that are new or changed.
  using Sink = std::function<void(std::vector<TargetGroup>)>;

  virtual ~Discoverer() = default;
  // Reports what it knows at once, then whatever changes.
  virtual void Start(Sink sink) = 0;
  virtual void Stop() = 0;
};

// Reads a file of target groups; `path` is for messages only.  JSON is known
// here; YAML comes from whoever knows YAML.
using TargetFileDecoder =
    std::function<absl::StatusOr<std::vector<TargetGroup>>(
        std::string_view bytes, std::string_view path)>;

// `[{"targets": ["host:port"], "labels": {"name": "value"}}]`; anything else is
// refused.
absl::StatusOr<std::vector<TargetGroup>> DecodeTargetJson(
    std::string_view bytes, std::string_view path);

struct FileDiscovery {
  // Paths ending in .json, .yml or .yaml; the last part may hold one `*`.
  std::vector<std::string> files = {};
  Duration refresh_interval = Minutes(5);

  friend bool operator==(const FileDiscovery &,
                         const FileDiscovery &) = default;
};

// Prometheus's check of such a path.
absl::Status ValidateDiscoveryPath(std::string_view path);

class DnsResolver;
class HttpClient;
struct KubernetesAccess;

// Reads a kubeconfig file; relative paths in it are meant from `path`'s folder.
using KubeconfigDecoder = std::function<absl::StatusOr<KubernetesAccess>(
    std::string_view bytes, std::string_view path)>;

// What Discoverers borrow; all of it must outlive them.
struct DiscoveryContext {
  Clock *clock = nullptr;
  Executor *executor = nullptr;
  Env *env = nullptr;
  Logger *logger = nullptr;           // null: say nothing
  TargetFileDecoder yaml = {};        // empty: YAML files are refused
  HttpClient *http = nullptr;         // of http and kubernetes
  DnsResolver *dns = nullptr;         // of dns
  KubeconfigDecoder kubeconfig = {};  // empty: such files are refused
  std::string user_agent = {};        // empty: "narthex"
  MetricRegistry *metrics = nullptr;  // null: count for nobody
  std::string set_name = {};          // the job, as metrics name it
};

std::unique_ptr<Discoverer> NewStaticDiscoverer(
    std::vector<TargetGroup> groups, const DiscoveryContext &context);

// Groups of files, read again when they change (seen within a second where the
// system can tell) and every refresh_interval.  A file that can't be read keeps
// its last good groups; one that is gone has none.
std::unique_ptr<Discoverer> NewFileDiscoverer(FileDiscovery config,
                                              const DiscoveryContext &context);

}  // namespace narthex::scrape
