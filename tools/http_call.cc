#include "tools/http_call.h"

#include "absl/synchronization/notification.h"
#include "narthex/base/status.h"

namespace narthex::tools {

absl::StatusOr<scrape::HttpResponse> CallHttp(scrape::HttpRequest request) {
  NARTHEX_ASSIGN_OR_RETURN(auto client, scrape::NewCurlHttpClient());
  absl::Notification done;
  absl::StatusOr<scrape::HttpResponse> result;
  client->Send(std::move(request),
               [&](absl::StatusOr<scrape::HttpResponse> answer) {
                 result = std::move(answer);
                 done.Notify();
               });
  done.WaitForNotification();
  return result;
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseHeaders(
    const std::vector<std::string>& flags) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const std::string& flag : flags) {
    const size_t end = flag.find_first_of(":=");
    if (end == std::string::npos || end == 0) {
      return InvalidArgument(
          StrCat("--header wants NAME=VALUE, not \"", flag, "\""));
    }
    const size_t value = flag.find_first_not_of(' ', end + 1);
    headers.emplace_back(flag.substr(0, end), value == std::string::npos
                                                  ? std::string()
                                                  : flag.substr(value));
  }
  return headers;
}

}  // namespace narthex::tools
