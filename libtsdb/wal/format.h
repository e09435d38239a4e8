// Shared by the writer and the reader of the log; drawn in docs/format/wal.md.
// DO NOT CHANGE: the bytes are Prometheus's, and on people's disks.
//
// A segment is a row of 32 KiB pages.  A record is one fragment or several, a
// fragment never crosses a page, a record never crosses a segment; what is left
// of a page is zero.  A fragment: type and compression u8, length BE16, CRC-32C
// of the payload BE32, payload.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/env.h"

namespace narthex::tsdb::wal {

inline constexpr size_t kPageSize = 32 * 1024;
inline constexpr size_t kHeaderSize = 1 + 2 + 4;
inline constexpr uint64_t kDefaultSegmentSize = 128 << 20;

enum class Fragment : uint8_t {
  kPageEnd = 0,
  kFull = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4
};
inline constexpr uint8_t kFragmentMask = 0x07;
inline constexpr uint8_t kSnappyFlag = 0x08;
inline constexpr uint8_t kZstdFlag = 0x10;
inline constexpr uint8_t kKnownBits = 0x1f;

// A name that is a number, such as "00000012": a segment.
struct SegmentFile {
  uint32_t number = 0;
  std::string path = {};
};
// Ascending.  A missing directory has none.  kDataLoss if a number is missing
// in between.
absl::StatusOr<std::vector<SegmentFile>> ListSegments(Env& env,
                                                      const std::string& dir);
std::string SegmentPath(const std::string& dir, uint32_t number);
// Deletes the segments below `number`.
absl::Status RemoveSegmentsBelow(Env& env, const std::string& dir,
                                 uint32_t number);

}  // namespace narthex::tsdb::wal
