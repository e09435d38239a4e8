// The time of day and timers, as a parameter, so that tests own the time.
//
// Every method is safe from any thread.  A timer's job runs on the clock's own
// thread (SystemClock) or inside Advance (FakeClock): it must only hand over
// to an Executor and return.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/time.h"

namespace narthex {

class Clock {
 public:
  enum class TimerId : uint64_t {};

  virtual ~Clock() = default;
  virtual Timestamp Now() const = 0;
  // Grows steadily whatever happens to the date; only differences mean anything.
  virtual int64_t MonotonicNanos() const = 0;
  // Runs `job` once, as soon as Now() >= at.
  virtual TimerId RunAt(Timestamp at, absl::AnyInvocable<void() &&> job) = 0;
  // true: the job will never run.  false: it ran, or is running.
  virtual bool Cancel(TimerId id) = 0;

  // The machine's clock, with one timer thread that starts at the first RunAt.
  // Lives as long as the process.
  static Clock* System();
};

// A clock that stands still until it is told otherwise.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Timestamp now);
  ~FakeClock() override;

  Timestamp Now() const override;
  int64_t MonotonicNanos() const override;
  TimerId RunAt(Timestamp at, absl::AnyInvocable<void() &&> job) override;
  bool Cancel(TimerId id) override;

  // Moves the time on, running what falls due one by one, ordered by (time,
  // id), with Now() at each one's own time; jobs that those jobs set are run
  // too if they fall due.  Returns when nothing is due any more.
  void Advance(Duration by);

 private:
  mutable absl::Mutex mu_;
  Timestamp now_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<std::pair<Timestamp, uint64_t>, absl::AnyInvocable<void() &&>> timers_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex
