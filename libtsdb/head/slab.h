// Bytes of a few hundred per series: open chunks, lists of mapped chunks. Slots
// of some thirty sizes in blocks that never move; a 32-bit handle names a slot.
//
// One lock protects all of it: that of the shard it belongs to.  A slot is free
// the moment Free returns, so readers copy bytes out under the same lock.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace narthex::tsdb {

// Five bits of size class, 27 of slot.  0: none.
using SlabHandle = uint32_t;

class Slab {
 public:
  static constexpr size_t kMaxSize = 64 * 1024;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // At least `bytes` <= kMaxSize, content unspecified.  0 only when 2^27 slots
  // of that size are in use.
  SlabHandle Allocate(size_t bytes);
  void Free(SlabHandle handle);
  // A slot of at least `bytes`, beginning with the first `used` bytes of
  // `handle`, which is freed if it had to move.  0: as Allocate, and `handle`
  // stays.
  SlabHandle Resize(SlabHandle handle, size_t used, size_t bytes);

  char* Data(SlabHandle handle) {
    const Class& c = classes_[handle >> kSlotBits];
    const uint32_t slot = handle & kSlotMask;
    return c.blocks[slot >> c.block_shift].get() +
           size_t{slot & ((1u << c.block_shift) - 1)} * c.size;
  }
  const char* Data(SlabHandle handle) const {
    return const_cast<Slab*>(this)->Data(handle);
  }
  size_t Capacity(SlabHandle handle) const {
    return classes_[handle >> kSlotBits].size;
  }

  size_t reserved_bytes() const { return reserved_; }

 private:
  static constexpr uint32_t kSlotBits = 27;
  static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
  static constexpr size_t kBlockBytes = 16 * 1024;

  struct Class {
    uint32_t size = 0;
    uint32_t block_shift = 0;  // slots per block, as a power of two
    uint32_t used = 0;         // slots ever handed out
    uint32_t free = kNone;     // first of the freed ones, each naming the next
    std::vector<std::unique_ptr<char[]>> blocks = {};
  };
  static constexpr uint32_t kNone = 0xffffffff;

  static uint32_t ClassOf(size_t bytes);

  // Class 0 is unused, so that no handle is 0.
  std::array<Class, 32> classes_ = {};
  size_t reserved_ = 0;
};

}  // namespace narthex::tsdb
