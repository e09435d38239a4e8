// Shared by index_writer.cc and index_reader.cc; drawn in docs/format/index.md.
// DO NOT CHANGE: the bytes are Prometheus's, and on people's disks.

#pragma once

#include <cstddef>
#include <cstdint>

namespace narthex::tsdb {

inline constexpr uint32_t kIndexMagic = 0xBAAAD700;
inline constexpr uint8_t kIndexV1 = 1;
inline constexpr uint8_t kIndexV2 = 2;
inline constexpr size_t kIndexHeaderSize = 4 + 1;
// Series entries begin at multiples of it; a v2 series id counts in it.
inline constexpr uint64_t kSeriesAlign = 16;
inline constexpr uint64_t kPostingsAlign = 4;
inline constexpr uint64_t kMaxIndexSize = kSeriesAlign * 0xffffffffu;

// Where each section begins; the last 52 bytes of the file, CRC included.
struct IndexToc {
  uint64_t symbols = 0;
  uint64_t series = 0;
  uint64_t label_indices = 0;        // not written any more: end of series
  uint64_t label_indices_table = 0;  // likewise: the postings table
  uint64_t postings = 0;
  uint64_t postings_table = 0;
};
inline constexpr size_t kIndexTocSize = 6 * 8 + 4;

}  // namespace narthex::tsdb
