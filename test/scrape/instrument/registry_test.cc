#include "narthex/instrument/registry.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <thread>

#include "libscrape/instrument/native_buckets.h"
#include "narthex/base/status.h"
#include "narthex/scrape/exposition.h"

namespace narthex::instrument {
namespace {

constexpr char kOpenMetrics[] = "application/openmetrics-text;version=1.0.0";
constexpr char kProtobuf[] =
    "application/vnd.google.protobuf;"
    "proto=io.prometheus.client.MetricFamily;encoding=delimited";

TEST_CASE("A registry shows its metrics in the text format", "[instrument]") {
  FakeClock clock(Timestamp(5000));
  Registry registry(&clock);
  auto& requests = registry.AddCounter({.name = "requests_total",
                                        .help = "All\nrequests \\o/",
                                        .labels = {"method", "code"}});
  requests.With({"GET", "200"})->Inc();
  requests.With({"GET", "200"})->Inc(2.5);
  requests.With({"PO\"ST", "500"})->Inc(-1);
  registry.AddGauge({.name = "temperature", .help = "Now."})
      .With({})
      ->Set(-3.5);
  auto& seconds =
      registry.AddHistogram({.name = "seconds", .bounds = {0.1, 1}});
  for (const double v : {0.05, 0.1, 0.5, 3.0}) seconds.With({})->Observe(v);
  registry.AddInfo("build_info", "This.", {{"version", "1"}});
  registry.AddGaugeFunction("answer", "", [] { return 42.0; });
  REQUIRE(registry.status().ok());

  const scrape::SourcePage page = registry.Expose();
  CHECK(page.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(page.body ==
        "# TYPE answer gauge\n"
        "answer 42\n"
        "# HELP build_info This.\n"
        "# TYPE build_info gauge\n"
        "build_info{version=\"1\"} 1\n"
        "# HELP requests_total All\\nrequests \\\\o/\n"
        "# TYPE requests_total counter\n"
        "requests_total{code=\"200\",method=\"GET\"} 3.5\n"
        "requests_total{code=\"500\",method=\"PO\\\"ST\"} 0\n"
        "# TYPE seconds histogram\n"
        "seconds_bucket{le=\"0.1\"} 2\n"
        "seconds_bucket{le=\"1\"} 3\n"
        "seconds_bucket{le=\"+Inf\"} 4\n"
        "seconds_sum 3.65\n"
        "seconds_count 4\n"
        "# HELP temperature Now.\n"
        "# TYPE temperature gauge\n"
        "temperature -3.5\n");
}

TEST_CASE("OpenMetrics shows exemplars, units and its own names",
          "[instrument]") {
  FakeClock clock(Timestamp(1'700'000'000'250));
  Registry registry(&clock);
  registry
      .AddCounter({.name = "bytes_total", .help = "A \"b\"", .unit = "bytes"})
      .With({})
      ->Inc(3, {{"trace_id", "abc"}});
  auto& seconds = registry.AddHistogram({.name = "seconds", .bounds = {1}});
  seconds.With({})->Observe(0.5, {{"t", "1"}});
  registry.AddInfo("build_info", "", {{"v", "2"}});
  const scrape::SourcePage page = registry.Expose(kOpenMetrics);
  CHECK(page.content_type ==
        "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(page.body ==
        "# TYPE build info\n"
        "build_info{v=\"2\"} 1\n"
        "# HELP bytes A \\\"b\\\"\n"
        "# TYPE bytes counter\n"
        "bytes_total 3 # {trace_id=\"abc\"} 3 1700000000.25\n"
        "# TYPE seconds histogram\n"
        "seconds_bucket{le=\"1.0\"} 1 # {t=\"1\"} 0.5 1700000000.25\n"
        "seconds_bucket{le=\"+Inf\"} 1\n"
        "seconds_sum 0.5\n"
        "seconds_count 1\n"
        "# EOF\n");
}

TEST_CASE("Both text formats are read back by the parsers", "[instrument]") {
  Registry registry;
  registry.AddCounter({.name = "c_total", .labels = {"weird.name"}})
      .With({"a\\b\n\"c\""})
      ->Inc(1, {{"x", "\"y\""}});
  registry.AddGauge({.name = "utf8.näme", .labels = {"l"}})
      .With({"v"})
      ->Set(INFINITY);
  registry.AddSummary({.name = "s", .objectives = {{0.5, 0.05}, {0.99, 0.001}}})
      .With({})
      ->Observe(2);
  registry.AddHistogram({.name = "h", .native_factor = 1.1})
      .With({})
      ->Observe(2);
  for (const char* accept : {"text/plain", kOpenMetrics}) {
    const scrape::SourcePage page = registry.Expose(accept);
    INFO(page.body);
    const auto format = scrape::NegotiateFormat(page.content_type);
    REQUIRE(format.ok());
    scrape::ExpositionParser parser(page.body, *format);
    int series = 0;
    for (auto entry = parser.Next();
         entry != scrape::ExpositionParser::Entry::kEnd;
         entry = parser.Next()) {
      series += entry == scrape::ExpositionParser::Entry::kSeries ? 1 : 0;
    }
    CHECK(parser.status() == absl::OkStatus());
    CHECK(series == 9);
  }
}

TEST_CASE("What can't be registered works, unseen, and status says why",
          "[instrument]") {
  const auto error = [](const std::function<void(Registry&)>& wrong) {
    Registry registry;
    registry.AddCounter({.name = "a_total", .labels = {"x"}});
    REQUIRE(registry.status().ok());
    wrong(registry);
    CHECK(registry.Gather().empty());
    return std::string(Message(registry.status()));
  };
  CHECK(error([](Registry& r) {
          r.AddGauge({.name = "", .help = ""}).With({})->Set(1);
        }) == "\"\" is not a valid metric name");
  CHECK(error([](Registry& r) {
          r.AddGauge({.name = "a_total", .labels = {"x"}}).With({"1"})->Set(1);
        }) == "a_total: there with another type or other labels");
  CHECK(error([](Registry& r) {
          r.AddCounter({.name = "a_total", .labels = {"x"}})
              .With({"1", "2"})
              ->Inc();
        }) == "a_total: 2 label values for 1 labels");
  CHECK(
      error([](Registry& r) {
        r.AddHistogram({.name = "h", .labels = {"le"}}).With({"1"})->Observe(1);
      }).starts_with("h: \"le\" is no label name"));
  CHECK(error([](Registry& r) {
          r.AddCounter({.name = "a_total", .labels = {"x"}})
              .With({"\xff"})
              ->Inc();
        }) == "a_total: a label value is not UTF-8");
  CHECK(error([](Registry& r) {
          r.AddInfo("build", "", {{"a", "b"}});
        }) == "build: the name of an info must end in \"_info\"");
}

TEST_CASE("Idle series are shown no more, and come back when they are used",
          "[instrument]") {
  FakeClock clock(Timestamp(0));
  Registry registry(&clock);
  auto& users = registry.AddCounter(
      {.name = "seen_total", .labels = {"user"}, .expire_after = Minutes(5)});
  const auto shown = [&] {
    size_t n = 0;
    for (const auto& family : registry.Gather()) n += family.metrics.size();
    return n;
  };
  users.With({"a"})->Inc();
  const auto held = users.With({"b"});
  held->Inc(7);
  CHECK(shown() == 2);
  clock.Advance(Minutes(4));
  users.With({"a"})->Inc();
  CHECK(shown() == 2);
  clock.Advance(Minutes(2));
  CHECK(shown() == 1);
  clock.Advance(Minutes(4));
  CHECK(shown() == 0);
  held->Inc();
  const auto families = registry.Gather();
  REQUIRE(families.size() == 1);
  CHECK(families[0].metrics[0].labels == Labels{{"user", "b"}});
  CHECK(families[0].metrics[0].value == 8);
  CHECK(users.Remove({"b"}));
  CHECK_FALSE(users.Remove({"b"}));
  CHECK(shown() == 0);
}

TEST_CASE("Threads count together, with shards and without", "[instrument]") {
  Registry registry;
  constexpr int kThreads = 4;
  constexpr int kEach = 20'000;
  for (const size_t shards : {size_t{1}, size_t{8}}) {
    const std::string suffix = std::to_string(shards);
    auto& counter = registry.AddCounter(
        {.name = "n" + suffix + "_total", .shards = shards});
    auto& histogram = registry.AddHistogram({.name = "h" + suffix,
                                             .bounds = {1},
                                             .native_factor = 2,
                                             .shards = shards});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        const auto mine = counter.With({});
        const auto h = histogram.With({});
        for (int i = 0; i < kEach; ++i) {
          mine->Inc();
          mine->Inc(0.5);
          h->Observe(i % 2 == 0 ? 0.5 : 3.0);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(counter.With({})->value() == kThreads * kEach * 1.5);
    Metric metric;
    histogram.With({})->Fill(metric);
    CHECK(metric.count == kThreads * kEach);
    CHECK(metric.buckets[0].cumulative_count == kThreads * kEach / 2);
    REQUIRE(metric.native.has_value());
    CHECK(metric.native->Validate().ok());
    CHECK(metric.native->count == kThreads * kEach);
  }
}

TEST_CASE("Native buckets are Prometheus's, down to the bounds",
          "[instrument]") {
  CHECK(NativeBuckets::SchemaFor(1.1) == 3);
  CHECK(NativeBuckets::SchemaFor(2) == 0);
  CHECK(NativeBuckets::SchemaFor(1.00001) == 8);
  CHECK(NativeBuckets::SchemaFor(1e300) == -4);
  // Upper bounds belong to their bucket.
  CHECK(NativeBuckets::IndexOf(1, 0) == 0);
  CHECK(NativeBuckets::IndexOf(1.0000001, 0) == 1);
  CHECK(NativeBuckets::IndexOf(2, 0) == 1);
  CHECK(NativeBuckets::IndexOf(0.5, 0) == -1);
  CHECK(NativeBuckets::IndexOf(1, 3) == 0);
  CHECK(NativeBuckets::IndexOf(2, 3) == 8);
  CHECK(NativeBuckets::IndexOf(16, -2) == 1);
  CHECK(NativeBuckets::IndexOf(17, -2) == 2);
  CHECK(NativeBuckets::IndexOf(INFINITY, 0) == 1025);

  NativeBuckets buckets(8);
  std::mt19937 random(7);
  std::lognormal_distribution<double> values(0, 3);
  uint64_t added = 0;
  for (; added < 5000; ++added) {
    buckets.Add(added % 3 == 0 ? -values(random) : values(random), 100);
  }
  narthex::Histogram histogram;
  buckets.Fill(histogram);
  histogram.count = added;
  CHECK(histogram.Validate().ok());
  CHECK(histogram.positive_deltas.size() + histogram.negative_deltas.size() <
        140);
  CHECK(histogram.schema < 4);
}

TEST_CASE("Quantiles are within their errors, and forget", "[instrument]") {
  FakeClock clock(Timestamp(0));
  const SummaryShape shape{
      {{0.5, 0.02}, {0.9, 0.01}, {0.99, 0.001}}, Minutes(10), 5};
  Summary summary(&clock, shape, 1);
  std::vector<int> order(20'000);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i) + 1;
  std::shuffle(order.begin(), order.end(), std::mt19937(3));
  for (const int v : order) summary.Observe(v);
  Metric metric;
  summary.Fill(metric);
  REQUIRE(metric.quantiles.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    const auto& [q, error] = shape.objectives[i];
    const double n = static_cast<double>(order.size());
    CHECK(std::fabs(metric.quantiles[i].value - q * n) <= error * n + 1);
  }
  clock.Advance(Minutes(11));
  metric = {};
  summary.Fill(metric);
  CHECK(std::isnan(metric.quantiles[0].value));
  CHECK(metric.count == order.size());
}

TEST_CASE("The Accept header picks the format", "[instrument]") {
  CHECK(ChooseFormat("") == Format::kText);
  CHECK(ChooseFormat("*/*") == Format::kText);
  CHECK(ChooseFormat(kProtobuf) == Format::kProtobuf);
  CHECK(ChooseFormat("application/vnd.google.protobuf;encoding=text") ==
        Format::kText);
  CHECK(ChooseFormat(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;"
            "q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.2") ==
        Format::kOpenMetrics);
  CHECK(ChooseFormat("text/plain;q=0.9, application/openmetrics-text;q=0.1") ==
        Format::kText);
}

TEST_CASE("Collectors add to what is there; what clashes is left out",
          "[instrument]") {
  class Twice final : public Collector {
   public:
    void Collect(std::vector<MetricFamily>& out) override {
      MetricFamily good{"extra", "", "", MetricType::kGauge, {}};
      good.metrics.push_back({.labels = {{"a", "b"}}, .value = 1});
      MetricFamily clash{"mine_total", "", "", MetricType::kGauge, {}};
      clash.metrics.push_back({.value = 1});
      out = {good, clash};
    }
  };
  Registry registry;
  registry.AddCounter({.name = "mine_total"}).With({})->Inc();
  registry.AddCollector(std::make_shared<Twice>());
  const auto families = registry.Gather();
  REQUIRE(families.size() == 2);
  CHECK(families[0].name == "extra");
  CHECK(families[1].type == MetricType::kCounter);
  CHECK(Message(registry.status()) == "mine_total: collected with two types");
}

}  // namespace
}  // namespace narthex::instrument
