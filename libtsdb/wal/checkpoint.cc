#include "libtsdb/wal/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/str_format.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

constexpr std::string_view kPrefix = "checkpoint.";
constexpr size_t kFlushBytes = 1 << 20;

bool ParseName(std::string_view name, uint32_t& segment) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  const char* const end = name.data() + name.size();
  const auto result = std::from_chars(name.data(), end, segment);
  return result.ec == std::errc() && result.ptr == end;
}

// One checkpoint in the making: reads record by record, keeps what it must.
class Filter {
 public:
  Filter(const CheckpointRequest& request,
         absl::FunctionRef<bool(SeriesRef)> keep, WalWriter& out)
      : request_(request), keep_(keep), out_(out) {}

  // `old`: all samples of the segment are known to be too old.
  absl::Status Read(Env& env, const SegmentFile& segment, bool old) {
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<SegmentReader> reader,
                             SegmentReader::Open(env, segment));
    while (true) {
      switch (reader->Next()) {
        case SegmentReader::Step::kRecord:
          if (absl::Status status = Take(*reader, old); !status.ok()) {
            if (!absl::IsDataLoss(status)) return status;
            return CorruptAt(segment.path, reader->record_offset(),
                             Message(status));
          }
          break;
        case SegmentReader::Step::kTorn:
          ++stats_.torn;  // never acknowledged, replay dropped it as well
          if (reader->at_end()) return absl::OkStatus();
          break;
        case SegmentReader::Step::kEnd:
          return absl::OkStatus();
        case SegmentReader::Step::kCorrupt:
          return CorruptAt(segment.path, reader->damage().offset,
                           reader->damage().what);
        case SegmentReader::Step::kError:
          return reader->status();
      }
    }
  }

  absl::Status Finish() {
    // The newest metadata of each series, at the end.
    std::string record;
    for (const auto& [ref, metadata] : metadata_) {
      if (!keep_(ref)) continue;
      if (record.empty()) BeginMetadata(record);
      AddMetadata(ref, metadata, record);
      if (record.size() >= kFlushBytes) NARTHEX_RETURN_IF_ERROR(Put(record));
    }
    if (!record.empty()) NARTHEX_RETURN_IF_ERROR(Put(record));
    return Flush();
  }

  const CheckpointStats& stats() const { return stats_; }

 private:
  absl::Status Take(const SegmentReader& reader, bool old) {
    if (old) {
      const auto type =
          static_cast<RecordType>(PeekType(reader.packed(), reader.flags()));
      if (IsTimed(type)) {
        ++stats_.records_skipped;
        return absl::OkStatus();
      }
    }
    NARTHEX_ASSIGN_OR_RETURN(
        const std::string_view record,
        Unpack(reader.packed(), reader.flags(), unpacked_));
    const RecordType type = TypeOf(record);
    switch (type) {
      case RecordType::kNone:
        return absl::OkStatus();
      case RecordType::kSeries:
        return TakeSeries(record, reader);
      case RecordType::kSamples:
      case RecordType::kSamplesV2:
        return TakeSamples(record, reader);
      case RecordType::kTombstones:
        return TakeTombstones(record);
      case RecordType::kMetadata:
        return DecodeMetadata(record,
                              [this](SeriesRef ref, const Metadata& metadata) {
                                metadata_[ref] = metadata;
                              });
      case RecordType::kExemplars:
        return TakeExemplars(record, reader);
      default:
        break;
    }
    if (IsIntHistograms(type)) return TakeHistograms(record, reader, ints_);
    if (IsFloatHistograms(type)) return TakeHistograms(record, reader, floats_);
    if (old && IsTimed(type)) {
      ++stats_.records_skipped;
      return absl::OkStatus();
    }
    // Of a type that others know: it stays as it is.
    ++stats_.records_copied;
    return Copy(reader);
  }

  absl::Status TakeSeries(std::string_view record,
                          const SegmentReader& reader) {
    std::string kept;
    BeginSeries(kept);
    uint64_t dropped = 0, n = 0;
    // Entries stay as they are: who wrote them knows what is in them.
    NARTHEX_RETURN_IF_ERROR(
        VisitSeries(record, [&](SeriesRef ref, std::string_view entry) {
          if (!keep_(ref)) {
            ++dropped;
            return;
          }
          ++n;
          kept += entry;
        }));
    stats_.series_kept += n;
    stats_.series_dropped += dropped;
    if (n == 0) return absl::OkStatus();
    return dropped == 0 ? Copy(reader) : Put(kept);
  }

  absl::Status TakeSamples(std::string_view record,
                           const SegmentReader& reader) {
    NARTHEX_RETURN_IF_ERROR(DecodeSamples(record, rows_));
    size_t n = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (rows_.times[i] < request_.mint) continue;
      rows_.refs[n] = rows_.refs[i];
      rows_.times[n] = rows_.times[i];
      std::memcpy(&rows_.values[n], &rows_.values[i], sizeof(double));
      if (!rows_.start_times.empty()) {
        rows_.start_times[n] = rows_.start_times[i];
      }
      ++n;
    }
    stats_.samples_kept += n;
    stats_.samples_dropped += rows_.size() - n;
    if (n == 0) return absl::OkStatus();
    if (n == rows_.size()) return Copy(reader);
    std::string kept;
    EncodeSamples(
        std::span(rows_.refs).first(n), std::span(rows_.values).first(n), 0,
        std::span(rows_.times).first(n), kept,
        std::span(rows_.start_times).first(rows_.start_times.empty() ? 0 : n));
    return Put(kept);
  }

  template <typename Row>
  absl::Status TakeHistograms(std::string_view record,
                              const SegmentReader& reader,
                              std::vector<Row>& rows) {
    uint64_t skipped = 0;
    NARTHEX_RETURN_IF_ERROR(DecodeHistograms(record, rows, skipped));
    const size_t n = rows.size();
    std::erase_if(rows,
                  [this](const Row& row) { return row.t < request_.mint; });
    stats_.samples_kept += rows.size();
    stats_.samples_dropped += n - rows.size();
    // Those of a schema that nobody knows stay with their neighbours.
    if (rows.empty() && (n != 0 || skipped == 0)) return absl::OkStatus();
    if (n == rows.size()) return Copy(reader);
    std::string kept;
    const RecordType type = TypeOf(record);
    if (type == RecordType::kHistogramsV2 ||
        type == RecordType::kFloatHistogramsV2) {
      EncodeHistogramsV2(rows, kept);
      return Put(kept);
    }
    for (const BucketKind kind :
         {BucketKind::kExponential, BucketKind::kCustom}) {
      if (EncodeHistograms(rows, kind, kept))
        NARTHEX_RETURN_IF_ERROR(Put(kept));
    }
    return absl::OkStatus();
  }

  absl::Status TakeExemplars(std::string_view record,
                             const SegmentReader& reader) {
    NARTHEX_RETURN_IF_ERROR(DecodeExemplars(record, exemplars_));
    const size_t n = exemplars_.size();
    std::erase_if(exemplars_, [this](const ExemplarRow& row) {
      return row.t < request_.mint;
    });
    if (exemplars_.empty()) return absl::OkStatus();
    if (n == exemplars_.size()) return Copy(reader);
    std::string kept;
    EncodeExemplars(exemplars_, kept);
    return Put(kept);
  }

  absl::Status TakeTombstones(std::string_view record) {
    NARTHEX_RETURN_IF_ERROR(DecodeTombstones(record, tombstones_));
    std::erase_if(tombstones_, [this](const Tombstone& tombstone) {
      return !keep_(tombstone.ref) ||
             tombstone.range.max <
                 std::min(request_.mint, request_.tombstones_from);
    });
    if (tombstones_.empty()) return absl::OkStatus();
    std::string kept;
    EncodeTombstones(tombstones_, kept);
    return Put(kept);
  }

  absl::Status Copy(const SegmentReader& reader) {
    batch_.AddPacked(reader.packed(), reader.flags());
    return FlushIfLarge();
  }
  // Leaves `record` empty.
  absl::Status Put(std::string& record) {
    batch_.Add(record, request_.compression);
    record.clear();
    return FlushIfLarge();
  }
  absl::Status FlushIfLarge() {
    return batch_.bytes() < kFlushBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    if (batch_.empty()) return absl::OkStatus();
    absl::Status status = out_.Log(batch_);
    batch_.Clear();
    return status;
  }

  const CheckpointRequest& request_;
  const absl::FunctionRef<bool(SeriesRef)> keep_;
  WalWriter& out_;
  CheckpointStats stats_;
  RecordBatch batch_;
  std::string unpacked_;
  SampleRows rows_;
  std::vector<Tombstone> tombstones_;
  std::vector<IntHistogramRow> ints_;
  std::vector<FloatHistogramRow> floats_;
  std::vector<ExemplarRow> exemplars_;
  absl::btree_map<SeriesRef, Metadata> metadata_;
};

}  // namespace

absl::StatusOr<std::optional<Checkpoint>> LastCheckpoint(
    Env& env, const std::string& wal_dir) {
  std::optional<Checkpoint> last;
  const absl::StatusOr<std::vector<DirEntry>> entries = env.ListDir(wal_dir);
  if (absl::IsNotFound(entries.status())) return last;
  if (!entries.ok()) return entries.status();
  for (const DirEntry& entry : *entries) {
    uint32_t segment = 0;
    if (!entry.is_dir || !ParseName(entry.name, segment)) continue;
    if (!last.has_value() || segment > last->segment) {
      last = Checkpoint{segment, JoinPath(wal_dir, entry.name)};
    }
  }
  return last;
}

absl::StatusOr<CheckpointStats> WriteCheckpoint(
    Env& env, const CheckpointRequest& request,
    absl::FunctionRef<bool(SeriesRef)> keep) {
  NARTHEX_ASSIGN_OR_RETURN(const std::optional<Checkpoint> last,
                           LastCheckpoint(env, request.wal_dir));
  if (last.has_value() && last->segment >= request.to) {
    return FailedPrecondition(StrCat("checkpoint ", last->segment,
                                     " already covers segment ", request.to));
  }
  const std::string dir =
      JoinPath(request.wal_dir, absl::StrFormat("checkpoint.%08d", request.to));
  const std::string tmp = dir + ".tmp";
  NARTHEX_RETURN_IF_ERROR(env.RemoveAll(tmp));
  WalOptions options;
  options.segment_size = request.segment_size;
  options.logger = request.logger;
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<WalWriter> out,
                           WalWriter::Open(env, tmp, options));
  Filter filter(request, keep, *out);
  const auto read_all = [&]() -> absl::Status {
    if (last.has_value()) {
      NARTHEX_ASSIGN_OR_RETURN(const std::vector<SegmentFile> before,
                               ListSegments(env, last->dir));
      for (const SegmentFile& segment : before) {
        NARTHEX_RETURN_IF_ERROR(filter.Read(env, segment, /*old=*/false));
      }
    }
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<SegmentFile> segments,
                             ListSegments(env, request.wal_dir));
    for (const SegmentFile& segment : segments) {
      if (segment.number > request.to) break;
      if (last.has_value() && segment.number <= last->segment) continue;
      const bool old =
          request.times != nullptr &&
          request.times->WhollyBefore(segment.number, request.mint);
      NARTHEX_RETURN_IF_ERROR(filter.Read(env, segment, old));
    }
    NARTHEX_RETURN_IF_ERROR(filter.Finish());
    NARTHEX_RETURN_IF_ERROR(out->Close());
    NARTHEX_RETURN_IF_ERROR(env.SyncDir(tmp));
    NARTHEX_RETURN_IF_ERROR(env.Rename(tmp, dir));
    return env.SyncDir(request.wal_dir);
  };
  if (absl::Status status = read_all(); !status.ok()) {
    out.reset();
    env.RemoveAll(tmp).IgnoreError();
    return Annotate(status, "checkpoint");
  }
  return filter.stats();
}

absl::Status RemoveCheckpointsBelow(Env& env, const std::string& wal_dir,
                                    uint32_t segment) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                           env.ListDir(wal_dir));
  for (const DirEntry& entry : entries) {
    if (!entry.is_dir || !std::string_view(entry.name).starts_with(kPrefix)) {
      continue;
    }
    uint32_t number = 0;
    const bool unfinished = std::string_view(entry.name).ends_with(".tmp");
    if (unfinished || (ParseName(entry.name, number) && number < segment)) {
      NARTHEX_RETURN_IF_ERROR(env.RemoveAll(JoinPath(wal_dir, entry.name)));
    }
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb::wal
