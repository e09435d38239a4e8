// What became blocks is forgotten: chunks, then series without chunks, then
// texts that no series uses; and the log's oldest part gives way to a
// checkpoint.  What open readers still need is left for later (Tidy).

#include <algorithm>
#include <string>
#include <utility>

#include "libtsdb/head/head.h"
#include "libtsdb/head/head_appender.h"
#include "libtsdb/wal/checkpoint.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// Lines looked at under one hold of a shard's lock.
constexpr uint32_t kLinesPerHold = 2048;

}  // namespace

absl::Status Head::Truncate(int64_t mint) {
  const bool was_initialized = initialized();
  if (was_initialized && min_time() >= mint) return absl::OkStatus();
  // Readers from here on begin at mint; older ones have their number.
  min_valid_.store(mint, std::memory_order_release);
  int64_t max_t = max_time_.load(std::memory_order_relaxed);
  while (max_t < mint && !max_time_.compare_exchange_weak(max_t, mint)) {
  }
  min_time_.store(mint, std::memory_order_release);
  if (!was_initialized) return absl::OkStatus();
  metrics_.truncations.Inc();
  {
    absl::MutexLock lock(&care_mu_);
    due_ = Due{mint, isolation_.NextReader()};
  }
  Tidy();
  return absl::OkStatus();
}

void Head::Tidy() {
  absl::MutexLock tidy(&tidy_mu_);
  std::optional<int64_t> collect;
  bool settle = false;
  std::optional<HeadChunkRef> late;
  std::optional<StaleSeries> stale;
  {
    absl::MutexLock lock(&care_mu_);
    if (stale_due_.has_value() &&
        !isolation_.HasReaderBefore(stale_due_->readers)) {
      stale = std::move(stale_due_->stale);
      stale_due_.reset();
    }
    if (late_due_.has_value() &&
        !isolation_.HasReaderBefore(late_due_->readers)) {
      late = late_due_->up_to;
      late_due_.reset();
    }
    if (due_.has_value() && !isolation_.HasReaderBefore(due_->readers)) {
      collect = due_->mint;
      due_.reset();
    }
    if (isolation_.watermark() - settled_at_ > uint64_t{1} << 28) {
      settle = true;
      settled_at_ = isolation_.watermark();
    }
  }
  if (collect.has_value()) Collect(*collect);
  if (stale.has_value()) EvictStale(*stale);
  if (settle) SettleAll();
  if (late.has_value() || settle) SettleLate(late.value_or(0));
  for (SeriesShard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    shard.Pack();
  }
  if (chunks_ != nullptr) WriteRefused();
  symbols_.FreeRows(isolation_.OldestReader());
  isolation_.WithoutReaders([this] { symbols_.Reclaim(); });
}

void Head::EndReplay() {
  if (initialized()) Collect(min_time());
}

// What an open batch may still store, or one that is opened later, is not older
// than this.
int64_t Head::OldestToCome() {
  absl::MutexLock lock(&batches_mu_);
  int64_t oldest = AppendableFrom();
  for (const HeadAppender* batch : batches_) {
    if (batch->bounded_) oldest = std::min(oldest, batch->bounds_.min_valid);
  }
  return oldest;
}

void Head::Collect(int64_t mint) {
  absl::flat_hash_set<SeriesId> removed;
  // Before a line is looked at: what comes behind the look is not older.
  const int64_t oldest_to_come = OldestToCome();
  int64_t least = kMaxMillis;
  uint32_t first_file = 0xffffffff;
  uint64_t chunks = 0;
  const uint64_t floor = isolation_.Floor();
  for (uint32_t s = 0; s < kShards; ++s) {
    SeriesShard& shard = shards_[s];
    std::vector<uint32_t> empty;
    uint32_t end = 1;
    for (uint32_t line = 0; line < end;) {
      absl::MutexLock lock(&shard.mu);
      end = shard.lines();
      const uint32_t stop = std::min(end, line + kLinesPerHold);
      for (; line < stop; ++line) {
        if (shard.IdOf(line) == SeriesShard::kNoId) continue;
        const SeriesShard::Remains remains = shard.Truncate(line, mint);
        first_file =
            std::min(first_file, shard.SettleLate(line, 0, floor).first_file);
        shard.Settle(line, floor);
        chunks += remains.removed;
        first_file = std::min(first_file, remains.first_file);
        if (remains.any) {
          least = std::min(least, remains.min_t);
        } else {
          empty.push_back(line);
        }
      }
    }
    if (!empty.empty()) RemoveEmpty(s, empty, removed);
  }
  ForgetIds(removed, chunks);

  if (least == kMaxMillis) least = mint;
  {
    absl::MutexLock lock(&care_mu_);
    log_expiries_.reserve(log_expiries_.size() + removed.size());
    for (const SeriesId id : removed) log_expiries_[RefOf(id)] = least;
    first_file = std::min(first_file, kept_file_);
  }
  {
    const int64_t deletions_from = DeletionsFrom();
    absl::MutexLock lock(&tombstones_mu_);
    if (!tombstones_->empty()) {
      auto changed = std::make_shared<Tombstones>(*tombstones_);
      // Late samples that it is about may be older, and in no block yet.
      changed->TruncateBefore(std::min(mint, deletions_from));
      tombstones_ = std::move(changed);
    }
  }
  // The head begins where its first chunk does, if that is not so late that
  // samples before it may still come.
  if (std::min(least, oldest_to_come) > min_time()) {
    const int64_t begin = std::min(least, oldest_to_come);
    min_time_.store(begin, std::memory_order_release);
    min_valid_.store(begin, std::memory_order_release);
  }
  metrics_.min_time.Set(static_cast<double>(min_time()));
  if (chunks_ == nullptr) return;
  if (const absl::Status status = chunks_->TruncateBefore(first_file);
      !status.ok()) {
    Log(options_.logger, LogLevel::kError, "deleting old head chunks failed",
        {{"err", Message(status)}});
    return;
  }
  absl::MutexLock lock(&care_mu_);
  if (stale_late_file_ < first_file) stale_late_min_ = kMaxMillis;
}

void Head::ForgetIds(const absl::flat_hash_set<SeriesId>& removed,
                     uint64_t chunks) {
  chunk_count_.fetch_sub(chunks, std::memory_order_relaxed);
  metrics_.chunks.Add(-static_cast<double>(chunks));
  metrics_.chunks_removed.Inc(chunks);
  if (removed.empty()) return;
  {
    absl::MutexLock lock(&index_mu_);
    postings_.Remove([&](SeriesId id) { return removed.contains(id); });
    metadata_.Remove([&](SeriesId id) { return removed.contains(id); });
  }
  series_.fetch_sub(removed.size(), std::memory_order_relaxed);
  metrics_.series.Add(-static_cast<double>(removed.size()));
  metrics_.series_removed.Inc(removed.size());
  absl::MutexLock lock(&tombstones_mu_);
  if (tombstones_->empty()) return;
  auto changed = std::make_shared<Tombstones>(*tombstones_);
  for (const SeriesId id : removed) changed->Remove(RefOf(id));
  tombstones_ = std::move(changed);
}

void Head::RemoveEmpty(uint32_t number, std::span<const uint32_t> lines,
                       absl::flat_hash_set<SeriesId>& removed) {
  absl::MutexLock lifetimes(&lifetimes_mu_);  // no batch is being filled
  absl::flat_hash_set<Slot> held;
  removed.reserve(removed.size() + lines.size());
  {
    absl::MutexLock lock(&batches_mu_);
    for (const HeadAppender* batch : batches_) {
      batch->VisitSlots([&](Slot slot) {
        if (ShardOf(slot) == number) held.insert(slot);
      });
    }
  }
  const uint64_t readers = isolation_.NextReader();
  for (const uint32_t line : lines) {
    const Slot slot = MakeSlot(number, line);
    if (!held.contains(slot)) RemoveIfEmpty(slot, readers, removed);
  }
}

void Head::RemoveIfEmpty(Slot slot, uint64_t readers,
                         absl::flat_hash_set<SeriesId>& removed) {
  SeriesShard& shard = shards_[ShardOf(slot)];
  const uint32_t line = LineOf(slot);
  RowHandle row;
  SeriesId id;
  {
    absl::MutexLock lock(&shard.mu);
    if (!shard.Empty(line)) return;
    row = shard.Line(line).labels;
    id = shard.IdOf(line);
  }
  const uint64_t hash = symbols_.RowLabels(row).Hash();
  {
    SlotsByHash::Stripe& stripe = by_hash_.Of(hash);
    absl::MutexLock lock(&stripe.mu);
    stripe.Erase(hash, slot);
  }
  by_id_.Erase(id);
  {
    absl::MutexLock lock(&shard.mu);
    shard.RemoveLine(line);
  }
  symbols_.DropRow(row, readers);
  removed.insert(id);
}

void Head::WriteRefused() {
  const StoreRules rules = Rules();
  for (SeriesShard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    if (!shard.refused()) continue;
    shard.ClearRefused();
    for (uint32_t line = 0; line < shard.lines(); ++line) {
      if (shard.IdOf(line) == SeriesShard::kNoId) continue;
      const absl::Status status = shard.WriteUnwritten(line, rules);
      if (status.ok()) continue;
      shard.SetRefused();
      Log(options_.logger, LogLevel::kWarn,
          "head chunks stay in memory until they can be written",
          {{"err", Message(status)}});
      return;
    }
  }
}

void Head::SettleAll() {
  const uint64_t floor = isolation_.Floor();
  for (SeriesShard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    for (uint32_t line = 0; line < shard.lines(); ++line) {
      if (shard.IdOf(line) != SeriesShard::kNoId) shard.Settle(line, floor);
    }
  }
}

bool Head::KeepInLog(SeriesRef ref, int64_t mint) {
  const uint64_t id = static_cast<uint64_t>(ref) - base_;
  if (id <= 0xffffffffu && by_id_.Find(static_cast<SeriesId>(id)) != kNoSlot) {
    return true;
  }
  absl::MutexLock lock(&care_mu_);
  if (late_min() <= late_max() &&
      late_references_.contains(static_cast<uint64_t>(ref))) {
    return true;
  }
  const auto it = log_expiries_.find(static_cast<uint64_t>(ref));
  return it != log_expiries_.end() && it->second >= mint;
}

absl::Status Head::TruncateLog(Env& env, int64_t mint) {
  if (log_ == nullptr) return absl::OkStatus();
  {
    absl::MutexLock lock(&care_mu_);
    if (mint <= log_truncated_at_) return absl::OkStatus();
    log_truncated_at_ = mint;
  }
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<wal::SegmentFile> segments,
                           wal::ListSegments(env, log_->dir()));
  // A new segment, so that a slow log is not longer than it need be.
  NARTHEX_RETURN_IF_ERROR(log_->Cut().status());
  if (segments.empty()) return absl::OkStatus();
  // The oldest two thirds hold mostly what is in blocks by now.
  const int64_t first = segments.front().number;
  const int64_t last = int64_t{segments.back().number} - 1;
  const int64_t to = first + (last - first) * 2 / 3;
  if (to <= first) return absl::OkStatus();

  wal::CheckpointRequest request;
  request.wal_dir = log_->dir();
  request.to = static_cast<uint32_t>(to);
  request.mint = mint;
  request.tombstones_from = DeletionsFrom();
  request.compression = options_.wal_compression;
  request.segment_size = options_.wal_segment_bytes;
  request.times = &log_->times();
  request.logger = options_.logger;
  metrics_.checkpoints.Inc();
  const absl::StatusOr<wal::CheckpointStats> stats = wal::WriteCheckpoint(
      env, request, [&](SeriesRef ref) { return KeepInLog(ref, mint); });
  if (!stats.ok()) {
    metrics_.checkpoint_failures.Inc();
    return Annotate(stats.status(), "create checkpoint");
  }
  NARTHEX_RETURN_IF_ERROR(
      wal::RemoveSegmentsBelow(env, log_->dir(), request.to + 1));
  log_->times().ForgetBelow(request.to + 1);
  {
    absl::MutexLock lock(&care_mu_);
    absl::erase_if(log_expiries_,
                   [mint](const auto& entry) { return entry.second < mint; });
  }
  NARTHEX_RETURN_IF_ERROR(
      wal::RemoveCheckpointsBelow(env, log_->dir(), request.to));
  Log(options_.logger, LogLevel::kInfo, "WAL checkpoint complete",
      {{"first", std::to_string(first)}, {"last", std::to_string(to)}});
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
