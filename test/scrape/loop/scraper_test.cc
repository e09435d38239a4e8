#include "narthex/scrape/scraper.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/scrape/loop/scrape_lab.h"
#include "test/support/http_stub.h"
#include "test/support/sample_recorder.h"

namespace narthex::scrape {
namespace {

TEST_CASE_METHOD(ScrapeLab, "targets are shown by pool, the dropped ones apart",
                 "[scrape][loop]") {
  Job a = MakeJob("a");
  a.targets = {"h:2", "h:1", "h:1"};
  a.static_groups = {MakeTargetGroup({"h:3", "h:4"}, {{"drop", "yes"}})};
  a.relabel = {{.source_labels = {"drop"},
                .regex = "yes",
                .action = RelabelAction::kDrop}};
  a.keep_dropped_targets = 1;
  const Job b = MakeJob("b");
  REQUIRE_OK(scraper->SetJobs({b, a}));
  REQUIRE(scraper->Pools() == std::vector<std::string>{"a", "b"});
  const auto targets = scraper->Targets();
  REQUIRE(targets.size() == 3);
  REQUIRE(targets[0].scrape_url == "http://h:1/metrics");
  REQUIRE(targets[1].scrape_url == "http://h:2/metrics");
  REQUIRE(targets[2].scrape_pool == "b");
  REQUIRE(targets[0].health == TargetHealth::kUnknown);
  REQUIRE(targets[0].last_scrape.ms == 0);
  REQUIRE(scraper->Targets("b").size() == 1);
  REQUIRE(scraper->DroppedTargets().size() == 1);
  REQUIRE(scraper->DroppedTargets().at(0).discovered_labels.Get("drop") ==
          "yes");
  REQUIRE(scraper->DroppedTargetCounts() ==
          std::vector<std::pair<std::string, size_t>>{{"a", 2}, {"b", 0}});
}

TEST_CASE_METHOD(ScrapeLab, "jobs are replaced all or not at all",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Job bad = MakeJob("bad");
  bad.timeout = Minutes(1);
  REQUIRE_FALSE(scraper->SetJobs({MakeJob("new"), bad}).ok());
  REQUIRE(scraper->Pools() == std::vector<std::string>{"j"});
  REQUIRE(Message(scraper->SetJobs({MakeJob("x"), MakeJob("x")})) ==
          "found multiple scrape configs with job name \"x\"");
}

TEST_CASE_METHOD(ScrapeLab, "a job without a client is left out or left alone",
                 "[scrape][loop]") {
  Job mute = MakeJob("mute");
  mute.http.credentials.ref = "in-the-vault";
  REQUIRE_OK(scraper->SetJobs({MakeJob("j"), mute}));
  REQUIRE(scraper->Pools() == std::vector<std::string>{"j"});
  // One that was there goes on as it was, and the change counts as failed.
  mute.name = "j";
  REQUIRE(Message(scraper->SetJobs({mute, MakeJob("k")})) ==
          "failed to apply the new configuration");
  REQUIRE(scraper->Pools() == std::vector<std::string>{"j", "k"});
}

TEST_CASE_METHOD(ScrapeLab, "a job that changes keeps what did not",
                 "[scrape][loop]") {
  Job job = MakeJob();
  Begin(job);
  Scrape("a 1\n");
  job.targets = {"h:1", "h:2"};
  Begin(job);
  Scrape("a 2\n");
  Scrape("a 3\n");
  REQUIRE(Values("a") == "1 2 3");
  REQUIRE(Values("scrape_series_added") == "1 0 0");
  REQUIRE(scraper->Targets().size() == 2);
}

TEST_CASE_METHOD(ScrapeLab, "targets of files come and go", "[scrape][loop]") {
  const auto env = NewMemEnv();
  REQUIRE_OK(env->WriteFileAtomically("t.json", R"([{"targets":["h:1"]}])"));
  ScraperOptions options;
  options.env = env.get();
  MakeScraper(options);
  Job job = MakeJob();
  job.targets.clear();
  job.file_discovery = {{.files = {"t.json"}, .refresh_interval = Seconds(10)}};
  Begin(job);
  REQUIRE(scraper->Targets().at(0).discovered_labels.Get("__meta_filepath") ==
          "t.json");
  REQUIRE(scraper->Targets().at(0).labels.Get("__meta_filepath").empty());
  Scrape("a 1\n");
  REQUIRE_OK(env->Remove("t.json"));
  clock.Advance(Seconds(60));
  REQUIRE(scraper->Targets().empty());
  REQUIRE(Values("a").find("1 stale") != std::string::npos);
}

TEST_CASE_METHOD(ScrapeLab, "targets that keep changing are synced together",
                 "[scrape][loop]") {
  int lists = 0;
  http.answer = [&](const HttpRequest& request) {
    HttpResponse response;
    response.status = 200;
    const bool list = request.url.starts_with("http://sd/");
    response.content_type = list ? "application/json" : "text/plain";
    response.body =
        list ? StrCat(R"([{"targets":["h)", ++lists, R"(:1"]}])") : "a 1\n";
    return response;
  };
  Job job = MakeJob();
  job.targets.clear();
  job.http_discovery = {
      {.url = "http://sd/", .refresh_interval = Milliseconds(50)}};
  Begin(job);
  for (int i = 0; i < 200; ++i) clock.Advance(Milliseconds(50));
  const auto count = [&](std::string_view name) {
    return metrics.NewCounter(name, "", {{"name", "scrape"}}).value();
  };
  CHECK(count("prometheus_sd_received_updates_total") >= 200);
  CHECK(count("prometheus_sd_updates_total") > 5);
  CHECK(count("prometheus_sd_updates_total") < 20);
  CHECK(count("prometheus_sd_updates_delayed_total") > 5);
  REQUIRE(scraper->Targets().size() == 1);
}

TEST_CASE("one page is stored as a scrape of it would be", "[scrape][loop]") {
  test::SampleRecorder storage;
  const auto appender = storage.NewAppender();
  const auto stored = AppendPage(
      *appender, "# TYPE a gauge\na{x=\"y\"} 1\nb 2 500\n", "text/plain", 1000);
  REQUIRE(stored.ok());
  REQUIRE(*stored == 2);
  REQUIRE(storage.Samples(R"({__name__="a", x="y"})") == "1@1000");
  REQUIRE(storage.Samples(R"({__name__="b"})") == "2@500");

  REQUIRE_FALSE(AppendPage(*appender, "c 1\nd\n", "text/plain", 2000).ok());
  REQUIRE(storage.Samples(R"({__name__="c"})").empty());
  REQUIRE_FALSE(AppendPage(*appender, "c 1\n", "text/html", 2000).ok());
  REQUIRE(*AppendPage(*appender, "c 1\n# EOF\n", "application/openmetrics-text",
                      3000) == 1);
}

TEST_CASE("a real server is scraped through libcurl and a thread pool",
          "[scrape][loop]") {
  test::HttpStub stub([](const std::string&) {
    return test::HttpStub::Reply("200 OK", "text/plain", "a 1\nb 2\n");
  });
  test::SampleRecorder storage;
  ThreadPool pool(2);
  const auto http = *NewCurlHttpClient();
  ScraperOptions options;
  options.executor = &pool;
  options.http = http.get();
  const auto scraper = *Scraper::Make(storage, options);
  Job job;
  job.name = "real";
  job.targets = {StrCat("127.0.0.1:", stub.port()), "127.0.0.1:1"};
  job.interval = Milliseconds(50);
  job.timeout = Milliseconds(50);
  REQUIRE(scraper->SetJobs({job}).ok());
  const auto good = [&] {
    const auto targets = scraper->Targets();
    return targets.size() == 2 && targets[1].health == TargetHealth::kUp &&
           targets[0].health == TargetHealth::kDown;
  };
  for (int i = 0; i < 200 && !good(); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  REQUIRE(good());
  REQUIRE(scraper->Targets().at(0).last_error.find("connection refused") !=
          std::string::npos);
  scraper->Stop();
  const size_t count = storage.sample_count();
  absl::SleepFor(absl::Milliseconds(120));
  REQUIRE(storage.sample_count() == count);
}

}  // namespace
}  // namespace narthex::scrape
