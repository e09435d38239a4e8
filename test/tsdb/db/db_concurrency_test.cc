// Many threads at once: what each of them may count on.  Worth most under the
// tsan preset.

#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/executor.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {
namespace {

constexpr int kAppenders = 3;
constexpr int kSeries = 24;  // of each appender

Labels LabelsOf(int appender, int i) {
  return {{"__name__", "m"},
          {"appender", std::to_string(appender)},
          {"i", std::to_string(i)}};
}

// All series of an appender, as one look at the database shows them.
struct Look {
  size_t series = 0;
  size_t least = SIZE_MAX;  // samples of the series that has fewest
  size_t most = 0;
  bool ascending = true;
};

Look LookAt(Db& db, int appender) {
  Look look;
  auto querier = db.NewQuerier(TimeRange());
  if (!querier.ok()) return look;
  const MatcherPtr name = *Matcher::Make(Matcher::Type::kEqual, "appender",
                                         std::to_string(appender));
  const Matcher* matchers[] = {name.get()};
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  SelectRequest request;
  request.matchers = matchers;
  auto set = (*querier)->Select(request, ctx);
  if (!set.ok()) return look;
  SampleColumns columns(budget);
  for (size_t i = 0; i < (*set)->size(); ++i) {
    if (!(*set)->Read(i, TimeRange(), ctx, columns).ok()) {
      look.ascending = false;
      return look;
    }
    // The text of a label is there as long as the Querier.
    if (ToLabels((*querier)->symbols(), (*set)->labels(i)).name() != "m") {
      look.ascending = false;
    }
    ++look.series;
    look.least = std::min(look.least, columns.size());
    look.most = std::max(look.most, columns.size());
    for (size_t k = 1; k < columns.size(); ++k) {
      look.ascending = look.ascending && columns.t()[k - 1] < columns.t()[k];
    }
  }
  return look;
}

}  // namespace

TEST_CASE("a reader sees whole commits while others write and compact",
          "[tsdb][db]") {
  Options options;
  options.float_chunks = GENERATE(FloatChunks::kXor, FloatChunks::kXor2);
  options.min_block_duration = Seconds(20);
  options.retention = Duration(0);
  auto opened = Db::Open("", options);
  REQUIRE(opened.ok());
  Db& db = **opened;
  constexpr int64_t kCommits = 160;
  std::atomic<int> running{kAppenders};
  std::atomic<int64_t> slowest[kAppenders] = {};
  std::atomic<bool> wrong{false};

  std::vector<std::thread> threads;
  for (int a = 0; a < kAppenders; ++a) {
    threads.emplace_back([&, a] {
      auto appender = db.NewAppender();
      std::vector<SeriesRef> refs(kSeries);
      std::vector<double> values(kSeries, 1);
      std::vector<Appended> out(kSeries);
      for (int64_t k = 1; k <= kCommits; ++k) {
        // Nobody runs further ahead than the head takes.
        for (;;) {
          int64_t least = INT64_MAX;
          for (const auto& s : slowest) least = std::min(least, s.load());
          if (k - least <= 6) break;
          std::this_thread::yield();
        }
        for (int i = 0; i < kSeries; ++i) {
          auto ref = appender->Resolve(LabelsOf(a, i));
          if (!ref.ok()) wrong = true;
          refs[static_cast<size_t>(i)] = ref.ok() ? *ref : SeriesRef::kNone;
        }
        if (!appender
                 ->AppendFloats(
                     {.refs = refs, .values = values, .at = k * 1000}, out)
                 .ok()) {
          wrong = true;
        }
        for (const Appended outcome : out) {
          if (outcome != Appended::kStored) wrong = true;
        }
        if (!appender->Commit().ok()) wrong = true;
        slowest[a].store(k);
      }
      --running;
    });
  }
  threads.emplace_back([&] {
    while (running.load() != 0) {
      if (!db.Compact().ok()) wrong = true;
      db.stats();
    }
  });
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&, r] {
      size_t seen = 0;
      while (running.load() != 0) {
        const Look look = LookAt(db, r);
        // Each commit has a sample of every series: all or none of them.
        if (look.series != 0 &&
            (look.series != kSeries || look.least != look.most ||
             look.most < seen || !look.ascending)) {
          wrong = true;
        }
        seen = look.most;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE_FALSE(wrong.load());
  for (int a = 0; a < kAppenders; ++a) {
    const Look look = LookAt(db, a);
    REQUIRE(look.series == kSeries);
    REQUIRE(look.least == kCommits);
    REQUIRE(look.most == kCommits);
  }
  REQUIRE(db.Close().ok());
}

TEST_CASE("batches across all shards from many threads are stored whole",
          "[tsdb][db]") {
  auto env = NewMemEnv();
  Options options;
  options.env = env.get();
  constexpr int kThreads = 4;
  constexpr int64_t kCommits = 60;
  const auto check = [&](Db& db) {
    for (int a = 0; a < kThreads; ++a) {
      const Look look = LookAt(db, a);
      REQUIRE(look.series == kSeries);
      REQUIRE(look.least == kCommits);
      REQUIRE(look.most == kCommits);
    }
  };
  {
    auto db = Db::Open("data", options);
    REQUIRE(db.ok());
    std::atomic<bool> wrong{false};
    std::vector<std::thread> threads;
    for (int a = 0; a < kThreads; ++a) {
      threads.emplace_back([&, a] {
        // An Appender per series spreads them over the shards.
        std::vector<SeriesRef> refs;
        for (int i = 0; i < kSeries; ++i) {
          auto one = (*db)->NewAppender();
          refs.push_back(*one->Resolve(LabelsOf(a, i)));
          if (!one->Commit().ok()) wrong = true;
        }
        const std::vector<double> values(kSeries, a);
        auto appender = (*db)->NewAppender();
        for (int64_t k = 1; k <= kCommits; ++k) {
          if (!appender
                   ->AppendFloats(
                       {.refs = refs, .values = values, .at = k * 15'000}, {})
                   .ok() ||
              !appender->Commit().ok()) {
            wrong = true;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE_FALSE(wrong.load());
    check(**db);
    REQUIRE((*db)->Close().ok());
  }
  // The log says the same: no sample stands before its series.
  auto again = Db::Open("data", options);
  REQUIRE(again.ok());
  check(**again);
}

}  // namespace narthex::tsdb
