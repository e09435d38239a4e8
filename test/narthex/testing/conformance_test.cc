// Prometheus's own test files, unchanged.  Each passes at least as many of its
// evaluations as is recorded here: the numbers only ever go up.

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <string>

#include "narthex/testing/testing.h"
#include "test/support/promqltest_corpus.h"

namespace narthex::testing {
namespace {

struct Recorded {
  std::string file;
  size_t evals;
  size_t at_least;
};

const Recorded kRecorded[] = {
    {"aggregators", 160, 160},
    {"at_modifier", 78, 78},
    {"collision", 2, 2},
    {"duration_expression", 59, 59},
    {"extended_vectors", 169, 169},
    {"fill-modifier", 46, 46},
    {"functions", 431, 431},
    {"histograms", 185, 185},
    {"info", 53, 53},
    {"limit", 37, 37},
    {"literals", 25, 25},
    {"name_label_dropping", 30, 30},
    {"native_histograms", 522, 522},
    {"operators", 214, 214},
    {"range_queries", 18, 18},
    {"selectors", 31, 31},
    {"staleness", 17, 17},
    {"start_timestamps", 26, 26},
    {"subquery", 34, 34},
    {"trig_functions", 19, 19},
    {"type_and_unit", 58, 58},
};

TEST_CASE("Prometheus's own tests pass as far as recorded",
          "[narthex][conformance]") {
  const auto dir = test::PromqltestDir();
  if (!dir) {
    WARN(
        "skipped: Prometheus's .test files are not here "
        "(NARTHEX_PROMQLTEST_DIR)");
    return;
  }
  size_t passed = 0, evals = 0;
  for (const Recorded& recorded : kRecorded) {
    const auto path = *dir / (recorded.file + ".test");
    const auto report = RunScriptFile(path.string());
    INFO(report.status());
    REQUIRE(report.ok());
    std::cout << recorded.file << ".test: passed " << report->passed() << " of "
              << report->evals << "\n";
    passed += report->passed();
    evals += report->evals;
    CHECK(report->evals == recorded.evals);
    if (report->passed() < recorded.at_least) {
      FAIL_CHECK(ToString(*report));
    }
  }
  std::cout << "all: passed " << passed << " of " << evals << std::endl;
}

}  // namespace
}  // namespace narthex::testing
