#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libnarthex/narthex_impl.h"

namespace narthex {
namespace {

class LazyHttpClient final : public scrape::HttpClient {
 public:
  RequestId Send(scrape::HttpRequest request, Done done) override {
    scrape::HttpClient* client = nullptr;
    absl::Status status;
    {
      absl::MutexLock lock(&mu_);
      if (client_ == nullptr) {
        auto made = scrape::NewCurlHttpClient();
        if (made.ok()) client_ = *std::move(made);
        status = made.status();
      }
      client = client_.get();
    }
    if (client == nullptr) {
      std::move(done)(status);
      return RequestId::kNone;
    }
    return client->Send(std::move(request), std::move(done));
  }

  void Cancel(RequestId id) override {
    scrape::HttpClient* client = nullptr;
    {
      absl::MutexLock lock(&mu_);
      client = client_.get();
    }
    if (client != nullptr) client->Cancel(id);
  }

 private:
  absl::Mutex mu_;
  // Once set, it stays.
  std::unique_ptr<scrape::HttpClient> client_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<scrape::HttpClient> NewLazyHttpClient() {
  return std::make_unique<LazyHttpClient>();
}

}  // namespace narthex
