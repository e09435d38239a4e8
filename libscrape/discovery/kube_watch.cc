#include "libscrape/discovery/kube_watch.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "libscrape/discovery/kube_json.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

using Json = nlohmann::json;

constexpr int kPageObjects = 500;
constexpr int kMaxPages = 20'000;
constexpr size_t kMaxObjects = 2'000'000;
constexpr uint64_t kPageBytes = uint64_t{512} << 20;
constexpr size_t kEventBytes = size_t{64} << 20;
constexpr int64_t kInFlightBytes = int64_t{256} << 20;
constexpr Duration kListTimeout = Seconds(60);
constexpr int kWatchSeconds = 300;  // and up to as much again
constexpr Duration kFirstRetry = Milliseconds(800);
constexpr Duration kLastRetry = Seconds(30);
constexpr Duration kLongestRetryAfter = Minutes(5);
constexpr int kGone = 410;
constexpr int kTooManyRequests = 429;
constexpr int kUnauthorized = 401;

void Count(Counter* counter) {
  if (counter != nullptr) counter->Inc();
}

// What the server says is wrong, or the HTTP status alone.
absl::Status ErrorOf(const HttpResponse& response) {
  const Json json = ParseKubeJson(response.body);
  std::string message = json.is_object() ? Text(json, "message") : "";
  return Unavailable(StrCat("server returned HTTP status ",
                            response.StatusLine(), message.empty() ? "" : ": ",
                            message));
}

// How long the server asks us to stay away; 0: it does not.
Duration RetryAfter(const HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    int64_t seconds = 0;
    const char* const end = value.data() + value.size();
    if (name != "retry-after" ||
        std::from_chars(value.data(), end, seconds).ptr != end) {
      continue;
    }
    const int64_t longest = kLongestRetryAfter.ms / 1000;
    return Seconds(std::clamp<int64_t>(seconds, 0, longest));
  }
  return {};
}

// Busy or broken for the moment; what was seen before is still true.
bool IsPassing(int status) {
  return status == kTooManyRequests || status == kUnauthorized || status >= 500;
}

}  // namespace

std::string KubeWatch::Url(std::string_view query) const {
  std::string url = StrCat(server_.url, resource_.path, "?", query);
  if (!resource_.label_selector.empty()) {
    StrAppend(&url, "&labelSelector=", QueryEscape(resource_.label_selector));
  }
  if (!resource_.field_selector.empty()) {
    StrAppend(&url, "&fieldSelector=", QueryEscape(resource_.field_selector));
  }
  return url;
}

HttpRequest KubeWatch::Request(std::string url) const {
  HttpRequest request;
  request.url = std::move(url);
  request.options = options_;
  request.headers = {{"Accept", "application/json"},
                     {"User-Agent", server_.user_agent}};
  request.timeout = kListTimeout;
  request.body_limit = kPageBytes;
  return request;
}

void KubeWatch::Abandon() {
  const auto id = running_.exchange(HttpClient::RequestId::kNone);
  if (id != HttpClient::RequestId::kNone) server_.http->Cancel(id);
}

void KubeWatch::Begin(bool list, std::function<void()> go) {
  if (server_.credentials == nullptr) {
    options_ = server_.options;
    return go();
  }
  server_.credentials->Ask([self = shared_from_this(), list, go](
                               absl::StatusOr<KubeCredentials::Options> known) {
    self->strand_->Post([self, list, go, known = std::move(known)] {
      if (!known.ok()) {
        return self->Retry(list ? "list" : "watch", known.status(), list);
      }
      self->options_ = *known;
      go();
    });
  });
}

void KubeWatch::RefuseIfUnknown(int status) {
  if (status == kUnauthorized && server_.credentials != nullptr) {
    server_.credentials->Refuse(options_);
  }
}

void KubeWatch::List(const std::string& go_on) {
  if (go_on.empty()) {
    listed_.clear();
    pages_ = 0;
  }
  Begin(/*list=*/true, [this, go_on] { SendList(go_on); });
}

void KubeWatch::SendList(const std::string& go_on) {
  std::string query = StrCat("limit=", kPageObjects);
  if (!go_on.empty()) StrAppend(&query, "&continue=", QueryEscape(go_on));
  running_ = server_.http->Send(
      Request(Url(query)),
      [self = shared_from_this()](absl::StatusOr<HttpResponse> answer) {
        self->strand_->Post(
            [self, answer = std::move(answer)] { self->TakeList(answer); });
      });
}

void KubeWatch::ListAgain() {
  ++request_;  // what the watch still brings is old
  List({});
}

void KubeWatch::TakeList(const absl::StatusOr<HttpResponse>& answer) {
  if (!answer.ok()) return Retry("list", answer.status(), /*list=*/true);
  if (answer->status != 200) {
    RefuseIfUnknown(answer->status);
    // 410 on a later page: the list has become too old while we read it.
    return Retry("list", ErrorOf(*answer), /*list=*/true, RetryAfter(*answer));
  }
  const Json json = ParseKubeJson(answer->body);
  const Json& items = At(json, "items");
  if (!json.is_object() || !(items.is_array() || items.is_null())) {
    return Retry("list", DataLoss("the answer is not a list of objects"),
                 /*list=*/true);
  }
  if (items.is_array()) {
    for (const Json& item : items) {
      KubeObject object = ReadKubeObject(resource_.kind, item);
      if (!HasName(object)) continue;
      std::string key = object.meta.Key();
      listed_.insert_or_assign(std::move(key), std::move(object));
    }
  }
  if (listed_.size() > kMaxObjects || ++pages_ > kMaxPages) {
    listed_.clear();
    return Retry("list", ResourceExhausted("the list has no end"),
                 /*list=*/true);
  }
  const Json& meta = At(json, "metadata");
  version_ = Text(meta, "resourceVersion");
  if (const std::string more = Text(meta, "continue"); !more.empty()) {
    return List(more);
  }
  FinishList();
}

void KubeWatch::FinishList() {
  failures_ = 0;
  synced_ = true;
  std::vector<std::string> changed;
  for (auto it = keys_.begin(); it != keys_.end();) {
    if (listed_.contains(*it)) {
      ++it;
      continue;
    }
    store_.erase(*it);
    Count(resource_.deleted);
    changed.push_back(*it);
    it = keys_.erase(it);
  }
  for (auto& [key, object] : listed_) Put(std::move(object), changed);
  listed_.clear();
  changed_(changed);
  Watch();
}

// What a broken server or a broken aggregated API may send: it could neither be
// shown nor deleted again.
bool KubeWatch::HasName(const KubeObject& object) const {
  if (!object.meta.name.empty()) return true;
  Log(server_.logger, LogLevel::kWarn, "Kubernetes object without a name",
      {{"resource", resource_.path}});
  return false;
}

bool KubeWatch::Put(KubeObject object, std::vector<std::string>& changed) {
  std::string key = object.meta.Key();
  keys_.insert(key);
  const auto [slot, fresh] = store_.try_emplace(key);
  Count(fresh ? resource_.added : resource_.updated);
  if (!fresh && slot->second == object) return false;
  slot->second = std::move(object);
  changed.push_back(std::move(key));
  return true;
}

void KubeWatch::Watch() {
  Begin(/*list=*/false, [this] { SendWatch(); });
}

void KubeWatch::SendWatch() {
  const uint64_t number = ++request_;
  line_.clear();
  heard_ = false;
  flooded_ = false;
  // Not all watches of a process, and not all processes, at the same moment.
  const int64_t seconds =
      kWatchSeconds + strand_->clock().MonotonicNanos() % kWatchSeconds;
  HttpRequest request = Request(
      Url(StrCat("watch=1&allowWatchBookmarks=true&timeoutSeconds=", seconds,
                 "&resourceVersion=", QueryEscape(version_))));
  request.timeout = Seconds(seconds + 30);
  auto self = shared_from_this();
  request.on_body = [self, number](std::string_view bytes) {
    const auto size = static_cast<int64_t>(bytes.size());
    if (self->in_flight_.fetch_add(size) > kInFlightBytes) {
      self->in_flight_ -= size;
      self->flooded_ = true;
      return;
    }
    self->strand_->Post([self, number, bytes = std::string(bytes)] {
      self->in_flight_ -= static_cast<int64_t>(bytes.size());
      self->TakeBytes(number, bytes);
    });
  };
  running_ = server_.http->Send(
      std::move(request), [self, number](absl::StatusOr<HttpResponse> answer) {
        self->strand_->Post([self, number, answer = std::move(answer)] {
          self->EndWatch(number, answer);
        });
      });
}

void KubeWatch::TakeBytes(uint64_t request, const std::string& bytes) {
  if (request != request_) return;
  if (flooded_ || line_.size() + bytes.size() > kEventBytes) {
    Abandon();
    ++request_;
    return Retry("watch", ResourceExhausted("the server's events are too many"),
                 /*list=*/true);
  }
  // What was there before holds no line end.
  size_t end = line_.size();
  line_ += bytes;
  size_t start = 0;
  for (end = line_.find('\n', end);
       end != std::string::npos && request == request_;
       end = line_.find('\n', start)) {
    const std::string line = line_.substr(start, end - start);
    start = end + 1;
    TakeEvent(line);
  }
  if (request == request_) line_.erase(0, start);
}

void KubeWatch::TakeEvent(std::string_view line) {
  if (line.empty()) return;
  const Json event = ParseKubeJson(line);
  const std::string type = Text(event, "type");
  const Json& object = At(event, "object");
  heard_ = true;
  if (type == "ERROR" || !object.is_object()) {
    Abandon();
    ++request_;
    const Json& code = At(object, "code");
    if (code.is_number_integer() && code.get<int64_t>() == kGone) {
      return ListAgain();
    }
    const std::string message = Text(object, "message");
    return Retry("watch",
                 Unavailable(message.empty() ? "not an event" : message),
                 /*list=*/true);
  }
  failures_ = 0;
  const std::string version = Text(At(object, "metadata"), "resourceVersion");
  if (!version.empty()) version_ = version;
  std::vector<std::string> changed;
  if (type == "ADDED" || type == "MODIFIED") {
    KubeObject read = ReadKubeObject(resource_.kind, object);
    if (HasName(read)) Put(std::move(read), changed);
    if (keys_.size() > kMaxObjects) {
      Abandon();
      return Retry("watch",
                   ResourceExhausted("the server's objects are too many"),
                   /*list=*/true);
    }
  } else if (type == "DELETED") {
    std::string key = ReadKubeObject(resource_.kind, object).meta.Key();
    keys_.erase(key);
    Count(resource_.deleted);
    if (store_.erase(key) != 0) changed.push_back(std::move(key));
  }
  if (!changed.empty()) changed_(changed);
}

void KubeWatch::EndWatch(uint64_t request,
                         const absl::StatusOr<HttpResponse>& answer) {
  if (request != request_) return;
  const bool timed_out =
      !answer.ok() && absl::IsDeadlineExceeded(answer.status());
  if (answer.ok() && answer->status == kGone) return ListAgain();
  if (answer.ok() && answer->status != 200) {
    RefuseIfUnknown(answer->status);
    return Retry("watch", ErrorOf(*answer), !IsPassing(answer->status),
                 RetryAfter(*answer));
  }
  if (!answer.ok() && !timed_out) {
    return Retry("watch", answer.status(), /*list=*/false);
  }
  // The server ends a watch now and then; one that ends without a word is
  // asked again, but not in a hurry.
  if (heard_ || timed_out) return Watch();
  Retry("watch", absl::OkStatus(), /*list=*/false);
}

void KubeWatch::Retry(std::string_view what, const absl::Status& why, bool list,
                      Duration at_least) {
  if (!why.ok()) {
    server_.failures->Inc();
    Log(server_.logger, LogLevel::kError, "Kubernetes API server failed",
        {{"verb", what}, {"resource", resource_.path}, {"err", Message(why)}});
  }
  const int64_t wait = std::max(
      std::min(kFirstRetry.ms << std::min(failures_, 10), kLastRetry.ms),
      at_least.ms);
  ++failures_;
  ++request_;
  // A quarter more at most, so that not all come back at once.
  const int64_t more = strand_->clock().MonotonicNanos() / 1000 % (wait / 4);
  strand_->PostAt(strand_->clock().Now() + Duration(wait + more),
                  [self = shared_from_this(), list] {
                    list ? self->List({}) : self->Watch();
                  });
}

}  // namespace narthex::scrape
