// The list of a series' full chunks in chunks_head, packed: some ten bytes per
// chunk behind a head of 24.
//
// Functions over bytes; whoever owns the bytes has the lock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libtsdb/head/mem_series.h"
#include "narthex/base/coding.h"

namespace narthex::tsdb {

struct MappedHead {
  uint32_t bytes = 0;  // of all, this head included
  uint32_t count = 0;
  int64_t last_max = 0;
  HeadChunkRef last_ref = 0;
};
static_assert(sizeof(MappedHead) == 24);
// The most that one chunk takes.
inline constexpr size_t kMaxMappedSize = 10 + 10 + 10 + 5;

MappedHead ReadMappedHead(std::string_view list);
// The bytes that `chunk` takes behind a list with this head, which is brought
// up to date.  `out` has room for kMaxMappedSize.
size_t PackMapped(const MappedChunk& chunk, MappedHead& head, char* out);
// Adds what is in the list to `out`.
void UnpackMapped(std::string_view list, std::vector<MappedChunk>& out);

// The chunks of a list from the last one back: readers seldom want more than
// some of the newest.
class MappedBackwards {
 public:
  explicit MappedBackwards(std::string_view list)
      : head_(ReadMappedHead(list)),
        begin_(list.data() + sizeof(MappedHead)),
        at_(list.data() + head_.bytes) {}

  // false: there are no more.
  bool Next(MappedChunk& chunk) {
    if (head_.count == 0) return false;
    --head_.count;
    chunk.samples = static_cast<uint32_t>(Uvarint());
    chunk.ref = head_.last_ref;
    head_.last_ref -= static_cast<uint64_t>(UnZigZag(Uvarint()));
    chunk.max_t = head_.last_max;
    const uint64_t min_t = static_cast<uint64_t>(chunk.max_t) - Uvarint();
    chunk.min_t = static_cast<int64_t>(min_t);
    head_.last_max = static_cast<int64_t>(
        min_t - static_cast<uint64_t>(UnZigZag(Uvarint())));
    return true;
  }

 private:
  // The one that ends at at_: only its last byte has no top bit.
  uint64_t Uvarint() {
    if (at_ == begin_) return 0;
    uint64_t x = static_cast<uint8_t>(*--at_);
    while (at_ != begin_ && (at_[-1] & 0x80) != 0) {
      x = x << 7 | (static_cast<uint8_t>(*--at_) & 0x7f);
    }
    return x;
  }

  MappedHead head_;  // of the chunks that are left
  const char* const begin_;
  const char* at_;
};

}  // namespace narthex::tsdb
