// Targets that an HTTP server lists.

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "libscrape/discovery/discovery_counters.h"
#include "libscrape/discovery/kinds.h"
#include "libscrape/discovery/refresh.h"
#include "narthex/base/ascii.h"
#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kUrlLabel = "__meta_url";
constexpr uint64_t kBodyLimit = uint64_t{256} << 20;

// `application/json`, and a charset of UTF-8 if any.
bool IsJson(std::string_view content_type) {
  const std::string type = AsciiLower(content_type);
  constexpr std::string_view kJson = "application/json";
  if (!type.starts_with(kJson)) return false;
  std::string_view rest = std::string_view(type).substr(kJson.size());
  if (rest.empty()) return true;
  if (rest[0] != ';') return false;
  rest.remove_prefix(1);
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) {
    rest.remove_prefix(1);
  }
  return rest == "charset=utf-8" || rest == "charset=\"utf-8\"";
}

class HttpRefresher final : public Refresher {
 public:
  HttpRefresher(HttpDiscovery config, const DiscoveryContext& context)
      : Refresher(context, config.refresh_interval),
        config_(std::move(config)),
        options_(std::make_shared<const HttpOptions>(config_.http)) {}

 private:
  void Ask() override {
    HttpRequest request;
    request.url = config_.url;
    request.timeout = config_.refresh_interval;
    request.body_limit = kBodyLimit;
    request.options = options_;
    request.headers = {
        {"User-Agent",
         context_.user_agent.empty() ? "narthex" : context_.user_agent},
        {"Accept", "application/json"},
        {"X-Prometheus-Refresh-Interval-Seconds",
         FormatFloat(config_.refresh_interval.seconds(), 'f')}};
    auto self = std::static_pointer_cast<HttpRefresher>(shared_from_this());
    running_ = context_.http->Send(
        std::move(request), [self](absl::StatusOr<HttpResponse> answer) {
          self->strand_->Post([self, answer = std::move(answer)] {
            self->Done();
            self->Take(answer);
          });
        });
  }

  void Abandon() override {
    const HttpClient::RequestId id =
        running_.exchange(HttpClient::RequestId::kNone);
    if (id != HttpClient::RequestId::kNone) context_.http->Cancel(id);
  }

  void Take(const absl::StatusOr<HttpResponse>& answer) {
    auto groups = Read(answer);
    if (!groups.ok()) {
      HttpFailures(context_).Inc();
      RefreshFailures(context_, "http").Inc();
      Log(context_.logger, LogLevel::kError, "Unable to refresh target groups",
          {{"discovery", "http"}, {"err", Message(groups.status())}});
      return;
    }
    const size_t found = groups->size();
    for (size_t i = found; i < last_; ++i) {
      TargetGroup gone;
      gone.source = Source(i);
      groups->push_back(std::move(gone));
    }
    last_ = found;
    Report(*std::move(groups));
  }

  absl::StatusOr<std::vector<TargetGroup>> Read(
      const absl::StatusOr<HttpResponse>& answer) const {
    if (!answer.ok()) return answer.status();
    if (answer->status != 200) {
      return Unavailable(
          StrCat("server returned HTTP status ", answer->StatusLine()));
    }
    if (!IsJson(answer->content_type)) {
      return InvalidArgument(
          StrCat("unsupported content type ", GoQuote(answer->content_type)));
    }
    NARTHEX_ASSIGN_OR_RETURN(std::vector<TargetGroup> groups,
                             DecodeTargetJson(answer->body, config_.url));
    for (size_t i = 0; i < groups.size(); ++i) {
      groups[i].source = Source(i);
      LabelsBuilder labels(groups[i].labels);
      labels.Set(kUrlLabel, config_.url);
      groups[i].labels = labels.Build();
    }
    return groups;
  }

  std::string Source(size_t i) const { return StrCat(config_.url, ":", i); }

  const HttpDiscovery config_;
  const std::shared_ptr<const HttpOptions> options_;
  std::atomic<HttpClient::RequestId> running_{HttpClient::RequestId::kNone};
  size_t last_ = 0;  // how many groups the last good list had
};

}  // namespace

absl::Status ValidateHttpDiscovery(const HttpDiscovery& config) {
  const std::string_view url = config.url;
  if (url.empty()) return InvalidArgument("URL is missing");
  const size_t scheme = url.find("://");
  const std::string name = AsciiLower(url.substr(0, scheme));
  if (scheme == std::string_view::npos || (name != "http" && name != "https")) {
    return InvalidArgument("URL scheme must be 'http' or 'https'");
  }
  const std::string_view rest = url.substr(scheme + 3);
  if (rest.substr(0, rest.find_first_of("/?#")).empty()) {
    return InvalidArgument("host is missing in URL");
  }
  if (config.refresh_interval.ms <= 0) {
    return InvalidArgument("refresh interval must be above 0");
  }
  return ValidateHttpOptions(config.http);
}

std::unique_ptr<Discoverer> NewHttpDiscoverer(HttpDiscovery config,
                                              const DiscoveryContext& context) {
  return std::make_unique<RefreshDiscoverer>(
      std::make_shared<HttpRefresher>(std::move(config), context));
}

}  // namespace narthex::scrape
