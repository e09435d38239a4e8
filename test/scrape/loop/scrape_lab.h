// A Scraper whose time, network and storage are the test's own.

#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "narthex/base/clock.h"
#include "narthex/base/status.h"
#include "narthex/scrape/scraper.h"
#include "test/support/sample_recorder.h"

namespace narthex::scrape {

// Answers at once, or, while held, when it is told to.
class FakeHttp final : public HttpClient {
 public:
  using Answer =
      std::function<absl::StatusOr<HttpResponse>(const HttpRequest&)>;

  RequestId Send(HttpRequest request, Done done) override {
    const RequestId id{++last_id};
    requests.push_back(request);
    if (held) {
      waiting.emplace(id, std::make_pair(std::move(request), std::move(done)));
    } else {
      std::move(done)(answer(request));
    }
    return id;
  }
  void Cancel(RequestId id) override {
    const auto found = waiting.find(id);
    if (found == waiting.end()) return;
    Done done = std::move(found->second.second);
    waiting.erase(found);
    std::move(done)(Cancelled("context canceled"));
  }
  void AnswerWaiting() {
    auto all = std::move(waiting);
    waiting.clear();
    for (auto& [id, exchange] : all) {
      std::move(exchange.second)(answer(exchange.first));
    }
  }

  Answer answer;
  bool held = false;
  std::vector<HttpRequest> requests;
  std::map<RequestId, std::pair<HttpRequest, Done>> waiting;
  uint64_t last_id = 0;
};

class ScrapeLab {
 public:
  static constexpr Duration kInterval = Seconds(10);

  ScrapeLab() : clock(Timestamp(1'600'000'000'000)) {
    http.answer = [this](const HttpRequest&) {
      HttpResponse response;
      response.status = status;
      response.reason = std::string(HttpReason(status));
      response.content_type = content_type;
      response.body = page;
      return response;
    };
    MakeScraper({});
  }
  void MakeScraper(ScraperOptions options) {
    options.clock = &clock;
    if (options.executor == nullptr) options.executor = &here;
    options.http = &http;
    options.metrics = &metrics;
    scraper = *Scraper::Make(storage, std::move(options));
  }
  static Job MakeJob(std::string name = "j") {
    Job job;
    job.name = std::move(name);
    job.targets = {"h:1"};
    job.interval = kInterval;
    job.timeout = Seconds(5);
    return job;
  }
  void Begin(Job job) { REQUIRE_OK(scraper->SetJobs({std::move(job)})); }
  // One scrape with this page.
  void Scrape(std::string text) {
    page = std::move(text);
    clock.Advance(kInterval);
  }
  // Values of `name{...}` of the one target, "1 2 stale".
  std::string Values(const std::string& name, const std::string& labels = {}) {
    const std::string text = "{__name__=\"" + name + "\"" +
                             (labels.empty() ? "" : ", " + labels) +
                             ", instance=\"h:1\", job=\"j\"}";
    return ValuesOf(text);
  }
  std::string ValuesOf(const std::string& text) {
    std::string out;
    std::string samples = storage.Samples(text);
    bool in_time = false;
    for (char c : samples) {
      if (c == '@') in_time = true;
      if (c == ' ') in_time = false;
      if (!in_time) out += c;
    }
    return out;
  }
  static void REQUIRE_OK(const absl::Status& status) {
    INFO(Message(status));
    REQUIRE(status.ok());
  }

  FakeClock clock;
  InlineExecutor here;
  FakeHttp http;
  test::SampleRecorder storage;
  MetricRegistry metrics;
  std::string page;
  std::string content_type = "text/plain; version=0.0.4";
  int status = 200;
  std::unique_ptr<Scraper> scraper;
};

}  // namespace narthex::scrape
