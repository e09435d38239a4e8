// Scripts as Catch2 test cases:
//
//   TEST_CASE("our alerts' expressions") {
//     NARTHEX_CHECK_SCRIPT("testdata/alerts.test");
//   }
//
// Catch2's own header must have been included before.

#pragma once

#include "narthex/testing/testing.h"

#define NARTHEX_CHECK_SCRIPT(path)                                       \
  do {                                                                   \
    const auto narthex_report = ::narthex::testing::RunScriptFile(path); \
    INFO(narthex_report.status());                                       \
    CHECK(narthex_report.ok());                                          \
    if (narthex_report.ok()) {                                           \
      INFO(::narthex::testing::ToString(*narthex_report));               \
      CHECK(narthex_report->failures.empty());                           \
    }                                                                    \
  } while (false)
