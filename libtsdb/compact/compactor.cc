#include "libtsdb/compact/compactor.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/block_writer.h"
#include "libtsdb/block/ulid.h"
#include "libtsdb/compact/chunk_merge.h"
#include "libtsdb/compact/merge_source.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr uint64_t kTellEvery = 4096;

// The spine: everything that `sources` have in the range of `meta`, written as
// the block that `meta` names.
absl::StatusOr<std::optional<BlockMeta>> Write(
    const CompactOptions& options, const std::string& dir, BlockMeta meta,
    const std::vector<std::shared_ptr<const BlockSource>>& sources) {
  const CancelToken never;
  const CancelToken& cancel =
      options.cancel != nullptr ? *options.cancel : never;
  MemoryBudget unlimited;
  MemoryBudget& budget =
      options.budget != nullptr ? *options.budget : unlimited;
  // A block's range is half open, a chunk's closed.
  const TimeRange range = {meta.min_time, meta.max_time - Milliseconds(1)};

  std::vector<const BlockSource*> borrowed;
  for (const auto& source : sources) borrowed.push_back(source.get());
  NARTHEX_ASSIGN_OR_RETURN(
      const std::unique_ptr<MergeSource> merge,
      MergeSource::Open(std::move(borrowed), range, cancel));
  NARTHEX_ASSIGN_OR_RETURN(
      const std::unique_ptr<BlockWriter> writer,
      BlockWriter::Create(*options.env, dir, std::move(meta),
                          options.segment_size));
  for (std::string_view text : merge->symbols()) {
    NARTHEX_RETURN_IF_ERROR(writer->AddSymbol(text));
  }
  const absl::Cleanup tell_end = [&] {  // of a failure too
    if (!options.progress) return;
    options.progress(merge->series_bound(), merge->series_bound());
  };
  ChunkMerge chunks(range, budget, options.xor2);
  for (uint64_t done = 0;; ++done) {
    NARTHEX_RETURN_IF_ERROR(cancel.Check());
    if (done % kTellEvery == 0 && options.progress) {
      options.progress(done, merge->series_bound());
    }
    NARTHEX_ASSIGN_OR_RETURN(const bool more, merge->Next());
    if (!more) break;
    chunks.Begin();
    for (const MergeSource::Part& part : merge->parts()) {
      NARTHEX_RETURN_IF_ERROR(chunks.Add(*part.source, *part.entry));
    }
    NARTHEX_RETURN_IF_ERROR(chunks.Finish());
    NARTHEX_RETURN_IF_ERROR(writer->AddSeries(merge->row(), chunks.chunks()));
  }
  return writer->Finish();
}

// Notes something in the meta.json of every block; a failure is only logged.
template <typename Change>
void MarkAll(const CompactOptions& options,
             const std::vector<std::shared_ptr<const BlockSource>>& sources,
             Change change) {
  for (const auto& source : sources) {
    BlockMeta meta = source->meta();
    change(meta);
    absl::Status status = WriteBlockMeta(*options.env, source->where(), meta);
    if (!status.ok()) {
      Log(options.logger, LogLevel::kError, "can't mark a compacted block",
          {{"block", meta.ulid}, {"err", Message(status)}});
    }
  }
}

}  // namespace

BlockMeta MergeMetas(const std::string& ulid, std::vector<BlockMeta> inputs) {
  BlockMeta meta;
  meta.ulid = ulid;
  std::set<std::string> sources;
  bool all_out_of_order = !inputs.empty();
  for (const BlockMeta& input : inputs) {
    const bool first = &input == &inputs[0];
    meta.min_time =
        first ? input.min_time : std::min(meta.min_time, input.min_time);
    meta.max_time =
        first ? input.max_time : std::max(meta.max_time, input.max_time);
    meta.level = std::max(meta.level, input.level);
    sources.insert(input.sources.begin(), input.sources.end());
    meta.parents.push_back({input.ulid, input.min_time, input.max_time});
    // The block's end says how far the WAL is not needed any more; these hints
    // say that it does not.  Out-of-order data may be mixed with other data
    // that does.
    for (std::string_view hint : {kHintStaleSeries, kHintSelectedSeries}) {
      if (input.HasHint(hint)) meta.AddHint(hint);
    }
    all_out_of_order = all_out_of_order && input.HasHint(kHintOutOfOrder);
  }
  if (all_out_of_order) meta.AddHint(kHintOutOfOrder);
  ++meta.level;
  meta.sources.assign(sources.begin(), sources.end());
  return meta;
}

absl::StatusOr<std::optional<BlockMeta>> WriteBlock(
    const CompactOptions& options, const std::string& dir,
    const std::shared_ptr<const BlockSource>& source, Timestamp min_time,
    Timestamp max_time, const std::vector<std::string>& hints,
    const BlockMeta* parent) {
  BlockMeta meta;
  meta.ulid = NewUlid(*options.env, options.clock->Now());
  meta.min_time = min_time;
  meta.max_time = max_time;
  meta.level = 1;
  meta.sources = {meta.ulid};
  for (const std::string& hint : hints) meta.AddHint(hint);
  if (parent != nullptr) {
    meta.parents.push_back({parent->ulid, parent->min_time, parent->max_time});
    for (const std::string& hint : parent->hints) meta.AddHint(hint);
  }
  return Write(options, dir, std::move(meta), {source});
}

absl::StatusOr<Timestamp> FirstSample(const BlockSource& source,
                                      TimeRange range,
                                      const CancelToken& cancel) {
  Timestamp first = kMaxTime;
  MemoryBudget unlimited;
  SampleColumns columns(unlimited);
  const ReadContext context{unlimited, cancel};
  NARTHEX_ASSIGN_OR_RETURN(const PostingsList all, source.postings().All());
  const std::vector<SeriesId> ids = all.ToVector();
  SeriesBatch batch;
  for (size_t i = 0; i < ids.size() && range.min <= range.max;) {
    const size_t n = std::min<size_t>(ids.size() - i, 1024);
    batch.Clear();
    NARTHEX_RETURN_IF_ERROR(
        source.ReadSeries(std::span(ids).subspan(i, n), range, batch));
    i += n;
    for (const SeriesEntry& entry : batch.series) {
      NARTHEX_RETURN_IF_ERROR(
          source.ReadSamples(entry, range, context, columns));
      if (columns.size() != 0) first = std::min(first, columns.t()[0]);
      const auto& histograms = columns.histograms().points;
      if (!histograms.empty()) first = std::min(first, histograms[0].t);
      if (first <= range.min) return first;
      range.max = std::min(range.max, first);
    }
  }
  return first;
}

absl::StatusOr<std::optional<BlockMeta>> CompactBlocks(
    const CompactOptions& options, const std::string& dir,
    std::vector<std::shared_ptr<const BlockSource>> sources) {
  if (sources.empty()) return InvalidArgument("no blocks to compact");
  std::stable_sort(sources.begin(), sources.end(),
                   [](const auto& a, const auto& b) {
                     return a->meta().min_time < b->meta().min_time;
                   });
  std::vector<BlockMeta> metas;
  for (const auto& source : sources) metas.push_back(source->meta());
  absl::StatusOr<std::optional<BlockMeta>> written = Write(
      options, dir,
      MergeMetas(NewUlid(*options.env, options.clock->Now()), std::move(metas)),
      sources);
  if (written.ok()) {
    if (!written->has_value()) {
      MarkAll(options, sources, [](BlockMeta& meta) { meta.deletable = true; });
    }
    return written;
  }
  // A full disk or a stop passes; damage stays, and so would each new try.
  if (absl::IsDataLoss(written.status()) ||
      absl::IsFailedPrecondition(written.status()) ||
      absl::IsInvalidArgument(written.status())) {
    MarkAll(options, sources, [](BlockMeta& meta) { meta.failed = true; });
  }
  return written;
}

}  // namespace narthex::tsdb
