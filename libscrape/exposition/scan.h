// The innermost loops of page parsing: where a name ends, where a quoted text
// ends, is it all ASCII, what number stands here.
//
// Pure functions over [p, end); they never read past `end`.  SSE2 where the
// machine has it, plain loops elsewhere: same answers.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace narthex::scrape {

enum CharClass : uint8_t {
  kNameStart = 1,   // [a-zA-Z_:]
  kNameChar = 2,    // [a-zA-Z0-9_:]
  kLabelStart = 4,  // [a-zA-Z_]
  kLabelChar = 8    // [a-zA-Z0-9_]
};

inline constexpr std::array<uint8_t, 256> kCharClasses = [] {
  std::array<uint8_t, 256> table = {};
  for (int c = 0; c < 256; ++c) {
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    const bool colon = c == ':';
    table[static_cast<size_t>(c)] = static_cast<uint8_t>(
        (letter || colon ? kNameStart : 0) |
        (letter || colon || digit ? kNameChar : 0) |
        (letter ? kLabelStart : 0) | (letter || digit ? kLabelChar : 0));
  }
  return table;
}();

inline bool Is(char c, CharClass what) {
  return (kCharClasses[static_cast<unsigned char>(c)] & what) != 0;
}
inline bool IsBlank(char c) { return c == ' ' || c == '\t'; }

#if defined(__SSE2__)
// 0xff where lo <= byte <= hi.
inline __m128i InRange(__m128i bytes, char lo, char hi) {
  const __m128i shifted = _mm_sub_epi8(bytes, _mm_set1_epi8(lo));
  const __m128i width = _mm_set1_epi8(static_cast<char>(hi - lo));
  return _mm_cmpeq_epi8(_mm_min_epu8(shifted, width), shifted);
}
#endif

// Past [a-zA-Z0-9_:]*.
inline const char* SkipName(const char* p, const char* end) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i ok = _mm_or_si128(
        _mm_or_si128(InRange(lower, 'a', 'z'), InRange(bytes, '0', ':')),
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    const unsigned bad = ~static_cast<unsigned>(_mm_movemask_epi8(ok)) & 0xffff;
    if (bad != 0) return p + __builtin_ctz(bad);
    p += 16;
  }
#endif
  while (p < end && Is(*p, kNameChar)) ++p;
  return p;
}

// Past [a-zA-Z0-9_]*.  Label names are short.
inline const char* SkipLabel(const char* p, const char* end) {
  while (p < end && Is(*p, kLabelChar)) ++p;
  return p;
}

inline const char* SkipBlanks(const char* p, const char* end) {
  while (p < end && IsBlank(*p)) ++p;
  return p;
}

// The first `"` or `\`, or `end`.  Sets `ascii` to false if a byte above 127
// comes before it (or shortly after it: good for a fast path only).
inline const char* FindQuoteOrBackslash(const char* p, const char* end,
                                        bool& ascii) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int hit = _mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    if (_mm_movemask_epi8(bytes) != 0) ascii = false;
    if (hit != 0) return p + __builtin_ctz(static_cast<unsigned>(hit));
    p += 16;
  }
#endif
  for (; p < end && *p != '"' && *p != '\\'; ++p) {
    if (static_cast<signed char>(*p) < 0) ascii = false;
  }
  return p;
}

// The same, or a line end.
inline const char* FindQuoteBackslashOrLineEnd(const char* p, const char* end,
                                               bool& ascii) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int hit = _mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')),
                     _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')))));
    if (_mm_movemask_epi8(bytes) != 0) ascii = false;
    if (hit != 0) return p + __builtin_ctz(static_cast<unsigned>(hit));
    p += 16;
  }
#endif
  for (; p < end && *p != '"' && *p != '\\' && *p != '\n'; ++p) {
    if (static_cast<signed char>(*p) < 0) ascii = false;
  }
  return p;
}

// The end of the line, or `end`.  Sets `plain` to false if a backslash or a
// byte above 127 comes before it (or shortly after it: good for a fast path
// only).
inline const char* FindLineEnd(const char* p, const char* end, bool& plain) {
#if defined(__SSE2__)
  __m128i seen = _mm_setzero_si128();
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Both set the highest bit.
    seen = _mm_or_si128(
        seen, _mm_or_si128(bytes, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    const int hit =
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
    if (hit != 0) {
      if (_mm_movemask_epi8(seen) != 0) plain = false;
      return p + __builtin_ctz(static_cast<unsigned>(hit));
    }
    p += 16;
  }
  if (_mm_movemask_epi8(seen) != 0) plain = false;
#endif
  for (; p < end && *p != '\n'; ++p) {
    if (static_cast<signed char>(*p) < 0 || *p == '\\') plain = false;
  }
  return p;
}

// Whether [p, end) begins with `text`, which lies before `end` in the same
// memory.  Texts are short.
inline bool StartsWith(const char* p, const char* end, std::string_view text) {
  const size_t n = text.size();
  if (static_cast<size_t>(end - p) < n) return false;
#if defined(__SSE2__)
  constexpr size_t kBlock = 16;
  const char* t = text.data();
  if (end - p >= 16) {
    const auto differ = [](const char* a, const char* b) {
      const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
      const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
      return ~static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(x, y))) &
             0xffff;
    };
    if (n <= kBlock) {
      // `text` lies before p, so as much can be read there.
      return (differ(p, t) & ((1u << n) - 1)) == 0;
    }
    size_t i = 0;
    for (; i + kBlock <= n; i += kBlock) {
      if (differ(p + i, t + i) != 0) return false;
    }
    return i == n || differ(p + n - kBlock, t + n - kBlock) == 0;
  }
#endif
  return std::memcmp(p, text.data(), n) == 0;
}

inline bool IsAscii(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
#if defined(__SSE2__)
  while (end - p >= 16) {
    if (_mm_movemask_epi8(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))) != 0) {
      return false;
    }
    p += 16;
  }
#endif
  for (; p < end; ++p) {
    if (static_cast<signed char>(*p) < 0) return false;
  }
  return true;
}

inline constexpr double kPowersOfTen[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// A decimal number that one multiplication or division of exact doubles gives
// correctly rounded: digits up to 2^53, power of ten within 22.  Returns past
// its last character, or null if it is no such number (it may be another).
inline const char* ParseShortDecimal(const char* p, const char* end,
                                     double& out) {
  const auto digit = [&](const char* at) {
    return static_cast<unsigned>(static_cast<unsigned char>(*at)) - '0';
  };
  const bool negative = p < end && *p == '-';
  if (negative) ++p;
  uint64_t mantissa = 0;
  const char* const whole = p;
  while (p < end && digit(p) <= 9) mantissa = mantissa * 10 + digit(p++);
  std::ptrdiff_t digits = p - whole;
  int exponent = 0;
  if (p < end && *p == '.') {
    const char* const fraction = ++p;
    while (p < end && digit(p) <= 9) mantissa = mantissa * 10 + digit(p++);
    digits += p - fraction;
    exponent = -static_cast<int>(p - fraction < 64 ? p - fraction : 64);
  }
  if (digits == 0 || digits > 19 || mantissa > (uint64_t{1} << 53)) {
    return nullptr;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    ++p;
    const bool down = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) ++p;
    const char* const power = p;
    int e = 0;
    while (p < end && digit(p) <= 9 && p - power < 4) {
      e = e * 10 + static_cast<int>(digit(p++));
    }
    if (p == power || (p < end && digit(p) <= 9)) return nullptr;
    exponent += down ? -e : e;
  }
  double v = static_cast<double>(mantissa);
  if (exponent != 0) {
    if (exponent < -22 || exponent > 22) return nullptr;
    v = exponent < 0 ? v / kPowersOfTen[-exponent] : v * kPowersOfTen[exponent];
  }
  out = negative ? -v : v;
  return p;
}

}  // namespace narthex::scrape
