#include "libtsdb/head/open_chunk.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "libtsdb/chunk/chunk_codec.h"
#include "libtsdb/chunk/xor2_chunk.h"
#include "libtsdb/chunk/xor_encode.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

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

constexpr uint32_t kFirstValueBits = 64;
// What XorPutValue may overwrite: 7 bits, 13 and 32, then eight bytes.
constexpr size_t kXorValueRoom = 16;

uint16_t StartOf(const HotSeries& series) {
  return static_cast<uint16_t>(series.t_delta);
}
uint32_t ValueBits(const HotSeries& series) { return series.t_delta >> 16; }
void SetValueBits(HotSeries& series, uint32_t bits) {
  series.t_delta = StartOf(series) | bits << 16;
}
OpenCodec CodecOf(const HotSeries& series) {
  return static_cast<OpenCodec>(series.codec);
}

// What stands before the bytes of an XOR2 chunk: of the encoder's state what
// the line has no place for.
struct Xor2Front {
  int64_t start = 0;  // of the last sample
  uint64_t v = 0;     // of the last one that is no stale marker
};
constexpr size_t kXor2Front = sizeof(Xor2Front);

std::vector<uint64_t>& ThreadValues() {
  static thread_local std::vector<uint64_t> values;
  return values;
}

size_t VarintBits(const char* begin, const char* end) {
  return static_cast<size_t>(end - begin) * 8;
}

}  // namespace

void OpenChunk::Begin(SeriesShard& shard, HotSeries& series, int64_t t,
                      uint32_t group) {
  shard.mu.AssertHeld();
  series.chunk_min_t = t;
  series.samples = 0;
  series.xor_bits = kChunkCountSize * 8;
  series.lead = kXorNoWindow;
  series.trail = 0;
  series.t_delta = 0;
  series.ts_group = group;
  series.codec = static_cast<uint8_t>(OpenCodec::kXorFull);
  if (group != 0) {
    series.codec = static_cast<uint8_t>(OpenCodec::kConstant);
    series.t_delta = shard.groups_.Join(group);
  }
}

void OpenChunk::BeginXor2(SeriesShard& shard, HotSeries& series, int64_t t) {
  Begin(shard, series, t, 0);
  series.xor_bits = kXor2HeaderSize * 8;
  series.codec = static_cast<uint8_t>(OpenCodec::kXor2);
}

// --- Shared times.

bool OpenChunk::AppendShared(SeriesShard& shard, HotSeries& series, int64_t t,
                             uint64_t v) {
  TimeGroup& group = shard.groups_.at(series.ts_group);
  const size_t start = group.IndexOf(StartOf(series));
  const size_t at = start + series.samples;
  const bool grows = at == group.size();
  if (grows ? !shard.in_batch_ || t != shard.batch_t_ : group.at(at) != t) {
    return false;
  }
  if (v == kStaleNaNBits) return false;

  uint32_t time_bits;
  if (series.samples > 1) [[likely]] {
    const uint64_t before = static_cast<uint64_t>(group.at(at - 1));
    const uint64_t delta = static_cast<uint64_t>(t) - before;
    const uint64_t delta_before =
        before - static_cast<uint64_t>(group.at(at - 2));
    time_bits = XorDodBits(static_cast<int64_t>(delta - delta_before));
  } else {
    char varint[kMaxVarintLen64];
    const char* end =
        series.samples == 0
            ? StoreVarint(varint, t)
            : StoreUvarint(varint, static_cast<uint64_t>(t) -
                                       static_cast<uint64_t>(series.last_t));
    time_bits = static_cast<uint32_t>(VarintBits(varint, end));
  }

  uint32_t value_bits = 1;
  if (series.samples == 0) [[unlikely]] {
    value_bits = kFirstValueBits;
  } else if (CodecOf(series) != OpenCodec::kConstant || v != series.last_v) {
    XorValueState window{series.last_v, series.lead, series.trail};
    value_bits = XorValueBits(window, v);
    if (!PutInPlace(shard, series, v) && !PutShared(shard, series, v)) {
      return false;
    }
    series.lead = window.lead;
    series.trail = window.trail;
  }
  if (grows) group.Extend(t);
  if (shard.in_batch_ && shard.batch_group_ == 0 && t == shard.batch_t_ &&
      at + 1 == group.size()) {
    shard.batch_group_ = series.ts_group;
  }
  series.last_t = t;
  series.last_v = v;
  series.xor_bits =
      static_cast<uint16_t>(series.xor_bits + time_bits + value_bits);
  ++series.samples;
  return true;
}

// Puts a value behind last_v.  Right into the slot, if that has room for what
// an encoder may overwrite, and the value goes with the codec: nearly always.
bool OpenChunk::PutInPlace(SeriesShard& shard, HotSeries& series, uint64_t v) {
  const uint32_t pos = ValueBits(series);
  const size_t at = pos / 8;
  char* const p = shard.slab_.Data(series.chunk) + at;
  const size_t room = shard.slab_.Capacity(series.chunk) - at;
  uint32_t end = pos % 8;
  switch (CodecOf(series)) {
    case OpenCodec::kInteger:
      if (room < kUnitsRoom || !PutInteger(p, end, series.last_v, v)) {
        return false;
      }
      break;
    case OpenCodec::kDecimal2:
      if (room < kUnitsRoom || !PutDecimal2(p, end, series.last_v, v)) {
        return false;
      }
      break;
    case OpenCodec::kXorValues: {
      if (room < kXorValueRoom) return false;
      XorValueState window{series.last_v, series.lead, series.trail};
      end = XorPutValue(p, end, window, v);
      break;
    }
    default:
      return false;
  }
  SetValueBits(series, pos - pos % 8 + end);
  return true;
}

// The same for all cases.
bool OpenChunk::PutShared(SeriesShard& shard, HotSeries& series, uint64_t v) {
  if (CodecOf(series) == OpenCodec::kConstant) {
    if (!Recode(shard, series,
                CodecFor(OpenCodec::kInteger, series.last_v, v))) {
      return false;
    }
  }
  for (;;) {
    const uint32_t pos = ValueBits(series);
    const uint32_t in_byte = pos % 8;
    const size_t at = pos / 8;
    // Encoded aside, so that the slot need not have the encoder's slack.
    alignas(8) char scratch[64] = {};
    if (in_byte != 0) scratch[0] = shard.slab_.Data(series.chunk)[at];
    XorValueState window{series.last_v, series.lead, series.trail};
    uint32_t end = in_byte;
    if (!PutValue(CodecOf(series), scratch, end, window, series.last_v, v)) {
      OpenCodec next = CodecFor(CodecOf(series), series.last_v, v);
      // The values so far may be no hundredths.
      if (next <= CodecOf(series)) next = OpenCodec::kXorValues;
      if (!Recode(shard, series, next)) return false;
      continue;
    }
    const uint32_t bits = pos + end - in_byte;
    const size_t bytes = (bits + 7) / 8;
    if (bytes > shard.slab_.Capacity(series.chunk)) {
      const SlabHandle moved =
          shard.slab_.Resize(series.chunk, at + (in_byte != 0), bytes);
      if (moved == 0) return false;
      series.chunk = moved;
    }
    CopySample(shard.slab_.Data(series.chunk) + at, scratch, bytes - at);
    SetValueBits(series, bits);
    return true;
  }
}

bool OpenChunk::Recode(SeriesShard& shard, HotSeries& series, OpenCodec codec) {
  std::vector<uint64_t>& values = ThreadValues();
  values.resize(series.samples);
  DecodeValues(CodecOf(series), ValueBytes(shard, series), series.last_v,
               values);
  static thread_local std::string bytes;
  uint32_t pos = 0;
  for (;;) {
    bytes.assign(64, '\0');
    pos = PutBitsWide(bytes.data(), 0, values[0], kFirstValueBits);
    XorValueState window{values[0]};
    bool put = true;
    for (size_t i = 1; i < values.size() && put; ++i) {
      const size_t need = pos / 8 + kXorPutRoom;
      if (bytes.size() < need) bytes.resize(2 * need);
      put =
          PutValue(codec, bytes.data(), pos, window, values[i - 1], values[i]);
    }
    if (put) break;
    codec = OpenCodec::kXorValues;  // which takes all
  }
  const size_t size = (pos + 7) / 8;
  const SlabHandle chunk = shard.slab_.Allocate(size);
  if (chunk == 0) return false;
  std::memcpy(shard.slab_.Data(chunk), bytes.data(), size);
  shard.slab_.Free(series.chunk);
  series.chunk = chunk;
  series.codec = static_cast<uint8_t>(codec);
  SetValueBits(series, pos);
  return true;
}

std::string_view OpenChunk::ValueBytes(const SeriesShard& shard,
                                       const HotSeries& series) {
  if (series.chunk == 0) return {};
  return {shard.slab_.Data(series.chunk), (ValueBits(series) + size_t{7}) / 8};
}

void OpenChunk::Unshare(SeriesShard& shard, const HotSeries& series) {
  const uint32_t group = series.ts_group;
  shard.groups_.Leave(group, StartOf(series));
  if (shard.batch_group_ == group && shard.groups_.at(group).chunks() == 0) {
    shard.batch_group_ = 0;  // it is gone
  }
}

bool OpenChunk::LeaveGroup(SeriesShard& shard, HotSeries& series) {
  std::string& bytes = shard.sealed_;
  const std::span<const int64_t> times =
      shard.groups_.at(series.ts_group).From(StartOf(series), series.samples);
  SlabHandle chunk = 0;
  uint64_t t_delta = 0;
  if (series.samples != 0) {
    Seal(shard, series);
    chunk = shard.slab_.Allocate(bytes.size());
    if (chunk == 0) return false;
    std::memcpy(shard.slab_.Data(chunk), bytes.data(), bytes.size());
    if (series.samples > 1) {
      t_delta = static_cast<uint64_t>(times.back()) -
                static_cast<uint64_t>(times[times.size() - 2]);
    }
  }
  Unshare(shard, series);
  shard.slab_.Free(series.chunk);
  series.chunk = chunk;
  series.ts_group = 0;
  series.codec = static_cast<uint8_t>(OpenCodec::kXorFull);
  series.t_delta = static_cast<uint32_t>(t_delta);
  if (t_delta >= kEscape) {
    series.t_delta = kEscape;
    shard.Cold(series).t_delta = t_delta;
  }
  return true;
}

// --- Times of its own.

bool OpenChunk::AppendFull(SeriesShard& shard, HotSeries& series, int64_t t,
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

  if (series.samples > 0) SetDelta(shard, series, t_delta);
  series.last_t = t;
  series.last_v = v;
  series.lead = state.lead;
  series.trail = state.trail;
  series.xor_bits = static_cast<uint16_t>(bits);
  ++series.samples;
  return true;
}

void OpenChunk::SetDelta(SeriesShard& shard, HotSeries& series,
                         uint64_t t_delta) {
  if (t_delta < kEscape) {
    series.t_delta = static_cast<uint32_t>(t_delta);
  } else {
    series.t_delta = kEscape;
    shard.Cold(series).t_delta = t_delta;
  }
}

bool OpenChunk::AppendXor2(SeriesShard& shard, HotSeries& series, int64_t t,
                           uint64_t v) {
  static thread_local Xor2Appender appender;
  const uint32_t in_byte = series.xor_bits % 8;
  const size_t at = series.xor_bits / 8;
  Xor2State state;
  uint8_t last_byte = 0;
  if (series.samples != 0) {
    const char* const slot = shard.slab_.Data(series.chunk);
    Xor2Front front;
    std::memcpy(&front, slot, sizeof(front));
    state.samples = series.samples;
    state.t = series.last_t;
    state.t_delta =
        series.t_delta != kEscape ? series.t_delta : shard.Cold(series).t_delta;
    state.start = front.start;
    state.v = front.v;
    state.lead = series.lead;
    state.trail = series.trail;
    state.header = static_cast<uint8_t>(slot[kXor2Front + kChunkCountSize]);
    if (in_byte != 0) last_byte = static_cast<uint8_t>(slot[kXor2Front + at]);
  }
  appender.Resume(state, last_byte, in_byte);
  double value;
  std::memcpy(&value, &v, sizeof(value));
  appender.Append(t, value, shard.start_);
  state = appender.state();

  const std::string_view put = appender.bytes().substr(kXor2HeaderSize);
  const size_t bytes = at + put.size();
  if (series.chunk == 0 ||
      kXor2Front + bytes > shard.slab_.Capacity(series.chunk)) {
    const size_t used =
        series.chunk == 0 ? 0 : kXor2Front + at + (in_byte != 0);
    const SlabHandle moved =
        shard.slab_.Resize(series.chunk, used, kXor2Front + bytes);
    if (moved == 0) return false;
    series.chunk = moved;
  }
  char* const slot = shard.slab_.Data(series.chunk);
  const Xor2Front front{state.start, state.v};
  std::memcpy(slot, &front, sizeof(front));
  slot[kXor2Front + kChunkCountSize] = static_cast<char>(state.header);
  std::memcpy(slot + kXor2Front + at, put.data(), put.size());
  SetDelta(shard, series, state.t_delta);
  series.last_t = t;
  series.last_v = v;
  series.lead = state.lead;
  series.trail = state.trail;
  series.xor_bits =
      static_cast<uint16_t>(at * 8 + appender.bits() - kXor2HeaderSize * 8);
  ++series.samples;
  return true;
}

// --- What leaves.

std::string_view OpenChunk::Seal(SeriesShard& shard, HotSeries& series) {
  if (series.ts_group == 0) {
    char* bytes = shard.slab_.Data(series.chunk);
    if (CodecOf(series) == OpenCodec::kXor2) bytes += kXor2Front;
    StoreBE16(bytes, series.samples);
    return {bytes, (series.xor_bits + size_t{7}) / 8};
  }
  std::vector<uint64_t>& values = ThreadValues();
  values.resize(series.samples);
  DecodeValues(CodecOf(series), ValueBytes(shard, series), series.last_v,
               values);
  EncodeXorChunk(
      shard.groups_.at(series.ts_group).From(StartOf(series), series.samples),
      values, shard.sealed_);
  return shard.sealed_;
}

void OpenChunk::Copy(const SeriesShard& shard, const HotSeries& series,
                     uint32_t samples, SeriesCopy& out) {
  out.open_encoding = ChunkEncoding::kXor;
  out.open_codec = CodecOf(series);
  out.open_samples = samples;
  out.open_min_t = series.chunk_min_t;
  out.open_max_t = series.last_t;
  if (series.ts_group != 0) {
    const std::span<const int64_t> times =
        shard.groups_.at(series.ts_group).From(StartOf(series), samples);
    out.open_times.assign(times.begin(), times.end());
    out.open_last_v = series.last_v;
    out.open = ValueBytes(shard, series);
  } else if (IsHistogram(series.codec)) {
    const OpenHistogram& open = *shard.FindCold(series)->histogram;
    out.open.assign(open.bytes());
    out.open_encoding = open.encoding();
  } else {
    const bool xor2 = CodecOf(series) == OpenCodec::kXor2;
    out.open.assign(shard.slab_.Data(series.chunk) + (xor2 ? kXor2Front : 0),
                    (series.xor_bits + size_t{7}) / 8);
    if (xor2) out.open_encoding = ChunkEncoding::kXor2;
    StoreBE16(out.open.data(), series.samples);
  }
}

void OpenChunk::Drop(SeriesShard& shard, HotSeries& series) {
  if (series.ts_group != 0) {
    Unshare(shard, series);
    series.ts_group = 0;
    series.t_delta = 0;
  } else if (IsHistogram(series.codec)) {
    shard.Cold(series).histogram = nullptr;
  }
  series.codec = static_cast<uint8_t>(OpenCodec::kXorFull);
  shard.slab_.Free(series.chunk);
  series.chunk = 0;
  series.samples = 0;
  series.xor_bits = 0;
}

absl::Status OpenChunk::Read(const SeriesCopy& copy, TimeRange range,
                             SampleColumns& out) {
  const std::vector<int64_t>& times = copy.open_times;
  const auto begin = std::lower_bound(times.begin(), times.end(), range.min.ms);
  const auto end = std::upper_bound(begin, times.end(), range.max.ms);
  if (begin == end) return absl::OkStatus();
  std::vector<uint64_t>& values = ThreadValues();
  values.resize(static_cast<size_t>(end - times.begin()));
  DecodeValues(copy.open_codec, copy.open, copy.open_last_v, values);
  const auto n = static_cast<size_t>(end - begin);
  NARTHEX_RETURN_IF_ERROR(out.Reserve(n));
  const size_t size = out.size();
  for (size_t i = 0; i < n; ++i) out.mutable_t()[size + i] = begin[i];
  std::memcpy(out.mutable_v() + size, values.data() + (begin - times.begin()),
              n * sizeof(double));
  if (Timestamp* const starts = out.mutable_st(); starts != nullptr) {
    std::fill_n(starts + size, n, Timestamp(0));
  }
  out.SetSize(size + n);
  return absl::OkStatus();
}

void OpenChunk::MakeXor(SeriesCopy& copy) {
  if (copy.open_times.empty()) return;
  std::vector<uint64_t>& values = ThreadValues();
  values.resize(copy.open_times.size());
  DecodeValues(copy.open_codec, copy.open, copy.open_last_v, values);
  EncodeXorChunk(copy.open_times, values, copy.open);
  copy.open_codec = OpenCodec::kXorFull;
  copy.open_max_t = copy.open_times.back();
  copy.open_times.clear();
}

}  // namespace narthex::tsdb
