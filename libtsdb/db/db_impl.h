// What narthex/tsdb/db.h hides: the head, the blocks, and the care for both.
//
// Locks: compact_mu_ (one compaction, reload or truncation at a time) before
// blocks_mu_ (the list of blocks, held for moments).  tick_mu_ is a leaf.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/block/block_reader.h"
#include "libtsdb/compact/compactor.h"
#include "libtsdb/head/head.h"
#include "narthex/base/cancel.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {

struct DbMetrics {
  explicit DbMetrics(MetricRegistry& registry);
  Gauge& blocks_loaded;
  Gauge& block_bytes;
  Gauge& lowest_time;
  Counter& compactions;
  Counter& compactions_failed;
  Counter& stale_compactions;
  Counter& stale_compactions_failed;
  Counter& compactions_triggered;
  Counter& reloads;
  Counter& reloads_failed;
  Counter& time_retentions;
  Counter& size_retentions;
};

struct Db::Impl {
  Impl(std::string dir, const Options& options);
  ~Impl();

  // --- db.cc: opening and closing.

  absl::Status Open();
  std::function<void(uint64_t, uint64_t)> ReplayProgress() const;
  absl::Status OpenHead();
  // Makes `head`, with what chunks_head and the WAL have.
  absl::StatusOr<ReplayReport> ReplayHead(const HeadOptions& head_options);
  absl::StatusOr<ReplayReport> ReplayReadOnly(const HeadOptions& head_options);
  // true: the log has to be read once more, with these options.
  bool LearnSharedRefs(const ReplayReport& report, HeadOptions& head_options);
  absl::Status OpenLate();
  absl::Status OpenReadOnly();
  absl::Status ReadOnce();
  absl::Status Close();
  HeadOptions MakeHeadOptions() const;
  void ReportDamage(const std::vector<HeadChunkDamage>& damages);

  // --- db_querier.cc

  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(TimeRange range);

  // --- db_reload.cc: blocks come and go.

  // Looks at the directory anew: opens new blocks, deletes those that were
  // replaced or are out of retention.  Those in `changed` are opened anew.
  absl::Status Reload(std::span<const std::string> changed = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(compact_mu);
  using Blocks = std::vector<std::shared_ptr<BlockReader>>;  // by min_time
  Blocks LoadedBlocks() const;
  // The end of the last block of samples that came in order; kMinMillis.
  int64_t BlocksEnd() const;
  uint64_t LogBytes() const;

  // --- db_background.cc

  absl::Status Compact();
  // false: there was nothing to write.
  absl::StatusOr<bool> CompactHead(int64_t mint, int64_t maxt)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(compact_mu);
  // Truncates the head to where its next samples are; false: not now.
  absl::StatusOr<bool> SkipGap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(compact_mu);
  absl::Status CompactHeadBefore(int64_t end);
  absl::Status CompactStale();
  bool StaleIsDue();
  // Writes a block of every aligned range from `from` to `to` that has samples;
  // `made` gets their names.
  absl::Status WriteRanges(
      int64_t from, int64_t to, std::string_view hint,
      absl::FunctionRef<std::shared_ptr<const BlockSource>(TimeRange)> source,
      std::vector<std::string>& made) ABSL_EXCLUSIVE_LOCKS_REQUIRED(compact_mu);
  absl::Status CompactLate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(compact_mu);
  absl::Status MergeBlocks() ABSL_EXCLUSIVE_LOCKS_REQUIRED(compact_mu);
  CompactOptions MakeCompactOptions();
  void StartTicking();
  void StopTicking();
  void ScheduleTick(Timestamp at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(tick_mu);
  void Tick(Timestamp due);
  void ScheduleSync(Timestamp at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(tick_mu);
  void SyncTick(Timestamp due);

  // --- db_delete.cc

  absl::Status Delete(TimeRange range,
                      std::span<const Matcher* const> matchers);
  absl::Status CleanTombstones();
  absl::Status Snapshot(const std::string& to, bool with_head);

  // --- db_admin.cc

  Stats MakeStats(size_t limit);

  // Constant after construction, but for the retention (compact_mu).
  std::string dir;
  Options options;
  std::unique_ptr<Env> memory;  // of a database without directory
  Env* env = nullptr;
  std::unique_ptr<MetricRegistry> own_metrics;
  DbMetrics metrics;
  std::vector<Duration> ranges;  // of blocks, ascending

  // Constant after Open.
  std::unique_ptr<FileLock> lock;
  // Where a read-only head puts its full chunks.
  std::unique_ptr<Env> scratch;
  std::unique_ptr<Head> head;

  absl::Mutex compact_mu;
  std::atomic<bool> closed{false};
  std::atomic<double> stale_threshold;
  // When the head was compacted last; 0: not yet.
  Timestamp head_compacted ABSL_GUARDED_BY(compact_mu) = 0;
  CancelToken stop;

  mutable absl::Mutex blocks_mu;
  Blocks blocks ABSL_GUARDED_BY(blocks_mu);

  absl::Mutex tick_mu;
  Clock::TimerId timer ABSL_GUARDED_BY(tick_mu) = {};
  bool ticking ABSL_GUARDED_BY(tick_mu) = false;  // a tick is set or runs
  bool stopping ABSL_GUARDED_BY(tick_mu) = false;
  Clock::TimerId sync_timer ABSL_GUARDED_BY(tick_mu) = {};
  bool syncing ABSL_GUARDED_BY(tick_mu) = false;  // likewise
};

}  // namespace narthex::tsdb
