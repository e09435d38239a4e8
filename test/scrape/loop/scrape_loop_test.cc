#include "libscrape/loop/scrape_loop.h"

#include <catch2/catch.hpp>
#include <string>

#include "narthex/model/sample.h"
#include "test/scrape/loop/scrape_lab.h"
#include "test/support/metrics_page.h"

namespace narthex::scrape {
namespace {

TEST_CASE_METHOD(ScrapeLab, "a scrape stores its samples and a report",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("# TYPE a counter\na{x=\"y\"} 1\nb 2\n");
  REQUIRE(
      storage.Series() ==
      std::vector<std::string>{
          R"({__name__="a", instance="h:1", job="j", x="y"})",
          R"({__name__="b", instance="h:1", job="j"})",
          R"({__name__="scrape_duration_seconds", instance="h:1", job="j"})",
          R"({__name__="scrape_samples_post_metric_relabeling", instance="h:1", job="j"})",
          R"({__name__="scrape_samples_scraped", instance="h:1", job="j"})",
          R"({__name__="scrape_series_added", instance="h:1", job="j"})",
          R"({__name__="up", instance="h:1", job="j"})"});
  Scrape("# TYPE a counter\na{x=\"y\"} 3\nb 4\nc 5\n");
  REQUIRE(Values("b") == "2 4");
  REQUIRE(Values("up") == "1 1");
  REQUIRE(Values("scrape_samples_scraped") == "2 3");
  REQUIRE(Values("scrape_samples_post_metric_relabeling") == "2 3");
  REQUIRE(Values("scrape_series_added") == "2 1");

  const HttpRequest& request = http.requests.at(0);
  REQUIRE(request.url == "http://h:1/metrics");
  REQUIRE(request.timeout == Seconds(5));
  REQUIRE(request.headers.at(1).second == "narthex");
  REQUIRE(request.headers.at(2) ==
          std::make_pair(std::string("X-Prometheus-Scrape-Timeout-Seconds"),
                         std::string("5")));
}

TEST_CASE_METHOD(ScrapeLab, "scrapes lie on the target's own grid",
                 "[scrape][loop]") {
  Begin(MakeJob());
  page = "a 1\n";
  clock.Advance(Seconds(35));
  const std::string samples =
      storage.Samples(R"({__name__="a", instance="h:1", job="j"})");
  const auto targets = scraper->Targets();
  REQUIRE(targets.size() == 1);
  const int64_t last = targets[0].last_scrape.ms;
  REQUIRE(clock.Now().ms - last < kInterval.ms);
  REQUIRE(samples.ends_with(StrCat("1@", last - 10'000, " 1@", last)));
  // The same after a restart.
  scraper.reset();
  MakeScraper({});
  Begin(MakeJob());
  clock.Advance(kInterval);
  REQUIRE((scraper->Targets().at(0).last_scrape.ms - last) % kInterval.ms == 0);
}

TEST_CASE_METHOD(ScrapeLab, "series that vanish go stale, once",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\nb 1\nc 1\n");
  Scrape("a 2\nc 2\n");
  Scrape("c 3\na 3\n");
  Scrape("a 4\nb 4\nc 4\n");
  REQUIRE(Values("a") == "1 2 3 4");
  REQUIRE(Values("b") == "1 stale 4");
  REQUIRE(Values("c") == "1 2 3 4");
  REQUIRE(Values("scrape_series_added") == "3 0 0 1");
}

TEST_CASE_METHOD(ScrapeLab, "a failed scrape makes all stale and up 0",
                 "[scrape][loop]") {
  Begin(MakeJob());
  const std::string good = "a 1\nb 1\n";
  SECTION("a bad status") {
    Scrape(good);
    status = 500;
    Scrape("");
    REQUIRE(scraper->Targets().at(0).last_error ==
            "server returned HTTP status 500 Internal Server Error");
    status = 200;
  }
  SECTION("garbage before good lines") {
    Scrape(good);
    Scrape("{{{\na 2\nb 2\n");
    REQUIRE(scraper->Targets().at(0).last_error.find("line 1") !=
            std::string::npos);
  }
  SECTION("no content type") {
    Scrape(good);
    content_type = "";
    Scrape(good);
    REQUIRE(scraper->Targets().at(0).last_error.find("blank Content-Type") !=
            std::string::npos);
    content_type = "text/plain";
  }
  REQUIRE(scraper->Targets().at(0).health == TargetHealth::kDown);
  REQUIRE(Values("up") == "1 0");
  REQUIRE(Values("a") == "1 stale");
  page = "garbage!";
  clock.Advance(kInterval);
  REQUIRE(Values("a") == "1 stale");  // no second marker
  Scrape("a 3\nb 3\n");
  REQUIRE(Values("a") == "1 stale 3");
  REQUIRE(Values("b") == "1 stale 3");
  REQUIRE(Values("up") == "1 0 0 1");
  REQUIRE(scraper->Targets().at(0).health == TargetHealth::kUp);
  REQUIRE(scraper->Targets().at(0).last_error.empty());
}

// Prometheus holds the next scrape against what the bad page showed before it
// went wrong, though none of that was stored.
TEST_CASE_METHOD(ScrapeLab, "a page that goes wrong in its midst",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\nb 1\nlater 1\n");
  Scrape("a 2\nb 2\nnew 7\n{{{\nlater 2\n");
  REQUIRE(scraper->Targets().at(0).last_error.find("line 4") !=
          std::string::npos);
  REQUIRE(Values("up") == "1 0");
  REQUIRE(Values("scrape_samples_scraped") == "3 3");
  REQUIRE(Values("a") == "1");  // seen, so not stale; but not stored either
  REQUIRE(Values("later") == "1 stale");
  REQUIRE(Values("new").empty());
  SECTION("and is good again") {
    Scrape("a 3\nnew 8\n");
    REQUIRE(Values("a") == "1 3");
    REQUIRE(Values("b") == "1 stale");
    REQUIRE(Values("new") == "8");
    // The bad page had brought it.
    REQUIRE(Values("scrape_series_added") == "3 1 0");
    Scrape("a 4\nnew 9\n");
    REQUIRE(Values("new") == "8 9");
  }
  SECTION("and does not come any more") {
    status = 500;
    Scrape("");
    REQUIRE(Values("a") == "1 stale");
    REQUIRE(Values("b") == "1 stale");
    REQUIRE(Values("new") == "stale");
    Scrape("");
    REQUIRE(Values("new") == "stale");
  }
}

TEST_CASE_METHOD(ScrapeLab, "bad pages with ever new series are forgotten",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\n");
  for (int i = 0; i < 1500; ++i) {
    Scrape(StrCat("a 1\nx{i=\"", i, "\"} 1\n!\n"));
  }
  Scrape("a 2\nx{i=\"1499\"} 2\nx{i=\"0\"} 2\n");
  REQUIRE(Values("a") == "1 2");
  REQUIRE(Values("x", "i=\"1499\"") == "2");
  REQUIRE(Values("scrape_series_added").ends_with(" 1 1 1"));
}

TEST_CASE_METHOD(ScrapeLab, "an empty page is a good scrape of nothing",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\n");
  Scrape("");
  REQUIRE(Values("a") == "1 stale");
  REQUIRE(Values("up") == "1 1");
}

TEST_CASE_METHOD(ScrapeLab, "a target that goes gets its markers late",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\n");
  const int64_t last = scraper->Targets().at(0).last_scrape.ms;
  REQUIRE_OK(scraper->SetJobs({}));
  REQUIRE(scraper->Targets().empty());
  clock.Advance(kInterval);
  REQUIRE(Values("a") == "1");
  clock.Advance(kInterval * 2);
  REQUIRE(storage.Samples(R"({__name__="a", instance="h:1", job="j"})") ==
          StrCat("1@", last, " stale@", last + kInterval.ms));
  REQUIRE(Values("up") == "1 stale");
  clock.Advance(kInterval * 5);
  REQUIRE(Values("a") == "1 stale");
  REQUIRE(http.requests.size() == 1);
}

TEST_CASE_METHOD(ScrapeLab, "a target that comes back goes on",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\n");
  REQUIRE_OK(scraper->SetJobs({}));
  Begin(MakeJob());
  clock.Advance(kInterval);
  clock.Advance(kInterval * 3);
  REQUIRE(Values("a") == "1 1 1 1 1");
}

TEST_CASE_METHOD(ScrapeLab, "a shutdown marks nothing stale",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\n");
  http.held = true;
  clock.Advance(kInterval);
  REQUIRE(http.waiting.size() == 1);
  scraper->Stop();
  REQUIRE(http.waiting.empty());
  clock.Advance(kInterval * 9);
  REQUIRE(Values("a") == "1");
  REQUIRE(Values("up") == "1");
  REQUIRE_FALSE(scraper->SetJobs({}).ok());
}

TEST_CASE_METHOD(ScrapeLab, "a target never has two scrapes at once",
                 "[scrape][loop]") {
  Begin(MakeJob());
  http.held = true;
  page = "a 1\n";
  clock.Advance(kInterval * 4);
  REQUIRE(http.requests.size() == 1);
  http.held = false;
  http.AnswerWaiting();
  clock.Advance(Milliseconds(0));
  clock.Advance(kInterval * 2);
  REQUIRE(Values("a").find("1 1") == 0);
}

TEST_CASE_METHOD(ScrapeLab, "labels of the target win, or the page's do",
                 "[scrape][loop]") {
  Job job = MakeJob();
  const std::string text =
      "a{job=\"x\",instance=\"\"} 1\nb{job=\"x\",exported_job=\"y\"} 2\n";
  SECTION("honor_labels off") {
    Begin(job);
    Scrape(text);
    REQUIRE(
        ValuesOf(
            R"({__name__="a", exported_job="x", instance="h:1", job="j"})") ==
        "1");
    REQUIRE(
        ValuesOf(
            R"({__name__="b", exported_exported_job="x", exported_job="y", instance="h:1", job="j"})") ==
        "2");
  }
  SECTION("honor_labels on") {
    job.honor_labels = true;
    Begin(job);
    Scrape(text);
    REQUIRE(ValuesOf(R"({__name__="a", job="x"})") == "1");
    REQUIRE(
        ValuesOf(
            R"({__name__="b", exported_job="y", instance="h:1", job="x"})") ==
        "2");
  }
}

TEST_CASE_METHOD(ScrapeLab, "timestamps of the page count if they may",
                 "[scrape][loop]") {
  Job job = MakeJob();
  const int64_t t = clock.Now().ms - 5000;
  const std::string text = StrCat("a 1 ", t, "\nb 2\n");
  SECTION("honored, and exempt from staleness") {
    Begin(job);
    Scrape(text);
    REQUIRE(storage.Samples(R"({__name__="a", instance="h:1", job="j"})") ==
            StrCat("1@", t));
    Scrape("b 3\n");
    REQUIRE(Values("a") == "1");
    REQUIRE(Values("b") == "2 3");
  }
  SECTION("honored, and tracked") {
    job.track_timestamps_staleness = true;
    Begin(job);
    Scrape(text);
    Scrape("b 3\n");
    REQUIRE(Values("a") == "1 stale");
  }
  SECTION("ignored") {
    job.honor_timestamps = false;
    Begin(job);
    Scrape(text);
    Scrape("b 3\n");
    REQUIRE(Values("a") == "1 stale");
    REQUIRE(storage.Samples(R"({__name__="a", instance="h:1", job="j"})")
                .find(StrCat("@", t)) == std::string::npos);
  }
  SECTION("too far ahead") {
    Begin(job);
    Scrape(StrCat("a 1 ", clock.Now().ms + Minutes(11).ms, "\nb 2\n"));
    REQUIRE(Values("a").empty());
    REQUIRE(Values("b") == "2");
    REQUIRE(Values("up") == "1");
  }
}

TEST_CASE_METHOD(ScrapeLab, "metric relabeling drops and rewrites",
                 "[scrape][loop]") {
  Job job = MakeJob();
  job.metric_relabel = {{.source_labels = {"__name__"},
                         .regex = "go_.*",
                         .action = RelabelAction::kDrop},
                        {.source_labels = {"x"}, .target_label = "y"}};
  Begin(job);
  for (int i = 0; i < 3; ++i) Scrape("go_a 1\na{x=\"v\"} 2\n");
  REQUIRE(
      ValuesOf(R"({__name__="a", instance="h:1", job="j", x="v", y="v"})") ==
      "2 2 2");
  REQUIRE(Values("go_a").empty());
  REQUIRE(Values("scrape_samples_scraped") == "2 2 2");
  REQUIRE(Values("scrape_samples_post_metric_relabeling") == "1 1 1");

  // Other rules: the lines mean other series, the old ones go stale.
  job.metric_relabel.pop_back();
  Begin(job);
  Scrape("go_a 1\na{x=\"v\"} 3\n");
  REQUIRE(
      ValuesOf(R"({__name__="a", instance="h:1", job="j", x="v", y="v"})") ==
      "2 2 2 stale");
  REQUIRE(ValuesOf(R"({__name__="a", instance="h:1", job="j", x="v"})") == "3");
}

TEST_CASE_METHOD(ScrapeLab, "a page over a limit fails as a whole",
                 "[scrape][loop]") {
  Job job = MakeJob();
  const auto error = [&](std::string text) {
    Begin(job);
    Scrape(std::move(text));
    REQUIRE(Values("up").ends_with("0"));
    return scraper->Targets().at(0).last_error;
  };
  SECTION("samples, counted after relabeling") {
    job.sample_limit = 2;
    job.metric_relabel = {{.source_labels = {"__name__"},
                           .regex = "x",
                           .action = RelabelAction::kDrop}};
    Begin(job);
    Scrape("a 1\nx 1\nb 1\n");
    REQUIRE(Values("up") == "1");
    REQUIRE(error("a 1\nb 1\nc 1\nx 1\nd 1\n") == "sample limit exceeded");
    // What came before the limit was seen.
    REQUIRE(Values("a") == "1");
    REQUIRE(Values("b") == "1");
    REQUIRE(Values("scrape_samples_scraped") == "3 5");
    REQUIRE(Values("scrape_samples_post_metric_relabeling") == "2 4");
  }
  SECTION("number of labels") {
    job.label_limit = 4;
    REQUIRE(error("a{b=\"c\",d=\"e\"} 1\n") ==
            "label_limit exceeded (metric: a, number of labels: 5, limit: 4)");
  }
  SECTION("length of names") {
    job.label_name_length_limit = 10;
    REQUIRE(error("a{bcdefghijklm=\"c\"} 1\n") ==
            "label_name_length_limit exceeded (metric: a, label name: "
            "bcdefghijklm, length: 12, limit: 10)");
  }
  SECTION("length of values") {
    job.label_value_length_limit = 3;
    REQUIRE(error("a{b=\"long\"} 1\n") ==
            "label_value_length_limit exceeded (metric: a, label name: b, "
            "value: \"long\", length: 4, limit: 3)");
  }
  SECTION("body") {
    job.body_size_limit = 3;
    job.extra_scrape_metrics = true;
    http.answer = [](const HttpRequest& request) {
      REQUIRE(request.body_limit == 3);
      return ResourceExhausted("body size limit exceeded");
    };
    REQUIRE(error("") == "body size limit exceeded");
    REQUIRE(Values("scrape_body_size_bytes") == "-1");
    REQUIRE(Values("scrape_timeout_seconds") == "5");
  }
  SECTION("targets") {
    job.target_limit = 1;
    job.targets = {"h:1", "h:2"};
    REQUIRE(error("a 1\n") ==
            "target_limit exceeded (number of targets: 2, limit: 1)");
    REQUIRE(http.requests.empty());
  }
}

TEST_CASE_METHOD(ScrapeLab, "labels that make no series fail the page",
                 "[scrape][loop]") {
  Begin(MakeJob());
  const auto error = [&](std::string text) {
    Scrape(std::move(text));
    return scraper->Targets().at(0).last_error;
  };
  REQUIRE(error("a{b=\"c\",b=\"d\"} 1\n") ==
          "label name \"b\" is not unique: invalid sample");
  Job job = MakeJob();
  job.name_validation = NameValidation::kLegacy;
  Begin(job);
  REQUIRE(error("{\"a.b\"} 1\n").find("invalid metric name or label names: ") ==
          0);
  job.metric_relabel = {
      {.regex = "__name__", .action = RelabelAction::kLabelDrop}};
  Begin(job);
  REQUIRE(error("a 1\n") == "missing metric name (__name__ label)");
}

TEST_CASE_METHOD(ScrapeLab, "a series twice in a page counts once",
                 "[scrape][loop]") {
  Begin(MakeJob());
  for (int i = 0; i < 3; ++i) Scrape("a 1\na 2\nb 3\n");
  REQUIRE(Values("a") == "1 1 1");
  REQUIRE(Values("b") == "3 3 3");
  REQUIRE(Values("scrape_samples_post_metric_relabeling") == "3 3 3");
  REQUIRE(metrics.Expose().find(
              "prometheus_target_scrapes_sample_duplicate_timestamp_total 3") !=
          std::string::npos);
}

TEST_CASE_METHOD(ScrapeLab, "a series written in two ways is one series",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a{x=\"1\",y=\"2\"} 1\n");
  Scrape("a{y=\"2\",x=\"1\"} 2\n");
  REQUIRE(
      ValuesOf(R"({__name__="a", instance="h:1", job="j", x="1", y="2"})") ==
      "1 2");
}

TEST_CASE_METHOD(ScrapeLab, "series that storage forgot are made again",
                 "[scrape][loop]") {
  Begin(MakeJob());
  const std::string text =
      "# TYPE h histogram\nh_bucket{le=\"1\"} 3\na{x=\"\\\"q\"} 1\n";
  Scrape(text);
  storage.ForgetRefs();
  Scrape(text);
  Scrape(text);
  REQUIRE(
      ValuesOf(R"({__name__="h_bucket", instance="h:1", job="j", le="1.0"})") ==
      "3 3 3");
  REQUIRE(ValuesOf(R"({__name__="a", instance="h:1", job="j", x="\"q"})") ==
          "1 1 1");
  REQUIRE(Values("up") == "1 1 1");
}

TEST_CASE_METHOD(ScrapeLab,
                 "pages that change in every way store what they say",
                 "[scrape][loop]") {
  Begin(MakeJob());
  std::string text = test::MetricsPage(1);
  size_t lines = 0;
  for (int round = 0; round < 12; ++round) {
    text = test::MetricsPage(1, round);
    if (round % 3 == 1) text.erase(0, text.size() / 3);
    if (round % 3 == 1) text.erase(0, text.find("\n# HELP") + 1);
    if (round % 4 == 2) text += "extra 1\n";
    if (round % 4 == 3) text.insert(0, "# HELP first f\nfirst 1.5e300\n");
    Scrape(text);
    lines = 0;
    std::string value;
    ExpositionParser parser(text, PageFormat::kText);
    while (true) {
      const auto kind = parser.Next();
      if (kind == ExpositionParser::Entry::kEnd) break;
      if (kind != ExpositionParser::Entry::kSeries) continue;
      ++lines;
      LabelsScratch scratch;
      parser.GetLabels(scratch);
      scratch.Add("instance", "h:1");
      scratch.Add("job", "j");
      scratch.Sort();
      Labels labels;
      scratch.BuildInto(labels);
      INFO(round << " " << labels.ToString());
      const std::string values = ValuesOf(labels.ToString());
      REQUIRE(values.substr(values.rfind(' ') + 1) ==
              FormatFloat(parser.value()));
    }
    REQUIRE(parser.status().ok());
    const std::string scraped = Values("scrape_samples_scraped");
    REQUIRE(scraped.substr(scraped.rfind(' ') + 1) == std::to_string(lines));
  }
}

TEST_CASE_METHOD(ScrapeLab, "metadata outlives its metric by ten pages",
                 "[scrape][loop]") {
  Begin(MakeJob());
  const std::string all =
      "# HELP a An a.\n# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n# TYPE c "
      "gauge\n# HELP d D.\n";
  const auto names = [&] {
    std::string out;
    for (const TargetMetadata& m : scraper->TargetsMetadata()) out += m.metric;
    return out;
  };
  for (int i = 0; i < 30; ++i) Scrape(all);
  REQUIRE(names() == "abcd");
  const auto a = scraper->TargetsMetadata("a");
  REQUIRE(a.size() == 1);
  REQUIRE(a[0].metadata ==
          Metadata{.type = MetricType::kCounter, .help = "An a.", .unit = ""});
  for (int i = 0; i < 10; ++i) Scrape("# TYPE b gauge\nb 1\n");
  REQUIRE(names() == "abcd");
  Scrape("# TYPE b gauge\nb 1\n");
  REQUIRE(names() == "b");
}

TEST_CASE_METHOD(ScrapeLab, "exemplars come along", "[scrape][loop]") {
  Begin(MakeJob());
  content_type = "application/openmetrics-text; version=1.0.0";
  for (int i = 0; i < 2; ++i) {
    Scrape("# TYPE a counter\na_total 1 # {id=\"x\"} 0.5\nb 2\n# EOF\n");
  }
  REQUIRE(Values("a_total") == "1 1");
  REQUIRE(storage.exemplars().size() == 2);
  REQUIRE(storage.exemplars().at(0).first.find("a_total") != std::string::npos);
  REQUIRE(storage.exemplars().at(0).second.value == 0.5);
  REQUIRE(Values("up") == "1 1");
}

TEST_CASE_METHOD(ScrapeLab, "a commit that fails leaves the next scrape alone",
                 "[scrape][loop]") {
  Begin(MakeJob());
  Scrape("a 1\n");
  storage.FailCommits(ResourceExhausted("no space left on device"));
  Scrape("a 2\n");
  storage.FailCommits(absl::OkStatus());
  Scrape("a 3\n");
  REQUIRE(Values("a") == "1 3");
}

}  // namespace
}  // namespace narthex::scrape
