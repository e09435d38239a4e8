#include "test/support/promqltest_corpus.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string_view>

#include "re2/re2.h"

namespace narthex::test {

std::optional<std::filesystem::path> PromqltestDir() {
  std::filesystem::path dir = std::filesystem::path(NARTHEX_SOURCE_DIR) /
                              "../shared/conformance/promqltest";
  if (const char* named = std::getenv("NARTHEX_PROMQLTEST_DIR")) dir = named;
  if (!std::filesystem::is_directory(dir)) return std::nullopt;
  return dir;
}

std::vector<std::string> PromqltestExpressions() {
  const auto dir = PromqltestDir();
  if (!dir) return {};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(*dir)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  const RE2 instant(R"(^\s*eval(?:_\w+)?\s+instant\s+(?:at\s+\S+)?\s*(.+)$)");
  const RE2 range(
      R"(^\s*eval(?:_\w+)?\s+range\s+from\s.+?\sstep\s+\S+\s+(.+)$)");
  std::vector<std::string> expressions;
  std::set<std::string> seen;
  for (const auto& path : files) {
    std::ifstream file(path);
    for (std::string line, expr; std::getline(file, line);) {
      if ((RE2::FullMatch(line, instant, &expr) ||
           RE2::FullMatch(line, range, &expr)) &&
          seen.insert(expr).second) {
        expressions.push_back(expr);
      }
    }
  }
  return expressions;
}

}  // namespace narthex::test
