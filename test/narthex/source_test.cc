#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "narthex/base/status.h"
#include "narthex/instrument/registry.h"
#include "narthex/narthex.h"

#if __has_include(<prometheus/registry.h>)
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

#include "narthex/instrument/prometheus_cpp.h"
#endif

namespace narthex {
namespace {

class SourceLab {
 public:
  SourceLab() : clock_(Timestamp(1'000'000'000)) {
    auto opened = Narthex::Open({.clock = &clock_, .executor = &here_});
    REQUIRE(opened.ok());
    nx_ = *std::move(opened);
  }
  // The only value of the query, as text.
  std::string Value(const std::string& query) {
    const auto answer = nx_->Query(query, clock_.Now());
    if (!answer.ok()) return std::string(Message(answer.status()));
    std::string text;
    for (const auto& one : std::get<promql::Vector>(answer->value)) {
      StrAppend(&text, one.labels.ToString(), " ", FormatValue(one.v), "\n");
    }
    return text;
  }

  FakeClock clock_;
  InlineExecutor here_;
  std::unique_ptr<Narthex> nx_;
};

TEST_CASE("a registry of this process is scraped without a socket",
          "[narthex][source]") {
  SourceLab lab;
  instrument::Registry registry(&lab.clock_);
  auto& jobs = registry.AddCounter(
      {.name = "jobs_total", .help = "Done.", .labels = {"kind"}});
  jobs.With({"big"})->Inc(3);
  REQUIRE(lab.nx_->AddSource("app", registry.NewSource(), Seconds(10)).ok());
  lab.clock_.Advance(Seconds(11));
  CHECK(lab.Value("jobs_total") ==
        "{__name__=\"jobs_total\", instance=\"in-process\", job=\"app\", "
        "kind=\"big\"} 3\n");
  CHECK(lab.Value("up{job=\"app\"} + 0") ==
        "{instance=\"in-process\", job=\"app\"} 1\n");

  jobs.With({"big"})->Inc();
  // Other jobs come and go; the source stays.
  REQUIRE(lab.nx_->SetJobs({}).ok());
  lab.clock_.Advance(Seconds(10));
  CHECK(lab.Value("sum(jobs_total)") == "{} 4\n");
  CHECK(lab.nx_->AddSource("app", registry.NewSource()).code() ==
        absl::StatusCode::kAlreadyExists);
}

TEST_CASE("a source that fails is a failed scrape", "[narthex][source]") {
  SourceLab lab;
  REQUIRE(lab.nx_
              ->AddSource("sick", scrape::MakeSource([](std::string_view) {
                            return absl::StatusOr<scrape::SourcePage>(
                                Unavailable("out of order"));
                          }),
                          Seconds(10))
              .ok());
  lab.clock_.Advance(Seconds(11));
  CHECK(lab.Value("sum(up)") == "{} 0\n");
  REQUIRE(lab.nx_->Targets().size() == 1);
  CHECK(lab.nx_->Targets()[0].last_error == "out of order");
}

TEST_CASE("native histograms arrive natively where a job asks for them",
          "[narthex][source]") {
  SourceLab lab;
  instrument::Registry registry(&lab.clock_);
  auto& sizes = registry.AddHistogram({.name = "sizes", .native_factor = 1.1});
  for (int i = 1; i <= 100; ++i) sizes.With()->Observe(i);
  scrape::Job job;
  job.name = "app";
  job.interval = Seconds(10);
  job.source = registry.NewSource();
  job.protocols = scrape::ProtobufFirstScrapeProtocols();
  job.scrape_native_histograms = true;
  REQUIRE(lab.nx_->SetJobs({job}).ok());
  lab.clock_.Advance(Seconds(11));
  CHECK(lab.Value("histogram_count(sizes)") ==
        "{instance=\"in-process\", job=\"app\"} 100\n");
  CHECK(lab.Value("histogram_sum(sizes)") ==
        "{instance=\"in-process\", job=\"app\"} 5050\n");
}

#if __has_include(<prometheus/registry.h>)
TEST_CASE("a registry of prometheus-cpp is taken over as it is",
          "[narthex][source]") {
  const auto theirs = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter()
      .Name("c_total")
      .Help("A counter.")
      .Register(*theirs)
      .Add({{"l", "v"}})
      .Increment(2.5);
  prometheus::BuildGauge().Name("g").Register(*theirs).Add({}).Set(-1);
  auto& h = prometheus::BuildHistogram().Name("h").Register(*theirs).Add(
      {}, prometheus::Histogram::BucketBoundaries{1, 2});
  h.Observe(0.5);
  h.Observe(9);
  prometheus::BuildSummary()
      .Name("s")
      .Register(*theirs)
      .Add({}, prometheus::Summary::Quantiles{{0.5, 0.05}})
      .Observe(4);

  instrument::Registry registry;
  registry.AddCollector(instrument::FromPrometheusCpp(theirs));
  CHECK(registry.Expose().body ==
        "# HELP c_total A counter.\n"
        "# TYPE c_total counter\n"
        "c_total{l=\"v\"} 2.5\n"
        "# TYPE g gauge\n"
        "g -1\n"
        "# TYPE h histogram\n"
        "h_bucket{le=\"1\"} 1\n"
        "h_bucket{le=\"2\"} 1\n"
        "h_bucket{le=\"+Inf\"} 2\n"
        "h_sum 9.5\n"
        "h_count 2\n"
        "# TYPE s summary\n"
        "s{quantile=\"0.5\"} 4\n"
        "s_sum 4\n"
        "s_count 1\n");
  CHECK(registry.status().ok());
}
#endif

}  // namespace
}  // namespace narthex
