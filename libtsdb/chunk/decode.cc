// Any chunk into columns: the fast path and the only one.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/histogram_reader.h"
#include "libtsdb/chunk/xor2_chunk.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

std::string_view ChunkEncodingName(ChunkEncoding encoding) {
  switch (encoding) {
    case ChunkEncoding::kNone:
      return "none";
    case ChunkEncoding::kXor:
      return "XOR";
    case ChunkEncoding::kHistogram:
      return "histogram";
    case ChunkEncoding::kFloatHistogram:
      return "floathistogram";
    case ChunkEncoding::kXor2:
      return "XOR2";
    case ChunkEncoding::kHistogramST:
      return "histogramST";
    case ChunkEncoding::kFloatHistogramST:
      return "floathistogramST";
  }
  return "<unknown>";
}

uint32_t SampleCount(ChunkEncoding encoding, std::string_view bytes) {
  if (bytes.size() < kChunkCountSize) return 0;
  const uint32_t count = LoadBE16(bytes.data());
  // These two keep the counter reset hint in the top bits of the count.
  const bool hinted = encoding == ChunkEncoding::kHistogramST ||
                      encoding == ChunkEncoding::kFloatHistogramST;
  return hinted ? count & 0x3fff : count;
}

absl::Status DecodeChunk(ChunkEncoding encoding, std::string_view bytes,
                         TimeRange range, SampleColumns& out) {
  if (bytes.size() < kChunkCountSize) {
    return DataLoss("damaged chunk: too short to have a sample count");
  }
  if (encoding == ChunkEncoding::kXor) {
    const size_t old = out.size();
    NARTHEX_RETURN_IF_ERROR(
        DecodeXor(bytes, SampleCount(encoding, bytes), range, out));
    if (Timestamp* const starts = out.mutable_st(); starts != nullptr) {
      std::fill(starts + old, starts + out.size(), Timestamp(0));
    }
    return absl::OkStatus();
  }
  if (encoding == ChunkEncoding::kXor2) return DecodeXor2(bytes, range, out);
  if (IsHistogramEncoding(encoding)) {
    return DecodeHistograms(encoding, bytes, range, out);
  }
  return DataLoss(
      StrCat("damaged chunk: unknown encoding ", static_cast<int>(encoding)));
}

}  // namespace narthex::tsdb
