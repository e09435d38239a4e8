// Reads one index file, mapped; drawn in docs/format/index.md.  Opening checks
// the header and the table of contents, and costs the same for any size.  The
// table of symbols and that of postings are built, and their checksums
// verified, at the first use.
//
// Any thread.  Damage is kDataLoss naming file and offset.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/index/format.h"
#include "libtsdb/index/index_writer.h"
#include "libtsdb/index/postings.h"
#include "libtsdb/index/select.h"
#include "libtsdb/index/symbols.h"
#include "narthex/base/coding.h"
#include "narthex/base/env.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

class IndexReader final : public PostingsIndex {
 public:
  static absl::StatusOr<std::unique_ptr<IndexReader>> Open(Env& env,
                                                           std::string path);

  // --- Symbols.  0 is always ""; in a file whose table does not begin with it,
  // the numbers are one more than the ordinals.

  absl::Status LoadSymbols() const;  // the first use; the rest needs it done
  uint32_t symbol_bound() const { return symbol_bound_; }
  std::string_view SymbolText(uint32_t own) const;
  uint32_t FindSymbol(std::string_view text) const;
  uint32_t first_symbol() const {
    return shift_;
  }  // 1 if "" is not in the file

  // --- PostingsIndex.

  absl::StatusOr<PostingsList> All() const override;
  absl::StatusOr<PostingsList> Find(std::string_view name,
                                    std::string_view value) const override;
  absl::StatusOr<std::shared_ptr<const LabelValueList>> Values(
      std::string_view name) const override;
  absl::StatusOr<PostingsList> List(uint64_t list) const override;
  absl::StatusOr<std::vector<std::string_view>> Names() const override;

  // --- Series.

  // Appends the labels of a series to `labels`; checks its CRC.  `chunks_at`:
  // where its chunks begin, for ChunkWalk.
  absl::Status ReadLabels(SeriesId id, std::vector<LabelPair>& labels,
                          uint64_t& chunks_at) const;

  // The chunks of a series, one at a time.
  class ChunkWalk {
   public:
    // false: no more, or damage; ask ok().
    bool Next(ChunkMeta& chunk);
    bool ok() const { return in_.ok(); }
    uint32_t left() const { return left_; }

   private:
    friend class IndexReader;
    explicit ChunkWalk(std::string_view bytes) : in_(bytes) {
      left_ = in_.Uvarint32();
    }
    ByteReader in_;
    uint32_t left_ = 0;
    bool first_ = true;
    int64_t t_ = 0;
    uint64_t ref_ = 0;
  };
  ChunkWalk Chunks(SeriesId id, uint64_t chunks_at) const;
  absl::Status DamagedChunks(SeriesId id) const;

  const std::string& path() const { return file_->path(); }
  uint64_t size_bytes() const { return bytes_.size(); }
  // Bytes of the symbol table's texts.
  uint8_t version() const { return version_; }
  const IndexToc& toc() const { return toc_; }

 private:
  IndexReader() = default;

  absl::Status BuildSymbols() const;
  absl::Status BuildPostings() const;
  absl::Status LoadPostings() const;
  // The body of the [length | body | CRC] section at `offset`, checked.
  absl::StatusOr<std::string_view> Section(uint64_t offset,
                                           std::string_view what) const;
  // The body of a series entry; false if it does not lie within the section.
  bool EntryAt(SeriesId id, std::string_view& body, uint32_t& crc) const;
  // A label's number from what its series entry says: in version 1 that is
  // where the text lies in the file.
  bool ToOrdinal(uint32_t& symbol) const;
  absl::Status BuildUnsortedPostings(std::string_view body) const;
  uint64_t OffsetOf(SeriesId id) const {
    return version_ == kIndexV1 ? id : id * kSeriesAlign;
  }

  std::unique_ptr<MappedFile> file_;
  std::string_view bytes_;
  uint8_t version_ = 0;
  IndexToc toc_;

  mutable absl::once_flag symbols_once_;
  mutable absl::Status symbols_status_;
  mutable std::vector<uint32_t> symbol_at_;  // offsets from toc_.symbols
  mutable uint32_t symbol_bound_ = 0;
  mutable uint32_t shift_ = 0;

  mutable absl::once_flag postings_once_;
  mutable absl::Status postings_status_;
  mutable absl::flat_hash_map<std::string_view,
                              std::shared_ptr<const LabelValueList>>
      values_;
  mutable std::vector<std::string_view> names_;
  mutable uint64_t all_at_ = 0;
};

}  // namespace narthex::tsdb
