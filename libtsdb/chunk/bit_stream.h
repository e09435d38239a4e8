// Bits, most significant first, as all chunk encodings write and read them.
//
// PutBits works on memory that somebody else owns and keeps no state, so that
// the head can hold the position in its own 64-byte line; BitWriter has memory
// of its own.  BitReader reads 64 bits at a time and never past its end.  One
// thread each.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
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

// What follows the prefix of n ones (and a zero, but after eight) in a "varbit"
// number; no ones: the number is 0.
inline constexpr uint8_t kVarbitBits[9] = {0, 3, 6, 9, 12, 18, 25, 56, 64};

class BitWriter {
 public:
  // Leaves `zeros` bytes of 0 and nothing else; keeps the memory.
  void Clear(size_t zeros) {
    if (buffer_.size() < zeros + kRoom) buffer_.resize(zeros + 2 * kRoom);
    std::memset(buffer_.data(), 0, zeros + kBitSlack);
    bits_ = static_cast<uint32_t>(zeros * 8);
  }
  bool empty() const { return bits_ == 0; }
  std::string_view bytes() const { return {buffer_.data(), (bits_ + 7) / 8}; }
  uint32_t bits() const { return bits_; }
  // A byte written before.
  char &at(size_t i) { return buffer_[i]; }
  size_t memory_bytes() const { return buffer_.capacity(); }

  // The low n bits, 0 < n <= 64; the rest of `value` is zero.
  void Put(uint64_t value, uint32_t n) {
    Grow();
    bits_ = PutBitsWide(buffer_.data(), bits_, value, n);
  }
  // Eight bits each.
  void Bytes(const char *begin, const char *end) {
    for (const char *p = begin; p != end; ++p) {
      Put(static_cast<uint8_t>(*p), 8);
    }
  }
  void Varint(int64_t x) {
    char b[kMaxVarintLen64];
    Bytes(b, StoreVarint(b, x));
  }
  void Uvarint(uint64_t x) {
    char b[kMaxVarintLen64];
    Bytes(b, StoreUvarint(b, x));
  }
  // The signed kind; n bits hold -(2^(n-1)-1) .. 2^(n-1).
  void Varbit(int64_t x) {
    if (x == 0) return Put(0, 1);
    uint32_t ones = 1;
    while (ones < 8) {
      const int64_t limit = int64_t{1} << (kVarbitBits[ones] - 1);
      if (-limit < x && x <= limit) break;
      ++ones;
    }
    Prefixed(ones, static_cast<uint64_t>(x));
  }
  void VarbitUint(uint64_t x) {
    if (x == 0) return Put(0, 1);
    uint32_t ones = 1;
    while (ones < 8 && x >> kVarbitBits[ones] != 0) ++ones;
    Prefixed(ones, x);
  }
  // XorPutValue on this writer's bits: see chunk_codec.h.
  template <typename PutFn>
  void With(PutFn put) {
    Grow();
    bits_ = put(buffer_.data(), bits_);
  }
  void Swap(std::string &other) {
    buffer_.resize((bits_ + 7) / 8);
    buffer_.swap(other);
    bits_ = 0;
  }

 private:
  static constexpr size_t kRoom = 32;

  void Grow() {
    if (bits_ / 8 + kRoom > buffer_.size()) buffer_.resize(buffer_.size() * 2);
  }
  void Prefixed(uint32_t ones, uint64_t x) {
    const uint32_t n = kVarbitBits[ones];
    const uint64_t prefix = ones < 8 ? (uint64_t{1} << (ones + 1)) - 2 : 0xff;
    const uint32_t length = ones < 8 ? ones + 1 : 8;
    if (n == 64) {
      Put(prefix, length);
      Put(x, 64);
    } else {
      Put(prefix << n | (x & ((uint64_t{1} << n) - 1)), length + n);
    }
  }

  std::string buffer_;  // longer than the bits by kRoom, but while swapping
  uint32_t bits_ = 0;
};

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

  uint64_t VarbitUint() {
    uint32_t n;
    return Prefixed(n);
  }
  int64_t Varbit() {
    uint32_t n;
    uint64_t raw = Prefixed(n);
    // 2^(n-1) itself is positive.
    if (n != 64 && raw > (uint64_t{1} << n) / 2) raw -= uint64_t{1} << n;
    return static_cast<int64_t>(raw);
  }
  size_t remaining() const { return pos_ < bits_ ? bits_ - pos_ : 0; }

 private:
  uint64_t Prefixed(uint32_t &n) {
    const uint64_t w = Peek();
    const auto ones = static_cast<uint32_t>(std::countl_one(w >> 56 << 56));
    n = kVarbitBits[ones];
    const uint32_t prefix = ones < 8 ? ones + 1 : 8;
    if (n == 0) {
      Skip(1);
      return 0;
    }
    if (prefix + n <= 57) [[likely]] {
      Skip(prefix + n);
      return w << prefix >> (64 - n);
    }
    Skip(prefix);
    return BitsWide(n);
  }

  const char *data_;
  size_t bits_;
  size_t pos_;
};

}  // namespace narthex::tsdb
