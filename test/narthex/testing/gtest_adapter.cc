// The GoogleTest adapter at work: a script that passes, and one whose failure
// is told by GoogleTest.  A program of its own, since Catch2 runs all others.

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "narthex/testing/gtest.h"

namespace {

// A script in a file that goes with it.
class ScriptFile {
 public:
  explicit ScriptFile(const std::string& text)
      : path_(
            ::testing::TempDir() + "narthex_gtest_adapter_" +
            std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
            "_" + std::to_string(text.size()) + ".test") {
    std::ofstream(path_) << text;
  }
  ~ScriptFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

constexpr char kLoad[] = "load 1m\n  up{job=\"x\"} 0+1x5\n\n";

TEST(GtestAdapter, PassesAScriptThatPasses) {
  const ScriptFile script(std::string(kLoad) +
                          "eval instant at 5m sum(up)\n  {} 5\n");
  NARTHEX_EXPECT_SCRIPT(script.path());
}

TEST(GtestAdapter, TellsWhatDiffers) {
  static const ScriptFile script(std::string(kLoad) +
                                 "eval instant at 5m sum(up)\n  {} 6\n");
  EXPECT_NONFATAL_FAILURE(NARTHEX_EXPECT_SCRIPT(script.path()),
                          "expected 6 for {} but got 5");
}

}  // namespace
