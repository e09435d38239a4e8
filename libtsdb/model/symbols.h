// The Querier's dictionary.  Its largest source lends its ids 0..N-1 as they
// are; text that only others know gets ids from N on, in a SymbolTable.  Every
// other source has a SymbolTranslation from its own ordinals, filled as they
// are met: one hash per distinct text, then an array load per label.
//
// Text() is wait-free.  Everything here may be called from any thread.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/status.h"
#include "narthex/model/symbols.h"

namespace narthex {

// Who lends its ids: the head.  Ids are dense, 0 is "", and what an id below
// size() means never changes while a Querier lives.
class SymbolLender {
 public:
  virtual ~SymbolLender() = default;
  // How many there are now; it may grow.  A Querier asks once, when it is made:
  // series that use ids beyond it are younger than the Querier and must not be
  // handed to it.
  virtual SymbolId size() const = 0;
  // Wait-free for ids below a size() that was seen.
  virtual std::string_view Text(SymbolId id) const = 0;
  // 0: unknown (or "").  May return ids beyond the size() that was seen.
  virtual SymbolId Find(std::string_view text) const = 0;
};

// Texts by number, dense from a first id on; never forgets.
class SymbolTable {
 public:
  explicit SymbolTable(SymbolId first = 0) : first_(first) {}
  ~SymbolTable();
  SymbolTable(const SymbolTable&) = delete;
  SymbolTable& operator=(const SymbolTable&) = delete;

  std::string_view Text(SymbolId id) const {
    const Place place = PlaceOf(id - first_);
    return segments_[place.segment].load(std::memory_order_acquire)[place.slot];
  }
  // `absent` if nobody has it.
  SymbolId Find(std::string_view text, SymbolId absent) const;
  // With `borrow` the text outlives the table and is not copied.
  SymbolId Intern(std::string_view text, bool borrow);
  size_t size() const { return size_.load(std::memory_order_acquire); }
  // Bytes held, for budgets and statistics.
  size_t memory() const;

 private:
  // Segment k holds 64 << k texts, so that none ever moves.  Small at first:
  // most queries intern a handful.
  static constexpr size_t kFirstSegment = 64;
  static constexpr size_t kSegments = 27;
  static constexpr size_t kFirstBlock = 512;
  static constexpr size_t kLargestBlock = 64 * 1024;
  struct Place {
    size_t segment = 0;
    size_t slot = 0;
  };
  static Place PlaceOf(SymbolId ordinal);
  std::string_view Keep(std::string_view text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  struct Hash {
    size_t operator()(std::string_view text) const;
  };

  const SymbolId first_;
  std::array<std::atomic<std::string_view*>, kSegments> segments_{};
  std::atomic<size_t> size_{0};
  mutable absl::Mutex mu_;
  absl::flat_hash_map<std::string_view, SymbolId, Hash, StringEq> ids_
      ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<char[]>> blocks_ ABSL_GUARDED_BY(mu_);
  size_t next_block_ ABSL_GUARDED_BY(mu_) = kFirstBlock;
  size_t block_left_ ABSL_GUARDED_BY(mu_) = 0;
  char* block_at_ ABSL_GUARDED_BY(mu_) = nullptr;
  size_t block_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

// A dictionary over a lender, or (null) one of its own.
class QuerierSymbols final : public Symbols {
 public:
  // `lender` must outlive this.
  explicit QuerierSymbols(const SymbolLender* lender = nullptr);

  std::string_view Text(SymbolId id) const override {
    return id < lent_
               ? lender_ != nullptr ? lender_->Text(id) : std::string_view()
               : own_.Text(id);
  }
  SymbolId Find(std::string_view text) const override;
  SymbolId Intern(std::string_view text) override {
    return Intern(text, /*borrow=*/false);
  }
  // For sources whose texts live as long as the Querier.
  SymbolId InternBorrowed(std::string_view text) {
    return Intern(text, /*borrow=*/true);
  }

  // How many ids are the lender's; 1 ("") without one.
  SymbolId lent() const { return lent_; }
  size_t memory() const { return own_.memory(); }

 private:
  SymbolId Intern(std::string_view text, bool borrow);

  const SymbolLender* const lender_;
  const SymbolId lent_;
  SymbolTable own_;
};

// A source's own ordinals as ids of a Querier.
class SymbolTranslation {
 public:
  // `count` ordinals; `symbols` must outlive this.
  SymbolTranslation(QuerierSymbols& symbols, uint32_t count);
  ~SymbolTranslation();
  SymbolTranslation(const SymbolTranslation&) = delete;
  SymbolTranslation& operator=(const SymbolTranslation&) = delete;

  // `text(ordinal)` is called only when the ordinal is met for the first time;
  // what it returns must live as long as the Querier.  `ordinal` < count.
  template <typename TextOf>
  SymbolId Id(uint32_t ordinal, const TextOf& text) {
    const std::atomic<SymbolId>* page =
        pages_[ordinal / kPage].load(std::memory_order_acquire);
    if (page != nullptr) {
      const SymbolId id = page[ordinal % kPage].load(std::memory_order_acquire);
      if (id != 0) return id;
    }
    return Fill(ordinal, text(ordinal));
  }
  uint32_t count() const { return count_; }

 private:
  static constexpr uint32_t kPage = 4096;
  SymbolId Fill(uint32_t ordinal, std::string_view text);

  QuerierSymbols& symbols_;
  const uint32_t count_;
  std::unique_ptr<std::atomic<std::atomic<SymbolId>*>[]> pages_;
};

}  // namespace narthex
