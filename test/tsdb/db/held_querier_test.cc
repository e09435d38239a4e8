// A view that is held: whatever the database does meanwhile, it shows what it
// showed, and nothing waits for it.  All in one thread: what waited for the
// view would never return.

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"
#include "test/tsdb/chunk/histogram_lab.h"
#include "test/tsdb/db/content.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

using test::Content;
using test::DbLab;
using test::Difference;

constexpr int64_t kBlock = 100'000;
constexpr int64_t kStep = 1000;

Options SmallBlocks() {
  Options options;
  options.min_block_duration = Duration(kBlock);
  options.max_block_duration = Duration(9 * kBlock);
  options.retention = Duration(0);
  options.out_of_order_time_window = Duration(2 * kBlock);
  options.wal_segment_bytes = 32 << 10;
  options.wal_compression = Compression::kNone;
  return options;
}

Labels Named(const std::string& name, int64_t life = 0) {
  return {{"__name__", name}, {"life", std::to_string(life)}};
}

// One commit: floats, histograms of all kinds, a series that lives for a while
// only, and something late.
void Commit(Db& db, int64_t t) {
  auto appender = db.NewAppender();
  const auto resolve = [&](const std::string& name, int64_t life = 0) {
    const auto ref = appender->Resolve(Named(name, life));
    REQUIRE(ref.ok());
    return *ref;
  };
  BucketModel model;
  const auto n = static_cast<uint64_t>(t / kStep);
  model.positive = {{1, n}, {5, n / 2}};
  model.sum = static_cast<double>(n) * 0.1;
  Histogram custom = model.Integer();
  custom.schema = kCustomBucketsSchema;
  custom.custom_values = {1, 2, 3, 4, 5, 6};
  const double v = static_cast<double>(t % 977);
  REQUIRE(AppendFloat(*appender, resolve("a"), t, v) == Appended::kStored);
  REQUIRE(AppendFloat(*appender, resolve("short", t / 50'000), t, v + 1) ==
          Appended::kStored);
  REQUIRE(appender->AppendHistogram(resolve("h"), t, 0, model.Integer()) ==
          Appended::kStored);
  REQUIRE(appender->AppendHistogram(resolve("f"), t, 0, model.Float()) ==
          Appended::kStored);
  REQUIRE(appender->AppendHistogram(resolve("c"), t, 0, custom) ==
          Appended::kStored);
  if (t > 20 * kStep) {
    REQUIRE(AppendFloat(*appender, resolve("a"), t - 20 * kStep + 500, -v) ==
            Appended::kStored);
  }
  REQUIRE(appender->Commit().ok());
}

Content ContentOf(Querier& querier) {
  Content content;
  const absl::Status status = test::ReadContent(querier, content);
  INFO(status);
  REQUIRE(status.ok());
  return content;
}

void Delete(Db& db, const std::string& name, TimeRange range) {
  const MatcherPtr matcher =
      *Matcher::Make(Matcher::Type::kEqual, "__name__", name);
  const Matcher* const matchers[] = {matcher.get()};
  REQUIRE(db.Delete(range, matchers).ok());
}

// A view with sets selected at once, and what it all showed then.
struct Held {
  std::unique_ptr<Querier> querier;
  MemoryBudget budget;
  CancelToken cancel;
  std::unique_ptr<SeriesSet> set;
  Content content;

  explicit Held(Db& db) {
    auto opened = db.NewQuerier(TimeRange());
    REQUIRE(opened.ok());
    querier = *std::move(opened);
    auto selected = querier->Select({}, {budget, cancel});
    REQUIRE(selected.ok());
    set = *std::move(selected);
    content = ContentOf(*querier);
  }
  // What it shows now, selected now and selected then.
  void Check() {
    REQUIRE(Difference(content, ContentOf(*querier)) == "");
    size_t series = 0;
    SampleColumns columns(budget);
    for (size_t i = 0; i < set->size(); ++i) {
      REQUIRE(set->Read(i, TimeRange(), {budget, cancel}, columns).ok());
      if (columns.empty()) continue;
      ++series;
      const std::string name =
          ToLabels(querier->symbols(), set->labels(i)).ToString();
      const auto it = content.find(name);
      REQUIRE(it != content.end());
      CAPTURE(name);
      REQUIRE(columns.size() + columns.histograms().points.size() ==
              it->second.size());
      for (size_t k = 0; k < columns.size(); ++k) {
        REQUIRE(it->second.at(columns.t()[k].ms) ==
                test::SampleText(columns.v()[k]));
      }
    }
    REQUIRE(series == content.size());
  }
};

}  // namespace

TEST_CASE("a held view outlives compaction, truncation and merge, unchanged",
          "[tsdb][db]") {
  DbLab lab(SmallBlocks(), /*with_executor=*/false);
  Db& db = lab.db();
  int64_t t = kStep;
  for (; t < 140 * kStep; t += kStep) Commit(db, t);
  REQUIRE(db.Blocks().empty());
  auto held = std::make_unique<Held>(db);  // all in the head
  const uint64_t series = db.stats(0).series;

  // More of the same, which it must not see: in order, late, deleted.
  for (; t < 160 * kStep; t += kStep) Commit(db, t);
  Delete(db, "h", {20 * kStep, 90 * kStep});
  held->Check();

  // The head becomes a block and is cut; late samples become blocks.
  REQUIRE(db.Compact().ok());
  REQUIRE_FALSE(db.Blocks().empty());
  REQUIRE(db.stats(0).min_time.ms >= kBlock);
  held->Check();

  auto second = std::make_unique<Held>(db);  // of head and blocks
  REQUIRE(held->content != second->content);
  Delete(db, "a", {30 * kStep, 120 * kStep});
  REQUIRE(db.CleanTombstones().ok());
  held->Check();
  second->Check();

  // Merges of blocks, many truncations, checkpoints of the log.
  size_t most = 0;
  int level = 0;
  for (; t < 1300 * kStep; t += kStep) {
    Commit(db, t);
    if (t % 60'000 != 0) continue;
    REQUIRE(db.Compact().ok());
    most = std::max(most, db.Blocks().size());
    for (const BlockMeta& meta : db.Blocks()) {
      level = std::max(level, meta.level);
    }
    if (t % 240'000 == 0) {
      held->Check();
      second->Check();
    }
  }
  REQUIRE(level >= 3);
  REQUIRE(most > db.Blocks().size());
  const auto checkpoints = lab.Files();
  REQUIRE(std::any_of(checkpoints.begin(), checkpoints.end(),
                      [](const std::string& file) {
                        return file.find("checkpoint") != std::string::npos;
                      }));
  held->Check();
  second->Check();
  REQUIRE(held->content != second->content);

  // Retention takes the files of everything that the first ones saw.
  db.SetRetention(Duration(kBlock), 0);
  REQUIRE(db.Compact().ok());
  REQUIRE(db.Blocks().front().min_time.ms > 160 * kStep);
  held->Check();
  second->Check();

  // What was kept for them goes with them.
  const uint64_t kept = db.stats(0).series;
  held = nullptr;
  second = nullptr;
  REQUIRE(db.Compact().ok());
  REQUIRE(db.stats(0).series < kept);
  REQUIRE(db.stats(0).series <= series + 4);
}

TEST_CASE("a held view shows no half of a commit that came with it",
          "[tsdb][db]") {
  DbLab lab(SmallBlocks(), /*with_executor=*/false);
  Db& db = lab.db();
  for (int64_t t = kStep; t <= 50 * kStep; t += kStep) Commit(db, t);
  // Filled before the view, committed after it.
  auto appender = db.NewAppender();
  const auto a = appender->Resolve(Named("a"));
  const auto fresh = appender->Resolve(Named("fresh"));
  REQUIRE((a.ok() && fresh.ok()));
  REQUIRE(AppendFloat(*appender, *a, 51 * kStep, 1) == Appended::kStored);
  REQUIRE(AppendFloat(*appender, *fresh, 51 * kStep, 1) == Appended::kStored);
  Held held(db);
  REQUIRE_FALSE(held.content.contains(Named("fresh").ToString()));
  REQUIRE(appender->Commit().ok());
  held.Check();
  for (int64_t t = 52 * kStep; t < 170 * kStep; t += kStep) Commit(db, t);
  REQUIRE(db.Compact().ok());
  held.Check();
  Content now;
  REQUIRE(test::ReadContent(db, now).ok());
  REQUIRE(now.at(Named("fresh").ToString()).size() == 1);
}

}  // namespace narthex::tsdb
