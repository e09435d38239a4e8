// One resource of a Kubernetes API server: listed, then watched, listed again
// when the server has forgotten where we were, retried when it fails.
//
// Everything but the constructor and Abandon runs on the strand.  What was
// known stays until a new list or an event says otherwise.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libscrape/discovery/kube_credentials.h"
#include "libscrape/discovery/kube_objects.h"
#include "libscrape/discovery/kube_targets.h"
#include "libscrape/discovery/strand.h"
#include "narthex/base/logger.h"
#include "narthex/base/metrics.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {

// How to reach the server.
struct KubeServer {
  std::string url = {};  // without a slash at its end
  std::shared_ptr<const HttpOptions> options = {};
  // If given, options come from here.
  std::shared_ptr<KubeCredentials> credentials = {};
  HttpClient* http = nullptr;
  Logger* logger = nullptr;
  std::string user_agent = {};
  Counter* failures = nullptr;  // of lists and watches; never null
};

// What to ask it for.
struct KubeResource {
  KubeKind kind = KubeKind::kPod;
  std::string path = {};  // "/api/v1/pods"
  std::string label_selector = {};
  std::string field_selector = {};
  // Objects that came, changed, went; null: nobody counts.
  Counter* added = nullptr;
  Counter* updated = nullptr;
  Counter* deleted = nullptr;
};

class KubeWatch : public std::enable_shared_from_this<KubeWatch> {
 public:
  using OnChange = std::function<void(const std::vector<std::string>& keys)>;

  // Keeps `store` up to date; other watches of the same kind may do so too.
  // `changed` gets the keys of objects that came, went or differ, and is called
  // at the end of every list, even if nothing did.
  KubeWatch(KubeServer server, KubeResource resource,
            std::shared_ptr<Strand> strand, KubeStore& store, OnChange changed)
      : server_(std::move(server)),
        resource_(std::move(resource)),
        strand_(std::move(strand)),
        store_(store),
        changed_(std::move(changed)) {}

  void Start() { List({}); }
  // The strand is closed: the request under way is of no use any more.
  void Abandon();
  bool synced() const { return synced_; }

 private:
  // Calls `go` when there are credentials; else tries again later.
  void Begin(bool list, std::function<void()> go);
  void List(const std::string& go_on);
  void SendList(const std::string& go_on);
  void TakeList(const absl::StatusOr<HttpResponse>& answer);
  void FinishList();
  void Watch();
  void SendWatch();
  void TakeBytes(uint64_t request, const std::string& bytes);
  void TakeEvent(std::string_view line);
  void EndWatch(uint64_t request, const absl::StatusOr<HttpResponse>& answer);
  // Begins anew after a while that grows with every failure.
  void Retry(std::string_view what, const absl::Status& why, bool list,
             Duration at_least = {});
  // 401: other credentials, if we can have any.
  void RefuseIfUnknown(int status);
  // From the beginning, now.
  void ListAgain();

  bool HasName(const KubeObject& object) const;
  bool Put(KubeObject object, std::vector<std::string>& changed);
  std::string Url(std::string_view query) const;
  HttpRequest Request(std::string url) const;

  const KubeServer server_;
  const KubeResource resource_;
  const std::shared_ptr<Strand> strand_;
  KubeStore& store_;
  const OnChange changed_;

  std::atomic<HttpClient::RequestId> running_{HttpClient::RequestId::kNone};
  // Bytes of events on their way to the strand; too many: the server floods us.
  std::atomic<int64_t> in_flight_{0};
  std::atomic<bool> flooded_{false};

  std::shared_ptr<const HttpOptions> options_;  // of the latest request
  bool synced_ = false;
  std::set<std::string> keys_;  // ours in the store
  KubeStore listed_;            // pages of a list that is not complete
  int pages_ = 0;               // of it
  std::string version_;
  uint64_t request_ = 0;  // the number of the watch whose events count
  std::string line_;      // the beginning of an event
  bool heard_ = false;    // the watch has brought something
  int failures_ = 0;
};

}  // namespace narthex::scrape
