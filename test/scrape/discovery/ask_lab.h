// What the tests of discovery by asking share: a client and a resolver that
// answer at once with what the test says, a clock that stands still, and a
// record of what was reported.

#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "narthex/base/metrics.h"
#include "narthex/base/status.h"
#include "narthex/scrape/discovery_kinds.h"

namespace narthex::scrape {

// Answers at once, but requests with on_body stay open until the test ends
// them.
class ScriptedClient final : public HttpClient {
 public:
  struct Open {
    HttpRequest request = {};
    Done done = {};
  };

  RequestId Send(HttpRequest request, Done done) override {
    requests.push_back(request);
    const RequestId id{++last_};
    if (request.on_body) {
      open.emplace(id, Open{std::move(request), std::move(done)});
    } else {
      std::move(done)(answer(request));
    }
    return id;
  }
  void Cancel(RequestId id) override {
    End(id, Cancelled("the request was cancelled"));
  }
  void End(RequestId id, absl::StatusOr<HttpResponse> result) {
    auto node = open.extract(id);
    if (!node.empty()) std::move(node.mapped().done)(std::move(result));
  }
  // The watch of the resource whose URL has this in it.
  RequestId Find(std::string_view url) const {
    for (const auto& [id, one] : open) {
      if (one.request.url.find(url) != std::string::npos) return id;
    }
    return RequestId::kNone;
  }
  void Push(std::string_view url, std::string_view bytes) {
    const auto found = open.find(Find(url));
    if (found == open.end()) return;
    const auto on_body = found->second.request.on_body;
    on_body(bytes);
  }

  std::function<absl::StatusOr<HttpResponse>(const HttpRequest&)> answer;
  std::vector<HttpRequest> requests;
  std::map<RequestId, Open> open;

 private:
  uint64_t last_ = 0;
};

class ScriptedResolver final : public DnsResolver {
 public:
  void Resolve(std::string name, DnsType, Done done) override {
    std::move(done)(answers[name]);
  }
  std::map<std::string, absl::StatusOr<std::vector<DnsRecord>>> answers;
};

// What was said, a line each.
class LinesLogger final : public Logger {
 public:
  void Write(LogLevel, std::string_view message,
             std::span<const LogField> fields) override {
    std::string line(message);
    for (const LogField& field : fields) {
      StrAppend(&line, " ", field.key, "=", field.value);
    }
    lines.push_back(std::move(line));
  }
  int Count(std::string_view part) const {
    return static_cast<int>(
        std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
          return line.find(part) != std::string::npos;
        }));
  }
  std::vector<std::string> lines;
};

class AskLab {
 public:
  AskLab() : clock(Timestamp(1'000'000)) {}

  absl::StatusOr<std::unique_ptr<Discoverer>> Discover(
      const DiscoveryConfig& config) {
    DiscoveryContext context;
    context.clock = &clock;
    context.executor = &here;
    context.env = Env::Posix();
    context.http = &client;
    context.dns = &resolver;
    context.logger = &log;
    context.user_agent = "lab";
    context.metrics = &metrics;
    context.set_name = "lab";
    context.kubeconfig = kubeconfig;
    auto discoverer = NewDiscoverer(config, context);
    if (!discoverer.ok()) return discoverer.status();
    (*discoverer)->Start([this](std::vector<TargetGroup> groups) {
      ++reports;
      for (TargetGroup& group : groups) {
        if (group.targets.empty()) {
          shown.erase(group.source);
        } else {
          shown[group.source] = group;
        }
      }
    });
    return discoverer;
  }
  static HttpResponse Reply(std::string body,
                            std::string type = "application/json",
                            int status = 200) {
    HttpResponse response;
    response.status = status;
    response.content_type = std::move(type);
    response.body = std::move(body);
    return response;
  }
  // "source=address,address " of what is known now.
  std::string Shown() const {
    std::string out;
    for (const auto& [source, group] : shown) {
      StrAppend(&out, source, "=");
      for (const Labels& target : group.targets) {
        StrAppend(&out, target.Get(kAddressLabel), ",");
      }
      out += " ";
    }
    return out;
  }

  FakeClock clock;
  InlineExecutor here;
  ScriptedClient client;
  ScriptedResolver resolver;
  LinesLogger log;
  MetricRegistry metrics;
  KubeconfigDecoder kubeconfig;
  int reports = 0;
  std::map<std::string, TargetGroup> shown;
};

}  // namespace narthex::scrape
