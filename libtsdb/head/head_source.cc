#include "libtsdb/head/head_source.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/xor2_chunk.h"
#include "libtsdb/head/open_chunk.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// The name that Prometheus reserves for the head.
constexpr std::string_view kHeadName = "0000000000XXXXXXXXXXXXHEAD";
constexpr std::string_view kLateHeadName = "0000000000XX000COMPACTHEAD";
// Series looked at under one hold of a shard's lock.
constexpr size_t kSeriesPerHold = 512;

// A thread's own, so that reading a series allocates nothing.
SeriesCopy& ThreadCopy() {
  static thread_local SeriesCopy copy;
  return copy;
}
std::string& ThreadBytes() {
  static thread_local std::string bytes;
  return bytes;
}

// Makes `bytes` the chunk of its first `samples` samples; what comes behind
// them is never looked at.
void SetSampleCount(ChunkEncoding encoding, uint32_t samples, char* bytes) {
  // Some keep the counter reset hint in the top bits.
  const uint16_t hint = encoding == ChunkEncoding::kHistogramST ||
                                encoding == ChunkEncoding::kFloatHistogramST
                            ? LoadBE16(bytes) & 0xc000
                            : 0;
  StoreBE16(bytes, static_cast<uint16_t>(samples | hint));
}

// Fewer samples than it holds, if the reader may not see the last ones yet.
absl::Status DecodeSome(ChunkEncoding encoding, std::string_view bytes,
                        uint32_t samples, TimeRange range, SampleColumns& out) {
  if (samples >= SampleCount(encoding, bytes)) {
    return DecodeChunk(encoding, bytes, range, out);
  }
  std::string& fewer = ThreadBytes();
  if (bytes.data() != fewer.data()) fewer.assign(bytes);
  SetSampleCount(encoding, samples, fewer.data());
  return DecodeChunk(encoding, fewer, range, out);
}

absl::Status ReadUnwritten(const UnwrittenChunk& chunk, TimeRange range,
                           SampleColumns& out) {
  return DecodeSome(chunk.encoding, chunk.bytes, chunk.samples, range, out);
}
absl::Status ReadOpen(SeriesCopy& copy, TimeRange range, SampleColumns& out) {
  if (!copy.open_times.empty()) return OpenChunk::Read(copy, range, out);
  return DecodeSome(copy.open_encoding, copy.open, copy.open_samples, range,
                    out);
}

bool Newest(const SampleColumns& columns, LatestSample& out) {
  const HistogramColumn& histograms = columns.histograms();
  if (columns.t().empty() && histograms.empty()) return false;
  if (histograms.empty() || (!columns.t().empty() &&
                             columns.t().back() > histograms.points.back().t)) {
    out = {columns.t().back(), columns.v().back(), false};
  } else {
    out = {histograms.points.back().t, 0, true};
  }
  return true;
}

// Adds the first `samples` of the samples in `chunk`, which lies where the list
// may point.
absl::Status AddChunk(std::string_view chunk, ChunkEncoding encoding,
                      uint32_t samples, int64_t min_t, int64_t max_t,
                      ChunkList& out) {
  if (samples < SampleCount(encoding, chunk)) {
    std::string& bytes = out.NewBytes();
    bytes.assign(chunk);
    SetSampleCount(encoding, samples, bytes.data());
    MemoryBudget budget;
    SampleColumns columns(budget);
    NARTHEX_RETURN_IF_ERROR(columns.ReserveStartTimes());
    NARTHEX_RETURN_IF_ERROR(DecodeChunk(encoding, bytes, TimeRange(), columns));
    // Without what comes behind: as if it had been made so.
    if (encoding == ChunkEncoding::kXor) {
      XorAppender appender;
      for (size_t i = 0; i < columns.size(); ++i) {
        appender.Append(columns.t()[i], columns.v()[i]);
      }
      bytes = appender.bytes();
    } else if (encoding == ChunkEncoding::kXor2) {
      Xor2Appender appender;
      for (size_t i = 0; i < columns.size(); ++i) {
        appender.Append(columns.t()[i], columns.v()[i], columns.st()[i]);
      }
      bytes = appender.bytes();
    }
    LatestSample last;
    if (!Newest(columns, last)) return absl::OkStatus();
    max_t = last.t.ms;
    chunk = bytes;
  }
  out.chunks.push_back({encoding, min_t, max_t, chunk});
  return absl::OkStatus();
}

}  // namespace

std::shared_ptr<const BlockSource> Head::NewSource(TimeRange range,
                                                   bool isolated) {
  return std::make_shared<HeadSource>(*this, range, isolated);
}

// The reader is registered before anything is looked at: see Head::Truncate.
HeadSource::HeadSource(Head& head, TimeRange range, bool isolated,
                       HeadView view, HeadChunkRef last_late)
    : head_(head),
      reader_(head.isolation_.OpenReader()),
      watermark_(static_cast<uint32_t>(reader_.watermark)),
      isolated_(isolated),
      view_(view),
      last_late_(last_late),
      range_(range),
      late_range_(range),
      files_(head.chunks_ == nullptr ? nullptr : head.chunks_->Pin()),
      postings_(head.postings_.NewReader()) {
  const int64_t begin = head.min_time();
  if (begin != kMaxMillis) range_.min = std::max(range_.min, Timestamp(begin));
  {
    absl::MutexLock lock(&head.tombstones_mu_);
    tombstones_ = head.tombstones_;
  }
  meta_.ulid = view == HeadView::kLate ? kLateHeadName : kHeadName;
  meta_.min_time = begin;
  meta_.max_time = head.max_time();
  meta_.stats.series = head.series_.load(std::memory_order_relaxed);
}

HeadSource::HeadSource(Head& head, TimeRange range, std::vector<SeriesId> ids)
    : HeadSource(head, range, /*isolated=*/true, HeadView::kSelected) {
  selected_ = std::move(ids);
}

HeadSource::~HeadSource() { head_.isolation_.CloseReader(reader_); }

TimeRange HeadSource::Cut(TimeRange range) const {
  if (view_ == HeadView::kLate) return {kMaxTime, kMinTime};
  return {std::max(range.min, range_.min), std::min(range.max, range_.max)};
}

TimeRange HeadSource::CutLate(TimeRange range) const {
  if (!shows_late()) return {kMaxTime, kMinTime};
  return {std::max(range.min, late_range_.min),
          std::min(range.max, late_range_.max)};
}

absl::Status HeadSource::SortedSymbols(std::vector<uint32_t>& out) const {
  out = head_.postings_.SortedSymbols();
  if (view_ != HeadView::kSelected) return absl::OkStatus();
  SeriesBatch batch;
  NARTHEX_RETURN_IF_ERROR(ReadSeries(selected_, TimeRange(), batch));
  std::vector<bool> used(symbol_bound());
  const auto mark = [&used](uint32_t symbol) {
    if (symbol < used.size()) used[symbol] = true;
  };
  mark(FindSymbol(""));
  for (const LabelPair& pair : batch.labels) {
    mark(pair.name);
    mark(pair.value);
  }
  std::erase_if(out, [&used](uint32_t symbol) {
    return symbol >= used.size() || !used[symbol];
  });
  return absl::OkStatus();
}

absl::Status HeadSource::ReadSeries(std::span<const SeriesId> ids,
                                    TimeRange range, SeriesBatch& out) const {
  const TimeRange late = CutLate(range);
  range = Cut(range);
  const bool any_late = late.min <= late.max;
  if ((range.min > range.max && !any_late) || ids.empty()) {
    return absl::OkStatus();
  }
  const TimeRange shown = any_late ? late : range;  // the wider one
  struct Row {
    SeriesId id;
    Slot slot;
    RowHandle labels;
    uint32_t samples;
  };
  static thread_local std::vector<Slot> slots;
  static thread_local std::vector<Row> rows;
  slots.resize(ids.size());
  rows.clear();
  head_.by_id_.FindAll(ids, slots.data());
  if (view_ == HeadView::kSelected) {
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!std::binary_search(selected_.begin(), selected_.end(), ids[i])) {
        slots[i] = kNoSlot;
      }
    }
  }
  for (size_t i = 0; i < ids.size();) {
    if (slots[i] == kNoSlot) {
      ++i;
      continue;
    }
    const uint32_t number = ShardOf(slots[i]);
    const SeriesShard& shard = head_.shards_[number];
    const size_t stop = std::min(ids.size(), i + kSeriesPerHold);
    absl::ReaderMutexLock lock(&shard.mu);
    for (; i < stop && slots[i] != kNoSlot && ShardOf(slots[i]) == number;
         ++i) {
      const uint32_t line = LineOf(slots[i]);
      if (!shard.Holds(line, ids[i])) continue;
      uint32_t samples =
          range.min <= range.max
              ? shard.SamplesIn(line, range, isolated_, watermark_)
              : 0;
      if (any_late && shard.HasLate(shard.Line(line))) {
        samples += shard.LateIn(line, late);
      }
      if (samples == 0) continue;
      rows.push_back({ids[i], slots[i], shard.Line(line).labels, samples});
    }
  }
  uint32_t begin = static_cast<uint32_t>(out.labels.size());
  head_.symbols_.CopyRows(rows, out.labels, [&](const Row& row) {
    const uint32_t end = static_cast<uint32_t>(out.labels.size());
    const Intervals* deleted = Deleted(row.id);
    if (deleted != nullptr && Covers(*deleted, shown)) {
      out.labels.resize(begin);
      return;
    }
    out.series.push_back({row.id, begin, end, row.samples, row.slot});
    begin = end;
  });
  return absl::OkStatus();
}

bool HeadSource::CopySeries(const SeriesEntry& entry, TimeRange range,
                            SeriesCopy& out) const {
  const Slot slot = static_cast<Slot>(entry.cursor);
  const SeriesShard& shard = head_.shards_[ShardOf(slot)];
  absl::ReaderMutexLock lock(&shard.mu);
  if (!shard.Holds(LineOf(slot), entry.id)) return false;
  shard.Copy(LineOf(slot), range, isolated_, watermark_, out);
  return true;
}

absl::Status HeadSource::ReadMapped(HeadChunkCursor& cursor,
                                    const MappedChunk& chunk, TimeRange range,
                                    SampleColumns& out) const {
  NARTHEX_ASSIGN_OR_RETURN(const HeadChunk read,
                           cursor.Read(chunk.ref, ThreadBytes()));
  const absl::Status status =
      DecodeSome(read.encoding, read.bytes, chunk.samples, range, out);
  if (status.ok() || status.code() == absl::StatusCode::kResourceExhausted) {
    return status;
  }
  return Annotate(status, StrCat("chunk ", chunk.ref, " of chunks_head"));
}

absl::Status HeadSource::ReadAllMapped(std::span<const MappedChunk> chunks,
                                       TimeRange range,
                                       SampleColumns& out) const {
  // A series' chunks lie far from each other, and none of them in a cache: by
  // the time that one is decoded the next ones are there.
  constexpr size_t kAhead = 4;
  HeadChunkCursor cursor(*head_.chunks_);
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (i == 1) {
      for (size_t next = 1; next < std::min(kAhead, chunks.size()); ++next) {
        cursor.Expect(chunks[next].ref);
      }
    }
    if (i + kAhead < chunks.size()) cursor.Expect(chunks[i + kAhead].ref);
    NARTHEX_RETURN_IF_ERROR(ReadMapped(cursor, chunks[i], range, out));
  }
  return absl::OkStatus();
}

absl::Status HeadSource::ReadSamples(const SeriesEntry& entry, TimeRange range,
                                     const ReadContext& ctx,
                                     SampleColumns& out) const {
  NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
  out.Clear();
  const TimeRange asked = range;
  range = Cut(range);
  SeriesCopy& copy = ThreadCopy();
  if (range.min <= range.max) {
    if (!CopySeries(entry, range, copy)) return absl::OkStatus();
    if (!copy.mapped.empty()) {
      NARTHEX_RETURN_IF_ERROR(ReadAllMapped(copy.mapped, range, out));
    }
    for (const UnwrittenChunk& chunk : copy.unwritten) {
      NARTHEX_RETURN_IF_ERROR(ReadUnwritten(chunk, range, out));
    }
    if (copy.open_samples != 0) {
      NARTHEX_RETURN_IF_ERROR(ReadOpen(copy, range, out));
    }
  }
  NARTHEX_RETURN_IF_ERROR(AddLate(entry, asked, ctx, out));
  if (const Intervals* deleted = Deleted(entry.id); deleted != nullptr) {
    CutIntervals(*deleted, out);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HeadSource::ReadLatest(const SeriesEntry& entry,
                                            TimeRange range,
                                            const ReadContext& ctx,
                                            LatestSample& out) const {
  NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
  const TimeRange asked = range;
  range = Cut(range);
  SeriesCopy& copy = ThreadCopy();
  LateCopy late;
  if (CopyLate(entry, CutLate(asked), late)) {
    // Any of them may be the newest.
    SampleColumns columns(ctx.budget);
    NARTHEX_RETURN_IF_ERROR(ReadSamples(entry, asked, ctx, columns));
    return Newest(columns, out);
  }
  if (range.min > range.max) return false;
  {
    // Undecoded, if the newest of all is the one that is asked for.
    const Slot slot = static_cast<Slot>(entry.cursor);
    const SeriesShard& shard = head_.shards_[ShardOf(slot)];
    absl::ReaderMutexLock lock(&shard.mu);
    if (!shard.Holds(LineOf(slot), entry.id)) return false;
    const HotSeries& series = shard.Line(LineOf(slot));
    if (series.samples != 0 && range.Contains(series.last_t) &&
        (!isolated_ || shard.Hidden(series, watermark_) == 0) &&
        Deleted(entry.id) == nullptr) {
      out.t = series.last_t;
      out.histogram = IsHistogram(series.codec);
      out.v = out.histogram ? 0 : std::bit_cast<double>(series.last_v);
      return true;
    }
    shard.Copy(LineOf(slot), range, isolated_, watermark_, copy);
  }
  SampleColumns columns(ctx.budget);
  const auto newest = [&]() {
    if (const Intervals* deleted = Deleted(entry.id); deleted != nullptr) {
      CutIntervals(*deleted, columns);
    }
    return Newest(columns, out);
  };
  if (copy.open_samples != 0) {
    NARTHEX_RETURN_IF_ERROR(ReadOpen(copy, range, columns));
    if (newest()) return true;
  }
  for (size_t i = copy.unwritten.size(); i-- > 0;) {
    NARTHEX_RETURN_IF_ERROR(ReadUnwritten(copy.unwritten[i], range, columns));
    if (newest()) return true;
  }
  if (copy.mapped.empty()) return false;
  HeadChunkCursor cursor(*head_.chunks_);
  for (size_t i = copy.mapped.size(); i-- > 0;) {
    NARTHEX_RETURN_IF_ERROR(ReadMapped(cursor, copy.mapped[i], range, columns));
    if (newest()) return true;
  }
  return false;
}

absl::Status HeadSource::ReadChunks(const SeriesEntry& entry, TimeRange range,
                                    ChunkList& out) const {
  out.Clear();
  NARTHEX_RETURN_IF_ERROR(AddLateChunks(entry, range, out));
  const size_t late = out.chunks.size();
  const TimeRange asked = range;
  range = Cut(range);
  SeriesCopy& copy = ThreadCopy();
  if (range.min > range.max || !CopySeries(entry, range, copy)) {
    return absl::OkStatus();
  }
  std::optional<HeadChunkCursor> cursor;
  if (!copy.mapped.empty()) cursor.emplace(*head_.chunks_);
  for (const MappedChunk& chunk : copy.mapped) {
    std::string& copied = ThreadBytes();
    NARTHEX_ASSIGN_OR_RETURN(const HeadChunk read,
                             cursor->Read(chunk.ref, copied));
    if (&chunk == &copy.mapped.front()) {
      for (const MappedChunk& next : copy.mapped) cursor->Expect(next.ref);
    }
    std::string_view bytes = read.bytes;
    if (bytes.data() == copied.data()) {
      bytes = out.NewBytes().assign(bytes);
    } else if (out.kept.empty() || out.kept.back() != cursor->file().keeps) {
      out.kept.push_back(cursor->file().keeps);
    }
    NARTHEX_RETURN_IF_ERROR(AddChunk(bytes, read.encoding, chunk.samples,
                                     chunk.min_t, chunk.max_t, out));
  }
  for (UnwrittenChunk& chunk : copy.unwritten) {
    std::string& bytes = out.NewBytes();
    bytes.swap(chunk.bytes);
    NARTHEX_RETURN_IF_ERROR(AddChunk(bytes, chunk.encoding, chunk.samples,
                                     chunk.min_t, chunk.max_t, out));
  }
  if (copy.open_samples != 0) {
    OpenChunk::MakeXor(copy);
    std::string& bytes = out.NewBytes();
    bytes.swap(copy.open);
    NARTHEX_RETURN_IF_ERROR(AddChunk(bytes, copy.open_encoding,
                                     copy.open_samples, copy.open_min_t,
                                     copy.open_max_t, out));
  }
  if (asked.min < range.min) {
    NARTHEX_RETURN_IF_ERROR(CutBefore(range.min.ms, late, out));
  }
  std::stable_sort(out.chunks.begin(), out.chunks.end(),
                   [](const EncodedChunk& a, const EncodedChunk& b) {
                     return a.min_t < b.min_t;
                   });
  return absl::OkStatus();
}

const Intervals* HeadSource::Deleted(SeriesId id) const {
  return tombstones_->empty() ? nullptr : tombstones_->Find(head_.RefOf(id));
}

}  // namespace narthex::tsdb
