// Writes one index file (format version 2), section by section; drawn in
// docs/format/index.md.
//
// One thread.  Calls come in this order: AddSymbol for every text, ascending;
// AddSeries for every series, ascending by labels; Finish.  Holds 8 bytes per
// label of a series in memory until Finish.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/index/postings.h"
#include "narthex/base/env.h"
#include "narthex/base/time.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

// A chunk as the index knows it.
struct ChunkMeta {
  Timestamp min_t = 0;
  Timestamp max_t = 0;
  uint64_t ref = 0;  // ChunkRef
};

class IndexWriter {
 public:
  static absl::StatusOr<std::unique_ptr<IndexWriter>> Create(Env& env,
                                                             std::string path);
  virtual ~IndexWriter() = default;

  // Numbers are given from 0.  kInvalidArgument if it is not greater than the
  // one before.
  virtual absl::Status AddSymbol(std::string_view text) = 0;
  // `row`: numbers of symbols, ascending by name.  kInvalidArgument if the
  // labels are not greater than those of the series before, if a number has no
  // symbol, or if the chunks overlap or don't ascend.
  virtual absl::Status AddSeries(LabelRow row,
                                 std::span<const ChunkMeta> chunks) = 0;
  // Writes the rest, syncs, closes.
  virtual absl::Status Finish() = 0;
};

}  // namespace narthex::tsdb
