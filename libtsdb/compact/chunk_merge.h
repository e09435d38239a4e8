// The chunks of one series for a new block: deleted samples and what lies
// outside the range cut out, overlapping chunks merged, all others as they are.
//
// One thread; reused from series to series.

#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "libtsdb/block/block_source.h"
#include "narthex/base/budget.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

class ChunkMerge {
 public:
  ChunkMerge(TimeRange range, MemoryBudget& budget)
      : range_(range), merged_(budget), other_(budget) {}

  void Begin();
  // Adds what `source` has of the series.
  absl::Status Add(const BlockSource& source, const SeriesEntry& entry);
  // Chunks that ascend without overlap; valid until Begin.
  absl::Status Finish();
  const std::vector<EncodedChunk>& chunks() const { return out_; }

 private:
  absl::Status Edit(const BlockSource& source, const EncodedChunk& chunk,
                    const Intervals* deleted);
  absl::Status MergeRun(size_t begin, size_t end);
  // Encodes columns, at most `split` samples a chunk.
  void Encode(const SampleColumns& columns, size_t split,
              std::vector<EncodedChunk>& to);

  const TimeRange range_;
  SampleColumns merged_;
  SampleColumns other_;
  std::deque<ChunkList> lists_;  // one per source; the first used_ are in use
  size_t used_ = 0;
  std::deque<std::string> made_;
  std::vector<EncodedChunk> in_;
  std::vector<EncodedChunk> out_;
};

}  // namespace narthex::tsdb
