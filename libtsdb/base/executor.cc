#include "narthex/base/executor.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace narthex {

using Job = absl::AnyInvocable<void() &&>;

void InlineExecutor::Run(Job job) { std::move(job)(); }
void InlineExecutor::RunLong(Job job) { std::move(job)(); }

struct ThreadPool::Impl {
  struct LongJob {
    std::thread thread;
    bool done = false;
  };

  absl::Mutex mu;
  absl::CondVar work;  // something queued, or stopping
  absl::CondVar over;  // a long job ended
  std::deque<Job> queue ABSL_GUARDED_BY(mu);
  std::list<LongJob> long_jobs ABSL_GUARDED_BY(mu);
  bool stopping ABSL_GUARDED_BY(mu) = false;
  bool stopped ABSL_GUARDED_BY(mu) = false;  // no worker any more
  std::vector<std::thread> workers;          // constant until the destructor

  void Work() {
    while (true) {
      Job job;
      {
        absl::MutexLock lock(&mu);
        while (queue.empty() && !stopping) work.Wait(&mu);
        if (queue.empty()) return;
        job = std::move(queue.front());
        queue.pop_front();
      }
      std::move(job)();
    }
  }

  // Joins long jobs: those that are over, or all.
  void Reap(bool wait) {
    while (true) {
      std::list<LongJob> ended;
      {
        absl::MutexLock lock(&mu);
        for (auto it = long_jobs.begin(); it != long_jobs.end();) {
          auto next = std::next(it);
          if (it->done) ended.splice(ended.end(), long_jobs, it);
          it = next;
        }
        if (ended.empty() && wait && !long_jobs.empty()) {
          over.Wait(&mu);
          continue;
        }
      }
      for (LongJob& job : ended) job.thread.join();
      if (ended.empty() || !wait) return;
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  if (threads <= 0) {
    threads = static_cast<int>(std::thread::hardware_concurrency());
  }
  for (int i = 0; i < std::max(threads, 1); ++i) {
    impl_->workers.emplace_back([impl = impl_.get()] { impl->Work(); });
  }
}

ThreadPool::~ThreadPool() {
  impl_->Reap(/*wait=*/true);
  {
    absl::MutexLock lock(&impl_->mu);
    impl_->stopping = true;
    impl_->work.SignalAll();
  }
  for (std::thread& worker : impl_->workers) worker.join();
  {
    absl::MutexLock lock(&impl_->mu);
    impl_->stopped = true;
  }
  impl_->Reap(/*wait=*/true);  // those that the last short jobs began
}

void ThreadPool::Run(Job job) {
  {
    absl::MutexLock lock(&impl_->mu);
    if (!impl_->stopped) {
      impl_->queue.push_back(std::move(job));
      impl_->work.Signal();
      return;
    }
  }
  std::move(job)();
}

void ThreadPool::RunLong(Job job) {
  impl_->Reap(/*wait=*/false);
  absl::MutexLock lock(&impl_->mu);
  Impl::LongJob& entry = impl_->long_jobs.emplace_back();
  entry.thread =
      std::thread([impl = impl_.get(), &entry, job = std::move(job)]() mutable {
        std::move(job)();
        absl::MutexLock lock(&impl->mu);
        entry.done = true;
        impl->over.SignalAll();
      });
}

int ThreadPool::width() const {
  return static_cast<int>(impl_->workers.size()) + 1;
}

namespace {

// Shared by the caller and its helpers; a helper may come when all is over and
// the caller has long returned.
struct Parallel {
  Parallel(size_t count, absl::FunctionRef<absl::Status(size_t)> b)
      : n(count), body(b) {}

  const size_t n;
  const absl::FunctionRef<absl::Status(size_t)> body;
  absl::Mutex mu;
  size_t next ABSL_GUARDED_BY(mu) = 0;
  size_t active ABSL_GUARDED_BY(mu) = 0;
  size_t error_index ABSL_GUARDED_BY(mu) = 0;
  absl::Status error ABSL_GUARDED_BY(mu);
  absl::CondVar idle;

  void Work() {
    size_t i;
    {
      absl::MutexLock lock(&mu);
      if (!Claim(i)) return;
    }
    while (true) {
      absl::Status status = body(i);
      absl::MutexLock lock(&mu);
      --active;
      if (!status.ok() && (error.ok() || i < error_index)) {
        error = std::move(status);
        error_index = i;
      }
      if (!Claim(i)) {
        if (active == 0) idle.SignalAll();
        return;
      }
    }
  }

  bool Claim(size_t& i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (next == n || !error.ok()) return false;
    i = next++;
    ++active;
    return true;
  }
};

}  // namespace

absl::Status ParallelFor(Executor& executor, size_t n,
                         absl::FunctionRef<absl::Status(size_t)> body) {
  const size_t width = static_cast<size_t>(std::max(executor.width(), 1));
  if (width == 1 || n <= 1) {
    for (size_t i = 0; i < n; ++i) {
      absl::Status status = body(i);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  auto parallel = std::make_shared<Parallel>(n, body);
  for (size_t i = 1; i < std::min(width, n); ++i) {
    executor.Run([parallel] { parallel->Work(); });
  }
  parallel->Work();
  absl::MutexLock lock(&parallel->mu);
  while (parallel->active != 0) parallel->idle.Wait(&parallel->mu);
  parallel->next = n;  // helpers that come late find nothing to do
  return std::move(parallel->error);
}

}  // namespace narthex
