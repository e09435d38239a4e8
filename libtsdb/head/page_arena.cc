#include "libtsdb/head/page_arena.h"

#include <sys/mman.h>

#include <bit>
#include <new>

namespace narthex::tsdb {
namespace {

constexpr std::align_val_t kAlignment{64};

// 2 MiB at a multiple of 2 MiB; nullptr.
char* MapRegion() {
  constexpr size_t kSize = PageArena::kRegionBytes;
  void* const mapped = mmap(nullptr, 2 * kSize, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(mapped);
  const size_t before =
      (kSize - reinterpret_cast<uintptr_t>(begin) % kSize) % kSize;
  if (before != 0) munmap(begin, before);
  munmap(begin + before + kSize, kSize - before);
  return begin + before;
}

}  // namespace

PageArena& PageArena::OfProcess() {
  static PageArena* const arena = new PageArena;
  return *arena;
}

PageArena::~PageArena() {
  for (const auto& [at, region] : regions_) {
    munmap(reinterpret_cast<void*>(at), kRegionBytes);
  }
}

PageArena::Regions::iterator PageArena::AddRegion() {
  char* const memory = MapRegion();
  if (memory == nullptr) return regions_.end();
#ifdef MADV_HUGEPAGE
  // If the system has none, ordinary pages do.
  if (regions_.size() >= kPlainRegions) {
    madvise(memory, kRegionBytes, MADV_HUGEPAGE);
  }
#endif
  const auto at =
      regions_.emplace(reinterpret_cast<uintptr_t>(memory), Region()).first;
  at->second.free.fill(~uint64_t{0});
  roomy_.emplace(at->first, &at->second);
  ++empty_;
  return at;
}

char* PageArena::Allocate(size_t bytes) {
  if (bytes == kPageBytes) {
    absl::MutexLock lock(&mu_);
    if (!roomy_.empty() || AddRegion() != regions_.end()) {
      const auto [at, region] = *roomy_.begin();
      size_t word = 0;
      while (region->free[word] == 0) ++word;
      const auto bit =
          static_cast<size_t>(std::countr_zero(region->free[word]));
      region->free[word] &= region->free[word] - 1;
      if (region->used++ == 0) --empty_;
      if (region->used == kPages) roomy_.erase(at);
      ++used_;
      return reinterpret_cast<char*>(at) + (word * 64 + bit) * kPageBytes;
    }
  }
  return static_cast<char*>(::operator new(bytes, kAlignment));
}

void PageArena::Free(char* memory) {
  if (memory == nullptr) return;
  const auto address = reinterpret_cast<uintptr_t>(memory);
  {
    absl::MutexLock lock(&mu_);
    const auto it = regions_.find(address / kRegionBytes * kRegionBytes);
    if (it != regions_.end()) {
      Region& region = it->second;
      const size_t page = address % kRegionBytes / kPageBytes;
      region.free[page / 64] |= uint64_t{1} << page % 64;
      --used_;
      if (region.used-- == kPages) roomy_.emplace(it->first, &region);
      if (region.used != 0) return;
      // One stays, for who allocates and frees in turn.
      if (++empty_ == 1) return;
      --empty_;
      roomy_.erase(it->first);
      munmap(reinterpret_cast<void*>(it->first), kRegionBytes);
      regions_.erase(it);
      return;
    }
  }
  ::operator delete(memory, kAlignment);
}

size_t PageArena::used_bytes() const {
  absl::MutexLock lock(&mu_);
  return used_ * kPageBytes;
}

size_t PageArena::regions() const {
  absl::MutexLock lock(&mu_);
  return regions_.size();
}

}  // namespace narthex::tsdb
