#include "narthex/base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace narthex {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, reflected

// tables[k][b]: the remainder of byte b followed by k zero bytes.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables t{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t r = b;
    for (int bit = 0; bit < 8; ++bit) {
      r = (r >> 1) ^ ((r & 1) != 0 ? kPolynomial : 0);
    }
    t[0][b] = r;
  }
  for (size_t k = 1; k < t.size(); ++k) {
    for (uint32_t b = 0; b < 256; ++b) {
      t[k][b] = (t[k - 1][b] >> 8) ^ t[0][t[k - 1][b] & 0xff];
    }
  }
  return t;
}
constexpr Tables kTables = MakeTables();

[[maybe_unused]] uint32_t ExtendByTable(uint32_t state, const char* p,
                                        size_t n) {
  const auto* u = reinterpret_cast<const unsigned char*>(p);
  while (n >= 8) {
    const uint32_t low = state ^ (u[0] | static_cast<uint32_t>(u[1]) << 8 |
                                  static_cast<uint32_t>(u[2]) << 16 |
                                  static_cast<uint32_t>(u[3]) << 24);
    state = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^
            kTables[5][(low >> 16) & 0xff] ^ kTables[4][low >> 24] ^
            kTables[3][u[4]] ^ kTables[2][u[5]] ^ kTables[1][u[6]] ^
            kTables[0][u[7]];
    u += 8;
    n -= 8;
  }
  while (n-- > 0) state = (state >> 8) ^ kTables[0][(state ^ *u++) & 0xff];
  return state;
}

#if defined(__x86_64__)

// The instruction takes three cycles but may begin in every one, so that three
// independent streams run at full speed.  A stream's remainder is moved past
// the kStride bytes that follow it by a table of what four zero-extended bytes
// become.
constexpr size_t kStride = 1024;

using ShiftTables = std::array<std::array<uint32_t, 256>, 4>;

constexpr ShiftTables MakeShiftTables() {
  // Column i: bit i of the state, moved past kStride zero bytes.
  std::array<uint32_t, 32> column{};
  for (size_t i = 0; i < 32; ++i) {
    uint32_t r = uint32_t{1} << i;
    for (size_t n = 0; n < kStride / 256; ++n) {
      for (size_t m = 0; m < 256; ++m) {
        r = (r >> 8) ^ kTables[0][r & 0xff];
      }
    }
    column[i] = r;
  }
  ShiftTables t{};
  for (size_t k = 0; k < 4; ++k) {
    for (uint32_t b = 0; b < 256; ++b) {
      uint32_t r = 0;
      for (size_t bit = 0; bit < 8; ++bit) {
        if ((b >> bit & 1) != 0) r ^= column[8 * k + bit];
      }
      t[k][b] = r;
    }
  }
  return t;
}
constexpr ShiftTables kShift = MakeShiftTables();

inline uint32_t PastStride(uint32_t r) {
  return kShift[0][r & 0xff] ^ kShift[1][(r >> 8) & 0xff] ^
         kShift[2][(r >> 16) & 0xff] ^ kShift[3][r >> 24];
}

inline uint64_t Load64(const char* p) {
  uint64_t x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}

__attribute__((target("sse4.2"))) uint32_t ExtendBySse(uint32_t state,
                                                       const char* p,
                                                       size_t n) {
  while (n >= 3 * kStride) {
    uint64_t a = state, b = 0, c = 0;
    for (size_t i = 0; i < kStride; i += 8) {
      a = _mm_crc32_u64(a, Load64(p + i));
      b = _mm_crc32_u64(b, Load64(p + kStride + i));
      c = _mm_crc32_u64(c, Load64(p + 2 * kStride + i));
    }
    const uint32_t ab =
        PastStride(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    state = PastStride(ab) ^ static_cast<uint32_t>(c);
    p += 3 * kStride;
    n -= 3 * kStride;
  }
  uint64_t wide = state;
  while (n >= 8) {
    wide = _mm_crc32_u64(wide, Load64(p));
    p += 8;
    n -= 8;
  }
  state = static_cast<uint32_t>(wide);
  while (n-- > 0) {
    state = _mm_crc32_u8(state, static_cast<unsigned char>(*p++));
  }
  return state;
}

#elif defined(__aarch64__) && defined(__linux__)

__attribute__((target("+crc"))) uint32_t ExtendByArm(uint32_t state,
                                                     const char* p, size_t n) {
  while (n >= 8) {
    uint64_t x;
    std::memcpy(&x, p, sizeof(x));
    state = __crc32cd(state, x);
    p += 8;
    n -= 8;
  }
  while (n-- > 0) state = __crc32cb(state, static_cast<unsigned char>(*p++));
  return state;
}

#endif

using Extend = uint32_t (*)(uint32_t, const char*, size_t);

Extend Choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.2")) return ExtendBySse;
#elif defined(__aarch64__) && defined(__linux__)
  if ((getauxval(AT_HWCAP) & HWCAP_CRC32) != 0) return ExtendByArm;
#endif
  return ExtendByTable;
}

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes) {
  static const Extend extend = Choose();
  return ~extend(~crc, bytes.data(), bytes.size());
}

uint32_t Crc32c(std::string_view bytes) { return ExtendCrc32c(0, bytes); }

}  // namespace narthex
