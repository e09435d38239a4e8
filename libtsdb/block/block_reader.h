// A block's directory as a BlockSource.  Opening maps the index and the chunk
// files and reads meta.json and tombstones; it takes the same time for any
// block.  What else it needs is built at the first use.
//
// Any thread.  The files stay readable for as long as a reader lives, also when
// the directory is deleted meanwhile.

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/block/block_source.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/block.h"

namespace narthex::tsdb {

class BlockReader : public BlockSource {
 public:
  static absl::StatusOr<std::shared_ptr<BlockReader>> Open(Env &env,
                                                           std::string dir);
  // Bytes of all files.
  virtual uint64_t size_bytes() const = 0;
  virtual uint64_t index_bytes() const = 0;
  virtual const Tombstones &tombstones() const = 0;
};

// Adds deletions to the block on disk: of the series that match, within `range`
// cut to what each series has.  Rewrites tombstones and meta.json; opens the
// block anew to see them.  Returns how many series were touched.
absl::StatusOr<uint64_t> DeleteFromBlock(
    Env &env, const BlockReader &block,
    std::span<const Matcher *const> matchers, TimeRange range);

}  // namespace narthex::tsdb
