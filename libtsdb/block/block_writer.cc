#include "libtsdb/block/block_writer.h"

#include <utility>
#include <vector>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/tombstones.h"
#include "libtsdb/index/index_writer.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

class Writer final : public BlockWriter {
 public:
  Writer(Env& env, std::string dir, BlockMeta meta)
      : env_(env),
        dir_(std::move(dir)),
        final_(JoinPath(dir_, meta.ulid)),
        tmp_(StrCat(final_, kTmpForCreation)),
        meta_(std::move(meta)) {
    meta_.stats = BlockStats{};
  }
  ~Writer() override {
    // Close files before their directory goes.
    segments_.reset();
    index_.reset();
    if (!finished_) env_.RemoveAll(tmp_).IgnoreError();
  }

  absl::Status Begin(uint64_t segment_size) {
    NARTHEX_RETURN_IF_ERROR(env_.RemoveAll(tmp_));
    NARTHEX_RETURN_IF_ERROR(env_.MakeDirs(tmp_));
    NARTHEX_ASSIGN_OR_RETURN(
        segments_,
        SegmentWriter::Create(env_, JoinPath(tmp_, "chunks"), segment_size));
    NARTHEX_ASSIGN_OR_RETURN(
        index_, IndexWriter::Create(env_, JoinPath(tmp_, "index")));
    return absl::OkStatus();
  }

  absl::Status AddSymbol(std::string_view text) override {
    return index_->AddSymbol(text);
  }

  absl::Status AddSeries(LabelRow row,
                         std::span<const EncodedChunk> chunks) override {
    if (chunks.empty()) return absl::OkStatus();
    refs_.resize(chunks.size());
    NARTHEX_RETURN_IF_ERROR(segments_->Write(chunks, refs_));
    metas_.clear();
    for (size_t i = 0; i < chunks.size(); ++i) {
      const EncodedChunk& chunk = chunks[i];
      metas_.push_back({chunk.min_t, chunk.max_t, refs_[i]});
      const uint64_t samples = SampleCount(chunk.encoding, chunk.bytes);
      meta_.stats.samples += samples;
      if (IsHistogramEncoding(chunk.encoding)) {
        meta_.stats.histogram_samples += samples;
      } else {
        meta_.stats.float_samples += samples;
      }
    }
    NARTHEX_RETURN_IF_ERROR(index_->AddSeries(row, metas_));
    meta_.stats.chunks += chunks.size();
    ++meta_.stats.series;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<BlockMeta>> Finish() override {
    NARTHEX_RETURN_IF_ERROR(segments_->Finish());
    NARTHEX_RETURN_IF_ERROR(index_->Finish());
    if (meta_.stats.samples == 0) return std::optional<BlockMeta>();
    NARTHEX_RETURN_IF_ERROR(WriteBlockMeta(env_, tmp_, meta_));
    NARTHEX_RETURN_IF_ERROR(WriteTombstones(env_, tmp_, Tombstones()));
    NARTHEX_RETURN_IF_ERROR(env_.SyncDir(tmp_));
    NARTHEX_RETURN_IF_ERROR(env_.Rename(tmp_, final_));
    finished_ = true;
    NARTHEX_RETURN_IF_ERROR(env_.SyncDir(dir_));
    return std::optional<BlockMeta>(meta_);
  }

 private:
  Env& env_;
  const std::string dir_;
  const std::string final_;
  const std::string tmp_;
  BlockMeta meta_;
  std::unique_ptr<SegmentWriter> segments_;
  std::unique_ptr<IndexWriter> index_;
  std::vector<ChunkRef> refs_;
  std::vector<ChunkMeta> metas_;
  bool finished_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockWriter>> BlockWriter::Create(
    Env& env, std::string dir, BlockMeta meta, uint64_t segment_size) {
  auto writer = std::make_unique<Writer>(env, std::move(dir), std::move(meta));
  NARTHEX_RETURN_IF_ERROR(writer->Begin(segment_size));
  return writer;
}

}  // namespace narthex::tsdb
