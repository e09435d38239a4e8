#include "libtsdb/head/slab.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace narthex::tsdb {
namespace {

// Steps of 32 bytes where open chunks live, then by halves of a power of two.
constexpr std::array<uint32_t, 32> kSizes = {
    0,    32,   64,   96,   128,  160,   192,   224,   256,   288,  320,
    352,  384,  416,  448,  512,  576,   640,   768,   896,   1056, 1536,
    2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 65536};

// Memory of empty blocks that is kept at hand.
constexpr size_t kPooled = 16;

}  // namespace

Slab::Slab() : bytes_(1, nullptr), blocks_(1) {}

uint32_t Slab::ClassOf(size_t bytes) {
  if (bytes <= 448) {
    return static_cast<uint32_t>(std::max<size_t>(1, (bytes + 31) / 32));
  }
  return static_cast<uint32_t>(
      std::lower_bound(kSizes.begin(), kSizes.end(), bytes) - kSizes.begin());
}

void Slab::List(uint32_t number) {
  Block& block = blocks_[number];
  uint32_t& first = roomy_[block.size_class];
  block.listed = true;
  block.prev = kNone;
  block.next = first;
  if (first != kNone) blocks_[first].prev = number;
  first = number;
}

void Slab::Unlist(uint32_t number) {
  Block& block = blocks_[number];
  if (!block.listed) return;
  block.listed = false;
  if (block.prev != kNone) {
    blocks_[block.prev].next = block.next;
  } else {
    roomy_[block.size_class] = block.next;
  }
  if (block.next != kNone) blocks_[block.next].prev = block.prev;
  block.next = block.prev = kNone;
}

uint32_t Slab::NewBlock(uint32_t size_class) {
  uint32_t number;
  if (!spare_.empty()) {
    number = spare_.back();
    spare_.pop_back();
  } else {
    if (blocks_.size() >= kMaxBlocks) return kNone;
    number = static_cast<uint32_t>(blocks_.size());
    blocks_.emplace_back();
    bytes_.push_back(nullptr);
  }
  Block& block = blocks_[number];
  block = Block();
  block.size_class = static_cast<uint8_t>(size_class);
  block.size = kSizes[size_class];
  const size_t size = std::max<size_t>(kBlockBytes, block.size);
  block.slots = static_cast<uint16_t>(size / block.size);
  if (size == kBlockBytes && !pool_.empty()) {
    block.memory = std::move(pool_.back());
    pool_.pop_back();
  } else {
    block.memory = AllocateInArena(size);
    reserved_ += size;
  }
  bytes_[number] = block.memory.get();
  List(number);
  return number;
}

SlabHandle Slab::Allocate(size_t bytes) {
  const uint32_t size_class = ClassOf(bytes);
  uint32_t number = roomy_[size_class];
  if (number == kNone) {
    number = NewBlock(size_class);
    if (number == kNone) return 0;
  }
  Block& block = blocks_[number];
  uint32_t place;
  if (block.free != kNoPlace) {
    place = block.free;
    std::memcpy(&block.free, bytes_[number] + place * kUnit,
                sizeof(block.free));
  } else {
    place = block.begun++ * (block.size / kUnit);
  }
  ++block.live;
  used_ += block.size;
  if (block.live == block.slots) Unlist(number);
  return number << kPlaceBits | place;
}

void Slab::Free(SlabHandle handle) {
  if (handle == 0) return;
  const uint32_t number = handle >> kPlaceBits;
  Block& block = blocks_[number];
  used_ -= block.size;
  if (--block.live != 0) {
    std::memcpy(Data(handle), &block.free, sizeof(block.free));
    block.free = static_cast<uint16_t>(handle & kPlaceMask);
    if (!block.listed && !block.closed) List(number);
    return;
  }
  Unlist(number);
  if (block.size <= kBlockBytes && pool_.size() < kPooled) {
    pool_.push_back(std::move(block.memory));
  } else {
    reserved_ -= std::max<size_t>(kBlockBytes, block.size);
    block.memory = nullptr;
  }
  bytes_[number] = nullptr;
  spare_.push_back(number);
}

SlabHandle Slab::Resize(SlabHandle handle, size_t used, size_t bytes) {
  if (handle != 0 && bytes <= Capacity(handle)) return handle;
  const SlabHandle moved = Allocate(bytes);
  if (moved == 0 || handle == 0) return moved;
  std::memcpy(Data(moved), Data(handle), used);
  Free(handle);
  return moved;
}

bool Slab::CloseSparse() {
  // As long as little is lost, moving costs more than it brings.
  if (reserved_ < 32 * kBlockBytes || used_ > reserved_ - reserved_ / 32) {
    return false;
  }
  bool any = false;
  for (uint32_t& first : roomy_) {
    for (uint32_t number = first; number != kNone;) {
      Block& block = blocks_[number];
      const uint32_t next = block.next;
      // The class's last block with room may stay as it is.
      if (block.live * 8 < block.slots * 7 &&
          (number != first || next != kNone)) {
        Unlist(number);
        block.closed = true;
        any = true;
      }
      number = next;
    }
  }
  return any;
}

SlabHandle Slab::Move(SlabHandle handle) {
  if (handle == 0 || !blocks_[handle >> kPlaceBits].closed) return handle;
  const size_t size = Capacity(handle);
  const SlabHandle moved = Allocate(size);
  if (moved == 0) return handle;
  std::memcpy(Data(moved), Data(handle), size);
  Free(handle);
  return moved;
}

void Slab::Open() {
  for (uint32_t number = 1; number < blocks_.size(); ++number) {
    Block& block = blocks_[number];
    if (!block.closed) continue;
    block.closed = false;
    if (bytes_[number] != nullptr && block.live < block.slots) List(number);
  }
  // What was emptied goes back to the system, but for what is needed at once.
  while (pool_.size() > kPooled / 4) {
    pool_.pop_back();
    reserved_ -= kBlockBytes;
  }
}

}  // namespace narthex::tsdb
