#include "libtsdb/compact/chunk_merge.h"

#include <algorithm>
#include <utility>

#include "libtsdb/chunk/histogram_reader.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"

namespace narthex::tsdb {
namespace {

// Of a chunk that is encoded anew because others overlapped it.
constexpr uint32_t kMergedSamples = 120;

// What the counter reset hint of its header takes from the count.
constexpr uint32_t kMostSamples = 0x3fff;

}  // namespace

ChunkMerge::ChunkMerge(TimeRange range, MemoryBudget& budget, bool xor2)
    : range_(range),
      whole_(ChunkBuilder::CutAfter(kMostSamples)),
      split_(ChunkBuilder::CutAfter(kMergedSamples)),
      floats_(budget),
      other_(budget) {
  split_.PreferXor2(xor2);
}

void ChunkMerge::Begin() {
  used_ = 0;
  made_.chunks.clear();
  made_.made.clear();
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
      NARTHEX_RETURN_IF_ERROR(Edit({chunk, &source}, deleted));
    } else {
      in_.push_back({chunk, &source});
    }
  }
  return absl::OkStatus();
}

void ChunkMerge::ClearSamples() {
  floats_.Clear();
  histograms_.clear();
}

absl::Status ChunkMerge::Gather(const Piece& piece, TimeRange range) {
  const EncodedChunk& chunk = piece.chunk;
  absl::Status status;
  if (!IsHistogramEncoding(chunk.encoding)) {
    other_.Clear();
    if (chunk.encoding == ChunkEncoding::kXor2) {
      NARTHEX_RETURN_IF_ERROR(other_.ReserveStartTimes());
    }
    status = DecodeChunk(chunk.encoding, chunk.bytes, range, other_);
    if (status.ok() && !histograms_.empty()) {
      // A time that a histogram has is taken.
      for (const HistogramAt& taken : histograms_) {
        CutIntervals({{taken.t, taken.t}}, other_);
      }
    }
    if (status.ok()) status = MergeColumns(other_, floats_);
  } else {
    const size_t old = histograms_.size();
    status = VisitHistograms(
        chunk.encoding, chunk.bytes, range, [&](const HistogramSample& s) {
          if (std::binary_search(floats_.t().begin(), floats_.t().end(), s.t)) {
            return absl::OkStatus();
          }
          HistogramAt& at = histograms_.emplace_back();
          at.t = s.t;
          at.start = s.start;
          if (s.integer != nullptr) {
            at.h = *s.integer;
          } else {
            at.h = *s.floating;
          }
          return absl::OkStatus();
        });
    if (old != 0) {
      const auto earlier = [](const HistogramAt& a, const HistogramAt& b) {
        return a.t < b.t;
      };
      std::inplace_merge(histograms_.begin(),
                         histograms_.begin() + static_cast<ptrdiff_t>(old),
                         histograms_.end(), earlier);
      // Of two with one time the first one stays.
      histograms_.erase(
          std::unique(histograms_.begin(), histograms_.end(),
                      [](const auto& a, const auto& b) { return a.t == b.t; }),
          histograms_.end());
    }
  }
  return status.ok() ? status : Annotate(status, piece.source->where());
}

void ChunkMerge::CutDeleted(const Intervals& deleted) {
  CutIntervals(deleted, floats_);
  std::erase_if(histograms_, [&](const HistogramAt& at) {
    return Covers(deleted, {at.t, at.t});
  });
}

void ChunkMerge::Encode(ChunkBuilder& builder, BuiltChunks& to) {
  const std::span<const Timestamp> starts = floats_.st();
  size_t i = 0, j = 0;
  while (i < floats_.size() || j < histograms_.size()) {
    if (j == histograms_.size() ||
        (i < floats_.size() && floats_.t()[i] < histograms_[j].t)) {
      builder.Add(floats_.t()[i], floats_.v()[i],
                  starts.empty() ? Timestamp(0) : starts[i], to);
      ++i;
    } else {
      const HistogramAt& at = histograms_[j++];
      std::visit([&](const auto& h) { builder.Add(at.t, h, at.start, to); },
                 at.h);
    }
  }
  builder.Finish(to);
}

absl::Status ChunkMerge::Edit(const Piece& piece, const Intervals* deleted) {
  ClearSamples();
  NARTHEX_RETURN_IF_ERROR(Gather(piece, range_));
  if (deleted != nullptr) CutDeleted(*deleted);
  const size_t old = made_.chunks.size();
  whole_.PreferXor2(piece.chunk.encoding == ChunkEncoding::kXor2);
  Encode(whole_, made_);
  for (size_t i = old; i < made_.chunks.size(); ++i) {
    in_.push_back({made_.chunks[i], piece.source});
  }
  return absl::OkStatus();
}

absl::Status ChunkMerge::Finish() {
  const auto earlier = [](const Piece& a, const Piece& b) {
    return a.chunk.min_t != b.chunk.min_t ? a.chunk.min_t < b.chunk.min_t
                                          : a.chunk.max_t < b.chunk.max_t;
  };
  if (!std::is_sorted(in_.begin(), in_.end(), earlier)) {
    std::stable_sort(in_.begin(), in_.end(), earlier);
  }
  for (size_t begin = 0; begin < in_.size();) {
    // A run of chunks in which each overlaps what came before it.
    Timestamp end_t = in_[begin].chunk.max_t;
    size_t end = begin + 1;
    bool same = true;
    for (; end < in_.size() && in_[end].chunk.min_t <= end_t; ++end) {
      const EncodedChunk& a = in_[end - 1].chunk;
      const EncodedChunk& b = in_[end].chunk;
      same = same && a.min_t == b.min_t && a.max_t == b.max_t &&
             a.encoding == b.encoding && a.bytes == b.bytes;
      end_t = std::max(end_t, b.max_t);
    }
    if (same) {  // one chunk, or copies of it
      out_.push_back(in_[begin].chunk);
    } else {
      NARTHEX_RETURN_IF_ERROR(MergeRun(begin, end));
    }
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status ChunkMerge::MergeRun(size_t begin, size_t end) {
  ClearSamples();
  for (size_t i = begin; i < end; ++i) {
    NARTHEX_RETURN_IF_ERROR(Gather(in_[i], {}));
  }
  const size_t old = made_.chunks.size();
  Encode(split_, made_);
  out_.insert(out_.end(), made_.chunks.begin() + static_cast<ptrdiff_t>(old),
              made_.chunks.end());
  return absl::OkStatus();
}

}  // namespace narthex::tsdb
