#include "libtsdb/base/snappy_decode.h"

#include <cstdint>
#include <cstring>

namespace narthex {
namespace {

// A piece begins with a tag.  Its low two bits: a literal, whose length (less
// one) is in the other six, or a copy of bytes that came before, whose offset
// takes one, two or four bytes more.
constexpr uint32_t kLiteral = 0;
constexpr uint32_t kCopy1 = 1;
constexpr uint32_t kCopy4 = 3;
constexpr uint32_t kLongLiteral = 60;  // its length takes 1 to 4 bytes more

// What the quick way may touch from the tag on: the tag and a literal of 60
// bytes, copied by 64.
constexpr size_t kReach = 1 + 64;

template <typename T>
inline T Load(const char* p) {
  T x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}
// In the order of the file, which is little endian.
inline uint32_t LoadLE(const char* p, size_t bytes) {
  uint32_t x = 0;
  for (size_t i = 0; i < bytes; ++i) {
    x |= static_cast<uint32_t>(static_cast<uint8_t>(p[i])) << 8 * i;
  }
  return x;
}
inline void Copy8(char* to, const char* from) { std::memcpy(to, from, 8); }
inline void Copy16(char* to, const char* from) {
  char b[16];
  std::memcpy(b, from, sizeof(b));
  std::memcpy(to, b, sizeof(b));
}

// One piece, byte by byte where need be, every end checked.
inline bool OnePiece(const char*& in, const char* in_end, const char* begin,
                     char*& out, char* out_end) {
  const uint32_t tag = static_cast<uint8_t>(*in++);
  const auto in_left = [&] { return static_cast<size_t>(in_end - in); };
  const auto out_left = static_cast<size_t>(out_end - out);
  const uint32_t kind = tag & 3;
  if (kind == kLiteral) {
    size_t length = tag >> 2;
    if (length >= kLongLiteral) {
      const size_t bytes = length - kLongLiteral + 1;
      if (in_left() < bytes) return false;
      length = LoadLE(in, bytes);
      in += bytes;
    }
    ++length;
    if (in_left() < length || out_left < length) return false;
    std::memcpy(out, in, length);
    in += length;
    out += length;
    return true;
  }
  const size_t bytes = kind == kCopy4 ? 4 : kind;
  if (in_left() < bytes) return false;
  size_t length = (tag >> 2) + 1;
  size_t offset = LoadLE(in, bytes);
  if (kind == kCopy1) {
    length = 4 + (tag >> 2 & 7);
    offset |= size_t{tag >> 5} << 8;
  }
  in += bytes;
  if (offset == 0 || offset > static_cast<size_t>(out - begin) ||
      length > out_left) {
    return false;
  }
  const char* from = out - offset;
  for (const char* const end = out + length; out != end;) *out++ = *from++;
  return true;
}

}  // namespace

bool UnpackSnappyPieces(std::string_view pieces, char* out, size_t n) {
  const char* in = pieces.data();
  const char* const in_end = in + pieces.size();
  const char* const begin = out;
  char* const out_end = out + n;
  while (in != in_end) {
    // The quick way copies 8, 16 or 64 bytes whatever the length is: what is
    // too much is overwritten by the next piece.
    while (static_cast<size_t>(in_end - in) >= kReach &&
           static_cast<size_t>(out_end - out) >= 64) {
      const uint32_t tag = static_cast<uint8_t>(*in);
      const uint32_t kind = tag & 3;
      if (kind == kLiteral) {
        const size_t length = (tag >> 2) + 1;
        if (length > kLongLiteral) break;
        Copy16(out, in + 1);
        if (length > 16) {
          Copy16(out + 16, in + 17);
          Copy16(out + 32, in + 33);
          Copy16(out + 48, in + 49);
        }
        in += 1 + length;
        out += length;
        continue;
      }
      if (kind == kCopy4) break;
      const uint32_t next = LoadLE(in + 1, 2);
      const size_t length =
          kind == kCopy1 ? 4 + (tag >> 2 & 7) : (tag >> 2) + 1;
      const size_t offset =
          kind == kCopy1 ? (tag >> 5) << 8 | (next & 0xff) : next;
      if (offset == 0 || offset > static_cast<size_t>(out - begin)) {
        return false;
      }
      const char* from = out - offset;
      if (offset < 8) break;
      if (length <= offset) {
        Copy16(out, from);
      } else {
        Copy8(out, from);
        Copy8(out + 8, from + 8);
      }
      if (length > 16) {
        for (size_t i = 16; i < 64; i += 8) Copy8(out + i, from + i);
      }
      in += 1 + kind;
      out += length;
    }
    if (!OnePiece(in, in_end, begin, out, out_end)) return false;
  }
  return out == out_end;
}

}  // namespace narthex
