#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::Point;

constexpr int64_t kHour = 3600 * 1000;
const Labels kUp = {{"__name__", "up"}, {"job", "a"}};
const Labels kOther = {{"__name__", "other"}};

}  // namespace

TEST_CASE("a database opened anew gives back the same", "[tsdb][db]") {
  DbLab lab;
  for (int64_t t = 1000; t < 3'000'000; t += 1000) {
    lab.Append(kUp, t, static_cast<double>(t % 13));
  }
  const std::vector<Point> before = lab.Read(kUp);
  REQUIRE(before.size() == 2999);
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == before);
  REQUIRE(lab.Read(kOther).empty());
  REQUIRE(lab.LabelNames() == std::vector<std::string>{"__name__", "job"});
  REQUIRE(lab.LabelValues("job") == std::vector<std::string>{"a"});
  REQUIRE(lab.LabelValues("nosuch").empty());
}

TEST_CASE("a database without directory keeps everything in memory",
          "[tsdb][db]") {
  FakeClock clock(0);
  InlineExecutor here;
  auto db = Db::Open("", {.clock = &clock, .executor = &here});
  REQUIRE(db.ok());
  auto appender = (*db)->NewAppender();
  const SeriesRef ref = *appender->Resolve(kUp);
  for (int64_t t = 0; t < 12 * kHour; t += 60'000) {
    clock.Advance(Duration(60'000));
    REQUIRE(AppendFloat(*appender, ref, t, 1) == Appended::kStored);
    REQUIRE(appender->Commit().ok());
  }
  REQUIRE((*db)->Blocks().size() >= 3);
  REQUIRE(DbLab::ReadFrom(**db, kUp).size() == 720);
  REQUIRE((*db)->Close().ok());
}

TEST_CASE("A selection has the series that match, by labels", "[tsdb][db]") {
  DbLab lab;
  std::mt19937 random(11);
  // Values that begin alike, end in bytes of zero, or are not there.
  const auto value = [&random] {
    std::string text(random() % 3 == 0 ? "pod-" : "pod-with-a-long-name-");
    text += std::to_string(random() % 300);
    if (random() % 8 == 0) text.append(random() % 3, '\0');
    return text;
  };
  std::vector<Labels> all;
  for (int i = 0; i < 500; ++i) {
    std::vector<Label> labels = {{"__name__", i % 20 == 0 ? "few" : "many"}};
    const std::string pod = value(), zone = value();
    if (random() % 10 != 0) labels.push_back({"pod", pod});
    if (random() % 3 == 0) labels.push_back({"zone", zone});
    all.push_back(Labels::FromSorted(labels));
    lab.Append(all.back(), 1000, 1);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());

  using Type = Matcher::Type;
  const auto match = [](Type type, std::string_view name,
                        std::string_view text) {
    return *Matcher::Make(type, name, text);
  };
  const std::vector<Matchers> selectors = {
      {match(Type::kEqual, "__name__", "many")},
      {match(Type::kEqual, "__name__", "few"),
       match(Type::kRegex, "pod", ".*[0-4]")},
      {match(Type::kRegex, "pod", ".+"), match(Type::kEqual, "__name__", "few"),
       match(Type::kNotEqual, "zone", "")},
      {match(Type::kEqual, "__name__", "few"),
       match(Type::kNotRegex, "pod", ".*1.*"),
       match(Type::kRegex, "zone", "(pod-.+)?")},
  };
  const auto querier = *lab.db().NewQuerier(TimeRange());
  MemoryBudget budget;
  const CancelToken never;
  const ReadContext ctx{budget, never};
  for (const Matchers& selector : selectors) {
    std::vector<const Matcher*> matchers;
    for (const MatcherPtr& m : selector) matchers.push_back(m.get());
    std::vector<Labels> want;
    for (const Labels& labels : all) {
      if (std::all_of(matchers.begin(), matchers.end(), [&](const Matcher* m) {
            return m->Matches(labels.Get(m->name()));
          })) {
        want.push_back(labels);
      }
    }
    REQUIRE_FALSE(want.empty());
    for (const size_t limit : {size_t{0}, size_t{3}}) {
      const auto set =
          querier->Select({.matchers = matchers, .limit = limit}, ctx);
      REQUIRE(set.ok());
      std::vector<Labels> got;
      for (size_t i = 0; i < (*set)->size(); ++i) {
        got.push_back(ToLabels(querier->symbols(), (*set)->labels(i)));
      }
      if (limit != 0 && want.size() > limit) want.resize(limit);
      REQUIRE(got == want);
    }
  }
}

TEST_CASE("the clock alone makes blocks", "[tsdb][db]") {
  DbLab lab;
  // A sample a minute for eleven hours: four spans of two hours are full and
  // the fifth has not reached its half.
  std::vector<Point> all;
  for (int64_t t = 0; t < 11 * kHour; t += 60'000) {
    lab.clock().Advance(Duration(60'000));
    lab.Append(kUp, t, static_cast<double>(t));
    if (t < 5 * kHour) lab.Append(kOther, t, 1);
    all.push_back({t, Bits(static_cast<double>(t))});
  }
  lab.clock().Advance(Minutes(2));
  const std::vector<BlockMeta> blocks = lab.db().Blocks();
  // Three blocks of two hours became one of six.
  REQUIRE(blocks.size() == 2);
  REQUIRE(blocks[0].min_time == 0);
  REQUIRE(blocks[0].max_time == 6 * kHour);
  REQUIRE(blocks[0].level == 2);
  REQUIRE(blocks[0].sources.size() == 3);
  REQUIRE(blocks[1].max_time == 8 * kHour);
  REQUIRE(lab.Read(kUp) == all);
  REQUIRE(lab.Read(kOther).size() == 300);
  const Stats stats = lab.db().stats();
  REQUIRE(stats.min_time == 8 * kHour);
  REQUIRE(stats.series == 1);
  REQUIRE(stats.blocks == 2);
  REQUIRE(stats.block_bytes > 0);
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == all);
  REQUIRE(lab.Read(kOther).size() == 300);
  REQUIRE(lab.db().stats().min_time >= Timestamp(8 * kHour));
}

TEST_CASE("spans of ten seconds become blocks while one watches",
          "[tsdb][db]") {
  Options options;
  options.min_block_duration = Seconds(10);
  int64_t t = 1'700'000'003'000;
  DbLab lab(options, /*with_executor=*/true, /*now=*/t);
  size_t seen = 0;
  std::vector<Point> all;
  for (int i = 0; i < 60; ++i, t += 1000) {
    lab.clock().Advance(Seconds(1));
    lab.Append(kUp, t, i);
    all.push_back({t, Bits(static_cast<double>(i))});
    seen = std::max(seen, lab.db().Blocks().size());
    REQUIRE(lab.Read(kUp) == all);
  }
  REQUIRE(seen >= 2);
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == all);
}

TEST_CASE("what is out of retention is deleted", "[tsdb][db]") {
  Options options;
  options.retention = Hours(6);
  SECTION("by time") {
    DbLab lab(options);
    for (int64_t t = 0; t < 30 * kHour; t += 60'000) {
      lab.clock().Advance(Duration(60'000));
      lab.Append(kUp, t, 1);
    }
    REQUIRE(lab.Read(kUp).front().t >= 18 * kHour);
    REQUIRE(lab.Read(kUp).back().t == 30 * kHour - 60'000);
  }
  SECTION("by size") {
    options.retention = Duration(0);
    options.retention_bytes = 100'000;
    DbLab lab(options);
    for (int64_t t = 0; t < 60 * kHour; t += 60'000) {
      lab.clock().Advance(Duration(60'000));
      lab.Append(kUp, t, static_cast<double>(t) / 7);
    }
    REQUIRE(lab.db().Blocks().size() <= 4);
    REQUIRE(lab.Read(kUp).back().t == 60 * kHour - 60'000);
  }
}

TEST_CASE("a querier sees the same before and after a compaction",
          "[tsdb][db]") {
  Options options;
  options.background_interval = Days(300);  // by hand
  DbLab lab(options, /*with_executor=*/false);
  for (int64_t t = 0; t < 9 * kHour; t += 60'000) lab.Append(kUp, t, 1);
  auto querier = lab.db().NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.db().Blocks().size() >= 2);
  REQUIRE(DbLab::ReadFrom(**querier, kUp).size() == 540);
  REQUIRE(lab.Read(kUp).size() == 540);
  querier->reset();
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.Read(kUp).size() == 540);
  REQUIRE(lab.db().stats().chunks < 5);
}

TEST_CASE("a second one on the directory is refused, naming the lock",
          "[tsdb][db]") {
  DbLab lab;
  Options options;
  options.env = &lab.env();
  const auto second = Db::Open(lab.dir(), options);
  REQUIRE(second.status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(std::string(Message(second.status())).find("lock") !=
          std::string::npos);
  // Reading is not refused, and writes nothing.
  lab.Append(kUp, 1000, 1);
  const std::vector<std::string> files = lab.Files();
  options.read_only = true;
  const auto reader = Db::Open(lab.dir(), options);
  REQUIRE(reader.ok());
  REQUIRE(DbLab::ReadFrom(**reader, kUp).size() == 1);
  auto appender = (*reader)->NewAppender();
  REQUIRE(appender->Resolve(kUp).status().code() ==
          absl::StatusCode::kFailedPrecondition);
  REQUIRE((*reader)->Compact().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE((*reader)->Close().ok());
  REQUIRE(lab.Files() == files);
}

TEST_CASE("a directory of blocks alone is read", "[tsdb][db]") {
  DbLab lab;
  for (int64_t t = 0; t < 5 * kHour; t += 60'000) lab.Append(kUp, t, 1);
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.db().Blocks().size() == 1);
  lab.CloseOnly();
  REQUIRE(lab.env().RemoveAll(JoinPath(lab.dir(), "wal")).ok());
  REQUIRE(lab.env().RemoveAll(JoinPath(lab.dir(), "chunks_head")).ok());
  const std::vector<std::string> files = lab.Files();
  Options options;
  options.env = &lab.env();
  options.read_only = true;
  const auto reader = Db::Open(lab.dir(), options);
  INFO(Message(reader.status()));
  REQUIRE(reader.ok());
  REQUIRE(DbLab::ReadFrom(**reader, kUp).size() == 120);
  REQUIRE(lab.Files() == files);
  options.read_only = true;
  REQUIRE(Db::Open("nosuch", options).status().code() ==
          absl::StatusCode::kNotFound);
}

TEST_CASE("options that can't be are refused", "[tsdb][db]") {
  const auto refused = [](Options options) {
    auto env = NewMemEnv();
    options.env = env.get();
    return Db::Open("d", options).status().code() ==
           absl::StatusCode::kInvalidArgument;
  };
  Options options;
  options.min_block_duration = Duration(0);
  REQUIRE(refused(options));
  options = {};
  options.samples_per_chunk = 3;
  REQUIRE(refused(options));
  options = {};
  options.wal_segment_bytes = 1000;
  REQUIRE(refused(options));
  options = {};
  options.retention = Duration(-1);
  REQUIRE(refused(options));
}

TEST_CASE("the top lists count what the head has", "[tsdb][db]") {
  DbLab lab;
  for (int i = 0; i < 5; ++i) {
    lab.Append({{"__name__", "many"}, {"i", std::to_string(i)}}, 1000, 1);
  }
  lab.Append(kUp, 1000, 1);
  const Stats stats = lab.db().stats(2);
  REQUIRE(stats.series == 6);
  REQUIRE(stats.label_pairs == 8);
  REQUIRE(stats.chunks == 6);
  REQUIRE(stats.min_time == 1000);
  REQUIRE(stats.max_time == 1000);
  REQUIRE(stats.series_by_metric.size() == 2);
  REQUIRE(stats.series_by_metric[0].name == "many");
  REQUIRE(stats.series_by_metric[0].count == 5);
  REQUIRE(stats.values_by_label[0].name == "i");
  REQUIRE(stats.values_by_label[0].count == 5);
  REQUIRE(stats.value_bytes_by_label[0].name == "__name__");
  REQUIRE(stats.value_bytes_by_label[0].count == 5 * 4 + 2);
  REQUIRE(stats.series_by_pair[0].name == "__name__=many");
  REQUIRE(stats.bytes.total() > 0);
  REQUIRE(lab.db().stats(0).series_by_pair.empty());
}

TEST_CASE("long work tells how far it is, to its end", "[tsdb][db]") {
  const std::unique_ptr<Env> env = NewMemEnv();
  FakeClock clock(0);
  InlineExecutor here;
  struct Told {
    Activity activity;
    uint64_t done, total;
  };
  std::vector<Told> told;
  Options options{.env = env.get(), .clock = &clock, .executor = &here};
  options.progress = [&told](Activity activity, uint64_t done, uint64_t total) {
    told.push_back({activity, done, total});
  };
  auto db = Db::Open("data", options);
  REQUIRE(db.ok());
  auto appender = (*db)->NewAppender();
  const SeriesRef ref = *appender->Resolve(kUp);
  for (int64_t t = 0; t < 5 * kHour; t += 60'000) {
    REQUIRE(AppendFloat(*appender, ref, t, 1) == Appended::kStored);
    REQUIRE(appender->Commit().ok());
  }
  appender.reset();
  told.clear();
  REQUIRE((*db)->Compact().ok());
  REQUIRE(told.size() >= 2);
  for (const Told& word : told) {
    REQUIRE(word.activity == Activity::kCompaction);
    REQUIRE(word.done <= word.total);
  }
  REQUIRE(told.back().done == told.back().total);

  REQUIRE((*db)->Close().ok());
  told.clear();
  db = Db::Open("data", options);
  REQUIRE(db.ok());
  REQUIRE(told.size() == 1);  // a small log: its end only
  REQUIRE(told.back().activity == Activity::kReplay);
  REQUIRE(told.back().total > 0);
  REQUIRE(told.back().done == told.back().total);
}

}  // namespace narthex::tsdb
