#include "libtsdb/chunk/xor_encode.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/coding.h"

namespace narthex::tsdb {
namespace {

// Bits on their way to memory that has kBitSlack bytes behind them.
struct BitSink {
  char* p;
  uint64_t held = 0;  // from the upper end
  uint32_t n = 0;     // of them, fewer than 8

  // 0 < bits <= 56; what is above them in `value` is zero.
  void Put(uint64_t value, uint32_t bits) {
    held |= value << (64 - n - bits);
    n += bits;
    StoreBE64(p, held);
    p += n / 8;
    held <<= n & ~7u;
    n &= 7;
  }
  void PutWide(uint64_t value, uint32_t bits) {
    if (bits > 56) {
      Put(value >> 32, bits - 32);
      value &= 0xffffffffu;
      bits = 32;
    }
    Put(value, bits);
  }
  void PutBytes(const char* begin, const char* end) {
    for (; begin != end; ++begin) Put(static_cast<uint8_t>(*begin), 8);
  }
};

void PutDod(BitSink& sink, int64_t dod) {
  const auto x = static_cast<uint64_t>(dod);
  if (dod == 0) {
    sink.Put(0, 1);
  } else if (FitsDod(dod, 14)) {
    sink.Put(uint64_t{2} << 14 | (x & 0x3fff), 16);
  } else if (FitsDod(dod, 17)) {
    sink.Put(uint64_t{6} << 17 | (x & 0x1ffff), 20);
  } else if (FitsDod(dod, 20)) {
    sink.Put(uint64_t{14} << 20 | (x & 0xfffff), 24);
  } else {
    sink.Put(15, 4);
    sink.PutWide(x, 64);
  }
}

}  // namespace

void EncodeXorChunk(std::span<const int64_t> times,
                    std::span<const uint64_t> values, std::string& out) {
  // Only ever grows, as what a string grows by is filled with zeros.
  static thread_local std::string room;
  const size_t most =
      kChunkCountSize + times.size() * kXorMaxSampleSize + 2 * kBitSlack;
  if (room.size() < most) room.resize(most);
  StoreBE16(room.data(), static_cast<uint16_t>(times.size()));
  BitSink sink{room.data() + kChunkCountSize};

  char varint[kMaxVarintLen64];
  uint64_t t = 0, t_delta = 0, v = 0;
  uint32_t lead = kXorNoWindow, trail = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const auto now = static_cast<uint64_t>(times[i]);
    const uint64_t delta = now - t;
    const uint64_t x = values[i] ^ v;
    v = values[i];
    t = now;
    if (i > 1) [[likely]] {
      const uint64_t dod = delta - t_delta;
      t_delta = delta;
      if ((dod | x) == 0) {
        sink.Put(0, 2);
        continue;
      }
      PutDod(sink, static_cast<int64_t>(dod));
    } else if (i == 1) {
      t_delta = delta;
      sink.PutBytes(varint, StoreUvarint(varint, delta));
    } else {
      sink.PutBytes(varint, StoreVarint(varint, times[0]));
      sink.PutWide(v, 64);
      continue;
    }
    if (x == 0) {
      sink.Put(0, 1);
      continue;
    }
    const auto zeros = static_cast<uint32_t>(std::countl_zero(x));
    const uint32_t new_lead = zeros > 31 ? 31 : zeros;
    const auto new_trail = static_cast<uint32_t>(std::countr_zero(x));
    if (new_lead >= lead && new_trail >= trail) {  // never without a window
      const uint32_t bits = 64 - lead - trail;
      sink.Put(2, 2);
      sink.PutWide(x >> trail, bits);
    } else {
      lead = new_lead;
      trail = new_trail;
      const uint32_t bits = 64 - lead - trail;
      sink.Put(3u << 11 | lead << 6 | (bits & 63), 13);
      sink.PutWide(x >> trail, bits);
    }
  }
  out.assign(room.data(),
             static_cast<size_t>(sink.p - room.data()) + (sink.n != 0 ? 1 : 0));
}

}  // namespace narthex::tsdb
