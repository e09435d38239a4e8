// Readers do not see half a batch, and what a reader may still look at is not
// taken away.
//
// A commit gets its epoch in the order of the log and publishes it when it is
// stored.  A reader sees the epochs up to its watermark, the last one before
// which all were published when it was opened.  Readers are numbered; what is
// removed waits for those that are older, nothing waits for a younger one.
//
// Any thread.

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"

namespace narthex::tsdb {

// Epochs in a series' line are cut to 32 bits; two of them are never half the
// range apart (head_gc.cc sees to it).
constexpr bool EpochAfter(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) > 0;
}

class Isolation {
 public:
  struct Reader {
    uint64_t number = 0;
    uint64_t watermark = 0;
  };

  Isolation() = default;
  Isolation(const Isolation&) = delete;
  Isolation& operator=(const Isolation&) = delete;

  // The next epoch, from 1 on.  Who takes it must publish it, whatever happens.
  uint64_t Begin();
  void Publish(uint64_t epoch);
  uint64_t LastBegun() const;
  // What it has for the log of late samples is there; Publish implies it.
  void MarkLogged(uint64_t epoch);
  // Waits until that is so of all epochs before this one.
  void AwaitLogged(uint64_t epoch);
  uint64_t watermark() const {
    return watermark_.load(std::memory_order_acquire);
  }
  // No reader, present or future, has a lower watermark.
  uint64_t Floor() const { return floor_.load(std::memory_order_acquire); }

  // Sees every epoch that was published: waits for those that were begun before
  // one of them, if need be, which are being stored.
  Reader OpenReader();
  void CloseReader(const Reader& reader);
  // Readers opened from now on have this number or a greater one.
  uint64_t NextReader() const;
  bool HasReaderBefore(uint64_t number) const;
  // The number of the oldest open one, else NextReader().
  uint64_t OldestReader() const;
  size_t readers() const;
  // Runs `body`, during which no reader is opened, if none is open.
  bool WithoutReaders(absl::FunctionRef<void()> body);

 private:
  // Epochs that are done, of which each is done once.
  class Done {
   public:
    void Add(uint64_t epoch);
    bool Has(uint64_t epoch) const {
      return epoch <= mark_ || early_.contains(epoch);
    }
    // All up to here are.
    uint64_t mark() const { return mark_; }
    // The last one that is.
    uint64_t last() const { return early_.empty() ? mark_ : *early_.rbegin(); }

   private:
    uint64_t mark_ = 0;
    std::set<uint64_t> early_;  // done before one that was begun earlier
  };

  void UpdateFloor() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  uint64_t last_epoch_ ABSL_GUARDED_BY(mu_) = 0;
  Done published_ ABSL_GUARDED_BY(mu_);
  Done logged_ ABSL_GUARDED_BY(mu_);
  uint64_t next_reader_ ABSL_GUARDED_BY(mu_) = 1;
  // Number to watermark; both ascend.
  std::map<uint64_t, uint64_t> readers_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> watermark_{0};
  std::atomic<uint64_t> floor_{0};
};

}  // namespace narthex::tsdb
