#include "libtsdb/head/open_chunk.h"

#include <cstring>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/coding.h"

namespace narthex::tsdb {
namespace {

// A sample's bytes: `n` up to 20, as a rule fewer than ten.  Inline, as the
// call of memcpy would cost more than the copying.
inline void CopySample(char* to, const char* from, size_t n) {
  if (n >= 8) {
    uint64_t first, last;
    std::memcpy(&first, from, 8);
    std::memcpy(&last, from + n - 8, 8);
    if (n > 16) {
      uint64_t middle;
      std::memcpy(&middle, from + 8, 8);
      std::memcpy(to + 8, &middle, 8);
    }
    std::memcpy(to, &first, 8);
    std::memcpy(to + n - 8, &last, 8);
    return;
  }
  if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + n - 4, 4);
    std::memcpy(to, &first, 4);
    std::memcpy(to + n - 4, &last, 4);
    return;
  }
  for (size_t i = 0; i < n; ++i) to[i] = from[i];
}

}  // namespace

void OpenChunk::Begin(SeriesShard& shard, HotSeries& series, int64_t t) {
  shard.mu.AssertHeld();
  series.codec = static_cast<uint8_t>(OpenCodec::kXorFull);
  series.chunk_min_t = t;
  series.samples = 0;
  series.xor_bits = kChunkCountSize * 8;
  series.lead = kXorNoWindow;
  series.trail = 0;
  series.t_delta = 0;
}

bool OpenChunk::AppendSlow(SeriesShard& shard, HotSeries& series, int64_t t,
                           uint64_t v, uint64_t t_delta) {
  XorState state;
  state.t = series.last_t;
  state.v = series.last_v;
  state.t_delta =
      series.t_delta != kEscape ? series.t_delta : shard.Cold(series).t_delta;
  state.lead = series.lead;
  state.trail = series.trail;

  // Encoded aside, so that the slot need not have the encoder's slack.
  alignas(8) char scratch[64] = {};
  const uint32_t in_byte = series.xor_bits % 8;
  const size_t at = series.xor_bits / 8;
  if (in_byte != 0) scratch[0] = shard.slab_.Data(series.chunk)[at];
  const uint32_t end =
      XorPut(scratch, in_byte, series.samples, state, t, v) - in_byte;
  const uint32_t bits = series.xor_bits + end;
  const size_t bytes = (bits + 7) / 8;
  const size_t used = at + (in_byte != 0);

  SlabHandle chunk = series.chunk;
  if (chunk == 0 || bytes > shard.slab_.Capacity(chunk)) {
    chunk = shard.slab_.Resize(chunk, used, bytes);
    if (chunk == 0) return false;
    series.chunk = chunk;
  }
  CopySample(shard.slab_.Data(chunk) + at, scratch, bytes - at);

  if (series.samples > 0) {
    if (t_delta < kEscape) {
      series.t_delta = static_cast<uint32_t>(t_delta);
    } else {
      series.t_delta = kEscape;
      shard.Cold(series).t_delta = t_delta;
    }
  }
  series.last_t = t;
  series.last_v = v;
  series.lead = state.lead;
  series.trail = state.trail;
  series.xor_bits = static_cast<uint16_t>(bits);
  ++series.samples;
  return true;
}

std::string_view OpenChunk::Seal(SeriesShard& shard, HotSeries& series) {
  char* bytes = shard.slab_.Data(series.chunk);
  StoreBE16(bytes, series.samples);
  return {bytes, (series.xor_bits + size_t{7}) / 8};
}

ChunkEncoding OpenChunk::Copy(const SeriesShard& shard, const HotSeries& series,
                              std::string& out) {
  if (series.codec != static_cast<uint8_t>(OpenCodec::kXorFull)) {
    const OpenHistogram& open = *shard.FindCold(series)->histogram;
    out.assign(open.bytes());
    return open.encoding();
  }
  out.assign(shard.slab_.Data(series.chunk), (series.xor_bits + size_t{7}) / 8);
  StoreBE16(out.data(), series.samples);
  return ChunkEncoding::kXor;
}

void OpenChunk::Drop(SeriesShard& shard, HotSeries& series) {
  if (series.codec != static_cast<uint8_t>(OpenCodec::kXorFull)) {
    shard.Cold(series).histogram = nullptr;
    series.codec = static_cast<uint8_t>(OpenCodec::kXorFull);
  }
  shard.slab_.Free(series.chunk);
  series.chunk = 0;
  series.samples = 0;
  series.xor_bits = 0;
}

}  // namespace narthex::tsdb
