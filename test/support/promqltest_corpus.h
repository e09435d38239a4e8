// Where Prometheus's own .test files are: the folder that the environment
// variable NARTHEX_PROMQLTEST_DIR names, else ../shared/conformance/promqltest
// beside the sources.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace narthex::test {

// Nothing if there is no such folder; the caller says so aloud.
std::optional<std::filesystem::path> PromqltestDir();

// The expressions of all `eval` lines of all files, in order, without
// duplicates.
std::vector<std::string> PromqltestExpressions();

}  // namespace narthex::test
