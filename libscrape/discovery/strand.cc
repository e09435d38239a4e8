#include "libscrape/discovery/strand.h"

#include <utility>

namespace narthex::scrape {

void Strand::Post(Job job) {
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    queue_.push_back(std::move(job));
    if (draining_) return;
    draining_ = true;
    ++busy_;
  }
  executor_->Run([self = shared_from_this()] { self->Drain(); });
  absl::MutexLock lock(&mu_);
  --busy_;
}

void Strand::PostAt(Timestamp at, Job job) {
  // The timer's number is known only after the timer has been set, and it may
  // have run by then: a box tells the one from the other.
  struct Box {
    Clock::TimerId id = {};
    bool ran = false;
  };
  auto box = std::make_shared<Box>();
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    ++busy_;
  }
  const Clock::TimerId id = clock_->RunAt(
      at, [self = shared_from_this(), box, job = std::move(job)]() mutable {
        {
          absl::MutexLock lock(&self->mu_);
          box->ran = true;
          self->timers_.erase(box->id);
        }
        self->Post(std::move(job));
      });
  absl::MutexLock lock(&mu_);
  box->id = id;
  --busy_;
  if (box->ran) return;
  if (closed_) {
    clock_->Cancel(id);
  } else {
    timers_.insert(id);
  }
}

void Strand::Drain() {
  for (;;) {
    Job job;
    {
      absl::MutexLock lock(&mu_);
      if (closed_ || queue_.empty()) {
        draining_ = false;
        return;
      }
      job = std::move(queue_.front());
      queue_.pop_front();
      ++busy_;
    }
    std::move(job)();
    job = nullptr;  // what it holds may be the last of something
    absl::MutexLock lock(&mu_);
    --busy_;
  }
}

void Strand::Close() {
  std::deque<Job> dropped;
  std::set<Clock::TimerId> timers;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    dropped.swap(queue_);
    timers.swap(timers_);
  }
  for (const Clock::TimerId id : timers) clock_->Cancel(id);
  absl::MutexLock lock(&mu_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return busy_ == 0;
  };
  mu_.Await(absl::Condition(&idle));
}

}  // namespace narthex::scrape
