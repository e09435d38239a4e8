#include "narthex/base/executor.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

#include "absl/synchronization/notification.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

TEST_CASE("every index of a parallel loop runs once") {
  InlineExecutor here;
  ThreadPool pool(3);
  for (Executor* executor :
       {static_cast<Executor*>(&here), static_cast<Executor*>(&pool)}) {
    std::vector<std::atomic<int>> runs(1000);
    REQUIRE(ParallelFor(*executor, runs.size(), [&](size_t i) {
              ++runs[i];
              return absl::OkStatus();
            }).ok());
    for (const std::atomic<int>& n : runs) REQUIRE(n == 1);
    CHECK(ParallelFor(*executor, 0, [](size_t) {
            return Internal("never called");
          }).ok());
  }
}

TEST_CASE("the error with the least index wins and nothing new is begun") {
  ThreadPool pool(4);
  for (int round = 0; round < 50; ++round) {
    std::atomic<size_t> begun{0};
    const absl::Status status =
        ParallelFor(pool, 100000, [&](size_t i) -> absl::Status {
          ++begun;
          if (i >= 3) return InvalidArgument(StrCat(i));
          return absl::OkStatus();
        });
    REQUIRE(Message(status) == "3");
    REQUIRE(begun < 100);
  }
}

TEST_CASE("a loop within a loop can't deadlock a busy pool") {
  ThreadPool pool(2);
  std::atomic<int> n{0};
  REQUIRE(ParallelFor(pool, 8, [&](size_t) {
            return ParallelFor(pool, 8, [&](size_t) {
              ++n;
              return absl::OkStatus();
            });
          }).ok());
  CHECK(n == 64);
}

TEST_CASE("a pool runs what is queued, and its long jobs, before it is gone") {
  std::atomic<int> n{0};
  {
    ThreadPool pool(1);
    pool.RunLong([&] {
      for (int i = 0; i < 10; ++i) pool.Run([&] { ++n; });
      pool.RunLong([&] { ++n; });
    });
    for (int i = 0; i < 100; ++i) pool.Run([&] { ++n; });
  }
  CHECK(n == 111);
}

TEST_CASE("a long job doesn't keep short ones waiting") {
  ThreadPool pool(1);
  absl::Notification go, ran;
  pool.RunLong([&] { go.WaitForNotification(); });
  pool.Run([&] { ran.Notify(); });
  ran.WaitForNotification();
  go.Notify();
}

}  // namespace
}  // namespace narthex
