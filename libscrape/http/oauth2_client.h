// A client that puts OAuth2 tokens into requests whose options want them: asks
// for a token with the client's credentials, keeps it while it is good, and
// lets requests wait for it.
//
// Any thread, like every HttpClient.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/clock.h"
#include "narthex/scrape/http.h"

namespace narthex::scrape {

// What a token's server said.
struct OAuth2Token {
  std::string authorization = {};  // "Bearer abc"
  int64_t lifetime = 0;            // seconds; 0: for ever
};
// From JSON, or from a form, by its content type.
absl::StatusOr<OAuth2Token> ReadOAuth2Token(std::string_view body,
                                            std::string_view content_type);

class OAuth2HttpClient final : public HttpClient {
 public:
  // `clock` is borrowed.
  OAuth2HttpClient(std::unique_ptr<HttpClient> inner, Clock* clock)
      : clock_(clock), inner_(std::move(inner)) {}

  RequestId Send(HttpRequest request, Done done) override;
  void Cancel(RequestId id) override;

 private:
  struct Waiting {
    RequestId id = RequestId::kNone;
    HttpRequest request = {};
    Done done = {};
  };
  // Of one set of credentials.
  struct Token {
    std::string authorization = {};
    int64_t good_until = 0;  // monotonic nanoseconds
    bool in_body = false;    // how the server wants the credentials
    bool fetching = false;
    std::vector<Waiting> waiting = {};
  };
  struct Credentials {
    std::shared_ptr<const HttpOptions> options = {};
    std::string secret = {};
    std::string key = {};
  };

  void Fetch(Credentials credentials, bool in_body, bool may_retry,
             Duration timeout);
  void TakeToken(const Credentials& credentials, bool in_body, bool may_retry,
                 Duration timeout, absl::StatusOr<HttpResponse> answer);
  void Forward(Waiting waiting, const std::string& authorization);

  Clock* const clock_;
  absl::Mutex mu_;
  uint64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<std::string, Token> tokens_ ABSL_GUARDED_BY(mu_);
  // Requests that had to wait, by the id that their sender knows.
  absl::flat_hash_map<RequestId, RequestId> forwarded_ ABSL_GUARDED_BY(mu_);
  // Last, so that it goes first: its end calls us.
  std::unique_ptr<HttpClient> inner_;
};

}  // namespace narthex::scrape
