// Prometheus's own test files, unchanged: every evaluation of every file
// passes, with the extra runs of each instant one, and whatever the engine's
// threads.

#include <catch2/catch.hpp>
#include <filesystem>
#include <iostream>
#include <string>

#include "narthex/testing/testing.h"
#include "test/support/promqltest_corpus.h"

namespace narthex::testing {
namespace {

struct File {
  std::string name;
  size_t evals;
};

const File kFiles[] = {
    {"aggregators", 160},
    {"at_modifier", 78},
    {"collision", 2},
    {"duration_expression", 59},
    {"extended_vectors", 169},
    {"fill-modifier", 46},
    {"functions", 431},
    {"histograms", 185},
    {"info", 53},
    {"limit", 37},
    {"literals", 25},
    {"name_label_dropping", 30},
    {"native_histograms", 522},
    {"operators", 214},
    {"range_queries", 18},
    {"selectors", 31},
    {"staleness", 17},
    {"start_timestamps", 26},
    {"subquery", 34},
    {"trig_functions", 19},
    {"type_and_unit", 58},
};

TEST_CASE("Prometheus's own tests pass", "[narthex][conformance]") {
  const auto dir = test::PromqltestDir();
  if (!dir) {
    WARN(
        "skipped: Prometheus's .test files are not here "
        "(NARTHEX_PROMQLTEST_DIR)");
    return;
  }
  size_t passed = 0, evals = 0;
  for (const File& file : kFiles) {
    const auto path = *dir / (file.name + ".test");
    const auto report = RunScriptFile(path.string());
    INFO(report.status());
    REQUIRE(report.ok());
    CHECK(report->evals == file.evals);
    INFO(ToString(*report));
    CHECK(report->failures.empty());
    passed += report->passed();
    evals += report->evals;
  }
  std::cout << "Prometheus's own tests: passed " << passed << " of " << evals
            << std::endl;
}

}  // namespace
}  // namespace narthex::testing
