#include "libtsdb/head/slab.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace narthex::tsdb {
namespace {

// Steps of 32 bytes where open chunks live, then by halves of a power of two.
constexpr std::array<uint32_t, 32> kSizes = {
    0,    32,   64,   96,   128,  160,   192,   224,   256,   288,  320,
    352,  384,  416,  448,  512,  576,   640,   768,   896,   1056, 1536,
    2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 65536};

}  // namespace

uint32_t Slab::ClassOf(size_t bytes) {
  if (bytes <= 448) {
    return static_cast<uint32_t>(std::max<size_t>(1, (bytes + 31) / 32));
  }
  return static_cast<uint32_t>(
      std::lower_bound(kSizes.begin(), kSizes.end(), bytes) - kSizes.begin());
}

SlabHandle Slab::Allocate(size_t bytes) {
  const uint32_t index = ClassOf(bytes);
  Class& c = classes_[index];
  if (c.free != kNone) {
    const SlabHandle handle = index << kSlotBits | c.free;
    std::memcpy(&c.free, Data(handle), sizeof(c.free));
    return handle;
  }
  if (c.size == 0) {
    c.size = kSizes[index];
    const size_t per_block = std::max<size_t>(1, kBlockBytes / c.size);
    c.block_shift = static_cast<uint32_t>(std::bit_width(per_block) - 1);
  }
  if (c.used > kSlotMask) return 0;
  if (c.used >> c.block_shift == c.blocks.size()) {
    const size_t size = size_t{c.size} << c.block_shift;
    c.blocks.push_back(std::make_unique_for_overwrite<char[]>(size));
    reserved_ += size;
  }
  return index << kSlotBits | c.used++;
}

void Slab::Free(SlabHandle handle) {
  if (handle == 0) return;
  Class& c = classes_[handle >> kSlotBits];
  std::memcpy(Data(handle), &c.free, sizeof(c.free));
  c.free = handle & kSlotMask;
}

SlabHandle Slab::Resize(SlabHandle handle, size_t used, size_t bytes) {
  if (handle != 0 && bytes <= Capacity(handle)) return handle;
  const SlabHandle moved = Allocate(bytes);
  if (moved == 0 || handle == 0) return moved;
  std::memcpy(Data(moved), Data(handle), used);
  Free(handle);
  return moved;
}

}  // namespace narthex::tsdb
