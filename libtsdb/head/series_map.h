// Where a series is: by its number, and by the hash of its labels.
//
// Numbers are dense (they count up from the head's first reference), so the
// first is an array in pages; the second are 64 tables with a lock each, asked
// only for series that the caller has no reference for.
//
// Any thread.  A stripe's lock comes before a shard's; the lock of the numbers
// is among the innermost.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/index/postings.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb {

// Four bits of shard, 28 of line.
using Slot = uint32_t;
inline constexpr Slot kNoSlot = 0xffffffff;
inline constexpr uint32_t kShardBits = 4;
inline constexpr uint32_t kShards = 1u << kShardBits;
inline constexpr uint32_t kLineBits = 32 - kShardBits;
inline constexpr uint32_t kMaxLines = (1u << kLineBits) - 2;
constexpr uint32_t ShardOf(Slot slot) { return slot >> kLineBits; }
constexpr uint32_t LineOf(Slot slot) { return slot & ((1u << kLineBits) - 1); }
constexpr Slot MakeSlot(uint32_t shard, uint32_t line) {
  return shard << kLineBits | line;
}

// Slots by series number.
class SlotsById {
 public:
  Slot Find(SeriesId id) const;
  // One lock for all: slots[i] of refs[i] - base; kNoSlot for unknown ones.
  void FindAll(std::span<const SeriesRef> refs, uint64_t base,
               Slot* slots) const;
  void FindAll(std::span<const SeriesId> ids, Slot* slots) const;
  void Set(SeriesId id, Slot slot);
  void Erase(SeriesId id);
  size_t bytes() const;

 private:
  static constexpr uint32_t kPageBits = 12;
  static constexpr uint32_t kPageSize = 1u << kPageBits;
  struct Page {
    std::array<Slot, kPageSize> slots;
    uint32_t used = 0;
  };
  Slot FindLocked(SeriesId id) const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    const uint32_t page = id >> kPageBits;
    if (page >= pages_.size() || pages_[page] == nullptr) return kNoSlot;
    return pages_[page]->slots[id & (kPageSize - 1)];
  }

  mutable absl::Mutex mu_;
  std::vector<std::unique_ptr<Page>> pages_ ABSL_GUARDED_BY(mu_);
};

// Slots by label hash, in stripes.
class SlotsByHash {
 public:
  // One stripe: those hashes whose low bits are its number.
  class Stripe {
   public:
    absl::Mutex mu;
    // The slot for which `is` says yes, of those with this hash.
    Slot Find(uint64_t hash, absl::FunctionRef<bool(Slot)> is) const
        ABSL_SHARED_LOCKS_REQUIRED(mu);
    void Add(uint64_t hash, Slot slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
    void Erase(uint64_t hash, Slot slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
    size_t bytes() const ABSL_SHARED_LOCKS_REQUIRED(mu) {
      return entries_.capacity() * sizeof(Entry);
    }

   private:
    struct Entry {
      Slot slot = kNoSlot;  // kNoSlot: free, kErased: was used
      uint32_t hash = 0;    // its upper half
    };
    static constexpr Slot kErased = kNoSlot - 1;
    void Grow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
    // The table is not of a power of two, so that it is never much too large.
    size_t Place(uint32_t hash) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
      return static_cast<size_t>(uint64_t{hash} * entries_.size() >> 32);
    }
    size_t After(size_t i) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
      return i + 1 != entries_.size() ? i + 1 : 0;
    }

    std::vector<Entry> entries_ ABSL_GUARDED_BY(mu);
    size_t used_ ABSL_GUARDED_BY(mu) = 0;  // not free: erased ones too
    size_t series_ ABSL_GUARDED_BY(mu) = 0;
  };

  Stripe& Of(uint64_t hash) { return stripes_[hash % kStripes]; }
  size_t bytes();

 private:
  static constexpr size_t kStripes = 64;
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace narthex::tsdb
