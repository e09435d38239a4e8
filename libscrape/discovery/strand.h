// Jobs one after another on an Executor, from timers and from answers of the
// network, until Close: what a Discoverer's state is safe on without a lock.
//
// Any thread may call Post and PostAt; jobs never run at once, and none begins
// after Close has returned.  A job must not call Close.

#pragma once

#include <deque>
#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/clock.h"
#include "narthex/base/executor.h"

namespace narthex::scrape {

class Strand : public std::enable_shared_from_this<Strand> {
 public:
  using Job = absl::AnyInvocable<void() &&>;

  static std::shared_ptr<Strand> Make(Clock* clock, Executor* executor) {
    return std::shared_ptr<Strand>(new Strand(clock, executor));
  }
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  // Does nothing once closed; jobs that did not run are dropped by Close.
  void Post(Job job);
  void PostAt(Timestamp at, Job job);
  // Waits for the job that runs.  From then on neither the clock nor the
  // executor is touched.  Idempotent.
  void Close();

  Clock& clock() const { return *clock_; }

 private:
  Strand(Clock* clock, Executor* executor)
      : clock_(clock), executor_(executor) {}
  void Drain();

  Clock* const clock_;
  Executor* const executor_;

  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;  // a Drain is queued or runs
  // Calls that may touch the clock or the executor, and the job that runs.
  int busy_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mu_);
  std::set<Clock::TimerId> timers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex::scrape
