// Writes one block: made under a temporary name, whole on disk and then
// renamed, so that a crash leaves a block or none.
//
// One thread.  Symbols first, ascending; then series, ascending by labels; then
// Finish.  Destroyed before that, it removes what it wrote.

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/chunk/segment.h"
#include "narthex/base/env.h"
#include "narthex/model/symbols.h"
#include "narthex/tsdb/block.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

class BlockWriter {
 public:
  // `meta` names the block and its range; its stats are counted here.
  static absl::StatusOr<std::unique_ptr<BlockWriter>> Create(
      Env& env, std::string dir, BlockMeta meta,
      uint64_t segment_size = kDefaultSegmentSize);
  virtual ~BlockWriter() = default;

  // Numbers are given from 0.
  virtual absl::Status AddSymbol(std::string_view text) = 0;
  // A series without chunks is left out.
  virtual absl::Status AddSeries(LabelRow row,
                                 std::span<const EncodedChunk> chunks) = 0;
  // Empty: there was no sample, and there is no block.
  virtual absl::StatusOr<std::optional<BlockMeta>> Finish() = 0;
};

}  // namespace narthex::tsdb
