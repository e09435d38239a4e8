// The log back to a head.  The newest checkpoint, then the segments behind it,
// in order; what chunks_head has already is not stored again.

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/head/done_until.h"
#include "libtsdb/head/head.h"
#include "libtsdb/head/replay_refs.h"
#include "libtsdb/wal/checkpoint.h"
#include "libtsdb/wal/log_ahead.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

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
      const absl::Status status =
          item->has_samples ? item->decoded : Apply(item->record);
      if (item->has_samples && status.ok()) AddSamples(item->samples);
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
    refs_.Finish();
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

  // All of a record or nothing: one that can't be read is set aside, and what
  // was taken of it would be gone the next time.
  absl::Status Apply(std::string_view record) {
    switch (wal::TypeOf(record)) {
      case wal::RecordType::kNone:
        return absl::OkStatus();
      case wal::RecordType::kSeries: {
        absl::Status failed = absl::OkStatus();
        const auto check = [&](SeriesRef ref, std::span<const Label> labels) {
          if (failed.ok()) failed = CheckSeries(ref, labels);
        };
        NARTHEX_RETURN_IF_ERROR(wal::DecodeSeries(record, check));
        NARTHEX_RETURN_IF_ERROR(failed);
        const auto add = [&](SeriesRef ref, std::span<const Label> labels) {
          if (failed.ok()) failed = AddSeries(ref, labels);
        };
        NARTHEX_RETURN_IF_ERROR(wal::DecodeSeries(record, add));
        return failed;
      }
      case wal::RecordType::kHistograms:
      case wal::RecordType::kCustomHistograms:
      case wal::RecordType::kHistogramsV2: {
        NARTHEX_RETURN_IF_ERROR(
            wal::DecodeHistograms(record, ints_, report_.unknown_schemas));
        AddHistograms(ints_);
        return absl::OkStatus();
      }
      case wal::RecordType::kFloatHistograms:
      case wal::RecordType::kCustomFloatHistograms:
      case wal::RecordType::kFloatHistogramsV2: {
        NARTHEX_RETURN_IF_ERROR(
            wal::DecodeHistograms(record, floats_, report_.unknown_schemas));
        AddHistograms(floats_);
        return absl::OkStatus();
      }
      case wal::RecordType::kTombstones: {
        NARTHEX_RETURN_IF_ERROR(wal::DecodeTombstones(record, deleted_));
        AddTombstones();
        return absl::OkStatus();
      }
      case wal::RecordType::kExemplars: {
        NARTHEX_RETURN_IF_ERROR(wal::DecodeExemplars(record, exemplars_));
        AddExemplars();
        return absl::OkStatus();
      }
      case wal::RecordType::kMetadata:
        return wal::DecodeMetadata(
            record, [this](SeriesRef ref, const Metadata& metadata) {
              const SeriesId id = refs_.IdOf(ref);
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
    const Slot slot = head_.by_id_.Find(refs_.IdOf(series.ref));
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

  // The number of the series that lies there.
  SeriesId IdAt(Slot slot) const {
    absl::ReaderMutexLock lock(&head_.shards_[ShardOf(slot)].mu);
    return head_.shards_[ShardOf(slot)].IdOf(LineOf(slot));
  }

  // kDataLoss: no writer makes such a one.
  absl::Status CheckSeries(SeriesRef ref, std::span<const Label> pairs) {
    bool good = refs_.IdOf(ref) != SeriesShard::kNoId && !pairs.empty();
    for (const Label& label : pairs) {
      good = good && !label.name.empty() && !label.value.empty();
    }
    return good ? absl::OkStatus()
                : DataLoss(StrCat("series record with the reference ",
                                  static_cast<uint64_t>(ref)));
  }

  absl::Status AddSeries(SeriesRef ref, std::span<const Label> pairs) {
    NARTHEX_RETURN_IF_ERROR(CheckSeries(ref, pairs));
    const SeriesId id = refs_.IdOf(ref);
    const Labels labels = Labels::FromPairs(pairs);
    const uint64_t number = static_cast<uint64_t>(ref);
    if (head_.options_.shared_refs.contains(number)) {
      return AddShared(id, labels);
    }
    const Slot known = refs_.Find(id);
    if (known != kNoSlot) {  // a checkpoint and a segment both have it
      if (!head_.HasLabels(known, labels)) report_.shared_refs.insert(number);
      return absl::OkStatus();
    }
    refs_.Pass(id);
    // Side by side as they were made: a target's series in one shard.
    if (created_.size() % 1024 == 0) ++shard_;
    absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
    NARTHEX_ASSIGN_OR_RETURN(const Found found,
                             head_.FindOrCreate(labels, shard_ % kShards, id));
    if (found.created) {
      ++report_.series;
      created_.push_back(id);
      done_.Set(id, kMinMillis);  // a series deleted before may have had it
    } else {
      refs_.SetAlias(id, found.slot);  // forgotten and made again
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
    const uint32_t line = LineOf(found.slot);
    done_.Set(shard.IdOf(line), shard.MappedMax(shard.Line(line)));
    return absl::OkStatus();
  }

  // One of the series that had this reference, each for some time.  From now on
  // it has one of its own; what the log has under this one, up to the record of
  // the next series, is found as by a second reference.
  absl::Status AddShared(SeriesId id, const Labels& labels) {
    refs_.Pass(id);
    const SeriesId own = refs_.next();
    absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
    NARTHEX_ASSIGN_OR_RETURN(const Found found,
                             head_.FindOrCreate(labels, shard_ % kShards, own));
    if (found.created) {
      ++report_.series;
      created_.push_back(own);
      done_.Set(own, kMinMillis);
      head_.LogSeriesLater(own, labels);
    }
    refs_.SetAlias(id, found.slot);
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
    if (rows.size() == 0) return;
    refs_.IdOf(rows.refs[0]);  // there is a base now
    const TimeRange range =
        done_.Pick(rows, head_.base_, min_valid_, picked_, picked_refs_);
    Cover(range);
    const bool one_time = range.min == range.max;
    slots_.resize(picked_.size());
    head_.by_id_.FindAll(picked_refs_, head_.base_, slots_.data());
    size_t n = 0;
    for (size_t k = 0; k < picked_.size(); ++k) {
      if (slots_[k] == kNoSlot) {
        const int64_t t = rows.times[picked_[k]].ms;
        slots_[k] = refs_.FindAlias(picked_refs_[k], t);
        if (IsUnknown(slots_[k]) || t <= done_.Of(IdAt(slots_[k]))) continue;
      }
      slots_[n] = slots_[k];
      picked_[n++] = picked_[k];
    }
    int64_t least = kMaxMillis, greatest = kMinMillis;
    for (size_t k = 0; k < n;) {
      const uint32_t number = ShardOf(slots_[k]);
      SeriesShard& shard = head_.shards_[number];
      absl::MutexLock lock(&shard.mu);
      if (one_time) shard.BeginBatch(range.min.ms);
      const auto is_ours = [&](size_t at) {
        return at < n && ShardOf(slots_[at]) == number;
      };
      for (; is_ours(k); ++k) {
        if (is_ours(k + 24)) {
          __builtin_prefetch(&shard.Line(LineOf(slots_[k + 24])), 1);
        }
        if (is_ours(k + 12)) {
          shard.PrefetchChunk(shard.Line(LineOf(slots_[k + 12])));
        }
        const size_t i = picked_[k];
        const int64_t t = rows.times[i].ms;
        const int64_t start =
            rows.start_times.empty() ? 0 : rows.start_times[i].ms;
        if (shard.StoreStarted(LineOf(slots_[k]), t,
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
      const Slot slot = refs_.Find(row.ref, t);
      if (IsUnknown(slot)) continue;
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
      const Slot slot = refs_.Find(row.ref, row.t.ms);
      if (IsUnknown(slot)) continue;
      head_.exemplars_.Add(head_.LabelsOf(slot),
                           {row.labels, row.value, row.t});
    }
  }

  bool IsUnknown(Slot slot) {
    report_.unknown_refs += slot == kNoSlot;
    return slot == kNoSlot;
  }

  void AddTombstones() {
    for (const wal::Tombstone& tombstone : deleted_) {
      const SeriesId id = refs_.IdOf(tombstone.ref);
      if (id == SeriesShard::kNoId) continue;
      refs_.Pass(id);
      const Slot slot = refs_.Find(tombstone.ref, kMinMillis);
      if (IsUnknown(slot)) continue;
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
      refs_.ForgetAliases(slot);
      done_.Set(refs_.IdOf(SeriesRef{ref}), kMinMillis);
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
  ReplayRefs refs_{head_, rules_};
  StoreCounts counts_;
  uint32_t shard_ = 0;
  TimeRange* segment_ = nullptr;
  std::vector<SeriesId> created_;
  Tombstones tombstones_;
  DoneUntil done_;
  std::vector<uint32_t> picked_;  // of a record's samples
  std::vector<SeriesRef> picked_refs_;
  std::vector<Slot> slots_;
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
  bool snapshot_fits = snapshot.has_value() && options_.shared_refs.empty();
  if (snapshot_fits &&
      (segments.empty() || snapshot->segment > segments.back().number)) {
    // Of another log.  Once this one is as long it would be taken for its own.
    report.snapshot = DataLoss("it is ahead of the WAL");
    snapshot_fits = false;
  }
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
  {
    absl::MutexLock lock(&index_mu_);
    report.next_ref = RefOf(next_id_);
  }
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
