// Scripts as GoogleTest assertions:
//
//   TEST(Alerts, Expressions) {
//     NARTHEX_EXPECT_SCRIPT("testdata/alerts.test");
//   }
//
// GoogleTest's own header must have been included before.

#pragma once

#include "narthex/testing/testing.h"

#define NARTHEX_EXPECT_SCRIPT(path)                                      \
  do {                                                                   \
    const auto narthex_report = ::narthex::testing::RunScriptFile(path); \
    EXPECT_TRUE(narthex_report.ok()) << narthex_report.status();         \
    if (narthex_report.ok()) {                                           \
      EXPECT_TRUE(narthex_report->failures.empty())                      \
          << ::narthex::testing::ToString(*narthex_report);              \
    }                                                                    \
  } while (false)
