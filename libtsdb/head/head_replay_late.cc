// The log of late samples (wbl/) back to a head.

#include <optional>
#include <string>
#include <utility>

#include "libtsdb/head/head.h"
#include "libtsdb/wal/format.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

LateSample AsLate(int64_t t, int64_t start, Histogram& h) {
  LateSample sample;
  sample.t = t;
  sample.start = start;
  sample.ints = std::make_shared<const Histogram>(std::move(h));
  return sample;
}
LateSample AsLate(int64_t t, int64_t start, FloatHistogram& h) {
  LateSample sample;
  sample.t = t;
  sample.start = start;
  sample.floats = std::make_shared<const FloatHistogram>(std::move(h));
  return sample;
}

}  // namespace

// One thread: nobody else knows the head yet.
class Head::LateReplayer {
 public:
  LateReplayer(Head& head, ReplayReport& report)
      : head_(head), report_(report), rules_(head.Rules()) {
    rules_.isolated = false;
    rules_.epoch = static_cast<uint32_t>(head.isolation_.watermark());
  }

  absl::Status Read(Env& env, std::vector<wal::SegmentFile> segments) {
    wal::WalReader reader(env, std::move(segments));
    while (reader.Next()) {
      const absl::Status status = Apply(reader.record());
      if (status.code() == absl::StatusCode::kDataLoss) {
        reader.Reject(status);
      } else if (!status.ok()) {
        return Annotate(status, reader.path());
      }
    }
    report_.damages = reader.damages();
    head_.chunk_count_.fetch_add(counts_.chunks, std::memory_order_relaxed);
    head_.metrics_.chunks.Add(static_cast<double>(counts_.chunks));
    return reader.status();
  }

 private:
  // All of a record or nothing.
  absl::Status Apply(std::string_view record) {
    const wal::RecordType type = wal::TypeOf(record);
    if (type == wal::RecordType::kSamples ||
        type == wal::RecordType::kSamplesV2) {
      NARTHEX_RETURN_IF_ERROR(wal::DecodeSamples(record, rows_));
      for (size_t i = 0; i < rows_.size(); ++i) {
        LateSample sample;
        sample.t = rows_.times[i].ms;
        std::memcpy(&sample.v, &rows_.values[i], sizeof(sample.v));
        if (!rows_.start_times.empty()) sample.start = rows_.start_times[i].ms;
        Add(rows_.refs[i], std::move(sample));
      }
      return absl::OkStatus();
    }
    if (wal::IsIntHistograms(type)) {
      NARTHEX_RETURN_IF_ERROR(
          wal::DecodeHistograms(record, ints_, report_.unknown_schemas));
      for (auto& row : ints_) {
        Add(row.ref, AsLate(row.t.ms, row.start.ms, row.h));
      }
      return absl::OkStatus();
    }
    if (wal::IsFloatHistograms(type)) {
      NARTHEX_RETURN_IF_ERROR(
          wal::DecodeHistograms(record, floats_, report_.unknown_schemas));
      for (auto& row : floats_) {
        Add(row.ref, AsLate(row.t.ms, row.start.ms, row.h));
      }
      return absl::OkStatus();
    }
    if (type == wal::RecordType::kMmapMarkers) {
      NARTHEX_RETURN_IF_ERROR(wal::DecodeMmapMarkers(record, markers_));
      for (const wal::MmapMarker& marker : markers_) Mark(marker);
      return absl::OkStatus();
    }
    if (type != wal::RecordType::kNone) ++report_.kept_records;
    return absl::OkStatus();
  }

  // kNoSlot: nobody knows the series.
  Slot Find(SeriesRef ref) {
    const uint64_t id = static_cast<uint64_t>(ref) - head_.base_;
    if (id == 0 || id >= SeriesShard::kNoId) return kNoSlot;
    const Slot slot = head_.by_id_.Find(static_cast<SeriesId>(id));
    if (slot != kNoSlot) return slot;
    const auto it = head_.aliases_.find(static_cast<SeriesId>(id));
    return it == head_.aliases_.end() ? kNoSlot : it->second;
  }

  void Add(SeriesRef ref, LateSample sample) {
    const Slot slot = Find(ref);
    if (slot == kNoSlot) {
      ++report_.unknown_refs;
      return;
    }
    const int64_t t = sample.t;
    SeriesShard& shard = head_.shards_[ShardOf(slot)];
    absl::MutexLock lock(&shard.mu);
    if (shard.StoreLate(LineOf(slot), std::move(sample), rules_, counts_,
                        mapped_)) {
      ++report_.samples;
      head_.UpdateLateTimes(t, t);
    }
  }

  // What came before is in a chunk; if that was found, it need not be twice.
  void Mark(const wal::MmapMarker& marker) {
    if (marker.chunk > head_.last_offered_) return;
    const Slot slot = Find(marker.ref);
    if (slot == kNoSlot) return;
    SeriesShard& shard = head_.shards_[ShardOf(slot)];
    absl::MutexLock lock(&shard.mu);
    shard.ForgetOpenLate(LineOf(slot));
  }

  Head& head_;
  ReplayReport& report_;
  StoreRules rules_;
  StoreCounts counts_;
  wal::SampleRows rows_;
  std::vector<wal::IntHistogramRow> ints_;
  std::vector<wal::FloatHistogramRow> floats_;
  std::vector<wal::MmapMarker> markers_;
  std::vector<HeadChunkRef> mapped_;
};

absl::StatusOr<ReplayReport> Head::ReplayLate(Env& env,
                                              const std::string& dir) {
  ReplayReport report;
  NARTHEX_ASSIGN_OR_RETURN(std::vector<wal::SegmentFile> segments,
                           wal::ListSegments(env, dir));
  LateReplayer replayer(*this, report);
  NARTHEX_RETURN_IF_ERROR(replayer.Read(env, std::move(segments)));
  aliases_ = {};
  metrics_.wal_corruptions.Inc(report.damages.size());
  return report;
}

}  // namespace narthex::tsdb
