// Which blocks are to be merged next.  Pure: metas in, a choice out.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "narthex/base/time.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {

// 2h, 6h, 18h, ... : `smallest` * 3^k up to `largest`.
std::vector<Duration> CompactionRanges(Duration smallest, Duration largest);

// Indices into `blocks` (any order) of those that belong together, ascending by
// min_time; empty: nothing to do.  `overlapping`: whether overlapping blocks
// are to be merged.  Blocks of stale or selected series are never mixed with
// others, nor late blocks that go beyond the last block of samples in time.
std::vector<size_t> PlanCompaction(const std::vector<Duration> &ranges,
                                   const std::vector<BlockMeta> &blocks,
                                   bool overlapping = true);

// The end of the window of width `width` that `t` lies in, as Prometheus counts
// (towards zero: for t < 0 one window too high).
constexpr Timestamp WindowEnd(Timestamp t, Duration width) {
  return (t.ms / width.ms) * width.ms + width.ms;
}

}  // namespace narthex::tsdb
