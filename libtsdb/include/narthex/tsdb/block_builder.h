// Blocks made offline, of samples that come from elsewhere than a scrape:
// backfilling, tests, conversion.  The chunks and the index are those that
// Prometheus's promtool would write for the same samples.
//
// One thread.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/time.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/labels.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {

// What a sample is that is not later than the series' last one.
enum class Overlap : uint8_t {
  kRefuse,     // an error, unless it repeats the last one exactly
  kFirstWins,  // sorted in; of one time what was added first stays
  kLastWins    // sorted in; of one time what was added last stays
};

struct BlockBuilderOptions {
  Env *env = Env::Posix();
  Clock *clock = Clock::System();
  // Blocks are aligned to it: the largest power-of-three multiple of 2 h that
  // is no longer, as promtool's --max-block-duration.  0: 2 h.
  Duration max_block_duration = Hours(2);
  Overlap overlap = Overlap::kRefuse;
};

class BlockBuilder {
public:
  // Blocks go below `dir`, which is made if missing.
  static absl::StatusOr<std::unique_ptr<BlockBuilder>>
  New(std::string dir, BlockBuilderOptions options = {});
  virtual ~BlockBuilder() = default;

  // Samples of different series in any order; of one series within one block's
  // range they must ascend, or Overlap says what becomes of them
  // (kInvalidArgument if they are refused).  Histograms are valid
  // (Histogram::Validate) or refused.
  virtual absl::Status Add(const Labels &labels, Timestamp t, double v) = 0;
  virtual absl::Status Add(const Labels &labels, Timestamp t,
                           const Histogram &h) = 0;
  virtual absl::Status Add(const Labels &labels, Timestamp t,
                           const FloatHistogram &h) = 0;

  // Writes the blocks, oldest first; then the builder is empty again.
  virtual absl::StatusOr<std::vector<BlockInfo>> Finish() = 0;
};

} // namespace narthex::tsdb
