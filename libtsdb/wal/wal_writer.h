// Writes records to numbered segments of a directory.
//
// Log, Cut and Sync may be called from any thread.  Of those that come while
// another one writes, one writes for all: a group is framed and written at
// once.  Syncs are grouped likewise.  Borrows `env`, `logger` and `executor`,
// which must outlive it.
//
// Replay first (wal_reader.h), then open: a writer begins a segment of its own
// behind the last one.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/wal/format.h"
#include "narthex/base/compress.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"

namespace narthex::tsdb::wal {

// Records ready to be framed: compressed by the thread that made them.  Reuse
// it: it keeps its memory.
class RecordBatch {
 public:
  // Copies.  What compression doesn't make smaller is kept plain.
  void Add(std::string_view record, Compression compression);
  // All of `other`, behind what is here.
  void AddAll(const RecordBatch& other);
  // `record` as it lay in a log, `flags` as wal_reader.h gives them.
  void AddPacked(std::string_view packed, uint8_t flags);
  // The batch holds samples of this time: the segment will be known to.
  void Cover(Timestamp t) { Cover(TimeRange{t, t}); }
  void Cover(TimeRange range);
  void Clear();

  bool empty() const { return records_.empty(); }
  size_t bytes() const { return bytes_.size(); }

 private:
  friend class WalWriter;
  struct Packed {
    size_t size = 0;
    uint8_t flags = 0;
  };
  std::string bytes_;  // one behind the other
  std::vector<Packed> records_;
  std::string scratch_;
  std::optional<TimeRange> times_;
};

// Least and greatest sample time per segment, as far as known.  Any thread.
class SegmentTimes {
 public:
  void Cover(uint32_t segment, TimeRange range);
  // Nothing of a segment is known until somebody says so: then even an empty
  // one has been looked at.
  void MarkComplete(uint32_t segment);
  // True only if all samples of the segment are known to be before `t`.
  bool WhollyBefore(uint32_t segment, Timestamp t) const;
  void ForgetBelow(uint32_t segment);

 private:
  struct Times {
    bool complete = false;
    std::optional<TimeRange> range;
  };
  mutable absl::Mutex mu_;
  std::map<uint32_t, Times> segments_ ABSL_GUARDED_BY(mu_);
};

struct WalOptions {
  uint64_t segment_size = kDefaultSegmentSize;  // a multiple of kPageSize
  Logger* logger = nullptr;
  // Full segments are synced there; null: by the thread that filled them.
  Executor* executor = nullptr;
  // Sync is called often, and what it promises is kept even if the disk refuses
  // once: what has not been synced yet stays in memory, and is logged again, in
  // a new segment, if syncing it fails.
  bool keep_unsynced = false;
};

class WalWriter {
 public:
  // Makes `dir` if it is missing.
  static absl::StatusOr<std::unique_ptr<WalWriter>> Open(
      Env& env, std::string dir, const WalOptions& options);
  ~WalWriter();  // Close(), its status dropped
  WalWriter(const WalWriter&) = delete;
  WalWriter& operator=(const WalWriter&) = delete;

  // The records are in the kernel's hands when it returns, all or none.
  // `in_order`, if the write went well, is called before anybody else's: calls
  // happen one at a time, in the order of the log, so that whoever hands out
  // tickets there hands them out in that order.  It must be short and must not
  // log.
  absl::Status Log(const RecordBatch& batch,
                   absl::FunctionRef<void()> in_order);
  absl::Status Log(const RecordBatch& batch) {
    return Log(batch, [] {});
  }

  // All that was logged before the call is durable when it returns.  Those that
  // call it at the same time share one fdatasync, during which others log.  A
  // failure is never forgotten: the segment gets nothing more, and without
  // keep_unsynced later Syncs fail as well.
  absl::Status Sync();
  // Begins a new segment and returns its number.
  absl::StatusOr<uint32_t> Cut();
  // Syncs and closes.  Logging is refused from then on.  Also reports a full
  // segment whose sync had failed.
  absl::Status Close();

  uint32_t segment() const;
  uint64_t bytes_written() const;  // since it was opened, with framing
  SegmentTimes& times() { return times_; }
  const std::string& dir() const { return dir_; }

 private:
  struct Waiter;

  WalWriter(Env& env, std::string dir, const WalOptions& options);
  absl::StatusOr<uint64_t> SyncOnce();
  // What SyncOnce does where nobody may log meanwhile.
  absl::Status SyncHere() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  void SyncFailed(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  absl::Status LogAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  absl::Status Admit(const RecordBatch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  void FrameAll(const RecordBatch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  void WriteGroup(const std::vector<Waiter*>& group)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  absl::Status OpenSegment(uint32_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  absl::Status Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  void Frame(std::string_view record, uint8_t flags)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  bool Fits(const RecordBatch& batch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  absl::Status NextSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  void UndoTo(uint64_t offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_);
  void SealInBackground(std::shared_ptr<WritableFile> file,
                        const std::string& path);

  Env& env_;
  const std::string dir_;
  const WalOptions options_;
  SegmentTimes times_;

  absl::Mutex queue_mu_;
  absl::CondVar turn_;
  std::vector<Waiter*> queue_ ABSL_GUARDED_BY(queue_mu_);
  bool writing_ ABSL_GUARDED_BY(queue_mu_) = false;

  mutable absl::Mutex file_mu_;
  std::shared_ptr<WritableFile> file_ ABSL_GUARDED_BY(file_mu_);
  uint32_t segment_ ABSL_GUARDED_BY(file_mu_) = 0;
  uint64_t written_ ABSL_GUARDED_BY(file_mu_) = 0;  // of this segment
  std::string buffer_ ABSL_GUARDED_BY(file_mu_);    // framed, not yet written
  uint64_t total_ ABSL_GUARDED_BY(file_mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(file_mu_) = false;
  bool must_switch_ ABSL_GUARDED_BY(file_mu_) = false;
  uint64_t logged_ ABSL_GUARDED_BY(file_mu_) = 0;  // batches
  // With keep_unsynced: what the last sync did not cover, and what the one that
  // is under way (`flying_`) does.
  RecordBatch unsynced_ ABSL_GUARDED_BY(file_mu_);
  RecordBatch in_flight_ ABSL_GUARDED_BY(file_mu_);
  bool flying_ ABSL_GUARDED_BY(file_mu_) = false;
  // unsynced_ lies in a segment that could not be synced.
  bool again_ ABSL_GUARDED_BY(file_mu_) = false;

  // Syncs, one at a time, each for all that wait.
  absl::Mutex sync_mu_;
  absl::CondVar sync_done_;
  bool syncing_ ABSL_GUARDED_BY(sync_mu_) = false;
  uint64_t rounds_ ABSL_GUARDED_BY(sync_mu_) = 0;      // begun
  uint64_t synced_ ABSL_GUARDED_BY(sync_mu_) = 0;      // of logged_
  absl::Status sync_error_ ABSL_GUARDED_BY(sync_mu_);  // of the last round

  absl::Mutex seal_mu_;
  absl::CondVar sealed_;
  int sealing_ ABSL_GUARDED_BY(seal_mu_) = 0;
  absl::Status seal_error_ ABSL_GUARDED_BY(seal_mu_);
};

}  // namespace narthex::tsdb::wal
