// Deletion: the head remembers what is deleted, and the log with it; the
// samples go with the rest when they are old.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "libtsdb/head/head.h"
#include "libtsdb/index/select.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {

absl::StatusOr<uint64_t> Head::Delete(std::span<const Matcher* const> matchers,
                                      TimeRange range) {
  // Late samples may be older than the head; and those that are in blocks by
  // now may be found once more by the next replay.
  const int64_t oldest = DeletionsFrom();
  const bool any_stale = HasStaleLate();
  const int64_t from = min_valid_.load(std::memory_order_relaxed);
  range.min = std::max(range.min, Timestamp(oldest));
  range.max = std::min(range.max, Timestamp(std::max(max_time(), late_max())));
  if (range.min > range.max) return uint64_t{0};
  std::vector<wal::Tombstone> stones;
  {
    const CancelToken never;
    const std::shared_ptr<const BlockSource> source =
        NewSource(range, /*isolated=*/true);
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<SeriesId> ids,
                             SelectSeries(source->postings(), matchers, never));
    SeriesBatch batch;
    ChunkList list;
    for (const SeriesId id : ids) {
      batch.Clear();
      NARTHEX_RETURN_IF_ERROR(source->ReadSeries({&id, 1}, range, batch));
      TimeRange has{kMaxTime, kMinTime};
      if (any_stale) {
        const Slot slot = by_id_.Find(id);
        if (slot == kNoSlot) continue;
        const SeriesShard& shard = shards_[ShardOf(slot)];
        absl::ReaderMutexLock lock(&shard.mu);
        if (shard.Holds(LineOf(slot), id)) {
          // What it had may be in blocks; nothing comes in order before that.
          has = {range.min,
                 std::max(shard.Newest(LineOf(slot)), SaturatingSub(from, 1))};
        }
      }
      // No further than what the series has.
      list.Clear();
      if (!batch.series.empty()) {
        NARTHEX_RETURN_IF_ERROR(
            source->ReadChunks(batch.series[0], range, list));
      }
      for (const EncodedChunk& chunk : list.chunks) {
        has.min = std::min(has.min, chunk.min_t);
        has.max = std::max(has.max, chunk.max_t);
      }
      has.min = std::max(has.min, range.min);
      has.max = std::min(has.max, range.max);
      if (has.min > has.max) continue;
      stones.push_back({static_cast<SeriesRef>(RefOf(id)), has});
    }
  }
  if (stones.empty()) return uint64_t{0};
  if (log_ != nullptr) {
    std::string record;
    wal::EncodeTombstones(stones, record);
    wal::RecordBatch records;
    records.Add(record, options_.wal_compression);
    NARTHEX_RETURN_IF_ERROR(log_->Log(records));
    if (options_.sync_commits) NARTHEX_RETURN_IF_ERROR(log_->Sync());
  }
  absl::MutexLock lock(&tombstones_mu_);
  auto changed = std::make_shared<Tombstones>(*tombstones_);
  for (const wal::Tombstone& stone : stones) {
    changed->Add(static_cast<uint64_t>(stone.ref), stone.range);
  }
  tombstones_ = std::move(changed);
  return uint64_t{stones.size()};
}

}  // namespace narthex::tsdb
