// The chunk that a series is writing: the one place that knows how its samples
// lie in memory.  Whatever the codec, the line keeps `lead`, `trail` and
// `xor_bits` as the XOR chunk of the same samples has them, because the rule
// for cutting chunks asks how long that would be.
//
// kXorFull: the bytes are the XOR chunk's own, but for the count in front,
// which the line holds and which is filled in when the bytes leave.  The two
// codecs of histograms: the chunk is in the cold part (open_histogram.h).
// Protected by the shard's lock.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libtsdb/head/mem_series.h"

namespace narthex::tsdb {

enum class OpenCodec : uint8_t {
  kXorFull = 0,
  kHistogram = 1,
  kFloatHistogram = 2
};

class OpenChunk {
 public:
  // Makes ready for the first sample.  There is no open chunk.
  static void Begin(SeriesShard& shard, HotSeries& series, int64_t t)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // Adds a sample later than the last one.  false: no memory for it (2^27 open
  // chunks of the same size), nothing changed.
  static bool Append(SeriesShard& shard, HotSeries& series, int64_t t,
                     uint64_t v) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // The chunk of floats; lives until the next change of the shard.
  static std::string_view Seal(SeriesShard& shard, HotSeries& series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // The chunk, whatever its codec, as a copy.
  static ChunkEncoding Copy(const SeriesShard& shard, const HotSeries& series,
                            std::string& out)
      ABSL_SHARED_LOCKS_REQUIRED(shard.mu);
  static void Drop(SeriesShard& shard, HotSeries& series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);

 private:
  static bool AppendSlow(SeriesShard& shard, HotSeries& series, int64_t t,
                         uint64_t v, uint64_t t_delta)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
};

inline bool OpenChunk::Append(SeriesShard& shard, HotSeries& series, int64_t t,
                              uint64_t v) {
  const uint64_t t_delta =
      static_cast<uint64_t>(t) - static_cast<uint64_t>(series.last_t);
  const uint32_t in_byte = series.xor_bits % 8;
  // Same step, same value: two zero bits, which are there already.
  if (v == series.last_v && t_delta == series.t_delta && series.samples > 1 &&
      in_byte != 0 && in_byte < 7 && t_delta != kEscape) {
    series.last_t = t;
    series.xor_bits = static_cast<uint16_t>(series.xor_bits + 2);
    ++series.samples;
    return true;
  }
  return AppendSlow(shard, series, t, v, t_delta);
}

}  // namespace narthex::tsdb
