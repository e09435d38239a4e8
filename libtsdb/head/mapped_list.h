// The list of a series' full chunks in chunks_head, packed: some ten bytes per
// chunk behind a head of 24.
//
// Functions over bytes; whoever owns the bytes has the lock.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libtsdb/head/mem_series.h"

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

}  // namespace narthex::tsdb
