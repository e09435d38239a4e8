// Bits, most significant first, as all chunk encodings write and read them.
//
// PutBits works on memory that somebody else owns and keeps no state, so that
// the head can hold the position in its own 64-byte line.  BitReader reads 64
// bits at a time and never past its end.  One thread each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "narthex/base/coding.h"

namespace narthex::tsdb {

// Memory behind the last bit that a PutBits may overwrite with zeros.
inline constexpr size_t kBitSlack = 8;

// Writes the low `n` bits of `value` (the rest of it must be zero), 0 < n <=
// 56, at bit `pos` of `p`, and zeros behind them: up to kBitSlack bytes from
// the first one touched.  Returns the new position.
inline uint32_t PutBits(char *p, uint32_t pos, uint64_t value, uint32_t n) {
  char *at = p + pos / 8;
  const uint32_t used = pos % 8;
  const uint64_t kept =
      static_cast<uint64_t>(static_cast<uint8_t>(*at) & ~(0xffu >> used)) << 56;
  StoreBE64(at, kept | value << (64 - used - n));
  return pos + n;
}

// As PutBits, for n <= 64; `p` has room for kBitSlack + 4 bytes.
inline uint32_t PutBitsWide(char *p, uint32_t pos, uint64_t value, uint32_t n) {
  if (n > 56) {
    pos = PutBits(p, pos, value >> 32, n - 32);
    value &= 0xffffffffu;
    n = 32;
  }
  return PutBits(p, pos, value, n);
}

class BitReader {
 public:
  explicit BitReader(std::string_view bytes, size_t bit = 0)
      : data_(bytes.data()), bits_(bytes.size() * 8), pos_(bit) {}

  // false once something was read past the end (zeros came out instead).
  bool ok() const { return pos_ <= bits_; }
  size_t position() const { return pos_; }

  // The next 57 bits at least, at the top of the word; zeros past the end.
  uint64_t Peek() const {
    const size_t byte = pos_ / 8;
    uint64_t w;
    if (byte + 8 <= bits_ / 8) {
      w = LoadBE64(data_ + byte);
    } else {
      char tail[8] = {};
      if (byte < bits_ / 8) std::memcpy(tail, data_ + byte, bits_ / 8 - byte);
      w = LoadBE64(tail);
    }
    return w << (pos_ % 8);
  }
  void Skip(size_t n) { pos_ += n; }

  // 0 < n <= 57.
  uint64_t Bits(uint32_t n) {
    const uint64_t x = Peek() >> (64 - n);
    pos_ += n;
    return x;
  }
  // 0 < n <= 64.
  uint64_t BitsWide(uint32_t n) {
    if (n <= 57) return Bits(n);
    const uint64_t high = Bits(n - 32);
    return high << 32 | Bits(32);
  }
  bool Bit() { return Bits(1) != 0; }

  // LEB128, its bytes anywhere in the bits.
  uint64_t Uvarint() {
    uint64_t x = 0;
    for (uint32_t shift = 0; shift < 70; shift += 7) {
      const uint64_t b = Bits(8);
      if (shift == 63 && b > 1) break;
      x |= (b & 0x7f) << shift;
      if (b < 0x80) return x;
    }
    pos_ = bits_ + 1;
    return 0;
  }
  int64_t Varint() { return UnZigZag(Uvarint()); }

 private:
  const char *data_;
  size_t bits_;
  size_t pos_;
};

}  // namespace narthex::tsdb
