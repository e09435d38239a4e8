// Shared by the writers and readers of chunk files; drawn in
// docs/format/chunks.md and head_chunks.md.
// DO NOT CHANGE: the bytes are Prometheus's, and on people's disks.

#pragma once

#include <cstddef>
#include <cstdint>

namespace narthex::tsdb {

inline constexpr uint32_t kChunksMagic = 0x85BD40DD;
inline constexpr uint32_t kHeadChunksMagic = 0x0130BC91;
inline constexpr uint8_t kChunksVersion = 1;
// Magic, version, three zeros.
inline constexpr size_t kChunksHeaderSize = 4 + 1 + 3;
inline constexpr size_t kCrcSize = 4;

// An entry of a block's segment: uvarint length, encoding, bytes, CRC.
inline constexpr size_t kMaxChunkLengthSize = 5;
inline constexpr size_t kChunkEncodingSize = 1;

// An entry of chunks_head: series, first and last time, encoding, uvarint
// length, bytes, CRC.  The length takes five bytes at most.
inline constexpr size_t kHeadChunkFixedSize = 8 + 8 + 8 + kChunkEncodingSize;
inline constexpr size_t kHeadChunkMinTail =
    kHeadChunkFixedSize + kMaxChunkLengthSize + kCrcSize;
inline constexpr uint8_t kOutOfOrderBit = 0x80;

}  // namespace narthex::tsdb
