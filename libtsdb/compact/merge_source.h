// Many BlockSources as one: their symbols merged and numbered anew, their
// series walked together in the order of their labels.
//
// One thread.  Borrows the sources.

#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/block/block_source.h"
#include "narthex/base/cancel.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

class MergeSource {
 public:
  // One source's part of a series.
  struct Part {
    const BlockSource* source = nullptr;
    const SeriesEntry* entry = nullptr;
  };

  // Series with chunks in `range`.
  static absl::StatusOr<std::unique_ptr<MergeSource>> Open(
      std::vector<const BlockSource*> sources, TimeRange range,
      const CancelToken& cancel);
  ~MergeSource();

  // Every text that any source has, ascending: the new numbers, from 0.
  const std::vector<std::string_view>& symbols() const { return symbols_; }
  // An upper bound of the series.
  uint64_t series_bound() const { return series_bound_; }

  // The next series: false at the end.
  absl::StatusOr<bool> Next();
  // In the new numbers.
  LabelRow row() const { return row_; }
  // In the order of the sources.
  const std::vector<Part>& parts() const { return parts_; }

 private:
  class Cursor;
  MergeSource();

  absl::Status MergeSymbols(std::vector<std::vector<uint32_t>> sorted);

  std::vector<std::unique_ptr<Cursor>> cursors_;
  std::vector<std::string_view> symbols_;
  uint64_t series_bound_ = 0;
  LabelRow row_;
  std::vector<Part> parts_;
};

}  // namespace narthex::tsdb
