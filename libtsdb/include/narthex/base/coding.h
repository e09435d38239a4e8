// Bytes as Prometheus writes them: big-endian integers, LEB128 varints (zig-zag
// for signed ones), length-prefixed text.
//
// Values; one thread.  A ByteReader never reads past its end: the first bad
// read sets ok() to false, yields zeros from then on, and bad_offset() tells
// where.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace narthex {

inline constexpr size_t kMaxVarintLen64 = 10;
inline constexpr size_t kMaxVarintLen32 = 5;

inline uint16_t LoadBE16(const char* p) {
  uint16_t x;
  std::memcpy(&x, p, sizeof(x));
  return std::endian::native == std::endian::little ? __builtin_bswap16(x) : x;
}
inline uint32_t LoadBE32(const char* p) {
  uint32_t x;
  std::memcpy(&x, p, sizeof(x));
  return std::endian::native == std::endian::little ? __builtin_bswap32(x) : x;
}
inline uint64_t LoadBE64(const char* p) {
  uint64_t x;
  std::memcpy(&x, p, sizeof(x));
  return std::endian::native == std::endian::little ? __builtin_bswap64(x) : x;
}
inline void StoreBE16(char* p, uint16_t x) {
  if (std::endian::native == std::endian::little) x = __builtin_bswap16(x);
  std::memcpy(p, &x, sizeof(x));
}
inline void StoreBE32(char* p, uint32_t x) {
  if (std::endian::native == std::endian::little) x = __builtin_bswap32(x);
  std::memcpy(p, &x, sizeof(x));
}
inline void StoreBE64(char* p, uint64_t x) {
  if (std::endian::native == std::endian::little) x = __builtin_bswap64(x);
  std::memcpy(p, &x, sizeof(x));
}

inline uint64_t ZigZag(int64_t x) {
  return (static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63);
}
inline int64_t UnZigZag(uint64_t x) {
  return static_cast<int64_t>((x >> 1) ^ (~(x & 1) + 1));
}

// Writes at `p`, which has room for kMaxVarintLen64; returns the end.
inline char* StoreUvarint(char* p, uint64_t x) {
  while (x >= 0x80) {
    *p++ = static_cast<char>(x | 0x80);
    x >>= 7;
  }
  *p++ = static_cast<char>(x);
  return p;
}
inline char* StoreVarint(char* p, int64_t x) {
  return StoreUvarint(p, ZigZag(x));
}

// Appends to a string that it borrows.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void U8(uint8_t x) { out_.push_back(static_cast<char>(x)); }
  void BE16(uint16_t x) {
    char b[2];
    StoreBE16(b, x);
    out_.append(b, sizeof(b));
  }
  void BE32(uint32_t x) {
    char b[4];
    StoreBE32(b, x);
    out_.append(b, sizeof(b));
  }
  void BE64(uint64_t x) {
    char b[8];
    StoreBE64(b, x);
    out_.append(b, sizeof(b));
  }
  void Double(double x) { BE64(std::bit_cast<uint64_t>(x)); }
  void Uvarint(uint64_t x) {
    char b[kMaxVarintLen64];
    out_.append(b, static_cast<size_t>(StoreUvarint(b, x) - b));
  }
  void Varint(int64_t x) { Uvarint(ZigZag(x)); }
  void Bytes(std::string_view s) { out_.append(s); }
  void UvarintBytes(std::string_view s) {
    Uvarint(s.size());
    Bytes(s);
  }
  size_t size() const { return out_.size(); }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : begin_(bytes.data()), p_(begin_), end_(begin_ + bytes.size()) {}

  bool ok() const { return bad_ == nullptr; }
  size_t offset() const { return static_cast<size_t>(p_ - begin_); }
  size_t bad_offset() const {
    return bad_ == nullptr ? offset() : static_cast<size_t>(bad_ - begin_);
  }
  size_t remaining() const { return static_cast<size_t>(end_ - p_); }
  bool empty() const { return p_ == end_; }
  std::string_view rest() const { return {p_, remaining()}; }

  uint8_t U8() {
    if (!Need(1)) return 0;
    return static_cast<uint8_t>(*p_++);
  }
  uint16_t BE16() {
    if (!Need(2)) return 0;
    const uint16_t x = LoadBE16(p_);
    p_ += 2;
    return x;
  }
  uint32_t BE32() {
    if (!Need(4)) return 0;
    const uint32_t x = LoadBE32(p_);
    p_ += 4;
    return x;
  }
  uint64_t BE64() {
    if (!Need(8)) return 0;
    const uint64_t x = LoadBE64(p_);
    p_ += 8;
    return x;
  }
  double Double() { return std::bit_cast<double>(BE64()); }
  uint64_t Uvarint() {
    uint64_t x = 0;
    const char* p = p_;
    for (unsigned shift = 0; shift < 70 && p != end_; shift += 7) {
      const uint8_t b = static_cast<uint8_t>(*p++);
      if (shift == 63 && b > 1) break;  // would not fit 64 bits
      x |= static_cast<uint64_t>(b & 0x7f) << shift;
      if (b < 0x80) {
        p_ = p;
        return x;
      }
    }
    Fail();
    return 0;
  }
  int64_t Varint() { return UnZigZag(Uvarint()); }
  // A uvarint that must fit 32 bits.
  uint32_t Uvarint32() {
    const char* before = p_;
    const uint64_t x = Uvarint();
    if (x <= 0xffffffffu) return static_cast<uint32_t>(x);
    p_ = before;
    Fail();
    return 0;
  }
  std::string_view Bytes(size_t n) {
    if (!Need(n)) return {};
    std::string_view s(p_, n);
    p_ += n;
    return s;
  }
  std::string_view UvarintBytes() {
    const char* before = p_;
    const uint64_t n = Uvarint();
    if (n <= remaining()) return Bytes(static_cast<size_t>(n));
    p_ = before;
    Fail();
    return {};
  }
  void Skip(size_t n) {
    if (Need(n)) p_ += n;
  }
  void Fail() {
    if (bad_ == nullptr) bad_ = p_;
    p_ = end_;
  }

 private:
  bool Need(size_t n) {
    if (n <= remaining()) return true;
    Fail();
    return false;
  }

  const char* begin_;
  const char* p_;
  const char* end_;
  const char* bad_ = nullptr;
};

}  // namespace narthex
