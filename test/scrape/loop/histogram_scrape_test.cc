// Scrapes of native histograms, of start times, of metadata for storage.

#include <catch2/catch.hpp>

#include "test/scrape/exposition/protobuf_page.h"
#include "test/scrape/loop/scrape_lab.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kProtobuf =
    "application/vnd.google.protobuf; "
    "proto=io.prometheus.client.MetricFamily; encoding=delimited";

// `n` observations in each of the buckets 1..8 of schema 3, and classic ones.
std::string HistogramPage(int64_t n, double sum = 1) {
  ProtobufMessage h;
  h.writer.add_uint64(1, static_cast<uint64_t>(n * 8));
  h.writer.add_double(2, sum);
  h.Message(3,
            BucketMessage(static_cast<uint64_t>(n * 8), 2,
                          ExemplarMessage({{"id", "x"}}, 1.5, 1'600'000'000)));
  h.writer.add_sint32(5, 3);
  h.Message(12, SpanMessage({1, 8}));
  h.writer.add_sint64(13, n);
  for (int i = 1; i < 8; ++i) h.writer.add_sint64(13, 0);
  return FamilyPage("h", kHistogramType,
                    {MetricMessage({{"l", "v"}}, kHistogramField, h.bytes)},
                    "Help.");
}

class HistogramLab : public ScrapeLab {
 public:
  HistogramLab() { content_type = kProtobuf; }
  static Job MakeNativeJob() {
    Job job = MakeJob();
    job.scrape_native_histograms = true;
    return job;
  }
  std::string ErrorOf() { return scraper->Targets()[0].last_error; }
};

TEST_CASE_METHOD(HistogramLab, "native histograms are stored and go stale",
                 "[scrape][loop]") {
  Begin(MakeNativeJob());
  Scrape(HistogramPage(1));
  Scrape(HistogramPage(2));
  Scrape(HistogramPage(2));
  Scrape(FamilyPage("g", kGaugeType,
                    {MetricMessage({}, kGaugeField, NumberMessage(1))}));
  REQUIRE(ValuesOf(R"({__name__="h", instance="h:1", job="j", l="v"})") ==
          "{{schema:3 count:8 sum:1 offset:1 buckets:[1 1 1 1 1 1 1 1]}} "
          "{{schema:3 count:16 sum:1 offset:1 buckets:[2 2 2 2 2 2 2 2]}} "
          "{{schema:3 count:16 sum:1 offset:1 buckets:[2 2 2 2 2 2 2 2]}} "
          "stale");
  REQUIRE(Values("up") == "1 1 1 1");
  REQUIRE(Values("scrape_samples_scraped") == "1 1 1 1");
  REQUIRE(Values("scrape_series_added") == "1 0 0 1");
  REQUIRE(storage.exemplars().size() == 3);
  REQUIRE(scraper->TargetsMetadata("h").size() == 1);
}

TEST_CASE_METHOD(HistogramLab, "targets may say otherwise than their job",
                 "[scrape][loop]") {
  Job job = MakeNativeJob();
  job.targets = {};
  job.static_groups = {MakeTargetGroup({"h:1"})};
  job.static_groups[0].labels =
      Labels{{kScrapeNativeHistogramsLabel, "F"},
             {kConvertClassicHistogramsLabel, "true"}};
  Begin(job);
  Scrape(HistogramPage(1));
  REQUIRE(ValuesOf(R"({__name__="h", instance="h:1", job="j", l="v"})") ==
          "{{schema:-53 count:8 sum:1 custom_values:[2] buckets:[8]}}");
}

TEST_CASE_METHOD(HistogramLab, "buckets are limited by factor and by number",
                 "[scrape][loop]") {
  const std::string series =
      R"({__name__="h", instance="h:1", job="j", l="v"})";
  Job job = MakeNativeJob();
  SECTION("a factor") {
    job.native_histogram_min_bucket_factor = 1.5;
    Begin(job);
    Scrape(HistogramPage(1));
    REQUIRE(ValuesOf(series) == "{{count:8 sum:1 offset:1 buckets:[8]}}");
  }
  SECTION("a number") {
    job.native_histogram_bucket_limit = 3;
    Begin(job);
    Scrape(HistogramPage(1));
    REQUIRE(ValuesOf(series) ==
            "{{schema:1 count:8 sum:1 offset:1 buckets:[4 4]}}");
  }
  SECTION("a number that can't be reached") {
    job.scrape_native_histograms = false;
    job.convert_classic_histograms_to_nhcb = true;
    job.native_histogram_bucket_limit = 1;
    Begin(job);
    content_type = "text/plain";
    Scrape("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 3\ng 1\n");
    REQUIRE(ErrorOf() == "histogram bucket limit exceeded");
    REQUIRE(Values("up") == "0");
    REQUIRE(Values("scrape_samples_scraped") == "2");
  }
}

TEST_CASE_METHOD(HistogramLab, "a histogram that can't be fails the page",
                 "[scrape][loop]") {
  Begin(MakeNativeJob());
  ProtobufMessage h;
  h.writer.add_uint64(1, 7);
  h.Message(12, SpanMessage({0, 1}));
  h.writer.add_sint64(13, 3);
  Scrape(FamilyPage("h", kHistogramType,
                    {MetricMessage({}, kHistogramField, h.bytes)}));
  REQUIRE(ErrorOf() ==
          "3 observations found in buckets, but the Count field is 7: "
          "histogram's observation count should equal the number of "
          "observations found in the buckets (in absence of NaN)");
  REQUIRE(Values("up") == "0");
}

TEST_CASE_METHOD(HistogramLab, "histograms that storage forgot are made again",
                 "[scrape][loop]") {
  Begin(MakeNativeJob());
  Scrape(HistogramPage(1));
  storage.ForgetRefs();
  Scrape(HistogramPage(1) +
         FamilyPage("g", kGaugeType,
                    {MetricMessage({}, kGaugeField, NumberMessage(1))}));
  storage.ForgetRefs();
  Scrape(HistogramPage(1) +
         FamilyPage("g", kGaugeType,
                    {MetricMessage({}, kGaugeField, NumberMessage(2))}));
  REQUIRE(Values("g") == "1 2");
  const std::string h =
      "{{schema:3 count:8 sum:1 offset:1 "
      "buckets:[1 1 1 1 1 1 1 1]}}";
  REQUIRE(ValuesOf(R"({__name__="h", instance="h:1", job="j", l="v"})") ==
          h + " " + h + " " + h);
}

TEST_CASE_METHOD(HistogramLab, "pages may change their format",
                 "[scrape][loop]") {
  Job job = MakeNativeJob();
  job.scrape_native_histograms = false;
  Begin(job);
  const std::string text =
      "# TYPE h histogram\nh_bucket{l=\"v\",le=\"2\"} 8\n"
      "h_bucket{l=\"v\",le=\"+Inf\"} 8\nh_sum{l=\"v\"} 1\nh_count{l=\"v\"} 8\n";
  for (int i = 0; i < 3; ++i) {
    content_type = kProtobuf;
    Scrape(HistogramPage(1));
    content_type = "text/plain";
    Scrape(text);
  }
  REQUIRE(ValuesOf(R"({__name__="h_bucket", instance="h:1", job="j", l="v", )"
                   R"(le="2.0"})") == "8 8 8 8 8 8");
  // Told apart by how they are written, as in Prometheus.
  REQUIRE(Values("scrape_series_added") == "4 4 4 4 4 4");
}

TEST_CASE_METHOD(HistogramLab,
                 "many series of a protobuf page keep their places",
                 "[scrape][loop]") {
  Begin(MakeNativeJob());
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> metrics;
    for (int i = round; i < 200 + round; ++i) {
      metrics.push_back(MetricMessage({{"i", std::to_string(i)}}, kGaugeField,
                                      NumberMessage(i * 10 + round)));
    }
    Scrape(FamilyPage("g", kGaugeType, metrics));
  }
  REQUIRE(ValuesOf(R"({__name__="g", i="0", instance="h:1", job="j"})") ==
          "0 stale");
  REQUIRE(ValuesOf(R"({__name__="g", i="77", instance="h:1", job="j"})") ==
          "770 771 772");
  REQUIRE(ValuesOf(R"({__name__="g", i="201", instance="h:1", job="j"})") ==
          "2012");
}

TEST_CASE_METHOD(ScrapeLab, "a start time becomes a zero, once",
                 "[scrape][loop]") {
  MakeScraper({.start_time_zero_ingestion = true});
  content_type = "application/openmetrics-text; version=1.0.0";
  Begin(MakeJob());
  const int64_t start = clock.Now().ms;
  const auto page = [&](int value, int64_t since) {
    return "# TYPE c counter\nc_total " + std::to_string(value) +
           "\nc_created " +
           FormatFloat(static_cast<double>(since) / 1000, 'f') + "\n# EOF\n";
  };
  Scrape(page(5, start - 1000));
  Scrape(page(6, start - 1000));
  const int64_t reset = clock.Now().ms + 2000;
  Scrape(page(1, reset));
  REQUIRE(Values("c_total") == "0 5 6 0 1");
  REQUIRE(Values("c_created").empty());
  REQUIRE(Values("scrape_samples_scraped") == "1 1 1");
  const std::string samples =
      storage.Samples(R"({__name__="c_total", instance="h:1", job="j"})");
  REQUIRE(samples.starts_with("0@" + std::to_string(start - 1000) + " "));
  REQUIRE(samples.find(" 0@" + std::to_string(reset) + " ") !=
          std::string::npos);
}

TEST_CASE_METHOD(ScrapeLab, "storage is told of metadata that is new",
                 "[scrape][loop]") {
  MakeScraper({.append_metadata = true});
  Begin(MakeJob());
  const std::string page =
      "# HELP a Help.\n# TYPE a counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} "
      "1\n"
      "b 1\n";
  Scrape(page);
  REQUIRE(storage.metadata().size() == 2);
  REQUIRE(storage.metadata()[0].second.help == "Help.");
  REQUIRE(storage.metadata()[0].second.type == MetricType::kCounter);
  Scrape(page);
  REQUIRE(storage.metadata().size() == 2);
  Scrape("# HELP a Else.\n" + page.substr(page.find("# TYPE")));
  REQUIRE(storage.metadata().size() == 4);
  REQUIRE(storage.metadata()[3].first ==
          R"({__name__="a_total", instance="h:1", job="j", x="2"})");
  REQUIRE(storage.metadata()[3].second.help == "Else.");
}

TEST_CASE_METHOD(ScrapeLab, "failed scrapes are logged to their file",
                 "[scrape][loop]") {
  const auto files = NewMemEnv();
  MakeScraper({.env = files.get()});
  Job job = MakeJob();
  job.scrape_failure_log_file = "fails.log";
  Begin(job);
  status = 404;
  Scrape("");
  status = 200;
  Scrape("a 1\n");
  Scrape("a \"x\n");
  const auto log = files->ReadFile("fails.log");
  REQUIRE(log.ok());
  REQUIRE(std::count(log->begin(), log->end(), '\n') == 2);
  REQUIRE(log->find("\"level\":\"ERROR\",\"msg\":\"server returned HTTP status "
                    "404 Not Found\",\"job_name\":\"j\",\"target\":"
                    "\"http://h:1/metrics\"}") != std::string::npos);
}

}  // namespace
}  // namespace narthex::scrape
