// From a batch to samples that readers see: log, store, publish.

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "libtsdb/head/head.h"
#include "libtsdb/head/head_appender.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kPrefetchLine = 32;
constexpr size_t kPrefetchChunk = 16;

// Puts the floats of a part in the order of their shards; a bit for each shard
// that has any sample of it.
uint32_t SortByShard(BatchPart& part) {
  const size_t n = part.slots.size();
  part.order.clear();
  part.begin.fill(0);
  uint32_t touched = 0;
  // As a rule all are in one shard; counting them would be a chain of additions
  // to one place.
  Slot differs = 0;
  for (const Slot slot : part.slots) differs |= slot ^ part.slots[0];
  if (n != 0 && ShardOf(differs) == 0) {
    const uint32_t shard = ShardOf(part.slots[0]);
    touched = 1u << shard;
    std::fill(part.begin.begin() + shard + 1, part.begin.end(),
              static_cast<uint32_t>(n));
  } else {
    for (const Slot slot : part.slots) ++part.begin[ShardOf(slot) + 1];
    for (uint32_t s = 0; s < kShards; ++s) {
      if (part.begin[s + 1] != 0) touched |= 1u << s;
      part.begin[s + 1] += part.begin[s];
    }
    part.order.resize(n);
    std::array<uint32_t, kShards + 1> next = part.begin;
    for (size_t i = 0; i < n; ++i) {
      part.order[next[ShardOf(part.slots[i])]++] = static_cast<uint32_t>(i);
    }
  }
  for (const Slot slot : part.ints.slots) touched |= 1u << ShardOf(slot);
  for (const Slot slot : part.floats.slots) touched |= 1u << ShardOf(slot);
  return touched;
}

LateSample MakeLate(int64_t t, int64_t start, const Histogram& h) {
  LateSample sample;
  sample.t = t;
  sample.start = start;
  sample.ints = std::make_shared<const Histogram>(h);
  return sample;
}
LateSample MakeLate(int64_t t, int64_t start, const FloatHistogram& h) {
  LateSample sample;
  sample.t = t;
  sample.start = start;
  sample.floats = std::make_shared<const FloatHistogram>(h);
  return sample;
}

template <typename Row>
void EncodeRows(std::span<const Row> rows, bool start_times,
                Compression compression, std::string& record,
                wal::RecordBatch& out) {
  if (rows.empty()) return;
  if (start_times) {
    record.clear();
    wal::EncodeHistogramsV2(rows, record);
    out.Add(record, compression);
  }
  for (const wal::BucketKind kind :
       {wal::BucketKind::kExponential, wal::BucketKind::kCustom}) {
    if (start_times) break;  // one record has both
    record.clear();
    if (wal::EncodeHistograms(rows, kind, record)) out.Add(record, compression);
  }
  for (const Row& row : rows) out.Cover(row.t);
}

void EncodePart(const BatchPart& part, bool start_times,
                Compression compression, std::string& record,
                wal::RecordBatch& out) {
  if (!part.metadata.empty()) {
    record.clear();
    wal::BeginMetadata(record);
    for (const BatchPart::MetadataRow& row : part.metadata.used()) {
      wal::AddMetadata(row.ref, row.metadata, record);
    }
    out.Add(record, compression);
  }
  if (!part.refs.empty()) {
    record.clear();
    wal::EncodeSamples(part.refs, part.values, part.at, part.times, record,
                       part.start_times);
    out.Add(record, compression);
    if (part.times.empty()) {
      out.Cover(part.at);
    } else {
      const auto [least, greatest] =
          std::minmax_element(part.times.begin(), part.times.end());
      out.Cover(TimeRange{*least, *greatest});
    }
  }
  EncodeRows(part.ints.used(), start_times, compression, record, out);
  EncodeRows(part.floats.used(), start_times, compression, record, out);
  // Behind the samples, so that who follows the log knows their series.
  if (!part.exemplars.empty()) {
    record.clear();
    wal::EncodeExemplars(part.exemplars.used(), record);
    out.Add(record, compression);
    for (const wal::ExemplarRow& row : part.exemplars.used()) out.Cover(row.t);
  }
}

}  // namespace

// Sorts the batch by shard and writes it to the log.  Afterwards it has its
// epoch and a ticket per shard, in the order of the log; StoreBatch must
// follow.
absl::Status Head::LogBatch(HeadAppender& batch) {
  uint32_t touched = 0;  // a bit per shard
  static_assert(kShards <= 32);
  for (size_t p = 0; p < batch.used_; ++p) {
    touched |= SortByShard(*batch.parts_[p]);
  }
  batch.turns_.clear();
  for (uint32_t s = 0; s < kShards; ++s) {
    if ((touched >> s & 1) != 0) batch.turns_.push_back({s, 0});
  }
  const auto in_order = [this, &batch] {
    batch.epoch_ = isolation_.Begin();
    for (HeadAppender::Turn& turn : batch.turns_) {
      turn.ticket = shards_[turn.shard].next_ticket++;
    }
  };
  if (log_ == nullptr) {
    absl::MutexLock lock(&order_mu_);
    in_order();
    return absl::OkStatus();
  }

  batch.records_.Clear();
  std::string series;
  if (unlogged_any_.load(std::memory_order_acquire)) {
    absl::MutexLock lock(&unlogged_mu_);
    unlogged_mu_.Await(absl::Condition(
        +[](bool* under_way) { return !*under_way; }, &unlogged_under_way_));
    series.swap(unlogged_);
    if (!series.empty()) {
      unlogged_under_way_ = true;
      batch.records_.Add(series, options_.wal_compression);
    }
  }
  for (size_t p = 0; p < batch.used_; ++p) {
    EncodePart(*batch.parts_[p], options_.start_times, options_.wal_compression,
               batch.record_, batch.records_);
  }
  if (batch.records_.empty()) {  // another commit took the series along
    in_order();
    return absl::OkStatus();
  }
  absl::Status status = log_->Log(batch.records_, in_order);
  if (!series.empty()) {
    absl::MutexLock lock(&unlogged_mu_);
    unlogged_under_way_ = false;
    if (!status.ok()) {
      // The next one tries again; what was created meanwhile comes behind.
      if (!unlogged_.empty()) series.append(unlogged_, 1);
      unlogged_ = std::move(series);
    }
    unlogged_any_.store(!unlogged_.empty(), std::memory_order_release);
  }
  if (status.ok() && options_.sync_commits && touched != 0) {
    status = log_->Sync();
    if (!status.ok()) {
      // Not durable, so not to be seen; but others wait for its turns.
      batch.DropSamples();
      StoreBatch(batch).IgnoreError();
    }
  }
  return status;
}

absl::Status Head::StoreBatch(HeadAppender& batch) {
  StoreCounts counts;
  for (size_t p = 0; p < batch.used_; ++p) StoreAside(*batch.parts_[p]);
  for (const HeadAppender::Turn& turn : batch.turns_) {
    SeriesShard& shard = shards_[turn.shard];
    absl::MutexLock lock(&shard.mu);
    if (shard.turn != turn.ticket) {
      const std::pair<const uint64_t*, uint64_t> waits{&shard.turn,
                                                       turn.ticket};
      shard.mu.Await(absl::Condition(
          +[](const std::pair<const uint64_t*, uint64_t>* w) {
            return *w->first == w->second;
          },
          &waits));
    }
    for (size_t p = 0; p < batch.used_; ++p) {
      BatchPart& part = *batch.parts_[p];
      StoreShard(batch, part, turn.shard, counts);
      StoreHistograms(batch, part.ints, turn.shard, counts);
      StoreHistograms(batch, part.floats, turn.shard, counts);
    }
    ++shard.turn;
    shard.PackIfGrown();
  }
  if (counts.min_t <= counts.max_t) UpdateTimes(counts.min_t, counts.max_t);
  if (counts.stored != 0) metrics_.samples_appended.Inc(counts.stored);
  if (counts.histograms != 0) {
    metrics_.histograms_appended.Inc(counts.histograms);
  }
  if (counts.chunks != 0) {
    chunk_count_.fetch_add(counts.chunks, std::memory_order_relaxed);
    metrics_.chunks.Add(static_cast<double>(counts.chunks));
    metrics_.chunks_created.Inc(counts.chunks);
  }
  // The log of late samples is in the order in which they were stored: a marker
  // must not come before samples that are not in its chunk.
  absl::Status status = absl::OkStatus();
  if (counts.late != 0) {
    UpdateLateTimes(counts.late_min_t, counts.late_max_t);
    metrics_.late_appended.Inc(counts.late);
  }
  if (counts.late != 0 || counts.late_again != 0) {
    isolation_.AwaitLogged(batch.epoch_);
    status = LogLate(batch.late_.Take(options_.wal_compression));
    isolation_.MarkLogged(batch.epoch_);
    if (status.ok()) status = SyncLate();
  } else if (late_waiting_.load(std::memory_order_acquire)) {
    status = LogLate(wal::RecordBatch());
    if (status.ok()) status = SyncLate();
  }
  isolation_.Publish(batch.epoch_);
  return status;
}

// What the disk refused once goes first: a sample that came again is in memory
// already, and acknowledging it means that it is in the log.
absl::Status Head::LogLate(wal::RecordBatch batch) {
  wal::WalWriter* const log = late_log_.load(std::memory_order_acquire);
  if (log == nullptr) return absl::OkStatus();
  if (batch.empty() && !late_waiting_.load(std::memory_order_acquire)) {
    return absl::OkStatus();
  }
  absl::MutexLock lock(&late_mu_);
  if (!batch.empty()) late_batches_.push_back(std::move(batch));
  while (!late_batches_.empty()) {
    absl::Status status = log->Log(late_batches_.front());
    if (!status.ok()) {
      late_waiting_.store(true, std::memory_order_release);
      return status;
    }
    late_batches_.pop_front();
  }
  late_waiting_.store(false, std::memory_order_release);
  return absl::OkStatus();
}

// Commits that come at the same time share it, so it is not a part of LogLate.
absl::Status Head::SyncLate() {
  if (!options_.sync_commits) return absl::OkStatus();
  wal::WalWriter* const log = late_log_.load(std::memory_order_acquire);
  return log == nullptr ? absl::OkStatus() : log->Sync();
}

// What has no place in a series' line.
void Head::StoreAside(const BatchPart& part) {
  for (size_t i = 0; i < part.exemplars.slots.size(); ++i) {
    const wal::ExemplarRow& row = part.exemplars.rows[i];
    exemplars_.Add(LabelsOf(part.exemplars.slots[i]),
                   {row.labels, row.value, row.t, row.has_timestamp});
  }
  for (const BatchPart::MetadataRow& row : part.metadata.used()) {
    metadata_.Set(static_cast<SeriesId>(static_cast<uint64_t>(row.ref) - base_),
                  row.metadata);
  }
}

// One shard's part, whose turn it is.  Checks again, as time has passed since
// the samples were accepted.
void Head::StoreShard(HeadAppender& batch, const BatchPart& part,
                      uint32_t number, StoreCounts& counts) {
  SeriesShard& shard = shards_[number];
  shard.mu.AssertHeld();
  const uint32_t begin = part.begin[number], end = part.begin[number + 1];
  if (begin == end) return;
  StoreRules rules = Rules();
  rules.epoch = static_cast<uint32_t>(batch.epoch_);
  const size_t n = end - begin;
  const uint32_t* const order =
      part.order.empty() ? nullptr : part.order.data() + begin;
  const auto line_of = [&](size_t k) {
    return LineOf(part.slots[order == nullptr ? k : order[k]]);
  };
  const bool one_time = part.times.empty();
  const Timestamp* const starts =
      part.start_times.empty() ? nullptr : part.start_times.data();
  if (one_time) shard.BeginBatch(part.at.ms);
  for (size_t k = 0; k < n; ++k) {
    if (k + kPrefetchLine < n) {
      __builtin_prefetch(&shard.Line(line_of(k + kPrefetchLine)), 1);
    }
    if (k + kPrefetchChunk < n) {
      shard.PrefetchChunk(shard.Line(line_of(k + kPrefetchChunk)));
    }
    const size_t i = order == nullptr ? k : order[k];
    const uint32_t line = LineOf(part.slots[i]);
    const int64_t t = one_time ? part.at.ms : part.times[i].ms;
    const uint64_t v = std::bit_cast<uint64_t>(part.values[i]);
    const int64_t start = starts == nullptr ? 0 : starts[i].ms;
    bool late = false;
    const Appended now = Accepts(shard.Line(line), t, v, batch.bounds_, late);
    if (late) [[unlikely]] {
      if (shard.StoreLate(line, {t, v, start}, rules, counts,
                          batch.late_mapped_)) {
        if (!batch.late_mapped_.empty()) {
          batch.late_.Mark(part.refs[i], batch.late_mapped_,
                           options_.wal_compression);
        }
        batch.late_.Add(part.refs[i], t, v, start);
      } else {
        ++counts.late_again;
      }
      continue;
    }
    if (now == Appended::kStored &&
        (starts == nullptr
             ? shard.Store(line, t, v, rules, counts)
             : shard.StoreStarted(line, t, v, start, rules, counts))) {
      ++counts.stored;
      counts.min_t = std::min(counts.min_t, t);
      counts.max_t = std::max(counts.max_t, t);
    } else {
      ++counts.dropped;
      batch.Count(now);
    }
  }
  shard.EndBatch();
}

template <typename Rows>
void Head::StoreHistograms(HeadAppender& batch, const Rows& rows,
                           uint32_t number, StoreCounts& counts) {
  if (rows.empty()) return;
  SeriesShard& shard = shards_[number];
  shard.mu.AssertHeld();
  StoreRules rules = Rules();
  rules.epoch = static_cast<uint32_t>(batch.epoch_);
  for (size_t i = 0; i < rows.slots.size(); ++i) {
    if (ShardOf(rows.slots[i]) != number) continue;
    const uint32_t line = LineOf(rows.slots[i]);
    const auto& row = rows.rows[i];
    const int64_t t = row.t.ms;
    bool late = false;
    const Appended now =
        shard.AcceptsHistogram(shard.Line(line), t, row.h, batch.bounds_, late);
    if (late) {
      if (shard.StoreLate(line, MakeLate(t, row.start.ms, row.h), rules, counts,
                          batch.late_mapped_)) {
        if (!batch.late_mapped_.empty()) {
          batch.late_.Mark(row.ref, batch.late_mapped_,
                           options_.wal_compression);
        }
        batch.late_.Add(row.ref, t, row.h, row.start.ms);
      } else {
        ++counts.late_again;
      }
      continue;
    }
    if (now == Appended::kStored &&
        shard.StoreHistogram(line, t, row.h, row.start.ms, rules, counts)) {
      ++counts.histograms;
      counts.min_t = std::min(counts.min_t, t);
      counts.max_t = std::max(counts.max_t, t);
    } else {
      ++counts.dropped;
      batch.Count(now);
    }
  }
}

StoreRules Head::Rules() const {
  StoreRules rules;
  rules.chunk_range = options_.chunk_range;
  rules.samples_per_chunk = options_.samples_per_chunk;
  rules.xor2 = xor2();
  rules.histogram_starts = options_.histogram_starts;
  rules.floor = isolation_.Floor();
  rules.base = base_;
  rules.chunks = chunks_.get();
  return rules;
}

}  // namespace narthex::tsdb
