// Where work runs: the host program's threads, a pool of our own, or the
// caller's thread.  The libraries borrow an Executor and never start threads.
//
// Every method is safe from any thread.

#pragma once

#include <cstddef>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace narthex {

class Executor {
 public:
  virtual ~Executor() = default;
  // Short work that never waits for another job.
  virtual void Run(absl::AnyInvocable<void() &&> job) = 0;
  // Work of seconds or minutes: compaction, replay.  ThreadPool gives it a
  // thread of its own.
  virtual void RunLong(absl::AnyInvocable<void() &&> job) = 0;
  // How many jobs can run at once, the caller of ParallelFor included; >= 1.
  virtual int width() const = 0;
};

// Runs every job at once, in the caller's thread.
class InlineExecutor final : public Executor {
 public:
  void Run(absl::AnyInvocable<void() &&> job) override;
  void RunLong(absl::AnyInvocable<void() &&> job) override;
  int width() const override { return 1; }
};

// `threads` workers; 0: one per processor.  The destructor runs what is queued,
// waits for long jobs, and joins.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(int threads = 0);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void Run(absl::AnyInvocable<void() &&> job) override;
  void RunLong(absl::AnyInvocable<void() &&> job) override;
  int width() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Calls body(0) .. body(n - 1), in any order, on up to width() threads, and
// returns when all are done.  The caller takes part, so a busy pool can't
// deadlock it.  After an error no new index is begun; of several errors the one
// with the least index wins.
absl::Status ParallelFor(Executor& executor, size_t n,
                         absl::FunctionRef<absl::Status(size_t)> body);

}  // namespace narthex
