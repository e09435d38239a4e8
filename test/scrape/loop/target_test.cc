#include "narthex/scrape/target.h"

#include <catch2/catch.hpp>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

absl::StatusOr<TargetOutcome> Make(const Job& job, const Labels& target,
                                   const Labels& group = {}) {
  const Relabeler rules = *Relabeler::Make(job.relabel);
  return MakeTarget(job, rules, target, group);
}
std::string ErrorOf(const Job& job, const Labels& target) {
  return std::string(Message(Make(job, target).status()));
}

TEST_CASE("a target gets the job's defaults, unless it says otherwise",
          "[scrape][loop]") {
  const auto made = Make({.name = "node"}, {{"__address__", "h:9100"}},
                         {{"dc", "x"}, {"__meta_a", "b"}});
  REQUIRE(made.ok());
  REQUIRE(
      made->target.discovered.ToString() ==
      R"({__address__="h:9100", __always_scrape_classic_histograms__="false", )"
      R"(__convert_classic_histograms_to_nhcb__="false", __meta_a="b", )"
      R"(__metrics_path__="/metrics", __scheme__="http", )"
      R"(__scrape_interval__="1m", __scrape_native_histograms__="false", )"
      R"(__scrape_timeout__="10s", dc="x", job="node"})");
  REQUIRE(made->target.labels.Get("__meta_a").empty());
  REQUIRE(made->target.PublicLabels().ToString() ==
          R"({dc="x", instance="h:9100", job="node"})");
  REQUIRE(made->target.url == "http://h:9100/metrics");
  REQUIRE(made->target.interval == Minutes(1));
}

TEST_CASE("labels rule the URL, the interval and the instance",
          "[scrape][loop]") {
  Job job{.name = "probe"};
  job.params = {{"module", {"http 2xx", "second"}}};
  job.relabel = {
      {.source_labels = {"__address__"}, .target_label = "__param_target"},
      {.source_labels = {"__address__"}, .target_label = "instance"},
      {.target_label = "__address__", .replacement = "prober:9115"},
      {.target_label = "__scrape_interval__", .replacement = "15s"}};
  job.metrics_path = "probe it";
  job.scheme = "https";
  const auto made = Make(job, {{"__address__", "x.org:80"}});
  REQUIRE(made.ok());
  REQUIRE(made->target.url ==
          "https://prober:9115/probe%20it?module=http+2xx&module=second&"
          "target=x.org%3A80");
  REQUIRE(made->target.interval == Seconds(15));
  REQUIRE(made->target.labels.Get("instance") == "x.org:80");
}

TEST_CASE("a target that cannot be scraped is refused", "[scrape][loop]") {
  Job job{.name = "j"};
  REQUIRE(ErrorOf(job, {{"x", "y"}}) == "no address");
  REQUIRE(ErrorOf(job, {{"__address__", "http://h"}}) ==
          "\"http://h\" is not a valid hostname");
  REQUIRE(ErrorOf(job, {{"__address__", "h"}, {"__scrape_interval__", "0s"}}) ==
          "scrape interval cannot be 0");
  REQUIRE(ErrorOf(job, {{"__address__", "h"}, {"__scrape_timeout__", "2m"}}) ==
          "scrape timeout cannot be greater than scrape interval (\"2m\" > "
          "\"1m\")");
  REQUIRE(ErrorOf(job, {{"__address__", "h"}, {"__scrape_interval__", "x"}})
              .find("error parsing scrape interval: ") == 0);
  job.relabel = {
      {.source_labels = {"job"}, .regex = "j", .action = RelabelAction::kDrop}};
  REQUIRE(Make(job, {{"__address__", "h"}})->dropped);
}

TEST_CASE("a target on localhost is shown by the name others know",
          "[scrape][loop]") {
  const OwnAddress own{
      .host = "prom.org:80", .scheme = "https", .listen_port = "9090"};
  REQUIRE(GlobalUrl("http://localhost:9090/metrics?a=b", own) ==
          "https://prom.org:80/metrics?a=b");
  REQUIRE(GlobalUrl("http://127.0.0.1:9100/metrics", own) ==
          "http://prom.org:9100/metrics");
  REQUIRE(GlobalUrl("http://[::1]:9100/m", own) == "http://prom.org:9100/m");
  REQUIRE(GlobalUrl("http://other:9090/metrics", own) ==
          "http://other:9090/metrics");
  REQUIRE(GlobalUrl("http://localhost/metrics", own) ==
          "http://localhost/metrics");
  REQUIRE(GlobalUrl("http://localhost:9090/", {}) == "http://localhost:9090/");
}

TEST_CASE("a job that cannot work is refused", "[scrape][loop]") {
  REQUIRE(ValidateJob({.name = "j"}).ok());
  REQUIRE_FALSE(ValidateJob({}).ok());
  REQUIRE(Message(ValidateJob({.name = "j", .interval = Seconds(5)})) ==
          "scrape timeout greater than scrape interval for scrape config with "
          "job name \"j\"");
  REQUIRE_FALSE(ValidateJob({.name = "j", .scheme = "gopher"}).ok());
  Job job{.name = "j"};
  job.protocols = {ScrapeProtocol::kPrometheusText004,
                   ScrapeProtocol::kPrometheusText004};
  REQUIRE_FALSE(ValidateJob(job).ok());
  job = {.name = "j"};
  job.file_discovery = {{.files = {"x.txt"}}};
  REQUIRE_FALSE(ValidateJob(job).ok());
}

}  // namespace
}  // namespace narthex::scrape
