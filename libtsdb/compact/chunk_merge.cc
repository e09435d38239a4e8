#include "libtsdb/compact/chunk_merge.h"

#include <algorithm>
#include <utility>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"

namespace narthex::tsdb {
namespace {

// Samples of a chunk that is encoded anew because others overlapped it.
constexpr size_t kSamplesPerChunk = 120;

}  // namespace

void ChunkMerge::Begin() {
  used_ = 0;
  made_.clear();
  in_.clear();
  out_.clear();
}

absl::Status ChunkMerge::Add(const BlockSource& source,
                             const SeriesEntry& entry) {
  if (used_ == lists_.size()) lists_.emplace_back();
  ChunkList& list = lists_[used_++];
  NARTHEX_RETURN_IF_ERROR(source.ReadChunks(entry, range_, list));
  const Intervals* deleted = source.Deleted(entry.id);
  for (const EncodedChunk& chunk : list.chunks) {
    const TimeRange span = {chunk.min_t, chunk.max_t};
    if (!range_.Overlaps(span)) continue;
    if (deleted != nullptr && Covers(*deleted, span)) continue;
    if (chunk.min_t < range_.min || range_.max < chunk.max_t ||
        (deleted != nullptr && OverlapsAny(*deleted, span))) {
      NARTHEX_RETURN_IF_ERROR(Edit(source, chunk, deleted));
    } else {
      in_.push_back(chunk);
    }
  }
  return absl::OkStatus();
}

absl::Status ChunkMerge::Edit(const BlockSource& source,
                              const EncodedChunk& chunk,
                              const Intervals* deleted) {
  if (IsKnownEncoding(chunk.encoding) &&
      chunk.encoding != ChunkEncoding::kXor) {
    return FailedPrecondition(StrCat(source.where(), ": a chunk of encoding ",
                                     ChunkEncodingName(chunk.encoding),
                                     " from ", chunk.min_t.ms, " to ",
                                     chunk.max_t.ms,
                                     " has to be cut, which this version can "
                                     "do with XOR chunks alone"));
  }
  merged_.Clear();
  if (absl::Status status =
          DecodeChunk(chunk.encoding, chunk.bytes, range_, merged_);
      !status.ok()) {
    return Annotate(status, source.where());
  }
  if (deleted != nullptr) CutIntervals(*deleted, merged_);
  Encode(merged_, kMaxSamplesPerChunk, in_);
  return absl::OkStatus();
}

absl::Status ChunkMerge::Finish() {
  const auto earlier = [](const EncodedChunk& a, const EncodedChunk& b) {
    return a.min_t != b.min_t ? a.min_t < b.min_t : a.max_t < b.max_t;
  };
  if (!std::is_sorted(in_.begin(), in_.end(), earlier)) {
    std::stable_sort(in_.begin(), in_.end(), earlier);
  }
  for (size_t begin = 0; begin < in_.size();) {
    // A run of chunks in which each overlaps what came before it.
    Timestamp end_t = in_[begin].max_t;
    size_t end = begin + 1;
    bool same = true;
    for (; end < in_.size() && in_[end].min_t <= end_t; ++end) {
      const EncodedChunk& a = in_[end - 1];
      const EncodedChunk& b = in_[end];
      same = same && a.min_t == b.min_t && a.max_t == b.max_t &&
             a.encoding == b.encoding && a.bytes == b.bytes;
      end_t = std::max(end_t, b.max_t);
    }
    if (same) {  // one chunk, or copies of it
      out_.push_back(in_[begin]);
    } else {
      NARTHEX_RETURN_IF_ERROR(MergeRun(begin, end));
    }
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status ChunkMerge::MergeRun(size_t begin, size_t end) {
  merged_.Clear();
  for (size_t i = begin; i < end; ++i) {
    const EncodedChunk& chunk = in_[i];
    if (IsKnownEncoding(chunk.encoding) &&
        chunk.encoding != ChunkEncoding::kXor) {
      return FailedPrecondition(StrCat(
          "overlapping chunks of encoding ", ChunkEncodingName(chunk.encoding),
          " from ", chunk.min_t.ms, " on can't be merged by this version"));
    }
    other_.Clear();
    NARTHEX_RETURN_IF_ERROR(
        DecodeChunk(chunk.encoding, chunk.bytes, {}, other_));
    NARTHEX_RETURN_IF_ERROR(MergeColumns(other_, merged_));
  }
  Encode(merged_, kSamplesPerChunk, out_);
  return absl::OkStatus();
}

void ChunkMerge::Encode(const SampleColumns& columns, size_t split,
                        std::vector<EncodedChunk>& to) {
  XorAppender chunk;
  for (size_t begin = 0; begin < columns.size(); begin += split) {
    const size_t end = std::min(begin + split, columns.size());
    chunk.Clear();
    for (size_t i = begin; i < end; ++i) {
      chunk.Append(columns.t()[i], columns.v()[i]);
    }
    made_.emplace_back(chunk.bytes());
    to.push_back({ChunkEncoding::kXor, columns.t()[begin], columns.t()[end - 1],
                  made_.back()});
  }
}

}  // namespace narthex::tsdb
