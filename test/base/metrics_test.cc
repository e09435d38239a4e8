#include "narthex/base/metrics.h"

#include <catch2/catch.hpp>

namespace narthex {
namespace {

TEST_CASE("a registry is exposed as text, families by name") {
  MetricRegistry registry;
  registry.NewGaugeFunc("z_gauge", "Asked anew.", [] { return 1.5; });
  Counter& c = registry.NewCounter("b_total", "With \\ and\nnewline.",
                                   {{"path", "a\"b"}, {"code", "200"}});
  c.Inc(3);
  CHECK(&c == &registry.NewCounter("b_total", "",
                                   {{"code", "200"}, {"path", "a\"b"}}));
  MetricHistogram& h = registry.NewHistogram("a_seconds", "Time.", {0.1, 1});
  h.Observe(0.1);
  h.Observe(0.5);
  h.Observe(7);
  CHECK(registry.Expose() ==
        "# HELP a_seconds Time.\n"
        "# TYPE a_seconds histogram\n"
        "a_seconds_bucket{le=\"0.1\"} 1\n"
        "a_seconds_bucket{le=\"1\"} 2\n"
        "a_seconds_bucket{le=\"+Inf\"} 3\n"
        "a_seconds_sum 7.6\n"
        "a_seconds_count 3\n"
        "# HELP b_total With \\\\ and\\nnewline.\n"
        "# TYPE b_total counter\n"
        "b_total{code=\"200\",path=\"a\\\"b\"} 3\n"
        "# HELP z_gauge Asked anew.\n"
        "# TYPE z_gauge gauge\n"
        "z_gauge 1.5\n");
}

}  // namespace
}  // namespace narthex
