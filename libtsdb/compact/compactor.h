// Sources in, one block out: of the head, or of blocks.  When no two sources
// overlap in a series, chunk bytes are copied as they are; overlapping float
// chunks are merged sample by sample and encoded anew, 120 samples each, as
// Prometheus does.
//
// One compaction per Compactor at a time; the sources may be read by others.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/block/block_source.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/logger.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {

struct CompactOptions {
  Env *env = nullptr;      // borrowed, as are the others; required
  Clock *clock = nullptr;  // for the ULID's time; required
  Logger *logger = nullptr;
  const CancelToken *cancel = nullptr;  // asked per series
  MemoryBudget *budget = nullptr;       // null: unlimited
  // Called every few thousand series, from the compacting thread; the total is
  // the sum over the sources (an upper bound).  The last call has done ==
  // total, also of a compaction that fails.
  std::function<void(uint64_t series_done, uint64_t series_total)> progress =
      nullptr;
  uint64_t segment_size = 512 << 20;
  // Floats that have to be encoded anew become XOR2 chunks (those with start
  // times always do).
  bool xor2 = false;
};

// Writes what `source` has in [min_time, max_time) as a block of level 1 below
// `dir`.  `hints`: of the new block.  `parent`: what it is said to come from,
// if anything.  Empty: nothing was in the range, and no block was written.
absl::StatusOr<std::optional<BlockMeta>> WriteBlock(
    const CompactOptions &options, const std::string &dir,
    const std::shared_ptr<const BlockSource> &source, Timestamp min_time,
    Timestamp max_time, const std::vector<std::string> &hints = {},
    const BlockMeta *parent = nullptr);

// The time of the first sample in `range`; kMaxTime: there is none.  Decodes
// what it has to: for leaving out long spans without samples.
absl::StatusOr<Timestamp> FirstSample(const BlockSource &source,
                                      TimeRange range,
                                      const CancelToken &cancel);

// Merges blocks into one below `dir`, over the whole of their range; of samples
// at the same time, that of the block that begins first stays.  Empty: all
// samples were deleted; then the inputs are marked deletable in their
// meta.json. If an input is damaged, all are marked failed, so that they are
// not tried for ever; the caller reloads them.  The inputs stay where they are.
absl::StatusOr<std::optional<BlockMeta>> CompactBlocks(
    const CompactOptions &options, const std::string &dir,
    std::vector<std::shared_ptr<const BlockSource>> sources);

// The meta of a block made of `inputs`, without its stats.
BlockMeta MergeMetas(const std::string &ulid, std::vector<BlockMeta> inputs);

}  // namespace narthex::tsdb
