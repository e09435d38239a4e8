// The chunks of one series for a new block: deleted samples and what lies
// outside the range cut out, overlapping chunks merged, all others as they are.
//
// One thread; reused from series to series.  Of samples with one time the
// source that was added first wins.

#pragma once

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "libtsdb/block/block_source.h"
#include "libtsdb/chunk/chunk_builder.h"
#include "narthex/base/budget.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

class ChunkMerge {
 public:
  // `xor2`: what floats without starts become where chunks are merged; one that
  // only loses samples stays what it was.
  ChunkMerge(TimeRange range, MemoryBudget& budget, bool xor2);

  void Begin();
  // Adds what `source` has of the series.
  absl::Status Add(const BlockSource& source, const SeriesEntry& entry);
  // Chunks that ascend without overlap; valid until Begin.
  absl::Status Finish();
  const std::vector<EncodedChunk>& chunks() const { return out_; }

 private:
  struct Piece {
    EncodedChunk chunk;
    const BlockSource* source = nullptr;
  };
  struct HistogramAt {
    Timestamp t = 0;
    Timestamp start = 0;
    std::variant<Histogram, FloatHistogram> h = {};
  };

  // Samples as they are gathered before they are encoded.
  void ClearSamples();
  absl::Status Gather(const Piece& piece, TimeRange range);
  void CutDeleted(const Intervals& deleted);
  void Encode(ChunkBuilder& builder, BuiltChunks& to);

  absl::Status Edit(const Piece& piece, const Intervals* deleted);
  absl::Status MergeRun(size_t begin, size_t end);

  const TimeRange range_;
  ChunkBuilder whole_;  // one chunk stays one
  ChunkBuilder split_;
  SampleColumns floats_;
  SampleColumns other_;
  std::vector<HistogramAt> histograms_;
  std::deque<ChunkList> lists_;  // one per source; the first used_ are in use
  size_t used_ = 0;
  BuiltChunks made_;
  std::vector<Piece> in_;
  std::vector<EncodedChunk> out_;
};

}  // namespace narthex::tsdb
