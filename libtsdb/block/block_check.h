// Checks a block against every rule of docs/format, and writes what is whole of
// a damaged one as a new block.
//
// Functions; nobody else may change the block meanwhile.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/block.h"
#include "narthex/tsdb/verify.h"

namespace narthex::tsdb {

struct BlockCheck {
  std::vector<Problem> problems = {};
  uint64_t series = 0;
  uint64_t chunks = 0;
  uint64_t samples = 0;
  uint64_t bytes = 0;
};
absl::StatusOr<BlockCheck> CheckBlock(Env& env, const std::string& dir);

// Writes the chunks of `dir` that are whole, under labels that are whole, as a
// new block beside it; its tombstones go with it if they can be read.  Empty:
// nothing could be saved.
absl::StatusOr<std::optional<BlockMeta>> SalvageBlock(Env& env, Clock& clock,
                                                      const std::string& dir);

}  // namespace narthex::tsdb
