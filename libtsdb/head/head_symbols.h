// The text of the head: every name and value once, as a number; and a series'
// labels as a row of numbers (which names, then one value each).
//
// SymbolText is wait-free.  All else locks inside; the lock is the innermost of
// the head (index).  A number keeps its text as long as a row uses it, and as
// long as a reader is open: Reclaim is only called while none is.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/index/mem_postings.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

// A place in the row memory.
using RowHandle = uint32_t;

class HeadSymbols final : public SymbolSource {
 public:
  HeadSymbols();
  ~HeadSymbols() override;
  HeadSymbols(const HeadSymbols&) = delete;
  HeadSymbols& operator=(const HeadSymbols&) = delete;

  // --- SymbolSource.

  std::string_view SymbolText(SymbolId id) const override;
  SymbolId FindSymbol(std::string_view text) const override;
  uint32_t symbol_bound() const override {
    return bound_.load(std::memory_order_acquire);
  }

  // --- Rows.

  // kResourceExhausted if there are too many labels, texts or rows for 32 bits.
  // Adds the row's pairs to `pairs`.
  absl::StatusOr<RowHandle> AddRow(const Labels& labels,
                                   std::vector<LabelPair>& pairs);
  // The series is gone; the row's memory is used again when no reader before
  // number `readers` is left (FreeRows).
  void DropRow(RowHandle row, uint64_t readers);
  void FreeRows(uint64_t oldest_reader);
  // Adds the pairs of `row` to `out`; of many rows under one lock.
  void CopyRow(RowHandle row, std::vector<LabelPair>& out) const;
  template <typename Rows, typename Each>
  void CopyRows(const Rows& rows, std::vector<LabelPair>& out,
                Each each) const {
    absl::ReaderMutexLock lock(&mu_);
    for (const auto& row : rows) {
      CopyLocked(row.labels, out);
      each(row);
    }
  }
  bool RowIs(RowHandle row, const Labels& labels) const;
  Labels RowLabels(RowHandle row) const;

  // Forgets the texts that no row uses.  No reader is open.
  void Reclaim();

  size_t symbols() const;
  size_t bytes() const;

 private:
  static constexpr uint32_t kPageBits = 12;
  static constexpr uint32_t kPageSize = 1u << kPageBits;
  // QuerySymbols::kOwn is past the last number.
  static constexpr uint32_t kMaxPages = 1u << 16;
  static constexpr uint32_t kRowPageBits = 16;
  static constexpr uint32_t kRowPageWords = 1u << kRowPageBits;

  // A text: its length in four bytes, then its bytes.
  struct Page {
    std::array<std::unique_ptr<char[]>, kPageSize> texts = {};
    std::array<uint32_t, kPageSize> uses = {};
  };
  struct NameSet {
    std::vector<SymbolId> names = {};
    uint32_t uses = 0;
  };
  struct DroppedRow {
    RowHandle row = 0;
    uint64_t readers = 0;
  };
  struct NamesHash {
    size_t operator()(const std::vector<SymbolId>& names) const;
  };

  absl::StatusOr<SymbolId> InternLocked(std::string_view text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<RowHandle> AllocateRow(uint32_t words)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Use(SymbolId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unuse(SymbolId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CopyLocked(RowHandle row, std::vector<LabelPair>& out) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  const uint32_t* Row(RowHandle row) const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return rows_[row >> kRowPageBits].get() + (row & (kRowPageWords - 1));
  }
  uint32_t* Row(RowHandle row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return rows_[row >> kRowPageBits].get() + (row & (kRowPageWords - 1));
  }

  std::unique_ptr<std::atomic<Page*>[]> pages_;  // kMaxPages
  std::atomic<uint32_t> bound_{1};

  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string_view, SymbolId, StringHash, StringEq> ids_
      ABSL_GUARDED_BY(mu_);
  std::vector<SymbolId> unused_ ABSL_GUARDED_BY(mu_);  // may be used again
  std::vector<SymbolId> free_ids_ ABSL_GUARDED_BY(mu_);
  size_t text_bytes_ ABSL_GUARDED_BY(mu_) = 0;

  std::vector<NameSet> name_sets_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> free_name_sets_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::vector<SymbolId>, uint32_t, NamesHash> name_set_ids_
      ABSL_GUARDED_BY(mu_);

  std::vector<std::unique_ptr<uint32_t[]>> rows_ ABSL_GUARDED_BY(mu_);
  uint32_t row_end_ ABSL_GUARDED_BY(mu_) = kRowPageWords;  // in the last page
  // By length in words.
  std::vector<std::vector<RowHandle>> free_rows_ ABSL_GUARDED_BY(mu_);
  std::vector<DroppedRow> dropped_ ABSL_GUARDED_BY(mu_);  // ascending
  std::vector<SymbolId> scratch_ ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex::tsdb
