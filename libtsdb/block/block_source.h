// BlockSource: what a query and a compaction see of a block, or of the head.
//
// Labels are pairs of the source's own symbol numbers; who reads many sources
// translates them (query/query_symbols.h).  Samples come as columns (queries)
// or as byte-exact chunks (compaction, remote read).  A virtual call per batch
// of series or per series, never per sample.
//
// Every method is safe from many threads.  A source is shared; what it hands
// out lives as long as it does, if nothing else is said.  It keeps what it
// shows: a head's source holds its place in the order of commits, a block's its
// files, however long it lives.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/block/tombstones.h"
#include "libtsdb/index/postings.h"
#include "libtsdb/index/select.h"
#include "libtsdb/index/symbols.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"
#include "narthex/model/querier.h"
#include "narthex/model/symbols.h"
#include "narthex/tsdb/block.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

struct SeriesEntry {
  SeriesId id = 0;
  uint32_t labels_begin = 0;  // in SeriesBatch::labels
  uint32_t labels_end = 0;
  uint32_t samples_hint = 0;  // an upper bound of the samples in the range
  uint64_t cursor = 0;        // the source's own: where its samples begin
};

// Series without their samples.  Who asks clears it.
struct SeriesBatch {
  std::vector<LabelPair> labels = {};  // own symbols; a row is sorted by name
  std::vector<SeriesEntry> series = {};

  LabelRow Row(const SeriesEntry &entry) const {
    return LabelRow(labels).subspan(entry.labels_begin,
                                    entry.labels_end - entry.labels_begin);
  }
  void Clear() {
    labels.clear();
    series.clear();
  }
};

// A series' chunks.  `bytes` of a chunk point into the source (a mapped file),
// into what `kept` holds, or into NewBytes() (what had to be encoded).
struct ChunkList {
  std::vector<EncodedChunk> chunks = {};
  std::vector<std::shared_ptr<const void>> kept = {};

  // Empty, and the list's until Clear.
  std::string &NewBytes() {
    if (used_ == made_.size()) made_.emplace_back();
    std::string &bytes = made_[used_++];
    bytes.clear();
    return bytes;
  }
  void Clear() {
    chunks.clear();
    kept.clear();
    used_ = 0;
  }

 private:
  // Kept from series to series, as is their memory.
  std::deque<std::string> made_;
  size_t used_ = 0;
};

// Where exemplars are: in the head alone.
class ExemplarSource {
 public:
  virtual ~ExemplarSource() = default;
  // Adds those in `range` of the series that match all of any of `selectors`,
  // by labels, then by time.
  virtual void Select(std::span<const Matchers> selectors, TimeRange range,
                      std::vector<ExemplarSeries> &out) const = 0;
};

class BlockSource : public SymbolSource {
 public:
  // Of the head: a meta with one of the two reserved ULIDs
  // (0000000000XXXXXXXXXXXXHEAD, 0000000000XX000COMPACTHEAD).
  virtual const BlockMeta &meta() const = 0;
  // Where it is, for errors: the block's directory.
  virtual const std::string &where() const = 0;

  virtual const PostingsIndex &postings() const = 0;
  // Does a greater id mean greater labels?  (A block: yes.  The head: no.)
  virtual bool ids_in_label_order() const = 0;
  // Own numbers of every symbol that an index of this source has, ascending by
  // text; "" among them if a list of all series is.
  virtual absl::Status SortedSymbols(std::vector<uint32_t> &out) const = 0;

  // Adds to `out` the series `ids` in their order, without those that have no
  // chunk in `range` (whatever tombstones cover whole chunks counts as none)
  // and those that are gone.  At most 4 G labels per batch: ask for some
  // thousands of series at a time.
  virtual absl::Status ReadSeries(std::span<const SeriesId> ids,
                                  TimeRange range, SeriesBatch &out) const = 0;

  // Replaces `out` by the samples in `range` that are not deleted.
  virtual absl::Status ReadSamples(const SeriesEntry &entry, TimeRange range,
                                   const ReadContext &ctx,
                                   SampleColumns &out) const = 0;
  // The newest sample in `range`; false if there is none.
  virtual absl::StatusOr<bool> ReadLatest(const SeriesEntry &entry,
                                          TimeRange range,
                                          const ReadContext &ctx,
                                          LatestSample &out) const = 0;
  // Replaces `out` by the chunks that overlap `range`, whole and ascending by
  // min_t; they may overlap each other (late samples of the head).  Deleted
  // samples are still in them.
  virtual absl::Status ReadChunks(const SeriesEntry &entry, TimeRange range,
                                  ChunkList &out) const = 0;
  // What is deleted of the series; null: nothing.
  virtual const Intervals *Deleted(SeriesId id) const = 0;
};

}  // namespace narthex::tsdb
