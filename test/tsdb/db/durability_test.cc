#include <catch2/catch.hpp>
#include <thread>

#include "narthex/base/status.h"
#include "test/support/crash_env.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::test {
namespace {

constexpr int64_t kMinute = 60000;
constexpr int64_t kNow = 1000 * kMinute;

Labels Series(int i) { return {{"__name__", "m"}, {"i", StrCat(i)}}; }

tsdb::Options Synced(Env& env) {
  tsdb::Options options;
  options.env = &env;
  options.sync_commits = true;
  options.out_of_order_time_window = Hours(3);
  options.wal_segment_bytes = 64 << 10;
  return options;
}

// Series `i` at minute `k`: every other sample comes late.
int64_t TimeOf(int k) { return kNow + (k % 2 == 0 ? k : -k) * kMinute; }

}  // namespace

TEST_CASE("what a synced commit acknowledged outlives a power cut, late or not",
          "[tsdb][durability]") {
  CrashEnv env;
  constexpr int kThreads = 6, kCommits = 60;
  std::atomic<int> refused{0};
  {
    DbLab lab(Synced(env));
    lab.Append(Series(99), kNow, 1);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        auto appender = lab.db().NewAppender();
        for (int k = 0; k < kCommits; ++k) {
          const auto ref = appender->Resolve(Series(i));
          const Appended outcome =
              AppendFloat(*appender, *ref, TimeOf(k), k + i * 1000);
          if (outcome != Appended::kStored || !appender->Commit().ok()) {
            ++refused;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(refused == 0);
    for (const Loss loss : kAllLosses) {
      CAPTURE(static_cast<int>(loss));
      const std::unique_ptr<CrashEnv> after = env.Image(loss);
      DbLab again(Synced(*after));
      for (int i = 0; i < kThreads; ++i) {
        CHECK(again.Read(Series(i)).size() == kCommits);
      }
    }
  }
}

TEST_CASE("a commit that the disk will not sync is refused or kept",
          "[tsdb][durability]") {
  CrashEnv env;
  DbLab lab(Synced(env));
  lab.Append(Series(0), kNow, 1);
  const auto commit = [&](int i, int64_t t) {
    auto appender = lab.db().NewAppender();
    const auto ref = appender->Resolve(Series(i));
    AppendFloat(*appender, *ref, t, 1);
    return appender->Commit();
  };
  env.FailSyncs(true);
  // The second of them is late.
  const absl::Status in_order = commit(1, kNow + kMinute);
  CHECK_FALSE(in_order.ok());
  CHECK_THAT(std::string(Message(in_order)), Catch::Contains("write to WAL"));
  CHECK(lab.Read(Series(1)).empty());
  CHECK_FALSE(commit(0, kNow - kMinute).ok());
  env.FailSyncs(false);
  // The series that was made meanwhile is not lost for the log.
  REQUIRE(commit(1, kNow + 2 * kMinute).ok());
  REQUIRE(commit(0, kNow - 2 * kMinute).ok());
  const std::unique_ptr<CrashEnv> after = env.Image(Loss::kAllUnsynced);
  DbLab again(Synced(*after));
  CHECK_FALSE(again.Read(Series(1)).empty());
  CHECK(again.Read(Series(1)).back().t == kNow + 2 * kMinute);
  const auto late = again.Read(Series(0));
  REQUIRE_FALSE(late.empty());
  CHECK(late.front().t == kNow - 2 * kMinute);
}

TEST_CASE("the log is synced as often as was asked", "[tsdb][durability]") {
  CrashEnv env;
  tsdb::Options options = Synced(env);
  options.sync_commits = false;
  options.sync_interval = Seconds(10);
  DbLab lab(options);
  lab.Append(Series(0), kNow, 1);
  lab.Append(Series(0), kNow - kMinute, 1);  // late
  {
    const std::unique_ptr<CrashEnv> at_once = env.Image(Loss::kAllUnsynced);
    DbLab again(Synced(*at_once));
    CHECK(again.LabelNames().empty());
  }
  lab.clock().Advance(Seconds(11));
  const std::unique_ptr<CrashEnv> later = env.Image(Loss::kAllUnsynced);
  DbLab again(Synced(*later));
  CHECK(again.Read(Series(0)).size() == 2);
}

}  // namespace narthex::test
