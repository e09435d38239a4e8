#include "narthex/base/clock.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/synchronization/notification.h"
#include "narthex/base/cancel.h"

namespace narthex {
namespace {

TEST_CASE("a fake clock runs what falls due in order, each at its own time") {
  FakeClock clock(1000);
  std::string log;
  const auto note = [&](const char* name) {
    return [&log, &clock, name] {
      log += std::string(name) + "@" + std::to_string(clock.Now().ms) + " ";
    };
  };
  clock.RunAt(3000, note("c"));
  clock.RunAt(2000, note("a"));
  clock.RunAt(2000, note("b"));
  const Clock::TimerId gone = clock.RunAt(2500, note("x"));
  clock.RunAt(500, note("late"));
  CHECK(clock.Cancel(gone));
  CHECK(!clock.Cancel(gone));
  clock.Advance(Milliseconds(999));
  CHECK(log == "late@1000 ");
  clock.Advance(Milliseconds(1000));
  CHECK(log == "late@1000 a@2000 b@2000 ");
  clock.Advance(Milliseconds(1));
  CHECK(log == "late@1000 a@2000 b@2000 c@3000 ");
  CHECK(clock.Now().ms == 3000);
}

TEST_CASE("jobs that jobs set are run in the same advance if they are due") {
  FakeClock clock(0);
  int ticks = 0;
  struct Ticker {
    FakeClock& clock;
    int& ticks;
    void Set(Timestamp at) {
      clock.RunAt(at, [this, at] {
        ++ticks;
        Set(at + Seconds(15));
      });
    }
  } ticker{clock, ticks};
  ticker.Set(Timestamp(15000));
  clock.Advance(Minutes(1));
  CHECK(ticks == 4);
  CHECK(clock.Now() == Timestamp(60000));
}

TEST_CASE("the system's timers run, and can be called off") {
  Clock& clock = *Clock::System();
  absl::Notification ran;
  const Clock::TimerId far = clock.RunAt(clock.Now() + Hours(1), [] {});
  clock.RunAt(clock.Now() + Milliseconds(5), [&] { ran.Notify(); });
  ran.WaitForNotification();
  CHECK(clock.Cancel(far));
  const int64_t a = clock.MonotonicNanos();
  CHECK(clock.MonotonicNanos() >= a);
}

TEST_CASE("a token tells a cancelled work from one out of time") {
  FakeClock clock(0);
  CancelToken token(clock, Seconds(2));
  CHECK(token.Check().ok());
  clock.Advance(Seconds(2));
  CHECK(token.Check().code() == absl::StatusCode::kDeadlineExceeded);
  CancelToken free;
  CHECK(!free.stopped());
  free.Cancel();
  CHECK(free.Check().code() == absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace narthex
