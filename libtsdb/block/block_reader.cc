#include "libtsdb/block/block_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/chunk/segment.h"
#include "libtsdb/index/index_reader.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"

namespace narthex::tsdb {
namespace {

// A float chunk that Prometheus cuts has no more samples (A5: 2 * 120).
constexpr uint64_t kMaxSamplesOfCut = 240;

uint32_t SamplesHint(const ChunkMeta& chunk) {
  const uint64_t span = static_cast<uint64_t>(chunk.max_t.ms) -
                        static_cast<uint64_t>(chunk.min_t.ms);
  return static_cast<uint32_t>(std::min<uint64_t>(span, kMaxSamplesOfCut - 1) +
                               1);
}

class Reader final : public BlockReader {
 public:
  Reader(std::string dir, BlockMeta meta) : dir_(std::move(dir)) {
    meta_ = std::move(meta);
  }

  absl::Status Load(Env& env) {
    NARTHEX_ASSIGN_OR_RETURN(
        segments_, SegmentReader::Open(env, JoinPath(dir_, "chunks")));
    NARTHEX_ASSIGN_OR_RETURN(index_,
                             IndexReader::Open(env, JoinPath(dir_, "index")));
    NARTHEX_ASSIGN_OR_RETURN(tombstones_, ReadTombstones(env, dir_));
    NARTHEX_ASSIGN_OR_RETURN(size_bytes_, env.TreeSize(dir_));
    return absl::OkStatus();
  }

  // --- Symbols.  Whoever has a number had ReadSeries load them, with a status.

  uint32_t symbol_bound() const override {
    return index_->LoadSymbols().ok() ? index_->symbol_bound() : 1;
  }
  std::string_view SymbolText(uint32_t own) const override {
    return index_->SymbolText(own);
  }
  uint32_t FindSymbol(std::string_view text) const override {
    return index_->LoadSymbols().ok() ? index_->FindSymbol(text) : 0;
  }

  // --- BlockSource.

  const BlockMeta& meta() const override { return meta_; }
  const std::string& where() const override { return dir_; }
  const PostingsIndex& postings() const override { return *index_; }
  bool ids_in_label_order() const override { return true; }

  absl::Status SortedSymbols(std::vector<uint32_t>& out) const override {
    NARTHEX_RETURN_IF_ERROR(index_->LoadSymbols());
    for (uint32_t i = index_->first_symbol(); i < index_->symbol_bound(); ++i) {
      out.push_back(i);
    }
    return absl::OkStatus();
  }

  absl::Status ReadSeries(std::span<const SeriesId> ids, TimeRange range,
                          SeriesBatch& out) const override {
    NARTHEX_RETURN_IF_ERROR(index_->LoadSymbols());
    // All of the block: whatever chunks there are, they count.
    const bool whole = range.min <= meta_.min_time &&
                       meta_.max_time <= range.max && tombstones_.empty();
    for (SeriesId id : ids) {
      SeriesEntry entry;
      entry.id = id;
      entry.labels_begin = static_cast<uint32_t>(out.labels.size());
      NARTHEX_RETURN_IF_ERROR(index_->ReadLabels(id, out.labels, entry.cursor));
      entry.labels_end = static_cast<uint32_t>(out.labels.size());
      IndexReader::ChunkWalk walk = index_->Chunks(id, entry.cursor);
      uint64_t samples = 0;
      if (whole) {
        samples = walk.left() * kMaxSamplesOfCut;
      } else {
        const Intervals* deleted = tombstones_.Find(id);
        ChunkMeta chunk;
        while (walk.Next(chunk) && chunk.min_t <= range.max) {
          if (Wanted(chunk, range, deleted)) samples += SamplesHint(chunk);
        }
      }
      if (!walk.ok()) return index_->DamagedChunks(id);
      if (samples == 0) {
        out.labels.resize(entry.labels_begin);
        continue;
      }
      entry.samples_hint =
          static_cast<uint32_t>(std::min<uint64_t>(samples, ~uint32_t{0}));
      out.series.push_back(entry);
    }
    return absl::OkStatus();
  }

  absl::Status ReadSamples(const SeriesEntry& entry, TimeRange range,
                           const ReadContext& ctx,
                           SampleColumns& out) const override {
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    out.Clear();
    const Intervals* deleted = tombstones_.Find(entry.id);
    IndexReader::ChunkWalk walk = index_->Chunks(entry.id, entry.cursor);
    ChunkMeta chunk;
    while (walk.Next(chunk) && chunk.min_t <= range.max) {
      if (!Wanted(chunk, range, deleted)) continue;
      const size_t old = out.size();
      HistogramColumn& histograms = out.mutable_histograms();
      const size_t old_points = histograms.points.size();
      NARTHEX_RETURN_IF_ERROR(Decode(chunk.ref, range, out));
      // Prometheus writes chunks one behind the other; somebody else may not.
      const auto& points = histograms.points;
      if ((old != 0 && out.size() != old && out.t()[old] <= out.t()[old - 1]) ||
          (old_points != 0 && points.size() != old_points &&
           points[old_points].t <= points[old_points - 1].t)) {
        out.SetSize(old);
        histograms.points.resize(old_points);
        SampleColumns apart(ctx.budget);
        NARTHEX_RETURN_IF_ERROR(Decode(chunk.ref, range, apart));
        NARTHEX_RETURN_IF_ERROR(MergeColumns(apart, out));
      }
    }
    if (!walk.ok()) return index_->DamagedChunks(entry.id);
    if (deleted != nullptr) CutIntervals(*deleted, out);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ReadLatest(const SeriesEntry& entry, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    const Intervals* deleted = tombstones_.Find(entry.id);
    std::vector<ChunkMeta> chunks;
    IndexReader::ChunkWalk walk = index_->Chunks(entry.id, entry.cursor);
    ChunkMeta chunk;
    while (walk.Next(chunk) && chunk.min_t <= range.max) {
      if (Wanted(chunk, range, deleted)) chunks.push_back(chunk);
    }
    if (!walk.ok()) return index_->DamagedChunks(entry.id);
    SampleColumns columns(ctx.budget);
    bool found = false;
    // From the newest; one that can't have anything newer ends it.
    while (!chunks.empty()) {
      const ChunkMeta newest = chunks.back();
      chunks.pop_back();
      if (found && newest.max_t <= out.t) break;
      columns.Clear();
      NARTHEX_RETURN_IF_ERROR(Decode(newest.ref, range, columns));
      if (deleted != nullptr) CutIntervals(*deleted, columns);
      if (!columns.t().empty() && (!found || out.t < columns.t().back())) {
        out = {columns.t().back(), columns.v().back(), false};
        found = true;
      }
      if (const auto& points = columns.histograms().points;
          !points.empty() && (!found || out.t < points.back().t)) {
        out = {points.back().t, 0, true};
        found = true;
      }
    }
    return found;
  }

  absl::Status ReadChunks(const SeriesEntry& entry, TimeRange range,
                          ChunkList& out) const override {
    out.Clear();
    IndexReader::ChunkWalk walk = index_->Chunks(entry.id, entry.cursor);
    ChunkMeta chunk;
    while (walk.Next(chunk) && chunk.min_t <= range.max) {
      if (chunk.max_t < range.min) continue;
      NARTHEX_ASSIGN_OR_RETURN(const SegmentReader::Chunk found,
                               segments_->Read(chunk.ref));
      out.chunks.push_back(
          {found.encoding, chunk.min_t, chunk.max_t, found.bytes});
    }
    if (!walk.ok()) return index_->DamagedChunks(entry.id);
    return absl::OkStatus();
  }

  const Intervals* Deleted(SeriesId id) const override {
    return tombstones_.Find(id);
  }

  uint64_t size_bytes() const override { return size_bytes_; }
  uint64_t index_bytes() const override { return index_->size_bytes(); }
  const Tombstones& tombstones() const override { return tombstones_; }

 private:
  static bool Wanted(const ChunkMeta& chunk, TimeRange range,
                     const Intervals* deleted) {
    return chunk.max_t >= range.min && chunk.min_t <= range.max &&
           (deleted == nullptr ||
            !Covers(*deleted, {chunk.min_t, chunk.max_t}));
  }

  absl::Status Decode(ChunkRef ref, TimeRange range, SampleColumns& out) const {
    NARTHEX_ASSIGN_OR_RETURN(const SegmentReader::Chunk chunk,
                             segments_->Read(ref));
    absl::Status status = DecodeChunk(chunk.encoding, chunk.bytes, range, out);
    return status.ok() ? status : segments_->At(ref, status);
  }

  const std::string dir_;
  BlockMeta meta_;
  std::unique_ptr<SegmentReader> segments_;
  std::unique_ptr<IndexReader> index_;
  Tombstones tombstones_;
  uint64_t size_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::shared_ptr<BlockReader>> BlockReader::Open(
    Env& env, std::string dir) {
  NARTHEX_ASSIGN_OR_RETURN(BlockMeta meta, ReadBlockMeta(env, dir));
  auto reader = std::make_shared<Reader>(std::move(dir), std::move(meta));
  NARTHEX_RETURN_IF_ERROR(reader->Load(env));
  return reader;
}

absl::StatusOr<uint64_t> DeleteFromBlock(
    Env& env, const BlockReader& block,
    std::span<const Matcher* const> matchers, TimeRange range) {
  const CancelToken never;
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<SeriesId> ids,
                           SelectSeries(block.postings(), matchers, never));
  Tombstones tombstones = block.tombstones();
  uint64_t touched = 0;
  SeriesBatch batch;
  ChunkList chunks;
  for (SeriesId id : ids) {
    batch.Clear();
    NARTHEX_RETURN_IF_ERROR(block.ReadSeries({&id, 1}, range, batch));
    if (batch.series.empty()) continue;
    // No further than what the series has.
    NARTHEX_RETURN_IF_ERROR(block.ReadChunks(batch.series[0], {}, chunks));
    if (chunks.chunks.empty()) continue;
    tombstones.Add(id, {std::max(range.min, chunks.chunks.front().min_t),
                        std::min(range.max, chunks.chunks.back().max_t)});
    ++touched;
  }
  if (touched == 0) return touched;
  NARTHEX_RETURN_IF_ERROR(WriteTombstones(env, block.where(), tombstones));
  BlockMeta meta = block.meta();
  meta.stats.tombstones = tombstones.total();
  NARTHEX_RETURN_IF_ERROR(WriteBlockMeta(env, block.where(), meta));
  return touched;
}

}  // namespace narthex::tsdb
