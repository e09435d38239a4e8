// Memory of the head in pages of 16 KiB: lines of series, blocks of open
// chunks.  Pages are cut from regions of 2 MiB; past the first few these are
// huge pages, so that a scrape's walk over all its series does not miss the
// translation buffers as often as the caches.  A small head has none, as it
// would pay for more than it uses.
//
// Any thread; its lock is among the innermost, and rarely taken.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace narthex::tsdb {

class PageArena {
 public:
  static constexpr size_t kPageBytes = size_t{16} << 10;
  static constexpr size_t kRegionBytes = size_t{2} << 20;
  // Regions of ordinary pages: before the first huge one.
  static constexpr size_t kPlainRegions = 4;

  PageArena() = default;
  PageArena(const PageArena&) = delete;
  PageArena& operator=(const PageArena&) = delete;
  ~PageArena();  // nothing of it is in use

  // That of all heads of the process, which lives as long as that.
  static PageArena& OfProcess();

  // Aligned to 64 bytes, content unspecified.  Other sizes than kPageBytes, and
  // what the system has no region for, come from operator new.
  char* Allocate(size_t bytes);
  void Free(char* memory);

  // Handed out and not yet freed, those of operator new left out.
  size_t used_bytes() const;
  size_t regions() const;

 private:
  static constexpr size_t kPages = kRegionBytes / kPageBytes;

  struct Region {
    std::array<uint64_t, kPages / 64> free = {};  // a bit per page
    size_t used = 0;
  };
  using Regions = std::map<uintptr_t, Region>;

  // end(): there is no memory.
  Regions::iterator AddRegion() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  Regions regions_ ABSL_GUARDED_BY(mu_);  // by address
  // Those with a free page.  The lowest is taken from first, so that the others
  // may become empty.
  std::map<uintptr_t, Region*> roomy_ ABSL_GUARDED_BY(mu_);
  size_t empty_ ABSL_GUARDED_BY(mu_) = 0;  // regions with no used page
  size_t used_ ABSL_GUARDED_BY(mu_) = 0;   // pages
};

// Owns what OfProcess() gave.
struct FreeToArena {
  void operator()(char* memory) const { PageArena::OfProcess().Free(memory); }
};
using ArenaMemory = std::unique_ptr<char[], FreeToArena>;

inline ArenaMemory AllocateInArena(size_t bytes) {
  return ArenaMemory(PageArena::OfProcess().Allocate(bytes));
}

}  // namespace narthex::tsdb
