#include "libtsdb/head/head_snapshot.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "libtsdb/head/head.h"
#include "libtsdb/head/open_chunk.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr std::string_view kPrefix = "chunk_snapshot.";
constexpr size_t kFlushBytes = 1 << 20;
constexpr size_t kExemplarsPerRecord = 10000;
// Of the last four samples, which older versions wanted, only one is filled.
constexpr int kUnusedSamples = 3;
// What a block's file of tombstones has behind its magic number, this has too.
constexpr uint8_t kTombstonesVersion = 1;

bool ParseName(std::string_view name, SnapshotDir& out) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  const char* const end = name.data() + name.size();
  const auto segment = std::from_chars(name.data(), end, out.segment);
  if (segment.ec != std::errc() || segment.ptr == end || *segment.ptr != '.') {
    return false;
  }
  const auto offset = std::from_chars(segment.ptr + 1, end, out.offset);
  return offset.ec == std::errc() && offset.ptr == end;
}

absl::Status Bad(const ByteReader& r) {
  return DataLoss(StrCat("bad snapshot record at byte ", r.bad_offset() + 1));
}

bool IsType(std::string_view record, SnapshotRecord type) {
  return !record.empty() && record[0] == static_cast<char>(type);
}

}  // namespace

std::string SnapshotPath(const std::string& data_dir, uint32_t segment,
                         uint64_t offset) {
  return JoinPath(
      data_dir, absl::StrFormat("chunk_snapshot.%06d.%010d", segment, offset));
}

absl::StatusOr<std::optional<SnapshotDir>> LastSnapshot(
    Env& env, const std::string& data_dir) {
  std::optional<SnapshotDir> last;
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                           env.ListDir(data_dir));
  for (const DirEntry& entry : entries) {
    SnapshotDir found;
    if (!entry.is_dir || !ParseName(entry.name, found)) continue;
    if (last.has_value() && std::pair(last->segment, last->offset) >=
                                std::pair(found.segment, found.offset)) {
      continue;
    }
    found.path = JoinPath(data_dir, entry.name);
    last = std::move(found);
  }
  return last;
}

absl::Status RemoveSnapshotsBut(Env& env, const std::string& data_dir,
                                std::string_view path) {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<DirEntry> entries,
                           env.ListDir(data_dir));
  for (const DirEntry& entry : entries) {
    SnapshotDir found;
    const bool unfinished =
        entry.name.starts_with(kPrefix) && entry.name.ends_with(".tmp");
    if (!entry.is_dir || (!unfinished && !ParseName(entry.name, found))) {
      continue;
    }
    const std::string dir = JoinPath(data_dir, entry.name);
    if (dir != path) NARTHEX_RETURN_IF_ERROR(env.RemoveAll(dir));
  }
  return absl::OkStatus();
}

void EncodeSnapshotSeries(const SnapshotSeries& series, const Labels& labels,
                          std::string& out) {
  ByteWriter w(out);
  w.U8(static_cast<uint8_t>(SnapshotRecord::kSeries));
  w.BE64(static_cast<uint64_t>(series.ref));
  w.Uvarint(labels.size());
  for (const Label& label : labels) {
    w.UvarintBytes(label.name);
    w.UvarintBytes(label.value);
  }
  w.BE64(0);  // once the chunk range
  w.Uvarint(series.has_chunk ? 1 : 0);
  if (!series.has_chunk) return;
  w.BE64(static_cast<uint64_t>(series.min_t));
  w.BE64(static_cast<uint64_t>(series.max_t));
  w.U8(static_cast<uint8_t>(series.encoding));
  w.UvarintBytes(series.bytes);
  switch (series.encoding) {
    case ChunkEncoding::kHistogram:
    case ChunkEncoding::kHistogramST:
      wal::EncodeHistogram(series.last_ints, w);
      break;
    case ChunkEncoding::kFloatHistogram:
    case ChunkEncoding::kFloatHistogramST:
      wal::EncodeHistogram(series.last_floats, w);
      break;
    default:
      for (int i = 0; i < kUnusedSamples; ++i) {
        w.BE64(0);
        w.BE64(0);
      }
      w.BE64(0);
      w.BE64(series.last_v);
  }
}

absl::Status DecodeSnapshotSeries(
    std::string_view record,
    absl::FunctionRef<absl::Status(const SnapshotSeries& series,
                                   std::span<const Label> labels)>
        visit) {
  if (!IsType(record, SnapshotRecord::kSeries)) {
    return DataLoss("not a snapshot's series record");
  }
  ByteReader r(record.substr(1));
  SnapshotSeries series;
  series.ref = SeriesRef{r.BE64()};
  const uint64_t n = r.Uvarint();
  std::vector<Label> labels;
  for (uint64_t i = 0; i < n && r.ok(); ++i) {
    const std::string_view name = r.UvarintBytes();
    labels.push_back({name, r.UvarintBytes()});
  }
  r.BE64();
  series.has_chunk = r.Uvarint() != 0;
  if (series.has_chunk) {
    series.min_t = static_cast<int64_t>(r.BE64());
    series.max_t = static_cast<int64_t>(r.BE64());
    series.encoding = static_cast<ChunkEncoding>(r.U8());
    series.bytes = r.UvarintBytes();
    switch (series.encoding) {
      case ChunkEncoding::kHistogram:
      case ChunkEncoding::kHistogramST:
        wal::DecodeHistogram(r, series.last_ints);
        break;
      case ChunkEncoding::kFloatHistogram:
      case ChunkEncoding::kFloatHistogramST:
        wal::DecodeHistogram(r, series.last_floats);
        break;
      case ChunkEncoding::kXor:
      case ChunkEncoding::kXor2:
        r.Skip((kUnusedSamples * 2 + 1) * sizeof(uint64_t));
        series.last_v = r.BE64();
        break;
      default:
        return DataLoss(StrCat("chunk of unknown encoding ",
                               static_cast<int>(series.encoding),
                               " in a snapshot"));
    }
  }
  if (!r.ok()) return Bad(r);
  return visit(series, labels);
}

void EncodeSnapshotTombstones(const Tombstones& tombstones, std::string& out) {
  std::string body;
  ByteWriter b(body);
  b.U8(kTombstonesVersion);
  tombstones.ForEach([&b](uint64_t ref, const Intervals& intervals) {
    for (const TimeRange& interval : intervals) {
      b.Uvarint(ref);
      b.Varint(interval.min.ms);
      b.Varint(interval.max.ms);
    }
  });
  ByteWriter w(out);
  w.U8(static_cast<uint8_t>(SnapshotRecord::kTombstones));
  w.UvarintBytes(body);
}

absl::Status DecodeSnapshotTombstones(std::string_view record,
                                      Tombstones& out) {
  if (!IsType(record, SnapshotRecord::kTombstones)) {
    return DataLoss("not a snapshot's tombstone record");
  }
  ByteReader outer(record.substr(1));
  const std::string_view body = outer.UvarintBytes();
  if (!outer.ok()) return Bad(outer);
  ByteReader r(body);
  if (const uint8_t version = r.U8(); version != kTombstonesVersion) {
    return DataLoss(StrCat("unknown tombstones version ",
                           static_cast<int>(version), " in a snapshot"));
  }
  // All or none: half a record deletes what nobody wanted deleted.
  std::vector<std::pair<uint64_t, TimeRange>> all;
  while (!r.empty()) {
    const uint64_t ref = r.Uvarint();
    const int64_t min_t = r.Varint();
    const int64_t max_t = r.Varint();
    if (!r.ok()) return Bad(r);
    if (min_t <= max_t) all.emplace_back(ref, TimeRange{min_t, max_t});
  }
  for (const auto& [ref, range] : all) out.Add(ref, range);
  return absl::OkStatus();
}

void EncodeSnapshotExemplars(std::span<const wal::ExemplarRow> rows,
                             std::string& out) {
  const size_t at = out.size();
  wal::EncodeExemplars(rows, out);
  out[at] = static_cast<char>(SnapshotRecord::kExemplars);
}

absl::Status DecodeSnapshotExemplars(std::string_view record,
                                     std::vector<wal::ExemplarRow>& out) {
  if (!IsType(record, SnapshotRecord::kExemplars)) {
    return DataLoss("not a snapshot's exemplar record");
  }
  std::string as_logged(record);
  as_logged[0] = static_cast<char>(wal::RecordType::kExemplars);
  return wal::DecodeExemplars(as_logged, out);
}

// --- Reading one.

namespace {

// The inverse of Histogram::ToFloat, exact up to 2^53.
std::vector<int64_t> ToDeltas(const std::vector<double>& counts) {
  std::vector<int64_t> deltas;
  int64_t before = 0;
  for (const double count : counts) {
    const auto now = static_cast<int64_t>(count);
    deltas.push_back(now - before);
    before = now;
  }
  return deltas;
}
Histogram ToIntegers(const FloatHistogram& f) {
  Histogram h;
  h.hint = f.hint;
  h.schema = f.schema;
  h.zero_threshold = f.zero_threshold;
  h.zero_count = static_cast<uint64_t>(f.zero_count);
  h.count = static_cast<uint64_t>(f.count);
  h.sum = f.sum;
  h.positive_spans = f.positive_spans;
  h.negative_spans = f.negative_spans;
  h.positive_deltas = ToDeltas(f.positive_buckets);
  h.negative_deltas = ToDeltas(f.negative_buckets);
  h.custom_values = f.custom_values;
  return h;
}

}  // namespace

void StoreSnapshot(const SnapshotSeries& series, const SampleColumns& columns,
                   int64_t min_valid, const StoreRules& rules,
                   SeriesShard& shard, uint32_t line, StoreCounts& counts) {
  const auto cover = [&counts](int64_t t) {
    counts.min_t = std::min(counts.min_t, t);
    counts.max_t = std::max(counts.max_t, t);
  };
  for (size_t i = 0; i < columns.size(); ++i) {
    const int64_t t = columns.t()[i].ms;
    uint64_t v;
    std::memcpy(&v, &columns.v()[i], sizeof(v));
    const int64_t start = columns.st().empty() ? 0 : columns.st()[i].ms;
    if (t < min_valid ||
        !shard.StoreStarted(line, t, v, start, rules, counts)) {
      continue;
    }
    ++counts.stored;
    cover(t);
  }
  const HistogramColumn& histograms = columns.histograms();
  const bool as_float = series.encoding == ChunkEncoding::kFloatHistogram ||
                        series.encoding == ChunkEncoding::kFloatHistogramST;
  for (size_t i = 0; i < histograms.points.size(); ++i) {
    const int64_t t = histograms.points[i].t.ms;
    if (t < min_valid) continue;
    const bool last = i + 1 == histograms.points.size();
    FloatHistogram h = ToFloatHistogram(histograms, i);
    // That is not what the sample said of itself.
    if (h.hint == CounterResetHint::kNotReset) {
      h.hint = CounterResetHint::kUnknown;
    }
    const int64_t start = histograms.points[i].st.ms;
    const bool stored =
        as_float ? shard.StoreHistogram(line, t, last ? series.last_floats : h,
                                        start, rules, counts)
                 : shard.StoreHistogram(line, t,
                                        last ? series.last_ints : ToIntegers(h),
                                        start, rules, counts);
    if (!stored) continue;
    ++counts.histograms;
    cover(t);
  }
}

// --- Writing one.

absl::Status Head::WriteSnapshot(Env& env, const std::string& data_dir,
                                 uint32_t segment, uint64_t offset) {
  const std::string path = SnapshotPath(data_dir, segment, offset);
  if (env.Exists(path)) return absl::OkStatus();  // nothing came since
  const std::string tmp = path + ".tmp";
  NARTHEX_RETURN_IF_ERROR(env.RemoveAll(tmp));
  wal::WalOptions options;
  options.segment_size = options_.wal_segment_bytes;
  options.logger = options_.logger;
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<wal::WalWriter> out,
                           wal::WalWriter::Open(env, tmp, options));
  wal::RecordBatch batch;
  std::string record;
  const auto put = [&]() -> absl::Status {
    batch.Add(record, options_.wal_compression);
    record.clear();
    if (batch.bytes() < kFlushBytes) return absl::OkStatus();
    NARTHEX_RETURN_IF_ERROR(out->Log(batch));
    batch.Clear();
    return absl::OkStatus();
  };
  SeriesCopy copy;
  for (SeriesShard& shard : shards_) {
    absl::MutexLock lock(&shard.mu);
    for (uint32_t line = 0; line < shard.lines(); ++line) {
      if (shard.IdOf(line) == SeriesShard::kNoId) continue;
      SnapshotSeries series;
      series.ref = SeriesRef{RefOf(shard.IdOf(line))};
      shard.Copy(line, TimeRange(), /*isolated=*/false, 0, copy);
      if (!copy.unwritten.empty()) {
        return FailedPrecondition("full chunks could not be written yet");
      }
      if (copy.open_samples != 0) {
        OpenChunk::MakeXor(copy);
        series.has_chunk = true;
        series.min_t = copy.open_min_t;
        series.max_t = copy.open_max_t;
        series.encoding = copy.open_encoding;
        series.bytes = copy.open;
        series.last_v = copy.last_v;
        shard.LastHistogram(line, series.last_ints, series.last_floats);
      }
      EncodeSnapshotSeries(series, symbols_.RowLabels(shard.Line(line).labels),
                           record);
      NARTHEX_RETURN_IF_ERROR(put());
    }
  }
  {
    absl::MutexLock lock(&tombstones_mu_);
    EncodeSnapshotTombstones(*tombstones_, record);
  }
  NARTHEX_RETURN_IF_ERROR(put());
  std::vector<wal::ExemplarRow> rows;
  exemplars_.Visit([&](const Labels& labels, const Exemplar& exemplar) {
    const std::optional<SeriesRef> ref = FindRef(labels);
    if (!ref.has_value()) return;  // forgotten since
    rows.push_back({*ref, exemplar.t, exemplar.value, exemplar.labels});
  });
  for (size_t at = 0; at < rows.size(); at += kExemplarsPerRecord) {
    EncodeSnapshotExemplars(
        std::span(rows).subspan(
            at, std::min(kExemplarsPerRecord, rows.size() - at)),
        record);
    NARTHEX_RETURN_IF_ERROR(put());
  }
  if (!batch.empty()) NARTHEX_RETURN_IF_ERROR(out->Log(batch));
  NARTHEX_RETURN_IF_ERROR(out->Close());
  NARTHEX_RETURN_IF_ERROR(env.SyncDir(tmp));
  NARTHEX_RETURN_IF_ERROR(env.Rename(tmp, path));
  NARTHEX_RETURN_IF_ERROR(env.SyncDir(data_dir));
  return RemoveSnapshotsBut(env, data_dir, path);
}

std::optional<SeriesRef> Head::FindRef(const Labels& labels) {
  const uint64_t hash = labels.Hash();
  SlotsByHash::Stripe& stripe = by_hash_.Of(hash);
  SeriesId id = 0;
  absl::MutexLock lock(&stripe.mu);
  const Slot slot = stripe.Find(hash, [&](Slot candidate) {
    const SeriesShard& shard = shards_[ShardOf(candidate)];
    absl::ReaderMutexLock shard_lock(&shard.mu);
    const RowHandle row = shard.Line(LineOf(candidate)).labels;
    if (!symbols_.RowIs(row, labels)) return false;
    id = shard.IdOf(LineOf(candidate));
    return true;
  });
  if (slot == kNoSlot) return std::nullopt;
  return SeriesRef{RefOf(id)};
}

}  // namespace narthex::tsdb
