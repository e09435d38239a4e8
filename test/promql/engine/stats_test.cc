// What a query says that it looked at, in Prometheus's units.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "test/promql/engine/lab.h"

namespace narthex::promql::test {
namespace {

int64_t Samples(Lab& lab, std::string_view query) {
  const auto result = lab.TryAt(query, Minutes(2));
  INFO(query);
  REQUIRE(result.ok());
  return result->stats.total_queryable_samples;
}

TEST_CASE("infos and native histograms count as Prometheus counts them",
          "[promql][engine][stats]") {
  EngineOptions options;
  options.experimental_functions = true;
  options.per_step_stats = true;
  Lab lab(options);
  std::vector<std::string> lines = {
      "h {{count:7 buckets:[1 1 1 1 1] n_buckets:[1 1]}}x4"};
  for (const char* instance : {"0", "1", "2"}) {
    lines.push_back(StrCat("temp{instance=\"", instance, "\"} 1x4"));
    for (const char* job : {"api", "web"}) {
      const std::string labels =
          StrCat("{instance=\"", instance, "\",job=\"", job, "\"");
      lines.push_back(StrCat("up", labels, "} 1x4"));
      lines.push_back(StrCat("target_info", labels, ",zone=\"",
                             *instance == '0' ? "east" : "west", "\"} 1x4"));
      lines.push_back(StrCat("build_info", labels, ",version=\"1\"} 1x4"));
    }
  }
  lab.Load(Minutes(1), lines);
  CHECK(Samples(lab, "up") == 6);
  CHECK(Samples(lab, "sum(up) + sum(up)") == 12);
  CHECK(Samples(lab, "rate(up[2m])") == 12);
  // Infos count beside what they are about.
  CHECK(Samples(lab, "info(up)") == 12);
  CHECK(Samples(lab, "info(up, {zone=\"east\"})") == 8);
  CHECK(Samples(lab, "info(up, {__name__=\"build_info\"})") == 12);
  CHECK(Samples(lab, "info(up, {__name__=~\".+_info\"})") == 18);
  CHECK(Samples(lab, "info(temp)") == 9);
  // A histogram of two spans and seven buckets: 15 in a vector and in a matrix.
  CHECK(Samples(lab, "h") == 15);
  CHECK(Samples(lab, "h[2m]") == 30);
  CHECK(Samples(lab, "count_over_time(h[2m])") == 30);
  // Without its buckets it is as small as can be.
  CHECK(Samples(lab, "histogram_count(h)") == 11);
  const auto range = lab.engine().Range(lab.store(), "info(up)", {0, 120'000},
                                        Minutes(1), {.per_step_stats = true});
  REQUIRE(range.ok());
  CHECK(range->stats.total_queryable_samples == 36);
  CHECK(range->stats.total_queryable_samples_per_step ==
        std::vector<int64_t>{12, 12, 12});
}

}  // namespace
}  // namespace narthex::promql::test
