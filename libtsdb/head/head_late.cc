// Late samples of the whole head: what is taken, their log, how they become
// blocks; and what opening finds in chunks_head, late or not.

#include <algorithm>
#include <utility>

#include "libtsdb/head/head.h"
#include "libtsdb/head/head_appender.h"
#include "libtsdb/wal/format.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// Lines looked at under one hold of a shard's lock.
constexpr uint32_t kLinesPerHold = 1024;

}  // namespace

void Head::OfferChunk(const HeadChunk& chunk, int64_t min_valid) {
  last_offered_ = std::max(last_offered_, chunk.ref);
  if (!IsKnownEncoding(chunk.encoding)) {
    absl::MutexLock lock(&care_mu_);
    kept_file_ = std::min(kept_file_, HeadChunkFileOf(chunk.ref));
    return;
  }
  // Of one of two series, and nothing says of which: the log does.
  if (options_.shared_refs.contains(chunk.series)) return;
  if (chunk.out_of_order) {
    offered_late_[chunk.series].push_back(
        {chunk.ref, chunk.min_t.ms, chunk.max_t.ms,
         SampleCount(chunk.encoding, chunk.bytes)});
    return;
  }
  if (chunk.max_t.ms < min_valid) return;
  std::vector<MappedChunk>& chunks = offered_[chunk.series];
  // One that overlaps its predecessor is left out: its samples are in the log.
  if (!chunks.empty() && chunks.back().max_t >= chunk.min_t.ms) return;
  chunks.push_back({chunk.ref, chunk.min_t.ms, chunk.max_t.ms,
                    SampleCount(chunk.encoding, chunk.bytes)});
}

void Head::SetWindow(int64_t window) {
  window_.store(std::max<int64_t>(window, 0), std::memory_order_relaxed);
  exemplars_.SetWindow(window);
}

Bounds Head::MakeBounds() const {
  Bounds bounds;
  bounds.min_valid = AppendableFrom();
  const int64_t window = window_.load(std::memory_order_relaxed);
  if (window > 0) bounds.late_from = SaturatingSub(max_time(), window);
  return bounds;
}

void Head::UpdateLateTimes(int64_t min_t, int64_t max_t) {
  int64_t now = late_max_.load(std::memory_order_relaxed);
  while (max_t > now && !late_max_.compare_exchange_weak(now, max_t)) {
  }
  now = late_min_.load(std::memory_order_relaxed);
  while (min_t < now && !late_min_.compare_exchange_weak(now, min_t)) {
  }
}

bool Head::MayShow(TimeRange range) const {
  return (initialized() && range.Overlaps({min_time(), max_time()})) ||
         (late_min() <= late_max() && range.Overlaps({late_min(), late_max()}));
}

absl::Status Head::OpenLateLog(Env& env, const std::string& dir) {
  if (has_late_log()) return absl::OkStatus();
  wal::WalOptions options;
  options.segment_size = options_.wal_segment_bytes;
  options.logger = options_.logger;
  options.executor = options_.executor;
  options.keep_unsynced = options_.sync_commits || options_.sync_often;
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<wal::WalWriter> log,
                           wal::WalWriter::Open(env, dir, options));
  absl::MutexLock lock(&late_mu_);
  own_late_log_ = std::move(log);
  late_log_.store(own_late_log_.get(), std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Head::SyncLogs() {
  if (log_ != nullptr) NARTHEX_RETURN_IF_ERROR(log_->Sync());
  wal::WalWriter* const late = late_log_.load(std::memory_order_acquire);
  return late == nullptr ? absl::OkStatus() : late->Sync();
}

int64_t Head::DeletionsFrom() {
  absl::MutexLock lock(&care_mu_);
  return std::min({min_time(), late_min(), stale_late_min_});
}

bool Head::HasStaleLate() {
  absl::MutexLock lock(&care_mu_);
  return stale_late_min_ != kMaxMillis;
}

absl::StatusOr<Head::LateCut> Head::CutLate() {
  LateCut cut;
  // What is stored by now is logged before the cut and goes to chunks; what
  // comes later does neither.  In both it would come back, were it deleted from
  // its block.
  uint64_t last_epoch = 0;
  {
    absl::MutexLock gate(&late_gate_);
    if (wal::WalWriter* const log = late_log_.load(std::memory_order_acquire)) {
      NARTHEX_ASSIGN_OR_RETURN(cut.segment, log->Cut());
    }
    last_epoch = isolation_.LastBegun();
  }
  StoreRules rules = Rules();
  rules.epoch = static_cast<uint32_t>(last_epoch);
  std::vector<HeadChunkRef> refs;
  for (SeriesShard& shard : shards_) {
    uint32_t end = 1;
    for (uint32_t line = 0; line < end;) {
      absl::MutexLock lock(&shard.mu);
      end = shard.lines();
      for (const uint32_t stop = std::min(end, line + kLinesPerHold);
           line < stop; ++line) {
        if (shard.IdOf(line) == SeriesShard::kNoId) continue;
        if (!shard.HasLate(shard.Line(line))) continue;
        const size_t chunks = shard.LateChunks(line);
        const absl::Status mapped = shard.MapLate(line, rules, refs);
        // A chunk holds samples of one kind, and some stay behind.
        chunk_count_.fetch_add(shard.LateChunks(line) - chunks,
                               std::memory_order_relaxed);
        NARTHEX_RETURN_IF_ERROR(mapped);
        const SeriesShard::LateSpan span = shard.LateTimes(line);
        cut.last = std::max(cut.last, span.last);
        cut.min_t = std::min(cut.min_t, span.min_t);
        cut.max_t = std::max(cut.max_t, span.max_t);
      }
    }
  }
  return cut;
}

absl::Status Head::ForgetLate(Env& env, const LateCut& cut) {
  {
    absl::MutexLock lock(&care_mu_);
    late_due_ = LateDue{cut.last, isolation_.NextReader()};
  }
  Tidy();
  if (const wal::WalWriter* log = late_log_.load(std::memory_order_acquire)) {
    return wal::RemoveSegmentsBelow(env, log->dir(), cut.segment);
  }
  return absl::OkStatus();
}

void Head::SettleLate(HeadChunkRef up_to) {
  const uint64_t floor = isolation_.Floor();
  int64_t least = kMaxMillis;
  int64_t gone_min_t = kMaxMillis;
  uint32_t gone_file = 0;
  uint64_t removed = 0;
  for (SeriesShard& shard : shards_) {
    uint32_t end = 1;
    for (uint32_t line = 0; line < end;) {
      absl::MutexLock lock(&shard.mu);
      end = shard.lines();
      for (const uint32_t stop = std::min(end, line + kLinesPerHold);
           line < stop; ++line) {
        if (shard.IdOf(line) == SeriesShard::kNoId) continue;
        const SeriesShard::LateRemains remains =
            shard.SettleLate(line, up_to, floor);
        removed += remains.removed;
        gone_min_t = std::min(gone_min_t, remains.removed_min_t);
        gone_file = std::max(gone_file, remains.removed_file);
        least = std::min(least, remains.min_t);
      }
    }
  }
  {
    absl::MutexLock lock(&care_mu_);
    stale_late_min_ = std::min(stale_late_min_, gone_min_t);
    stale_late_file_ = std::max(stale_late_file_, gone_file);
  }
  // A sample that comes meanwhile lowers it again, or has lowered it already:
  // too low costs a look, too high would hide it.
  if (least > late_min()) {
    int64_t now = late_min();
    if (least != kMaxMillis || late_max() < min_time()) {
      late_min_.compare_exchange_strong(now, least);
    }
  }
  chunk_count_.fetch_sub(removed, std::memory_order_relaxed);
  metrics_.chunks.Add(-static_cast<double>(removed));
  metrics_.chunks_removed.Inc(removed);
}

}  // namespace narthex::tsdb
