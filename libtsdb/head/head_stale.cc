// Series that came to an end leave the head before the rest of it does: they
// are found, the Db writes blocks of them, then they are forgotten.

#include <algorithm>
#include <utility>

#include "libtsdb/head/head.h"
#include "libtsdb/head/head_appender.h"
#include "libtsdb/head/head_source.h"
#include "libtsdb/head/isolation.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

// Lines looked at under one hold of a shard's lock.
constexpr uint32_t kLinesPerHold = 2048;

// The line has the bits of a float, and of a histogram those of its sum.
bool IsStale(const SeriesShard& shard, uint32_t line)
    ABSL_SHARED_LOCKS_REQUIRED(shard.mu) {
  const HotSeries& series = shard.Line(line);
  return series.samples != 0 && series.last_v == kStaleNaNBits &&
         !shard.HasLate(series);
}
// Has no commit after `watermark` touched it?
bool Untouched(const SeriesShard& shard, uint32_t line, uint64_t watermark)
    ABSL_SHARED_LOCKS_REQUIRED(shard.mu) {
  return !EpochAfter(shard.Line(line).epoch, static_cast<uint32_t>(watermark));
}

template <typename Visit>
void VisitLines(const SeriesShard& shard, Visit visit) {
  uint32_t end = 1;
  for (uint32_t line = 0; line < end;) {
    absl::ReaderMutexLock lock(&shard.mu);
    end = shard.lines();
    const uint32_t stop = std::min(end, line + kLinesPerHold);
    for (; line < stop; ++line) {
      if (shard.IdOf(line) != SeriesShard::kNoId) visit(line);
    }
  }
}

}  // namespace

uint64_t Head::CountStale() {
  uint64_t n = 0;
  for (const SeriesShard& shard : shards_) {
    VisitLines(shard, [&](uint32_t line) {
      shard.mu.AssertReaderHeld();
      n += IsStale(shard, line);
    });
  }
  metrics_.stale_series.Set(static_cast<double>(n));
  return n;
}

Head::StaleSeries Head::FindStale() {
  StaleSeries stale;
  stale.watermark = isolation_.watermark();
  for (const SeriesShard& shard : shards_) {
    VisitLines(shard, [&](uint32_t line) {
      shard.mu.AssertReaderHeld();
      if (!IsStale(shard, line)) return;
      if (!Untouched(shard, line, stale.watermark)) return;
      stale.ids.push_back(shard.IdOf(line));
    });
  }
  std::sort(stale.ids.begin(), stale.ids.end());
  return stale;
}

std::shared_ptr<const BlockSource> Head::NewSelectedSource(
    TimeRange range, const std::vector<SeriesId>& ids) {
  return std::make_shared<HeadSource>(*this, range, ids);
}

void Head::ForgetStale(StaleSeries stale) {
  {
    absl::MutexLock lock(&care_mu_);
    stale_due_ = StaleDue{std::move(stale), isolation_.NextReader()};
  }
  Tidy();
}

// The log learns of it while no series can be made: one of the same labels,
// made later, stands behind it.
void Head::EvictStale(const StaleSeries& stale) {
  absl::flat_hash_set<SeriesId> removed;
  uint64_t chunks = 0;
  {
    absl::MutexLock lifetimes(&lifetimes_mu_);  // no batch is being filled
    absl::flat_hash_set<Slot> held;
    {
      absl::MutexLock lock(&batches_mu_);
      for (const HeadAppender* batch : batches_) {
        batch->VisitSlots([&](Slot slot) { held.insert(slot); });
      }
    }
    std::vector<Slot> slots;
    std::vector<wal::Tombstone> tombstones;
    std::vector<int64_t> last;
    for (const SeriesId id : stale.ids) {
      const Slot slot = by_id_.Find(id);
      if (slot == kNoSlot || held.contains(slot)) continue;
      const SeriesShard& shard = shards_[ShardOf(slot)];
      absl::ReaderMutexLock lock(&shard.mu);
      const uint32_t line = LineOf(slot);
      if (!IsStale(shard, line)) continue;
      if (!Untouched(shard, line, stale.watermark)) continue;
      slots.push_back(slot);
      tombstones.push_back({SeriesRef{RefOf(id)}, TimeRange()});
      last.push_back(shard.Line(line).last_t);
    }
    if (slots.empty()) return;
    if (log_ != nullptr) {
      std::string record;
      wal::EncodeTombstones(tombstones, record);
      wal::RecordBatch batch;
      batch.Add(record, options_.wal_compression);
      if (const absl::Status status = log_->Log(batch); !status.ok()) {
        // They stay, as they would after a restart.
        Log(options_.logger, LogLevel::kError,
            "stale series stay in the head: the WAL refuses",
            {{"err", Message(status)}});
        return;
      }
    }
    const uint64_t readers = isolation_.NextReader();
    for (const Slot slot : slots) {
      {
        SeriesShard& shard = shards_[ShardOf(slot)];
        absl::MutexLock lock(&shard.mu);
        chunks += shard.Truncate(LineOf(slot), kMaxMillis).removed;
      }
      RemoveIfEmpty(slot, readers, removed);
    }
    absl::MutexLock care(&care_mu_);
    for (size_t i = 0; i < tombstones.size(); ++i) {
      log_expiries_[static_cast<uint64_t>(tombstones[i].ref)] = last[i];
    }
  }
  ForgetIds(removed, chunks);
}

}  // namespace narthex::tsdb
