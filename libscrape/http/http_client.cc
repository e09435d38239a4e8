// The HTTP client over libcurl's multi interface: one thread that only moves
// bytes, for all exchanges.

#include <curl/curl.h>

#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/http/curl_exchange.h"
#include "libscrape/http/curl_sockets.h"
#include "libscrape/http/oauth2_client.h"
#include "narthex/base/status.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {
namespace {

constexpr size_t kIdleHandles = 256;
constexpr long kManyConnections = 1 << 16;

struct MultiFree {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using MultiHandle = std::unique_ptr<CURLM, MultiFree>;

class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient(const CurlOptions& options, MultiHandle multi,
                 std::unique_ptr<CurlSockets> sockets)
      : sockets_(std::move(sockets)), multi_(std::move(multi)) {
    const long connections = options.max_connections > 0
                                 ? long{options.max_connections}
                                 : kManyConnections;
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, connections);
    thread_ = std::thread([this] { Run(); });
  }

  ~CurlHttpClient() override {
    {
      absl::MutexLock lock(&mu_);
      stopping_ = true;
    }
    sockets_->Wake();
    thread_.join();
  }

  RequestId Send(HttpRequest request, Done done) override {
    RequestId id = RequestId::kNone;
    CurlHandle easy;
    {
      absl::MutexLock lock(&mu_);
      id = RequestId{++last_id_};
      if (!idle_.empty()) {
        easy = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (easy == nullptr) easy.reset(curl_easy_init());
    if (easy == nullptr) {
      std::move(done)(ResourceExhausted("no memory for an HTTP request"));
      return id;
    }
    auto exchange = CurlExchange::Make(std::move(easy), std::move(request),
                                       std::move(done), id);
    if (!exchange.ok()) return id;  // `done` knows
    bool first = false;
    {
      absl::MutexLock lock(&mu_);
      first = added_.empty();
      added_.push_back(*std::move(exchange));
    }
    // Whoever was first has woken the thread, and it takes all of them.
    if (first) sockets_->Wake();
    return id;
  }

  void Cancel(RequestId id) override {
    {
      absl::MutexLock lock(&mu_);
      cancelled_.push_back(id);
    }
    sockets_->Wake();
  }

 private:
  using Exchanges =
      absl::flat_hash_map<RequestId, std::unique_ptr<CurlExchange>>;

  void Run();
  // Takes what others queued; false: stop.
  bool TakeQueued(Exchanges& running);
  void TakeFinished(Exchanges& running);
  void Recycle(CurlExchange& exchange);

  const std::unique_ptr<CurlSockets> sockets_;
  const MultiHandle multi_;  // the thread's alone

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::unique_ptr<CurlExchange>> added_ ABSL_GUARDED_BY(mu_);
  std::vector<RequestId> cancelled_ ABSL_GUARDED_BY(mu_);
  std::vector<CurlHandle> idle_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

void CurlHttpClient::Run() {
  Exchanges running;
  while (TakeQueued(running)) {
    sockets_->Run();
    TakeFinished(running);
  }
  for (auto& [id, exchange] : running) {
    curl_multi_remove_handle(multi_.get(), exchange->easy());
    exchange->Fail(Cancelled("the HTTP client was closed"));
  }
}

bool CurlHttpClient::TakeQueued(Exchanges& running) {
  std::vector<std::unique_ptr<CurlExchange>> added;
  std::vector<RequestId> cancelled;
  bool stopping = false;
  {
    absl::MutexLock lock(&mu_);
    added.swap(added_);
    cancelled.swap(cancelled_);
    stopping = stopping_;
  }
  for (auto& exchange : added) {
    curl_multi_add_handle(multi_.get(), exchange->easy());
    const RequestId id = exchange->id();
    running.emplace(id, std::move(exchange));
  }
  for (RequestId id : cancelled) {
    const auto found = running.find(id);
    if (found == running.end()) continue;
    const std::unique_ptr<CurlExchange> exchange = std::move(found->second);
    running.erase(found);
    curl_multi_remove_handle(multi_.get(), exchange->easy());
    exchange->Fail(Cancelled("context canceled"));
    Recycle(*exchange);
  }
  return !stopping;
}

void CurlHttpClient::TakeFinished(Exchanges& running) {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    char* mine = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &mine);
    const RequestId id = reinterpret_cast<CurlExchange*>(mine)->id();
    curl_multi_remove_handle(multi_.get(), message->easy_handle);
    const auto found = running.find(id);
    const std::unique_ptr<CurlExchange> exchange = std::move(found->second);
    running.erase(found);
    exchange->Finish(result);
    Recycle(*exchange);
  }
}

void CurlHttpClient::Recycle(CurlExchange& exchange) {
  CurlHandle easy = exchange.TakeHandle();
  absl::MutexLock lock(&mu_);
  if (idle_.size() < kIdleHandles) idle_.push_back(std::move(easy));
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpClient>> NewCurlHttpClient(
    const CurlOptions& options) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_ALL);
  if (initialised != CURLE_OK) {
    return Unavailable(StrCat("libcurl: ", curl_easy_strerror(initialised)));
  }
  MultiHandle multi(curl_multi_init());
  if (multi == nullptr) return ResourceExhausted("libcurl: no memory");
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<CurlSockets> sockets,
                           CurlSockets::Make(multi.get()));
  return std::make_unique<OAuth2HttpClient>(
      std::make_unique<CurlHttpClient>(options, std::move(multi),
                                       std::move(sockets)),
      Clock::System());
}

}  // namespace narthex::scrape
