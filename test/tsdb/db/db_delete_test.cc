#include <catch2/catch.hpp>

#include <algorithm>

#include "narthex/base/status.h"
#include "narthex/model/matcher.h"
#include "narthex/tsdb/block.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::Point;

constexpr int64_t kHour = 3600 * 1000;

Labels Series(const std::string& name) {
  return {{"__name__", name}, {"job", "x"}};
}

absl::Status Delete(Db& db, const std::string& name, TimeRange range) {
  const auto matcher = Matcher::Make(Matcher::Type::kEqual, "__name__", name);
  REQUIRE(matcher.ok());
  const Matcher* const borrowed[] = {matcher->get()};
  return db.Delete(range, borrowed);
}

std::vector<int64_t> Times(const std::vector<Point>& points) {
  std::vector<int64_t> out;
  for (const Point& point : points) out.push_back(point.t);
  return out;
}

// Two series with a sample a minute from 0 on.
void Fill(DbLab& lab, int64_t until) {
  for (int64_t t = 0; t < until; t += 60000) {
    lab.Append(Series("a"), t, static_cast<double>(t));
    lab.Append(Series("b"), t, 1);
  }
}

}  // namespace

TEST_CASE("deleted samples of the head are gone, now and after a restart") {
  DbLab lab;
  Fill(lab, kHour);
  REQUIRE(Delete(lab.db(), "a", {5 * 60000, 57 * 60000}).ok());
  const std::vector<int64_t> want = {0,      60000,   120000, 180000,
                                     240000, 3480000, 3540000};
  REQUIRE(Times(lab.Read(Series("a"))) == want);
  REQUIRE(lab.Read(Series("b")).size() == 60);
  lab.Reopen();
  REQUIRE(Times(lab.Read(Series("a"))) == want);
  REQUIRE(lab.Read(Series("b")).size() == 60);
}

TEST_CASE("a deletion spans blocks and head, and stays when they are cut") {
  DbLab lab;
  Fill(lab, 5 * kHour);
  REQUIRE(lab.db().Compact().ok());
  REQUIRE_FALSE(lab.db().Blocks().empty());
  REQUIRE(Delete(lab.db(), "a", {kHour, 4 * kHour + 1}).ok());
  const auto rest = Times(lab.Read(Series("a")));
  REQUIRE(rest.size() == 60 + 59);
  REQUIRE(rest[60] == 4 * kHour + 60000);
  uint64_t stones = 0;
  for (const BlockMeta& meta : lab.db().Blocks()) {
    stones += meta.stats.tombstones;
  }
  REQUIRE(stones != 0);
  // The head becomes blocks; a clean-up rewrites those.
  for (int64_t t = 5 * kHour; t < 8 * kHour; t += 60000) {
    lab.Append(Series("b"), t, 1);
  }
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(Times(lab.Read(Series("a"))) == rest);
  REQUIRE(lab.db().CleanTombstones().ok());
  REQUIRE(Times(lab.Read(Series("a"))) == rest);
  for (const BlockMeta& meta : lab.db().Blocks()) {
    REQUIRE(meta.stats.tombstones == 0);
  }
  lab.Reopen();
  REQUIRE(Times(lab.Read(Series("a"))) == rest);
}

TEST_CASE("cleaning a block of which nothing is left removes it") {
  DbLab lab;
  Fill(lab, 5 * kHour);
  REQUIRE(lab.db().Compact().ok());
  const size_t before = lab.db().Blocks().size();
  const TimeRange all = {kMinTime, 2 * kHour - 1};
  REQUIRE(Delete(lab.db(), "a", all).ok());
  REQUIRE(Delete(lab.db(), "b", all).ok());
  REQUIRE(lab.db().CleanTombstones().ok());
  REQUIRE(lab.db().Blocks().size() == before - 1);
  REQUIRE(lab.Read(Series("a")).front().t == 2 * kHour);
}

TEST_CASE("a snapshot has blocks and head, and outlives what it was made of") {
  DbLab lab;
  Fill(lab, 5 * kHour);
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(absl::IsInvalidArgument(lab.db().Snapshot(lab.dir())));
  REQUIRE(absl::IsInvalidArgument(
      lab.db().Snapshot("data/01BKGV7JC0RY8A6MACW02A2PJD")));
  REQUIRE(lab.db().Snapshot("data/snapshots/one").ok());
  REQUIRE(lab.db().Snapshot("data/snapshots/two", false).ok());
  REQUIRE(Delete(lab.db(), "a", {}).ok());
  REQUIRE(lab.db().CleanTombstones().ok());
  REQUIRE(lab.Read(Series("a")).empty());

  const auto open = [&](const std::string& dir) {
    Options options;
    options.env = &lab.env();
    options.clock = &lab.clock();
    options.read_only = true;
    auto db = Db::Open(dir, options);
    INFO(db.status());
    REQUIRE(db.ok());
    return *std::move(db);
  };
  const auto one = open("data/snapshots/one");
  REQUIRE(lab.ReadFrom(*one, Series("a")).size() == 300);
  const auto two = open("data/snapshots/two");
  const auto points = lab.ReadFrom(*two, Series("a"));
  REQUIRE(points.size() < 300);
  REQUIRE(points.size() >= 120);
}

TEST_CASE("a share of the disk limits what is kept") {
  // What MemEnv says of its size is far more than the blocks take.
  Options options;
  options.retention_percent = 1e-12;
  options.retention = Duration(0);
  DbLab lab(options);
  Fill(lab, 8 * kHour);
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.db().Blocks().empty());
}

TEST_CASE("a querier keeps its view through compaction, cuts and merges") {
  DbLab lab;
  Fill(lab, 3 * kHour);
  auto querier = lab.db().NewQuerier({kMinTime, kMaxTime});
  REQUIRE(querier.ok());
  const auto bits = [&] {
    std::string out;
    for (const char* name : {"a", "b"}) {
      for (const Point& p : DbLab::ReadFrom(**querier, Series(name))) {
        StrAppend(&out, p.t, ":", p.bits, " ");
      }
    }
    return out;
  };
  const std::string before = bits();
  // Each of these returns although the querier is open.
  for (int64_t t = 3 * kHour; t < 30 * kHour; t += 60000) {
    lab.Append(Series("a"), t, 5);
    lab.Append(Series("c"), t, 6);
  }
  REQUIRE(lab.db().Compact().ok());
  const auto blocks = lab.db().Blocks();
  REQUIRE(std::any_of(blocks.begin(), blocks.end(),
                      [](const BlockMeta& meta) { return meta.level > 1; }));
  REQUIRE(bits() == before);
  REQUIRE(Delete(lab.db(), "a", {}).ok());
  REQUIRE(lab.db().CleanTombstones().ok());
  REQUIRE(bits() == before);
  // One opened on blocks keeps them when they are merged away.
  auto later = lab.db().NewQuerier({kMinTime, kMaxTime});
  REQUIRE(later.ok());
  const auto c = lab.ReadFrom(**later, Series("c"));
  REQUIRE(Delete(lab.db(), "c", {0, 20 * kHour}).ok());
  REQUIRE(lab.db().CleanTombstones().ok());
  REQUIRE(lab.ReadFrom(**later, Series("c")).size() == c.size());
  later->reset();
  querier->reset();
  REQUIRE(lab.Read(Series("a")).empty());
}

}  // namespace narthex::tsdb
