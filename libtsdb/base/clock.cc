#include "narthex/base/clock.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace narthex {
namespace {

class SystemClock final : public Clock {
 public:
  Timestamp Now() const override { return absl::ToUnixMillis(absl::Now()); }

  int64_t MonotonicNanos() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  TimerId RunAt(Timestamp at, absl::AnyInvocable<void() &&> job) override {
    absl::MutexLock lock(&mu_);
    if (!started_) {
      started_ = true;
      std::thread([this] { Work(); }).detach();  // as old as the process
    }
    const uint64_t id = next_id_++;
    ids_.emplace(id, at);
    timers_.emplace(std::make_pair(at, id), std::move(job));
    changed_.Signal();
    return TimerId{id};
  }

  bool Cancel(TimerId id) override {
    // The job dies outside of the lock: what it holds may come back here.
    absl::AnyInvocable<void() &&> job;
    absl::MutexLock lock(&mu_);
    auto it = ids_.find(static_cast<uint64_t>(id));
    if (it == ids_.end()) return false;
    auto timer = timers_.find({it->second, it->first});
    job = std::move(timer->second);
    timers_.erase(timer);
    ids_.erase(it);
    return true;
  }

 private:
  void Work() {
    mu_.Lock();
    while (true) {
      if (timers_.empty()) {
        changed_.Wait(&mu_);
        continue;
      }
      auto first = timers_.begin();
      // The date may be set while we wait: look again once a second at least.
      const Timestamp now = Now();
      const Duration wait = first->first.first - now;
      if (wait > Duration()) {
        changed_.WaitWithTimeout(
            &mu_, absl::Milliseconds(wait < Seconds(1) ? wait.ms : 1000));
        continue;
      }
      ids_.erase(first->first.second);
      auto job = std::move(first->second);
      timers_.erase(first);
      mu_.Unlock();
      std::move(job)();
      job = nullptr;
      mu_.Lock();
    }
  }

  absl::Mutex mu_;
  absl::CondVar changed_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<std::pair<Timestamp, uint64_t>, absl::AnyInvocable<void() &&>>
      timers_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Timestamp> ids_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

Clock* Clock::System() {
  static SystemClock* const clock = new SystemClock;
  return clock;
}

FakeClock::FakeClock(Timestamp now) : now_(now) {}
FakeClock::~FakeClock() = default;

Timestamp FakeClock::Now() const {
  absl::MutexLock lock(&mu_);
  return now_;
}

int64_t FakeClock::MonotonicNanos() const {
  absl::MutexLock lock(&mu_);
  return SaturatingMul(now_.ms, 1'000'000);
}

Clock::TimerId FakeClock::RunAt(Timestamp at,
                                absl::AnyInvocable<void() &&> job) {
  absl::MutexLock lock(&mu_);
  const uint64_t id = next_id_++;
  timers_.emplace(std::make_pair(at, id), std::move(job));
  return TimerId{id};
}

bool FakeClock::Cancel(TimerId id) {
  absl::AnyInvocable<void() &&> job;
  {
    absl::MutexLock lock(&mu_);
    auto it = timers_.begin();
    while (it != timers_.end() &&
           it->first.second != static_cast<uint64_t>(id)) {
      ++it;
    }
    if (it == timers_.end()) return false;
    job = std::move(it->second);
    timers_.erase(it);
  }
  return true;
}

void FakeClock::Advance(Duration by) {
  Timestamp end;
  {
    absl::MutexLock lock(&mu_);
    end = now_ + by;
  }
  while (true) {
    absl::AnyInvocable<void() &&> job;
    {
      absl::MutexLock lock(&mu_);
      auto first = timers_.begin();
      if (first == timers_.end() || first->first.first > end) {
        if (now_ < end) now_ = end;
        return;
      }
      // One that was set for a time already past doesn't turn the time back.
      if (now_ < first->first.first) now_ = first->first.first;
      job = std::move(first->second);
      timers_.erase(first);
    }
    std::move(job)();
  }
}

}  // namespace narthex
