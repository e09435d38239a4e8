// The late samples of a head's source: merged into what came in order, or shown
// alone.

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/histogram_reader.h"
#include "libtsdb/head/head_source.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"

namespace narthex::tsdb {
namespace {

// Leaves out what the reader must not see yet.
void DropFresh(const std::vector<LateChunk::Fresh>& fresh,
               SampleColumns& columns) {
  if (fresh.empty()) return;
  Intervals hidden;
  for (const LateChunk::Fresh& f : fresh) {
    AddInterval(hidden, TimeRange{f.t, f.t});
  }
  CutIntervals(hidden, columns);
}

// The samples of a chunk that are not to be hidden.
absl::Status ShownOf(ChunkEncoding encoding, std::string_view bytes,
                     absl::FunctionRef<bool(int64_t t)> hide,
                     std::vector<LateSample>& out) {
  if (IsHistogramEncoding(encoding)) {
    return VisitHistograms(
        encoding, bytes, TimeRange(), [&](const HistogramSample& sample) {
          if (hide(sample.t.ms)) return absl::OkStatus();
          LateSample& shown = out.emplace_back();
          shown.t = sample.t.ms;
          shown.start = sample.start.ms;
          if (sample.integer != nullptr) {
            shown.ints = std::make_shared<const Histogram>(*sample.integer);
          } else {
            shown.floats =
                std::make_shared<const FloatHistogram>(*sample.floating);
          }
          return absl::OkStatus();
        });
  }
  MemoryBudget budget;
  SampleColumns columns(budget);
  if (encoding == ChunkEncoding::kXor2) {
    NARTHEX_RETURN_IF_ERROR(columns.ReserveStartTimes());
  }
  NARTHEX_RETURN_IF_ERROR(DecodeChunk(encoding, bytes, TimeRange(), columns));
  for (size_t i = 0; i < columns.size(); ++i) {
    if (hide(columns.t()[i].ms)) continue;
    LateSample& shown = out.emplace_back();
    shown.t = columns.t()[i].ms;
    shown.v = std::bit_cast<uint64_t>(columns.v()[i]);
    if (!columns.st().empty()) shown.start = columns.st()[i].ms;
  }
  return absl::OkStatus();
}

absl::Status AddEncoded(const std::vector<LateSample>& samples,
                        const LateEncoding& as, ChunkList& out) {
  return EncodeLate(samples, as,
                    [&](ChunkEncoding encoding, size_t begin, size_t end,
                        std::string_view bytes) {
                      std::string& own = out.NewBytes();
                      own.assign(bytes);
                      out.chunks.push_back({encoding, samples[begin].t,
                                            samples[end - 1].t, own});
                      return absl::OkStatus();
                    });
}

}  // namespace

std::shared_ptr<const BlockSource> Head::NewInOrderSource(TimeRange range) {
  return std::make_shared<HeadSource>(*this, range, /*isolated=*/false,
                                      HeadView::kInOrder);
}

std::shared_ptr<const BlockSource> Head::NewLateSource(TimeRange range,
                                                       HeadChunkRef last) {
  return std::make_shared<HeadSource>(*this, range, /*isolated=*/false,
                                      HeadView::kLate, last);
}

bool HeadSource::CopyLate(const SeriesEntry& entry, TimeRange range,
                          LateCopy& out) const {
  out.Clear();
  if (range.min > range.max) return false;
  const Slot slot = static_cast<Slot>(entry.cursor);
  const SeriesShard& shard = head_.shards_[ShardOf(slot)];
  absl::ReaderMutexLock lock(&shard.mu);
  if (!shard.Holds(LineOf(slot), entry.id)) return false;
  if (!shard.HasLate(shard.Line(LineOf(slot)))) return false;
  shard.CopyLate(LineOf(slot), range, isolated_, watermark_, out);
  if (view_ == HeadView::kLate) {
    out.open.clear();
    std::erase_if(out.mapped, [this](const LateChunk& chunk) {
      return chunk.ref > last_late_;
    });
  }
  return !out.empty();
}

// Of equal times the sample that came in order stays, then the one that came
// first.
absl::Status HeadSource::AddLate(const SeriesEntry& entry, TimeRange range,
                                 const ReadContext& ctx,
                                 SampleColumns& out) const {
  range = CutLate(range);
  LateCopy late;
  if (!CopyLate(entry, range, late)) return absl::OkStatus();
  SampleColumns columns(ctx.budget);
  if (out.mutable_st() != nullptr) {
    NARTHEX_RETURN_IF_ERROR(columns.ReserveStartTimes());
  }
  std::optional<HeadChunkCursor> cursor;
  if (!late.mapped.empty()) cursor.emplace(*head_.chunks_);
  for (const LateChunk& chunk : late.mapped) {
    columns.Clear();
    NARTHEX_RETURN_IF_ERROR(ReadMapped(
        *cursor, {chunk.ref, chunk.min_t, chunk.max_t, chunk.samples}, range,
        columns));
    DropFresh(chunk.fresh, columns);
    NARTHEX_RETURN_IF_ERROR(MergeColumns(columns, out));
  }
  columns.Clear();
  NARTHEX_RETURN_IF_ERROR(ToColumns(late.open, head_.LateAs(), range, columns));
  return MergeColumns(columns, out);
}

absl::Status HeadSource::AddLateChunks(const SeriesEntry& entry,
                                       TimeRange range, ChunkList& out) const {
  LateCopy late;
  if (!CopyLate(entry, CutLate(range), late)) return absl::OkStatus();
  std::string bytes;
  for (const LateChunk& chunk : late.mapped) {
    NARTHEX_ASSIGN_OR_RETURN(const HeadChunk read,
                             head_.chunks_->Read(chunk.ref, bytes));
    if (chunk.fresh.empty()) {
      std::string& own = out.NewBytes();
      own.assign(read.bytes);
      out.chunks.push_back({read.encoding, chunk.min_t, chunk.max_t, own});
      continue;
    }
    const auto is_fresh = [&chunk](int64_t t) {
      return std::any_of(chunk.fresh.begin(), chunk.fresh.end(),
                         [t](const LateChunk::Fresh& f) { return f.t == t; });
    };
    std::vector<LateSample> shown;
    NARTHEX_RETURN_IF_ERROR(
        ShownOf(read.encoding, read.bytes, is_fresh, shown));
    NARTHEX_RETURN_IF_ERROR(AddEncoded(shown, head_.LateAs(), out));
  }
  return AddEncoded(late.open, head_.LateAs(), out);
}

// Chunks that came in order may reach back before the head begins.  What they
// have there is in blocks, where it may have been deleted.
absl::Status HeadSource::CutBefore(int64_t min_t, size_t first,
                                   ChunkList& out) const {
  std::vector<EncodedChunk> chunks(
      out.chunks.begin() + static_cast<ptrdiff_t>(first), out.chunks.end());
  out.chunks.resize(first);
  for (const EncodedChunk& chunk : chunks) {
    if (chunk.min_t >= min_t) {
      out.chunks.push_back(chunk);
      continue;
    }
    std::vector<LateSample> shown;
    NARTHEX_RETURN_IF_ERROR(ShownOf(
        chunk.encoding, chunk.bytes, [min_t](int64_t t) { return t < min_t; },
        shown));
    NARTHEX_RETURN_IF_ERROR(AddEncoded(shown, head_.LateAs(), out));
  }
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
