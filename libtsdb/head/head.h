// The present: samples that are in no block yet.  Takes appends, shows itself
// as a BlockSource, becomes blocks piece by piece (the Db decides when), and
// can be rebuilt from its log and its chunks on disk.
//
// Any thread, but for Replay and OpenLog (before all else) and Close (last).
// Locks, in this order: lifetimes_mu_, a hash stripe, a shard, index_mu_, then
// those of symbols, slots and postings.  The log's lock is taken with none of
// them held but a shared lifetimes_mu_, and but an exclusive one where series
// are removed and the log is to say so before they can be made again.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/block/block_source.h"
#include "libtsdb/block/tombstones.h"
#include "libtsdb/chunk/head_chunk_file.h"
#include "libtsdb/head/exemplar_ring.h"
#include "libtsdb/head/head_metadata.h"
#include "libtsdb/head/head_snapshot.h"
#include "libtsdb/head/head_symbols.h"
#include "libtsdb/head/isolation.h"
#include "libtsdb/head/mem_series.h"
#include "libtsdb/head/series_map.h"
#include "libtsdb/index/mem_postings.h"
#include "libtsdb/wal/wal_reader.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/compress.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/base/metrics.h"
#include "narthex/model/appender.h"
#include "narthex/model/matcher.h"

namespace narthex::tsdb {

struct HeadOptions {
  int64_t chunk_range = 0;  // ms; blocks cut from the head are as long
  uint32_t samples_per_chunk = 120;
  Compression wal_compression = Compression::kSnappy;
  uint64_t wal_segment_bytes = wal::kDefaultSegmentSize;
  bool sync_commits = false;  // each commit, or
  bool sync_often = false;    // SyncLogs is called every now and then
  // Start times are logged, and kept by chunks that can: then `xor2` must be
  // set, and stay so.
  bool start_times = false;
  bool xor2 = false;              // what chunks of floats begin as
  bool histogram_starts = false;  // those of histograms keep start times
  size_t max_exemplars = 0;
  uint64_t max_series = 0;  // 0: no limit
  // Where Close leaves a chunk snapshot; empty: nowhere.
  std::string snapshot_dir = {};
  Env* snapshot_env = nullptr;
  // From a try to replay the same log (ReplayReport::shared_refs, next_ref).
  absl::flat_hash_set<uint64_t> shared_refs = {};
  uint64_t next_ref = 0;
  Executor* executor = nullptr;
  Logger* logger = nullptr;
  MetricRegistry* metrics = nullptr;  // null: counts for itself
};

struct HeadMetrics {
  explicit HeadMetrics(MetricRegistry& registry);
  Gauge& series;
  Gauge& stale_series;
  Gauge& chunks;
  Gauge& min_time;
  Gauge& max_time;
  Gauge& active_appenders;
  Counter& series_created;
  Counter& series_removed;
  Counter& series_refused;
  Counter& chunks_created;
  Counter& chunks_removed;
  Counter& samples_appended;
  Counter& histograms_appended;
  Counter& late_appended;
  Counter& out_of_order;
  Counter& out_of_bounds;
  Counter& too_old;
  Counter& truncations;
  Counter& checkpoints;
  Counter& checkpoint_failures;
  Counter& wal_corruptions;
};

// What replaying found.
struct ReplayReport {
  std::vector<wal::Damage> damages = {};
  uint64_t series = 0;
  uint64_t samples = 0;
  uint64_t unknown_refs = 0;     // samples whose series no record names
  uint64_t unknown_schemas = 0;  // histograms that can't be read
  // What was wrong with the snapshot: then the log was read from its beginning.
  absl::Status snapshot = absl::OkStatus();
  bool snapshot_used = false;
  // Records of kinds to come: not read; checkpoints keep them.
  uint64_t kept_records = 0;
  // References that one record gives to one series and a later one to another.
  // If there are any, what was read is of no use: a new head that knows them
  // has to read it again.
  absl::flat_hash_set<uint64_t> shared_refs = {};
  uint64_t next_ref = 0;  // past all that were seen
};

struct HeadCounts {
  uint64_t series = 0;
  uint64_t chunks = 0;
  size_t line_bytes = 0, label_bytes = 0, postings_bytes = 0, lookup_bytes = 0;
  size_t slab_bytes = 0, mapped_bytes = 0;  // the latter is within the former
};

class HeadAppender;
class HeadSource;
struct BatchPart;

class Head {
 public:
  // `chunks` may be null until SetChunks.
  explicit Head(HeadOptions options);
  ~Head();
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  // --- Opening, in this order.

  // Remembers what lies in chunks_head for the replay of the series it belongs
  // to.  For HeadChunkStore::Open's visitor.
  void OfferChunk(const HeadChunk& chunk, int64_t min_valid);
  void SetChunks(std::unique_ptr<HeadChunkStore> chunks);
  // Samples before this are in blocks, or about to be: no more of them.
  void SetMinValid(int64_t t);
  // Reads the last checkpoint and the segments after it.  `progress`, if any,
  // is told the bytes of the log that were read, of how many.
  absl::StatusOr<ReplayReport> Replay(
      Env& env, const std::string& wal_dir,
      const std::function<void(uint64_t, uint64_t)>& progress = nullptr,
      const std::optional<SnapshotDir>& snapshot = std::nullopt);
  // Reads the log of late samples; after Replay, before it is opened.
  absl::StatusOr<ReplayReport> ReplayLate(Env& env, const std::string& dir);
  // After both, whether there are late samples or not: forgets what none of
  // the logs had a sample of.
  void EndReplay();
  // From here on late samples are logged there.
  absl::Status OpenLateLog(Env& env, const std::string& dir);
  bool has_late_log() const { return late_log_.load() != nullptr; }
  // Samples up to so many ms older than the newest are taken out of order.
  void SetWindow(int64_t window);
  int64_t window() const { return window_.load(std::memory_order_relaxed); }
  // What chunks of floats begin as from now on.
  void SetXor2(bool xor2) { xor2_.store(xor2, std::memory_order_relaxed); }
  bool xor2() const { return xor2_.load(std::memory_order_relaxed); }
  // From here on commits are logged.  Without it they are only stored.
  absl::Status OpenLog(Env& env, const std::string& wal_dir);

  // --- Writing.

  std::unique_ptr<Appender> NewAppender();

  // --- Reading.

  // Samples of the closed `range`; `isolated`: only what was published before.
  // Holds its place until it dies; it must die before the Head.
  std::shared_ptr<const BlockSource> NewSource(TimeRange range, bool isolated);
  // Without late samples: what becomes the next block.
  std::shared_ptr<const BlockSource> NewInOrderSource(TimeRange range);
  // Late samples alone, of chunks up to `last`.
  std::shared_ptr<const BlockSource> NewLateSource(TimeRange range,
                                                   HeadChunkRef last);
  // Of late samples; kMaxMillis and kMinMillis if there are none.
  int64_t late_min() const { return late_min_.load(std::memory_order_acquire); }
  int64_t late_max() const { return late_max_.load(std::memory_order_acquire); }
  // Does it have samples that `range` may show?
  bool MayShow(TimeRange range) const;

  // kMaxMillis and kMinMillis if there has been no sample.
  int64_t min_time() const { return min_time_.load(std::memory_order_acquire); }
  int64_t max_time() const { return max_time_.load(std::memory_order_acquire); }
  bool initialized() const { return min_time() != kMaxMillis; }
  // Does it span more than one and a half chunk ranges?
  bool Compactable() const;
  // A sample before this would be refused.
  int64_t AppendableFrom() const;
  // The end of the window that a block from `mint` on covers.
  int64_t BlockEnd(int64_t mint) const;

  // Top lists of /api/v1/status/tsdb.
  std::vector<MemPostings::PairCount> PairCounts() const {
    return postings_.PairCounts();
  }
  const HeadSymbols& symbols() const { return symbols_; }
  size_t label_pairs() const { return postings_.pairs(); }
  HeadCounts Counts();
  uint64_t series() const { return series_.load(std::memory_order_relaxed); }
  ExemplarRing& exemplars() { return exemplars_; }
  // What the series said of itself last; false: nothing.
  bool FindMetadata(SeriesRef ref, Metadata& out) const;

  // --- Care.

  // Until no batch is open that may hold samples up to `maxt`.  false: one
  // still is after `limit`.
  bool WaitForAppenders(int64_t maxt, Duration limit);
  // Everything before `mint` is in blocks: forget it.  What readers still need
  // goes when they have gone (Tidy).
  absl::Status Truncate(int64_t mint);
  // Cuts the log: a checkpoint stands for its oldest two thirds.
  absl::Status TruncateLog(Env& env, int64_t mint);
  // Deletes samples within `range` of the series that match, and logs it.
  // Returns how many series have any.
  absl::StatusOr<uint64_t> Delete(std::span<const Matcher* const> matchers,
                                  TimeRange range);
  // What was committed so far outlives a power cut when it returns.
  absl::Status SyncLogs();
  // All late samples so far go to chunks_head, and their log is cut: what comes
  // later is in segments from `segment` on.
  struct LateCut {
    HeadChunkRef last = 0;
    uint32_t segment = 0;
    int64_t min_t = kMaxMillis;
    int64_t max_t = kMinMillis;
  };
  absl::StatusOr<LateCut> CutLate();
  // They are in blocks: forget them, and their part of the log.
  absl::Status ForgetLate(Env& env, const LateCut& cut);
  // Series whose newest sample is a stale marker, and that have no late ones.
  struct StaleSeries {
    std::vector<SeriesId> ids = {};  // ascending
    uint64_t watermark = 0;          // no later commit has touched any of them
  };
  // Looks at every series; for now and then.
  uint64_t CountStale();
  StaleSeries FindStale();
  // Those series alone, without late samples.
  std::shared_ptr<const BlockSource> NewSelectedSource(
      TimeRange range, const std::vector<SeriesId>& ids);
  // They are in blocks: forget those that are still stale and untouched, when
  // the readers that are older have gone (Tidy).
  void ForgetStale(StaleSeries stale);
  // What can't wait for the next truncation: memory that readers held, chunks
  // that the disk refused.
  void Tidy();
  uint64_t ChunkFileBytes() const;
  std::string wal_dir() const;
  // Flushes and closes the files.
  absl::Status Close();

 private:
  friend class HeadAppender;
  friend class HeadSource;
  class Replayer;
  class LateReplayer;
  class ReplayRefs;

  struct Found {
    SeriesId id = 0;
    Slot slot = kNoSlot;
    bool created = false;
  };
  // Finds or creates; a new one joins `shard`.  `fixed`: with this number, not
  // yet among the postings (replay).
  absl::StatusOr<Found> FindOrCreate(const Labels& labels, uint32_t shard,
                                     std::optional<SeriesId> fixed)
      ABSL_SHARED_LOCKS_REQUIRED(lifetimes_mu_);
  uint64_t RefOf(SeriesId id) const { return base_ + id; }
  // Whoever logs next logs that, too.
  void LogSeriesLater(SeriesId id, const Labels& labels);
  bool HasLabels(Slot slot, const Labels& labels) const;
  Labels LabelsOf(Slot slot) const;

  void InitTime(int64_t t);
  void UpdateTimes(int64_t min_t, int64_t max_t);
  StoreRules Rules() const;
  // The part of a commit between log and memory: see head_commit.cc.
  absl::Status LogBatch(HeadAppender& batch);
  // Its error: the late samples of the batch are in memory and not in their
  // log.
  absl::Status StoreBatch(HeadAppender& batch);
  absl::Status LogLate(wal::RecordBatch batch);
  absl::Status SyncLate();
  Bounds MakeBounds() const;
  LateEncoding LateAs() const { return {xor2(), options_.histogram_starts}; }
  void UpdateLateTimes(int64_t min_t, int64_t max_t);
  void StoreShard(HeadAppender& batch, const BatchPart& part, uint32_t shard,
                  StoreCounts& counts);
  void StoreAside(const BatchPart& part);
  template <typename Rows>
  void StoreHistograms(HeadAppender& batch, const Rows& rows, uint32_t shard,
                       StoreCounts& counts);

  // head_gc.cc
  struct Due {
    int64_t mint = 0;
    uint64_t readers = 0;  // none older than this may be open
  };
  int64_t OldestToCome();
  // Deletions matter as far back as a replay may find samples.
  int64_t DeletionsFrom();
  // Does chunks_head have late chunks that are in blocks already?
  bool HasStaleLate();
  // Forgets what ends before `mint`, and what is left of it.
  void Collect(int64_t mint);
  // Of what was removed: postings, metadata, tombstones, counts.
  void ForgetIds(const absl::flat_hash_set<SeriesId>& removed, uint64_t chunks);
  void EvictStale(const StaleSeries& stale);
  void RemoveIfEmpty(Slot slot, uint64_t readers,
                     absl::flat_hash_set<SeriesId>& removed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lifetimes_mu_);
  // Removes those of the lines that are empty and in no open batch.
  void RemoveEmpty(uint32_t shard, std::span<const uint32_t> lines,
                   absl::flat_hash_set<SeriesId>& removed);
  void WriteRefused();
  // head_snapshot.cc
  absl::Status WriteSnapshot(Env& env, const std::string& data_dir,
                             uint32_t segment, uint64_t offset);
  std::optional<SeriesRef> FindRef(const Labels& labels);
  void SettleLate(HeadChunkRef up_to);
  void SettleAll();
  bool KeepInLog(SeriesRef ref, int64_t mint);

  const HeadOptions options_;
  std::unique_ptr<MetricRegistry> own_metrics_;
  HeadMetrics metrics_;

  HeadSymbols symbols_;
  HeadMetadata metadata_;
  ExemplarRing exemplars_;
  MemPostings postings_;
  SlotsById by_id_;
  SlotsByHash by_hash_;
  std::array<SeriesShard, kShards> shards_;
  Isolation isolation_;
  std::unique_ptr<HeadChunkStore> chunks_;
  std::unique_ptr<wal::WalWriter> log_;

  // Numbers of series are given out, and their postings written, in one order.
  absl::Mutex index_mu_;
  SeriesId next_id_ ABSL_GUARDED_BY(index_mu_) = 1;
  uint64_t base_ = 0;  // reference of number 0; constant after Replay

  // Shared: numbers are turned into slots, and slots put into batches.
  // Exclusive: series are removed.
  mutable absl::Mutex lifetimes_mu_;
  absl::Mutex batches_mu_;
  absl::flat_hash_set<HeadAppender*> batches_ ABSL_GUARDED_BY(batches_mu_);

  // The record of series that no commit has logged yet.  Whoever logs takes it
  // along, and nobody passes while it is under way, so that no sample stands
  // before its series in the log.
  absl::Mutex unlogged_mu_;
  std::string unlogged_ ABSL_GUARDED_BY(unlogged_mu_);
  bool unlogged_under_way_ ABSL_GUARDED_BY(unlogged_mu_) = false;
  std::atomic<bool> unlogged_any_{false};
  // Stands in for the log's lock where there is no log.
  absl::Mutex order_mu_;

  std::atomic<bool> xor2_{false};

  // Late samples.
  std::atomic<int64_t> window_{0};
  std::atomic<int64_t> late_min_{kMaxMillis};
  std::atomic<int64_t> late_max_{kMinMillis};
  // Shared: commits that may have late samples, so that each of these is logged
  // on the same side of a cut as it is stored.  Exclusive, for a moment: the
  // log is cut.
  absl::Mutex late_gate_ ABSL_ACQUIRED_BEFORE(late_mu_);
  absl::Mutex late_mu_;
  std::unique_ptr<wal::WalWriter> own_late_log_ ABSL_GUARDED_BY(late_mu_);
  std::atomic<wal::WalWriter*> late_log_{nullptr};  // null: none
  std::deque<wal::RecordBatch> late_batches_ ABSL_GUARDED_BY(late_mu_);
  std::atomic<bool> late_waiting_{false};  // batches that the disk refused

  std::atomic<int64_t> min_time_{kMaxMillis};
  std::atomic<int64_t> max_time_{kMinMillis};
  std::atomic<int64_t> min_valid_{kMinMillis};
  std::atomic<uint64_t> series_{0};
  std::atomic<uint64_t> chunk_count_{0};
  std::atomic<uint32_t> next_shard_{0};

  // References of removed series, and the time up to which their samples are in
  // the log: so long the log keeps their names.
  absl::Mutex tidy_mu_
      ABSL_ACQUIRED_BEFORE(lifetimes_mu_);  // one Tidy at a time
  absl::Mutex care_mu_;
  absl::flat_hash_map<uint64_t, int64_t> log_expiries_
      ABSL_GUARDED_BY(care_mu_);
  // Second references of series, which late samples may go by: the log keeps
  // their records for as long as there is any late sample.
  absl::flat_hash_set<uint64_t> late_references_ ABSL_GUARDED_BY(care_mu_);
  std::optional<Due> due_ ABSL_GUARDED_BY(care_mu_);
  struct LateDue {
    HeadChunkRef up_to = 0;
    uint64_t readers = 0;
  };
  std::optional<LateDue> late_due_ ABSL_GUARDED_BY(care_mu_);
  struct StaleDue {
    StaleSeries stale = {};
    uint64_t readers = 0;
  };
  std::optional<StaleDue> stale_due_ ABSL_GUARDED_BY(care_mu_);
  uint64_t settled_at_ ABSL_GUARDED_BY(care_mu_) = 0;  // an epoch
  // Late chunks that are in blocks, but still in files of chunks_head, up to
  // this one: a replay finds them there.
  uint32_t stale_late_file_ ABSL_GUARDED_BY(care_mu_) = 0;
  int64_t stale_late_min_ ABSL_GUARDED_BY(care_mu_) = kMaxMillis;
  int64_t log_truncated_at_ ABSL_GUARDED_BY(care_mu_) = kMinMillis;
  // From this file of chunks_head on there are chunks that this version keeps
  // and does not read.
  uint32_t kept_file_ ABSL_GUARDED_BY(care_mu_) = 0xffffffff;

  mutable absl::Mutex tombstones_mu_;
  std::shared_ptr<const Tombstones> tombstones_ ABSL_GUARDED_BY(tombstones_mu_);

  // Between Replay and OpenLog: sample times of the segments.
  absl::flat_hash_map<uint32_t, TimeRange> replayed_times_;
  // Between opening chunks_head and replaying.
  absl::flat_hash_map<uint64_t, std::vector<MappedChunk>> offered_;
  absl::flat_hash_map<uint64_t, std::vector<MappedChunk>> offered_late_;
  HeadChunkRef last_offered_ = 0;
  // The logs and chunks_head know a series by two references.
  bool logged_twice_ = false;
  // Between Replay and ReplayLate: numbers of series that were made again.
  absl::flat_hash_map<SeriesId, Slot> aliases_;
};

}  // namespace narthex::tsdb
