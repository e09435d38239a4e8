// The log, read ahead: one thread reads, checks, unpacks and decodes what
// another one applies.  Records come in order, in batches that go round between
// the two, so memory is bounded by a few of them.
//
// Next, Reject and what they give are for one thread, which needs not be the
// one that reads.  Without an executor of two threads or more all is done by
// the caller, with nothing copied.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"

namespace narthex::tsdb::wal {

class LogAhead {
 public:
  struct Item {
    // Empty for records of float samples: these are in `samples`, as many as
    // could be decoded, and `decoded` says whether that is all.
    std::string_view record = {};
    bool has_samples = false;
    SampleRows samples = {};
    absl::Status decoded = absl::OkStatus();

    uint32_t segment = 0;
    size_t file = 0;      // which of the segments, counted from the first
    uint64_t offset = 0;  // in its segment
    uint64_t done = 0;    // bytes read up to here

    std::string bytes = {};  // of `record`
  };

  // `segments` ascending.  Borrows `env` and `executor`; null: none.
  LogAhead(Env& env, std::vector<SegmentFile> segments, Executor* executor);
  // Waits for the reading thread.
  ~LogAhead();
  LogAhead(const LogAhead&) = delete;
  LogAhead& operator=(const LogAhead&) = delete;

  // The next record, valid until the next call; null: the end, or an error of
  // the file system (status()).
  const Item* Next();
  // As WalReader: the record makes no sense, its segment ends before it.
  void Reject(const absl::Status& why);
  std::string_view path() const;  // of the record's segment

  // After the end.
  const absl::Status& status() const { return reader_.status(); }
  std::vector<Damage> TakeDamages();
  uint64_t bytes_read() const { return reader_.bytes_read(); }

 private:
  struct Batch {
    std::vector<Item> items = {};
    size_t used = 0;
  };
  static constexpr size_t kBatches = 6;
  static constexpr size_t kBatchItems = 16;
  static constexpr size_t kBatchBytes = 256 * 1024;

  void Fill(Item& item, bool keep);
  void Produce();
  const Item* NextOfBatches();

  const std::vector<SegmentFile> segments_;
  // The reading thread's until it has finished.
  WalReader reader_;
  size_t file_ = 0;  // of segments_, that reader_ is at

  const bool ahead_;
  Item single_;               // not ahead
  Batch* current_ = nullptr;  // the caller's
  size_t at_ = 0;             // in current_
  const Item* item_ = nullptr;
  std::vector<Damage> rejected_;
  size_t rejected_file_ = SIZE_MAX;

  std::array<Batch, kBatches> batches_;
  absl::Mutex mu_;
  std::deque<Batch*> empty_ ABSL_GUARDED_BY(mu_);
  std::deque<Batch*> full_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace narthex::tsdb::wal
