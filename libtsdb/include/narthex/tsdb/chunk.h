// Encoded chunks as values: up to a few hundred samples of one series, as they
// lie on disk.  The bits are drawn in docs/format/chunks.md.
//
// Values; any thread.  `bytes` is borrowed from whoever made the chunk.

#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"

namespace narthex::tsdb {

// DO NOT CHANGE: the numbers are Prometheus's, and on people's disks.
enum class ChunkEncoding : uint8_t {
  kNone = 0,
  kXor = 1,
  kHistogram = 2,
  kFloatHistogram = 3,
  kXor2 = 4,
  kHistogramST = 5,
  kFloatHistogramST = 6
};

// "XOR", "histogram", ...; "<unknown>" for a number that means nothing.
std::string_view ChunkEncodingName(ChunkEncoding encoding);
constexpr bool IsKnownEncoding(ChunkEncoding e) {
  return e >= ChunkEncoding::kXor && e <= ChunkEncoding::kFloatHistogramST;
}
constexpr bool IsHistogramEncoding(ChunkEncoding e) {
  return IsKnownEncoding(e) && e != ChunkEncoding::kXor &&
         e != ChunkEncoding::kXor2;
}

struct EncodedChunk {
  ChunkEncoding encoding = ChunkEncoding::kNone;
  Timestamp min_t = 0;  // of the first sample
  Timestamp max_t = 0;  // of the last one
  std::string_view bytes = {};
};

// Samples in the chunk, by its header; 0 if it is too short to say.
uint32_t SampleCount(ChunkEncoding encoding, std::string_view bytes);

// Adds the chunk's samples within `range` to what is in `out`: floats or
// histograms, and start timestamps if it has room for them (0 where there are
// none).  kDataLoss if the bytes are damaged or their times don't ascend (no
// offset: the caller knows the file), kResourceExhausted if the budget of `out`
// refuses.  After an error `out` is as it was.
absl::Status DecodeChunk(ChunkEncoding encoding, std::string_view bytes,
                         TimeRange range, SampleColumns &out);

}  // namespace narthex::tsdb
