// Bytes of a few hundred per series: open chunks, lists of mapped chunks. Slots
// of some thirty sizes in blocks of one size each, which never move; a 32-bit
// handle names a slot.  A block that is empty serves any size again; one that
// is nearly empty can be closed, so that its owners move out.
//
// One lock protects all of it: that of the shard it belongs to.  A slot is free
// the moment Free returns, so readers copy bytes out under the same lock.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "libtsdb/head/page_arena.h"

namespace narthex::tsdb {

// 23 bits of block, 9 of place in it.  0: none.
using SlabHandle = uint32_t;

class Slab {
 public:
  static constexpr size_t kMaxSize = 64 * 1024;

  Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // At least `bytes` <= kMaxSize, content unspecified.  0 only when 2^23 blocks
  // (128 GiB) are in use.
  SlabHandle Allocate(size_t bytes);
  void Free(SlabHandle handle);
  // A slot of at least `bytes`, beginning with the first `used` bytes of
  // `handle`, which is freed if it had to move.  0: as Allocate, and `handle`
  // stays.
  SlabHandle Resize(SlabHandle handle, size_t used, size_t bytes);

  char* Data(SlabHandle handle) {
    return bytes_[handle >> kPlaceBits] + (handle & kPlaceMask) * kUnit;
  }
  const char* Data(SlabHandle handle) const {
    return bytes_[handle >> kPlaceBits] + (handle & kPlaceMask) * kUnit;
  }
  size_t Capacity(SlabHandle handle) const {
    return blocks_[handle >> kPlaceBits].size;
  }

  size_t reserved_bytes() const { return reserved_; }
  size_t used_bytes() const { return used_; }

  // --- Against slots that nobody uses.  First Close; then every owner calls
  // Move for its handle; then Open.

  // Closes the blocks that are less than half full.  false: there is no need.
  bool CloseSparse();
  // The slot's content in a block that is not closed; `handle` if it is not in
  // a closed one.
  SlabHandle Move(SlabHandle handle);
  void Open();

 private:
  static constexpr uint32_t kPlaceBits = 9;
  static constexpr uint32_t kPlaceMask = (1u << kPlaceBits) - 1;
  static constexpr size_t kUnit = 32;  // all sizes are multiples
  static constexpr uint32_t kMaxBlocks = 1u << (32 - kPlaceBits);
  static constexpr size_t kBlockBytes = (kPlaceMask + 1) * kUnit;
  static_assert(kBlockBytes == PageArena::kPageBytes);
  static constexpr size_t kClasses = 32;
  static constexpr uint32_t kNone = 0;          // no block
  static constexpr uint16_t kNoPlace = 0xffff;  // no free slot

  struct Block {
    ArenaMemory memory = {};
    uint32_t size = 0;   // of a slot
    uint16_t slots = 0;  // that fit
    uint16_t begun = 0;  // slots ever handed out
    uint16_t live = 0;
    uint16_t free = kNoPlace;  // first freed place, naming the next
    uint8_t size_class = 0;
    bool closed = false;
    bool listed = false;  // among the blocks of its class with room
    uint32_t next = kNone, prev = kNone;
  };

  static uint32_t ClassOf(size_t bytes);
  uint32_t NewBlock(uint32_t size_class);
  void List(uint32_t block);
  void Unlist(uint32_t block);

  std::vector<char*> bytes_;   // of block i, apart from the rest: it is hot
  std::vector<Block> blocks_;  // [0] is none
  std::array<uint32_t, kClasses> roomy_ = {};  // first block with room
  std::vector<uint32_t> spare_;    // numbers of blocks without memory
  std::vector<ArenaMemory> pool_;  // memory of empty blocks
  size_t reserved_ = 0;
  size_t used_ = 0;
};

}  // namespace narthex::tsdb
