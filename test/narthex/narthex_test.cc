#include "narthex/narthex.h"

#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "narthex/base/status.h"

namespace narthex {
namespace {

using Catch::Matchers::Contains;

// Time, files and threads are the test's own.
struct Lab {
  Options options() {
    Options out;
    out.data_dir = "d";
    out.env = env.get();
    out.clock = &clock;
    out.executor = &executor;
    return out;
  }
  std::unique_ptr<Narthex> Open(Options o) {
    auto opened = Narthex::Open(std::move(o));
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    return *std::move(opened);
  }

  std::unique_ptr<Env> env = NewMemEnv();
  FakeClock clock{1'000'000};
  InlineExecutor executor;
};

std::string Answer(const Narthex& nx, std::string_view promql, Timestamp at) {
  const auto result = nx.Query(promql, at);
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  std::ostringstream out;
  out << result->value;
  return out.str();
}

// A page server that needs no network.
class FakeTargets final : public scrape::HttpClient {
 public:
  RequestId Send(scrape::HttpRequest request, Done done) override {
    asked.insert(request.url);
    scrape::HttpResponse response;
    response.status = 200;
    response.content_type = "text/plain; version=0.0.4";
    response.body = page;
    std::move(done)(std::move(response));
    return RequestId(1);
  }
  void Cancel(RequestId) override {}

  std::string page = "x 1\n";
  std::set<std::string> asked;
};

TEST_CASE("what is ingested can be queried", "[narthex][facade]") {
  Lab lab;
  const auto nx = lab.Open(lab.options());
  const auto stored =
      nx->Ingest("a{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\n", "text/plain", 1000);
  REQUIRE(stored.ok());
  CHECK(*stored == 3);
  CHECK_THAT(Answer(*nx, "sum(a) * 2", 1000), Contains("6"));

  const std::vector<std::string> selector = {"a"};
  const auto series = nx->FindSeries(selector, {0, 2000});
  REQUIRE(series.ok());
  CHECK(series->size() == 2);
  CHECK(nx->FindSeries(selector, {0, 2000}, /*limit=*/1)->size() == 1);
  CHECK(*nx->LabelNames({0, 2000}) ==
        std::vector<std::string>{"__name__", "x"});
  CHECK(*nx->LabelValues("x", {0, 2000}) == std::vector<std::string>{"1", "2"});
  CHECK(*nx->LabelValues("__name__", {0, 2000}, selector) ==
        std::vector<std::string>{"a"});
}

TEST_CASE("mistakes of the caller are told as such", "[narthex][facade]") {
  Lab lab;
  const auto nx = lab.Open(lab.options());
  CHECK(nx->Query("sum(", 0).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(nx->QueryRange("up", {2000, 1000}, Seconds(1)).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(nx->QueryRange("up", {1000, 2000}, Seconds(0)).status().code() ==
        absl::StatusCode::kInvalidArgument);
  const std::vector<std::string> everything = {"{}"};
  CHECK(nx->FindSeries(everything, {0, 1}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(nx->Ingest("garbage{\n", "text/plain", 0).ok());
  CHECK_THAT(Answer(*nx, "garbage", 0), !Contains("garbage"));
}

TEST_CASE("what was stored is there after opening again", "[narthex][facade]") {
  Lab lab;
  {
    const auto nx = lab.Open(lab.options());
    REQUIRE(nx->Ingest("a 7\n", "text/plain", 1000).ok());
    CHECK(nx->Close().ok());
    CHECK(nx->Close().ok());
  }
  CHECK_THAT(Answer(*lab.Open(lab.options()), "a", 1000), Contains("7"));
}

TEST_CASE("read-only, nothing is written or scraped", "[narthex][facade]") {
  Lab lab;
  const auto writer = lab.Open(lab.options());
  REQUIRE(writer->Ingest("a 7\n", "text/plain", 1000).ok());
  Options options = lab.options();
  options.read_only = true;
  const auto reader = lab.Open(options);
  CHECK_THAT(Answer(*reader, "a", 1000), Contains("7"));
  CHECK(reader->Ingest("a 8\n", "text/plain", 2000).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(reader->SetJobs({{.name = "x"}}).code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(reader->scraper() == nullptr);
}

TEST_CASE("the data directory belongs to one Narthex", "[narthex][facade]") {
  Lab lab;
  const auto first = lab.Open(lab.options());
  const auto second = Narthex::Open(lab.options());
  REQUIRE_FALSE(second.ok());
  CHECK(second.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(Message(second.status())), Contains("lock"));
}

TEST_CASE("jobs are scraped while the clock advances", "[narthex][facade]") {
  Lab lab;
  FakeTargets targets;
  Options options = lab.options();
  options.http = &targets;
  const auto nx = lab.Open(options);
  scrape::Job job;
  job.name = "j";
  job.targets = {"h:1"};
  job.interval = Seconds(10);
  job.timeout = Seconds(5);
  REQUIRE(nx->SetJobs({job}).ok());
  lab.clock.Advance(Seconds(30));
  CHECK(targets.asked == std::set<std::string>{"http://h:1/metrics"});
  CHECK_THAT(Answer(*nx, "x", lab.clock.Now()),
             Contains("instance=\"h:1\"") && Contains("job=\"j\""));
  CHECK_THAT(Answer(*nx, "up == 1", lab.clock.Now()), Contains("up{"));
  REQUIRE(nx->Targets().size() == 1);
  CHECK(nx->Targets()[0].health == scrape::TargetHealth::kUp);
  CHECK(nx->config().jobs.size() == 1);
  CHECK_THAT(nx->Metrics(),
             Contains("prometheus_target_scrape_pool_targets{scrape_job="
                      "\"j\"} 1\n"));
}

TEST_CASE("a reload takes over all of a configuration, or none",
          "[narthex][facade]") {
  Lab lab;
  FakeTargets targets;
  Options options = lab.options();
  options.http = &targets;
  auto write = [&](std::string_view yaml) {
    REQUIRE(lab.env->WriteFileAtomically("p.yml", yaml).ok());
  };
  write(
      "scrape_configs:\n- job_name: one\n"
      "  static_configs: [{targets: ['a:1']}]\n");
  const auto nx = Narthex::OpenFromConfig("p.yml", options);
  INFO(nx.status().ToString());
  REQUIRE(nx.ok());
  CHECK((*nx)->scraper()->Pools() == std::vector<std::string>{"one"});

  write("scrape_configs:\n- job_name: two\n");
  lab.clock.Advance(Seconds(5));
  REQUIRE((*nx)->Reload("p.yml").ok());
  CHECK((*nx)->scraper()->Pools() == std::vector<std::string>{"two"});
  CHECK((*nx)->last_reload().success);
  CHECK((*nx)->last_reload().at == lab.clock.Now());

  write("scrape_configs:\n- job_name: three\n  oops: 1\n");
  CHECK_FALSE((*nx)->Reload("p.yml").ok());
  CHECK((*nx)->scraper()->Pools() == std::vector<std::string>{"two"});
  CHECK_FALSE((*nx)->last_reload().success);
  CHECK_THAT((*nx)->Metrics(),
             Contains("prometheus_config_last_reload_successful 0\n"));
}

TEST_CASE("a configuration that can't be read opens nothing",
          "[narthex][facade]") {
  Lab lab;
  CHECK_FALSE(Narthex::OpenFromConfig("none.yml", lab.options()).ok());
  CHECK_FALSE(lab.env->Exists("d"));
}

}  // namespace
}  // namespace narthex
