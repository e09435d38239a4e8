// What a database says of its memory is what malloc and the head's arena say.

#include <catch2/catch.hpp>

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "libtsdb/head/page_arena.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {
namespace {

constexpr int kTargets = 50;
constexpr int kSeriesPerTarget = 1000;
constexpr int kScrapes = 120;
constexpr int64_t kInterval = 15'000;

double InUse() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd +
                             PageArena::OfProcess().used_bytes());
}

// As a target's page: some series stand still, some count, some are noise.
double ValueAt(int target, int i, int scrape) {
  switch (i % 4) {
    case 0:
      return i;
    case 1:
      return static_cast<double>(scrape) * (i % 97);
    case 2:
      return static_cast<double>((scrape * 31 + i * target) % 1000) / 100;
    default:
      return static_cast<double>(scrape * 7 + i) / (3 + i % 11);
  }
}

void Scrape(Appender& appender, int target, int scrape,
            std::vector<SeriesRef>& refs) {
  if (refs.empty()) {
    for (int i = 0; i < kSeriesPerTarget; ++i) {
      const auto ref = appender.Resolve(
          {{"__name__", StrCat("metric_of_the_fleet_", i % 250)},
           {"cluster", "production"},
           {"device", StrCat("device-", i / 250)},
           {"instance", StrCat("host-", target, ".example.com:9100")},
           {"job", "node"},
           {"mode", i % 2 == 0 ? "user" : "system"},
           {"region", StrCat("region-", target % 5)}});
      REQUIRE(ref.ok());
      refs.push_back(*ref);
    }
  }
  std::vector<double> values;
  for (int i = 0; i < kSeriesPerTarget; ++i) {
    values.push_back(ValueAt(target, i, scrape));
  }
  REQUIRE(
      appender
          .AppendFloats(
              {.refs = refs, .values = values, .at = scrape * kInterval}, {})
          .ok());
  REQUIRE(appender.Commit().ok());
}

}  // namespace

TEST_CASE("the bytes of the head are those that it was given", "[tsdb][db]") {
  if (mallinfo2().uordblks == 0) {
    WARN("skipped: this malloc does not say what is in use");
    return;
  }
  std::string dir =
      (std::filesystem::temp_directory_path() / "narthex-memory-XXXXXX")
          .string();
  REQUIRE(mkdtemp(dir.data()) != nullptr);
  Options options;
  options.retention = Duration(0);
  auto db = Db::Open(dir, options);
  REQUIRE(db.ok());
  {
    std::vector<std::vector<SeriesRef>> refs(kTargets);
    std::vector<std::unique_ptr<Appender>> appenders;
    for (int target = 0; target < kTargets; ++target) {
      appenders.push_back((*db)->NewAppender());
    }
    for (int scrape = 0; scrape < kScrapes; ++scrape) {
      for (int target = 0; target < kTargets; ++target) {
        const auto i = static_cast<size_t>(target);
        Scrape(*appenders[i], target, scrape, refs[i]);
      }
    }
  }
  const Stats stats = (*db)->stats(0);
  REQUIRE(stats.series == uint64_t{kTargets} * kSeriesPerTarget);
  const double said = static_cast<double>(stats.bytes.total());
  const double with = InUse();
  REQUIRE((*db)->Close().ok());
  db->reset();
  const double given = with - InUse();
  std::filesystem::remove_all(dir);
  std::printf("memory: %.1f bytes per series said, %.1f given: %+.2f %%\n",
              said / static_cast<double>(stats.series),
              given / static_cast<double>(stats.series),
              100 * (said / given - 1));
  REQUIRE(said > 0.95 * given);
  REQUIRE(said < 1.05 * given);
}

}  // namespace narthex::tsdb
