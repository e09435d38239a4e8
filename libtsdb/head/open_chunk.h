// The chunk that a series is writing: the one place that knows how its samples
// lie in memory.  Whatever the codec (open_values.h), the line keeps `lead`,
// `trail` and `xor_bits` as the XOR chunk of the same samples has them, because
// the rule for cutting chunks asks how long that would be; and what leaves the
// head is that XOR chunk, byte for byte.
//
// A chunk that a batch of one time begins shares its times with the others of
// the batch and starts as `constant`; it moves up from codec to codec as its
// values ask for, never down.  A sample that does not come with its group's
// next time, or a stale marker, makes it an XOR chunk (kXorFull) whose bytes
// are the final ones, but for the count in front, which the line holds.
//
// Where XOR2 is asked for, the chunk is one of those from its first sample on
// (kXor2); in its slot a piece of the encoder's state stands before the bytes.
// Protected by the shard's lock.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libtsdb/head/mem_series.h"
#include "libtsdb/head/open_values.h"
#include "narthex/model/columns.h"

namespace narthex::tsdb {

class OpenChunk {
 public:
  // Makes ready for the first sample.  There is no open chunk.  `group`: its
  // last time is `t`; 0: none.
  static void Begin(SeriesShard& shard, HotSeries& series, int64_t t,
                    uint32_t group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static void BeginXor2(SeriesShard& shard, HotSeries& series, int64_t t)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // Of a chunk of floats.
  static ChunkEncoding FloatEncoding(const HotSeries& series) {
    return series.codec == static_cast<uint8_t>(OpenCodec::kXor2)
               ? ChunkEncoding::kXor2
               : ChunkEncoding::kXor;
  }
  // Adds a sample later than the last one.  false: no memory for it (2^27 open
  // chunks of the same size), no sample added.
  static bool Append(SeriesShard& shard, HotSeries& series, int64_t t,
                     uint64_t v) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // The chunk of floats; lives until the next change of the shard.
  static std::string_view Seal(SeriesShard& shard, HotSeries& series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // The chunk, whatever its codec, for a reader of its first `samples`.
  static void Copy(const SeriesShard& shard, const HotSeries& series,
                   uint32_t samples, SeriesCopy& out)
      ABSL_SHARED_LOCKS_REQUIRED(shard.mu);
  static void Drop(SeriesShard& shard, HotSeries& series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);

  // --- Of a copy, without the lock.

  // Appends the samples in `range`; the copy has times.
  static absl::Status Read(const SeriesCopy& copy, TimeRange range,
                           SampleColumns& out);
  // Makes a copy that has times an XOR chunk of the samples that the reader
  // may see; does nothing to any other.
  static void MakeXor(SeriesCopy& copy);

 private:
  // Codecs with shared times.  false: the sample does not go with them, or no
  // memory; nothing changed.
  static bool AppendShared(SeriesShard& shard, HotSeries& series, int64_t t,
                           uint64_t v) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static bool PutInPlace(SeriesShard& shard, HotSeries& series, uint64_t v)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static bool PutShared(SeriesShard& shard, HotSeries& series, uint64_t v)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static bool Recode(SeriesShard& shard, HotSeries& series, OpenCodec codec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static void Unshare(SeriesShard& shard, const HotSeries& series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // To kXorFull.  false: no memory.
  static bool LeaveGroup(SeriesShard& shard, HotSeries& series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static std::string_view ValueBytes(const SeriesShard& shard,
                                     const HotSeries& series)
      ABSL_SHARED_LOCKS_REQUIRED(shard.mu);
  static bool AppendXor2(SeriesShard& shard, HotSeries& series, int64_t t,
                         uint64_t v) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static void SetDelta(SeriesShard& shard, HotSeries& series, uint64_t t_delta)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static bool AppendFull(SeriesShard& shard, HotSeries& series, int64_t t,
                         uint64_t v, uint64_t t_delta)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
};

inline bool OpenChunk::Append(SeriesShard& shard, HotSeries& series, int64_t t,
                              uint64_t v) {
  if (series.ts_group != 0) {
    if (AppendShared(shard, series, t, v)) return true;
    if (!LeaveGroup(shard, series)) return false;
  }
  if (series.codec == static_cast<uint8_t>(OpenCodec::kXor2)) [[unlikely]] {
    return AppendXor2(shard, series, t, v);
  }
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
  return AppendFull(shard, series, t, v, t_delta);
}

}  // namespace narthex::tsdb
