// Which blocks are too old, or too many.  Pure: the Db deletes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "narthex/base/time.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {

struct RetainedBlock {
  BlockMeta meta = {};
  uint64_t bytes = 0;
};

// Indices of blocks that end `retention` or more before the newest one ends;
// never the newest.  retention 0: none.
std::vector<size_t> BlocksBeyondTime(const std::vector<RetainedBlock> &blocks,
                                     Duration retention);

// Indices of the oldest blocks, as many as must go for `other_bytes` (WAL, head
// chunks) and the rest to fit `limit`: the one that crosses it and all older
// ones.  limit 0: none.
std::vector<size_t> BlocksBeyondSize(const std::vector<RetainedBlock> &blocks,
                                     uint64_t other_bytes, uint64_t limit);

// Blocks that a loaded block was made of (its parents), and those marked
// deletable: they go whatever the limits say.
std::vector<size_t> BlocksReplaced(const std::vector<RetainedBlock> &blocks);

}  // namespace narthex::tsdb
