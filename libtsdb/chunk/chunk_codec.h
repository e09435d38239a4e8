// Float samples to bits: the XOR chunk ("Gorilla"), byte for byte that of
// Prometheus; drawn in docs/format/chunks.md.
//
// XorPut is the encoder without memory of its own: whoever holds the chunk (the
// head's 64-byte line, XorAppender) holds the state.  One thread per chunk; a
// reader copies bytes, sample count and bit length under the lock of the owner.

#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libtsdb/chunk/bit_stream.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// The two bytes at the front of a chunk that say how many samples it has.
inline constexpr size_t kChunkCountSize = 2;
inline constexpr uint32_t kMaxSamplesPerChunk = 65535;
// A sample takes at most this many bytes: 4 + 64 bits of time, 2 + 5 + 6 + 64
// of value.  (The first two take less.)
inline constexpr size_t kXorMaxSampleSize = 19;
// Room that XorPut wants behind the byte of the next bit.
inline constexpr size_t kXorPutRoom = kXorMaxSampleSize + kBitSlack + 1;
inline constexpr uint8_t kXorNoWindow = 0xff;

// What the encoder remembers of the samples so far.
struct XorState {
  int64_t t = 0;         // of the last sample
  uint64_t v = 0;        // its bits
  uint64_t t_delta = 0;  // between the last two; wraps
  uint8_t lead = kXorNoWindow;
  uint8_t trail = 0;
};

// `State` has v, lead and trail.
template <typename State>
inline uint32_t XorPutValue(char *p, uint32_t pos, State &s, uint64_t v) {
  const uint64_t x = v ^ s.v;
  s.v = v;
  if (x == 0) return PutBits(p, pos, 0, 1);
  uint32_t lead = static_cast<uint32_t>(std::countl_zero(x));
  const uint32_t trail = static_cast<uint32_t>(std::countr_zero(x));
  if (lead > 31) lead = 31;
  if (s.lead != kXorNoWindow && lead >= s.lead && trail >= s.trail) {
    const uint32_t n = 64u - s.lead - s.trail;
    pos = PutBits(p, pos, 2, 2);
    return PutBitsWide(p, pos, x >> s.trail, n);
  }
  s.lead = static_cast<uint8_t>(lead);
  s.trail = static_cast<uint8_t>(trail);
  const uint32_t n = 64u - lead - trail;
  // 11, five bits of lead, six of length (64 is written as 0).
  pos = PutBits(p, pos, 3u << 11 | lead << 6 | (n & 63), 13);
  return PutBitsWide(p, pos, x >> trail, n);
}

// Bits that fit the code of `n` bits: -(2^(n-1)-1) .. 2^(n-1), as Prometheus.
constexpr bool FitsDod(int64_t x, uint32_t n) {
  return -((int64_t{1} << (n - 1)) - 1) <= x && x <= int64_t{1} << (n - 1);
}

inline uint32_t XorPutDod(char *p, uint32_t pos, int64_t dod) {
  const uint64_t x = static_cast<uint64_t>(dod);
  if (dod == 0) return PutBits(p, pos, 0, 1);
  if (FitsDod(dod, 14)) {
    return PutBits(p, pos, uint64_t{2} << 14 | (x & 0x3fff), 16);
  }
  if (FitsDod(dod, 17)) {
    return PutBits(p, pos, uint64_t{6} << 17 | (x & 0x1ffff), 20);
  }
  if (FitsDod(dod, 20)) {
    return PutBits(p, pos, uint64_t{14} << 20 | (x & 0xfffff), 24);
  }
  pos = PutBits(p, pos, 15, 4);
  return PutBitsWide(p, pos, x, 64);
}

// Appends sample number `index` (0 for the chunk's first) at bit `pos` of `p`;
// returns the position behind it.  `p` has kXorPutRoom bytes from the one that
// `pos` lies in; up to kBitSlack bytes behind the sample become zero.  The bits
// before `pos` stay, so the caller may encode into a scratch buffer that begins
// with the chunk's last byte (pos % 8) and copy what came out.  The count in
// front of the chunk (big endian) is the caller's.
inline uint32_t XorPut(char *p, uint32_t pos, uint32_t index, XorState &s,
                       int64_t t, uint64_t v) {
  if (index > 1) [[likely]] {
    const uint64_t delta =
        static_cast<uint64_t>(t) - static_cast<uint64_t>(s.t);
    pos = XorPutDod(p, pos, static_cast<int64_t>(delta - s.t_delta));
    s.t_delta = delta;
    s.t = t;
    return XorPutValue(p, pos, s, v);
  }
  char varint[kMaxVarintLen64];
  const char *end;
  if (index == 0) {
    s = XorState{};
    end = StoreVarint(varint, t);
  } else {
    s.t_delta = static_cast<uint64_t>(t) - static_cast<uint64_t>(s.t);
    end = StoreUvarint(varint, s.t_delta);
  }
  for (const char *b = varint; b != end; ++b) {
    pos = PutBits(p, pos, static_cast<uint8_t>(*b), 8);
  }
  s.t = t;
  if (index != 0) return XorPutValue(p, pos, s, v);
  s.v = v;
  return PutBitsWide(p, pos, v, 64);
}

// A chunk in memory of its own.
class XorAppender {
 public:
  XorAppender() { Clear(); }

  void Append(Timestamp t, double v);
  uint32_t samples() const { return samples_; }
  // The chunk so far, count included; valid until the next call.
  std::string_view bytes() const { return {buffer_.data(), (bits_ + 7) / 8}; }
  void Clear();  // keeps the memory

 private:
  std::string buffer_;  // longer than the chunk by kXorPutRoom at least
  uint32_t bits_ = 0;
  uint32_t samples_ = 0;
  XorState state_;
};

// Decodes `samples` samples from `bytes` (count in front included, its value
// ignored), for a chunk that is being appended to.  Otherwise as DecodeChunk.
absl::Status DecodeXor(std::string_view bytes, uint32_t samples,
                       TimeRange range, SampleColumns &out);

}  // namespace narthex::tsdb
