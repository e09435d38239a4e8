// The log back to a head.  The newest checkpoint, then the segments behind it,
// in order; what chunks_head has already is not stored again.

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/head/done_until.h"
#include "libtsdb/head/head.h"
#include "libtsdb/wal/checkpoint.h"
#include "libtsdb/wal/log_ahead.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// Numbers of series count from the first reference in the log less this much,
// so that one that comes out of order has a number too.
constexpr uint64_t kBaseSlack = uint64_t{1} << 30;

// Bytes of the log between two words on the progress.
constexpr uint64_t kTellEvery = uint64_t{4} << 20;

uint64_t BytesOf(Env& env, const std::vector<wal::SegmentFile>& segments) {
  uint64_t bytes = 0;
  for (const wal::SegmentFile& segment : segments) {
    const absl::StatusOr<FileInfo> info = env.Stat(segment.path);
    bytes += info.ok() ? info->size : 0;
  }
  return bytes;
}

}  // namespace

// One replay.  One thread: nobody else knows the head yet.
class Head::Replayer {
 public:
  using Progress = std::function<void(uint64_t, uint64_t)>;

  // `total`: bytes of all that will be read.
  Replayer(Head& head, ReplayReport& report, const Progress& progress,
           uint64_t total)
      : head_(head),
        report_(report),
        progress_(progress),
        total_(total),
        min_valid_(head.min_valid_.load(std::memory_order_relaxed)) {
    rules_ = head.Rules();
    rules_.isolated = false;
  }

  absl::Status Read(Env& env, std::vector<wal::SegmentFile> segments,
                    bool checkpoint) {
    wal::LogAhead log(env, std::move(segments), head_.options_.executor);
    while (const wal::LogAhead::Item* item = log.Next()) {
      segment_ = checkpoint ? nullptr : &SegmentTimes(item->segment);
      if (item->has_samples) AddSamples(item->samples);  // the intact ones
      const absl::Status status =
          item->has_samples ? item->decoded : Apply(item->record);
      if (status.code() == absl::StatusCode::kDataLoss) {
        log.Reject(status);
      } else if (!status.ok()) {
        return Annotate(status, log.path());
      }
      Tell(read_ + item->done);
    }
    read_ += log.bytes_read();
    for (wal::Damage& damage : log.TakeDamages()) {
      report_.damages.push_back(std::move(damage));
    }
    return log.status();
  }

  // Of what the head was when it was closed.  kDataLoss: what was read of it
  // stands, and the log has it all.
  absl::Status ReadSnapshot(Env& env, const std::string& dir) {
    NARTHEX_ASSIGN_OR_RETURN(std::vector<wal::SegmentFile> segments,
                             wal::ListSegments(env, dir));
    wal::WalReader reader(env, std::move(segments));
    while (reader.Next()) {
      const absl::Status status = ApplySnapshot(reader.record());
      if (!status.ok()) {
        return DataLoss(StrCat(reader.path(), " at ", reader.offset(), ": ",
                               Message(status)));
      }
    }
    NARTHEX_RETURN_IF_ERROR(reader.status());
    if (reader.damages().empty()) return absl::OkStatus();
    const wal::Damage& damage = reader.damages().front();
    return CorruptAt(damage.path, damage.offset, damage.what);
  }

  // Puts all series among the postings, ascending.
  void Finish() {
    std::vector<SeriesId> ids = std::move(created_);
    std::sort(ids.begin(), ids.end());
    std::vector<RowHandle> rows;
    rows.reserve(ids.size());
    for (SeriesId& id : ids) {
      const Slot slot = head_.by_id_.Find(id);
      if (slot == kNoSlot) {  // deleted again
        id = SeriesShard::kNoId;
        continue;
      }
      const SeriesShard& shard = head_.shards_[ShardOf(slot)];
      absl::ReaderMutexLock shard_lock(&shard.mu);
      rows.push_back(shard.Line(LineOf(slot)).labels);
    }
    std::erase(ids, SeriesShard::kNoId);
    {
      std::vector<LabelPair> pairs;
      absl::MutexLock lock(&head_.index_mu_);
      for (size_t i = 0; i < ids.size(); ++i) {
        pairs.clear();
        head_.symbols_.CopyRow(rows[i], pairs);
        head_.postings_.Add(ids[i], pairs);
      }
    }
    head_.chunk_count_.fetch_add(counts_.chunks, std::memory_order_relaxed);
    head_.metrics_.chunks.Add(static_cast<double>(counts_.chunks));
    {
      absl::MutexLock care(&head_.care_mu_);
      for (const auto& [ref, until] : alias_until_) {
        int64_t& expiry = head_.log_expiries_[ref];
        expiry = std::max(expiry, until);
      }
      for (const auto& [id, slot] : aliases_) {
        head_.late_references_.insert(head_.RefOf(id));
      }
    }
    head_.logged_twice_ = !aliases_.empty();
    head_.aliases_ = std::move(aliases_);
    if (tombstones_.empty()) return;
    absl::MutexLock tombstones_lock(&head_.tombstones_mu_);
    head_.tombstones_ =
        std::make_shared<const Tombstones>(std::move(tombstones_));
  }

 private:
  void Tell(uint64_t done) {
    if (!progress_ || done - told_ < kTellEvery) return;
    told_ = done;
    progress_(std::min(done, total_), total_);
  }

  TimeRange& SegmentTimes(uint32_t segment) {
    return head_.replayed_times_
        .try_emplace(segment, TimeRange{kMaxTime, kMinTime})
        .first->second;
  }
  // The segment in hand has samples of these times.
  void Cover(TimeRange range) {
    if (segment_ == nullptr) return;
    segment_->min = std::min(segment_->min, range.min);
    segment_->max = std::max(segment_->max, range.max);
  }

  absl::Status Apply(std::string_view record) {
    switch (wal::TypeOf(record)) {
      case wal::RecordType::kNone:
        return absl::OkStatus();
      case wal::RecordType::kSeries: {
        absl::Status failed = absl::OkStatus();
        NARTHEX_RETURN_IF_ERROR(wal::DecodeSeries(
            record, [&](SeriesRef ref, std::span<const Label> labels) {
              if (failed.ok()) failed = AddSeries(ref, labels);
            }));
        return failed;
      }
      case wal::RecordType::kHistograms:
      case wal::RecordType::kCustomHistograms:
      case wal::RecordType::kHistogramsV2: {
        const absl::Status decoded =
            wal::DecodeHistograms(record, ints_, report_.unknown_schemas);
        AddHistograms(ints_);
        return decoded;
      }
      case wal::RecordType::kFloatHistograms:
      case wal::RecordType::kCustomFloatHistograms:
      case wal::RecordType::kFloatHistogramsV2: {
        const absl::Status decoded =
            wal::DecodeHistograms(record, floats_, report_.unknown_schemas);
        AddHistograms(floats_);
        return decoded;
      }
      case wal::RecordType::kTombstones: {
        const absl::Status decoded = wal::DecodeTombstones(record, deleted_);
        AddTombstones();
        return decoded;
      }
      case wal::RecordType::kExemplars: {
        const absl::Status decoded = wal::DecodeExemplars(record, exemplars_);
        AddExemplars();
        return decoded;
      }
      case wal::RecordType::kMetadata:
        return wal::DecodeMetadata(
            record, [this](SeriesRef ref, const Metadata& metadata) {
              const SeriesId id = IdOf(ref);
              if (id == SeriesShard::kNoId) return;
              if (head_.by_id_.Find(id) == kNoSlot) return;
              head_.metadata_.Set(id, metadata);
            });
      case wal::RecordType::kMmapMarkers:
        return absl::OkStatus();  // they belong to the log of late samples
      default:
        ++report_.kept_records;
        return absl::OkStatus();
    }
  }

  absl::Status ApplySnapshot(std::string_view record) {
    switch (static_cast<SnapshotRecord>(record.empty() ? 0 : record[0])) {
      case SnapshotRecord::kSeries:
        return DecodeSnapshotSeries(
            record,
            [this](const SnapshotSeries& series,
                   std::span<const Label> labels) -> absl::Status {
              NARTHEX_RETURN_IF_ERROR(AddSeries(series.ref, labels));
              return series.has_chunk ? RestoreChunk(series) : absl::OkStatus();
            });
      case SnapshotRecord::kTombstones:
        return DecodeSnapshotTombstones(record, tombstones_);
      case SnapshotRecord::kExemplars: {
        NARTHEX_RETURN_IF_ERROR(DecodeSnapshotExemplars(record, exemplars_));
        AddExemplars();
        return absl::OkStatus();
      }
    }
    return DataLoss("a snapshot record of unknown kind");
  }

  // Sample by sample, as if they came anew: the chunk can be gone on with.
  absl::Status RestoreChunk(const SnapshotSeries& series) {
    const Slot slot = head_.by_id_.Find(IdOf(series.ref));
    if (slot == kNoSlot) return absl::OkStatus();
    MemoryBudget budget;
    SampleColumns columns(budget);
    if (series.encoding != ChunkEncoding::kXor) {
      NARTHEX_RETURN_IF_ERROR(columns.ReserveStartTimes());
    }
    NARTHEX_RETURN_IF_ERROR(
        DecodeChunk(series.encoding, series.bytes, TimeRange(), columns));
    SeriesShard& shard = head_.shards_[ShardOf(slot)];
    StoreCounts counts;
    {
      absl::MutexLock lock(&shard.mu);
      StoreSnapshot(series, columns, min_valid_, rules_, shard, LineOf(slot),
                    counts);
    }
    counts_.chunks += counts.chunks;
    report_.samples += counts.stored + counts.histograms;
    if (counts.min_t <= counts.max_t) {
      head_.UpdateTimes(counts.min_t, counts.max_t);
    }
    return absl::OkStatus();
  }

  // kNoId: it can't be.
  SeriesId IdOf(SeriesRef ref) {
    const uint64_t number = static_cast<uint64_t>(ref);
    if (!based_) {
      based_ = true;
      head_.base_ = number > kBaseSlack ? number - kBaseSlack : 0;
      rules_.base = head_.base_;
    }
    if (number <= head_.base_ ||
        number - head_.base_ >= SeriesShard::kNoId - 1) {
      return SeriesShard::kNoId;
    }
    return static_cast<SeriesId>(number - head_.base_);
  }
  // References are never given out twice.
  void Pass(SeriesId id) {
    absl::MutexLock lock(&head_.index_mu_);
    head_.next_id_ = std::max(head_.next_id_, id + 1);
  }

  absl::Status AddSeries(SeriesRef ref, std::span<const Label> pairs) {
    const SeriesId id = IdOf(ref);
    if (id == SeriesShard::kNoId || pairs.empty()) {
      return DataLoss(StrCat("series record with the reference ",
                             static_cast<uint64_t>(ref)));
    }
    if (head_.by_id_.Find(id) != kNoSlot || aliases_.contains(id)) {
      return absl::OkStatus();  // a checkpoint and a segment both have it
    }
    Pass(id);
    const Labels labels = Labels::FromPairs(pairs);
    // Side by side as they were made: a target's series in one shard.
    if (created_.size() % 1024 == 0) ++shard_;
    absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
    NARTHEX_ASSIGN_OR_RETURN(const Found found,
                             head_.FindOrCreate(labels, shard_ % kShards, id));
    if (found.created) {
      ++report_.series;
      created_.push_back(id);
      done_.Set(found.slot, kMinMillis);  // the line may be used again
    } else {
      aliases_.emplace(id, found.slot);  // forgotten and made again
    }
    AddLateChunks(ref, found.slot);
    const auto offered = head_.offered_.find(static_cast<uint64_t>(ref));
    if (offered == head_.offered_.end()) return absl::OkStatus();
    SeriesShard& shard = head_.shards_[ShardOf(found.slot)];
    absl::MutexLock lock(&shard.mu);
    for (const MappedChunk& chunk : offered->second) {
      if (!shard.OfferMapped(LineOf(found.slot), chunk, rules_)) continue;
      ++counts_.chunks;
      head_.UpdateTimes(chunk.min_t, chunk.max_t);
    }
    head_.offered_.erase(offered);
    done_.Set(found.slot, shard.MappedMax(shard.Line(LineOf(found.slot))));
    return absl::OkStatus();
  }

  void AddLateChunks(SeriesRef ref, Slot slot) {
    const auto offered = head_.offered_late_.find(static_cast<uint64_t>(ref));
    if (offered == head_.offered_late_.end()) return;
    SeriesShard& shard = head_.shards_[ShardOf(slot)];
    absl::MutexLock lock(&shard.mu);
    for (const MappedChunk& chunk : offered->second) {
      shard.AddLateMapped(LineOf(slot), chunk);
      head_.UpdateLateTimes(chunk.min_t, chunk.max_t);
      ++counts_.chunks;
    }
    head_.offered_late_.erase(offered);
  }

  void AddSamples(const wal::SampleRows& rows) {
    size_t n = rows.size();
    if (n == 0) return;
    if (!based_) IdOf(rows.refs[0]);
    slots_.resize(n);
    head_.by_id_.FindAll(rows.refs, head_.base_, slots_.data());
    TimeRange range = {rows.times[0], rows.times[0]};
    for (size_t i = 1; i < n; ++i) {
      range.min = std::min(range.min, rows.times[i]);
      range.max = std::max(range.max, rows.times[i]);
    }
    Cover(range);
    const bool one_time = range.min == range.max;
    // Most are in chunks already: they don't get so far as to a line.
    picked_.clear();
    for (size_t i = 0; i < n; ++i) {
      const int64_t t = rows.times[i].ms;
      if (t < min_valid_) continue;
      if (slots_[i] == kNoSlot && !FindAlias(rows.refs[i], t, slots_[i])) {
        continue;
      }
      if (t <= done_.Of(slots_[i])) continue;
      picked_.push_back(static_cast<uint32_t>(i));
    }
    n = picked_.size();
    const auto slot_of = [&](size_t k) { return slots_[picked_[k]]; };
    int64_t least = kMaxMillis, greatest = kMinMillis;
    for (size_t k = 0; k < n;) {
      const uint32_t number = ShardOf(slot_of(k));
      SeriesShard& shard = head_.shards_[number];
      absl::MutexLock lock(&shard.mu);
      if (one_time) shard.BeginBatch(range.min.ms);
      const auto is_ours = [&](size_t at) {
        return at < n && ShardOf(slot_of(at)) == number;
      };
      for (; is_ours(k); ++k) {
        if (is_ours(k + 24)) {
          __builtin_prefetch(&shard.Line(LineOf(slot_of(k + 24))), 1);
        }
        if (is_ours(k + 12)) {
          shard.PrefetchChunk(shard.Line(LineOf(slot_of(k + 12))));
        }
        const size_t i = picked_[k];
        const int64_t t = rows.times[i].ms;
        const int64_t start =
            rows.start_times.empty() ? 0 : rows.start_times[i].ms;
        if (shard.StoreStarted(LineOf(slots_[i]), t,
                               std::bit_cast<uint64_t>(rows.values[i]), start,
                               rules_, counts_)) {
          ++report_.samples;
          least = std::min(least, t);
          greatest = std::max(greatest, t);
        }
      }
      shard.EndBatch();
    }
    if (least <= greatest) head_.UpdateTimes(least, greatest);
  }

  template <typename Row>
  void AddHistograms(std::vector<Row>& rows) {
    for (Row& row : rows) {
      const int64_t t = row.t.ms;
      Cover({row.t, row.t});
      if (t < min_valid_) continue;
      const SeriesId id = IdOf(row.ref);
      Slot slot = id == SeriesShard::kNoId ? kNoSlot : head_.by_id_.Find(id);
      if (slot == kNoSlot && !FindAlias(row.ref, t, slot)) continue;
      SeriesShard& shard = head_.shards_[ShardOf(slot)];
      absl::MutexLock lock(&shard.mu);
      if (shard.StoreHistogram(LineOf(slot), t, row.h, row.start.ms, rules_,
                               counts_)) {
        ++report_.samples;
        head_.UpdateTimes(t, t);
      }
    }
  }

  void AddExemplars() {
    for (const wal::ExemplarRow& row : exemplars_) {
      Cover({row.t, row.t});
      if (row.t.ms < min_valid_) continue;
      const SeriesId id = IdOf(row.ref);
      Slot slot = id == SeriesShard::kNoId ? kNoSlot : head_.by_id_.Find(id);
      if (slot == kNoSlot && !FindAlias(row.ref, row.t.ms, slot)) continue;
      head_.exemplars_.Add(head_.LabelsOf(slot),
                           {row.labels, row.value, row.t});
    }
  }

  bool FindAlias(SeriesRef ref, int64_t t, Slot& slot) {
    const SeriesId id = IdOf(ref);
    const auto it = aliases_.find(id);
    if (it == aliases_.end()) {
      ++report_.unknown_refs;
      return false;
    }
    slot = it->second;
    int64_t& until =
        alias_until_.try_emplace(head_.RefOf(id), kMinMillis).first->second;
    until = std::max(until, t);
    return true;
  }

  void AddTombstones() {
    for (const wal::Tombstone& tombstone : deleted_) {
      const SeriesId id = IdOf(tombstone.ref);
      if (id == SeriesShard::kNoId) continue;
      Pass(id);
      Slot slot = head_.by_id_.Find(id);
      if (slot == kNoSlot && !FindAlias(tombstone.ref, kMinMillis, slot)) {
        continue;
      }
      const uint32_t line = LineOf(slot);
      SeriesShard& shard = head_.shards_[ShardOf(slot)];
      uint64_t ref = 0;
      {
        absl::MutexLock lock(&shard.mu);
        ref = head_.RefOf(shard.IdOf(line));
        if (tombstone.range == TimeRange()) shard.DropChunks(line);
      }
      if (tombstone.range != TimeRange()) {
        // Of any age: late samples may be older than the head.
        tombstones_.Add(ref, tombstone.range);
        continue;
      }
      // The series was deleted here; a later one of its name is another.
      absl::erase_if(aliases_, [&](auto& a) { return a.second == slot; });
      done_.Set(slot, kMinMillis);
      absl::flat_hash_set<SeriesId> removed;
      head_.RemoveEmpty(ShardOf(slot), {&line, 1}, removed);
      head_.series_.fetch_sub(removed.size(), std::memory_order_relaxed);
      head_.metrics_.series.Add(-static_cast<double>(removed.size()));
      tombstones_.Remove(ref);
    }
  }

  Head& head_;
  ReplayReport& report_;
  const Progress& progress_;
  const uint64_t total_;
  uint64_t read_ = 0;  // bytes of what was read before
  uint64_t told_ = 0;
  const int64_t min_valid_;
  StoreRules rules_;
  StoreCounts counts_;
  bool based_ = false;
  uint32_t shard_ = 0;
  TimeRange* segment_ = nullptr;
  std::vector<SeriesId> created_;
  // Series that were forgotten and made again: the number of the later ones.
  absl::flat_hash_map<SeriesId, Slot> aliases_;
  absl::flat_hash_map<uint64_t, int64_t> alias_until_;
  Tombstones tombstones_;
  DoneUntil done_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> picked_;
  std::vector<wal::Tombstone> deleted_;
  std::vector<wal::ExemplarRow> exemplars_;
  std::vector<wal::IntHistogramRow> ints_;
  std::vector<wal::FloatHistogramRow> floats_;
};

absl::StatusOr<ReplayReport> Head::Replay(
    Env& env, const std::string& wal_dir,
    const std::function<void(uint64_t, uint64_t)>& progress,
    const std::optional<SnapshotDir>& snapshot) {
  NARTHEX_ASSIGN_OR_RETURN(const std::optional<wal::Checkpoint> checkpoint,
                           wal::LastCheckpoint(env, wal_dir));
  std::vector<wal::SegmentFile> kept;  // the checkpoint's
  if (checkpoint.has_value()) {
    NARTHEX_ASSIGN_OR_RETURN(kept, wal::ListSegments(env, checkpoint->dir));
  }
  NARTHEX_ASSIGN_OR_RETURN(std::vector<wal::SegmentFile> segments,
                           wal::ListSegments(env, wal_dir));
  if (checkpoint.has_value()) {
    std::erase_if(segments, [&](const wal::SegmentFile& segment) {
      return segment.number <= checkpoint->segment;
    });
  }
  ReplayReport report;
  // Its part of the log need not be read, if nothing came to that part later.
  bool snapshot_fits = snapshot.has_value() && !segments.empty() &&
                       snapshot->segment <= segments.back().number;
  if (snapshot_fits) {
    for (const wal::SegmentFile& segment : segments) {
      if (segment.number != snapshot->segment) continue;
      NARTHEX_ASSIGN_OR_RETURN(const FileInfo info, env.Stat(segment.path));
      snapshot_fits = info.size <= snapshot->offset + wal::kPageSize - 1;
    }
  }
  uint64_t total = 0;
  if (progress) total = BytesOf(env, kept) + BytesOf(env, segments);
  Replayer replayer(*this, report, progress, total);
  if (snapshot_fits) {
    report.snapshot = replayer.ReadSnapshot(env, snapshot->path);
    if (report.snapshot.ok()) {
      report.snapshot_used = true;
      std::erase_if(segments, [&](const wal::SegmentFile& segment) {
        return segment.number <= snapshot->segment;
      });
      if (checkpoint.has_value() && checkpoint->segment < snapshot->segment) {
        kept.clear();
      }
    }
  }
  for (const wal::SegmentFile& segment : segments) {
    replayed_times_.try_emplace(segment.number, TimeRange{kMaxTime, kMinTime});
  }
  absl::Status read = replayer.Read(env, std::move(kept), /*checkpoint=*/true);
  if (read.ok()) {
    read = replayer.Read(env, std::move(segments), /*checkpoint=*/false);
  }
  if (progress) progress(total, total);
  NARTHEX_RETURN_IF_ERROR(read);
  replayer.Finish();
  offered_ = {};
  offered_late_ = {};
  metrics_.wal_corruptions.Inc(report.damages.size());
  // Chunks may reach back before what is valid.
  const int64_t min_valid = min_valid_.load(std::memory_order_relaxed);
  if (min_time() < min_valid) {
    min_time_.store(min_valid, std::memory_order_release);
  }
  return report;
}

}  // namespace narthex::tsdb
