// Text as Go writes and reads it: UTF-8, quoting, floating point numbers.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "narthex/model/labels.h"
#include "narthex/model/sample.h"

namespace narthex {
namespace {

// Length of the rune at the front and its value; length 0: not UTF-8.
struct Rune {
  uint32_t value = 0;
  size_t length = 0;
};

Rune DecodeRune(std::string_view s) {
  const auto at = [s](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(s[i]));
  };
  const auto is_tail = [&](size_t i) { return (at(i) & 0xc0) == 0x80; };
  const uint32_t b = at(0);
  if (b < 0x80) return {b, 1};
  if (b >= 0xc2 && b <= 0xdf && s.size() >= 2 && is_tail(1)) {
    return {(b & 0x1f) << 6 | (at(1) & 0x3f), 2};
  }
  if (b >= 0xe0 && b <= 0xef && s.size() >= 3 && is_tail(1) && is_tail(2)) {
    const uint32_t rune =
        (b & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    const bool surrogate = rune >= 0xd800 && rune <= 0xdfff;
    if (rune >= 0x800 && !surrogate) return {rune, 3};
  }
  if (b >= 0xf0 && b <= 0xf4 && s.size() >= 4 && is_tail(1) && is_tail(2) &&
      is_tail(3)) {
    const uint32_t rune = (b & 0x07) << 18 | (at(1) & 0x3f) << 12 |
                          (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
    if (rune >= 0x10000 && rune <= 0x10ffff) return {rune, 4};
  }
  return {};
}

// The runes above ASCII that Go prints as \u: controls, spaces other than ' ',
// format characters, surrogates and private use.
bool IsPrintable(uint32_t rune) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range kHidden[] = {
      {0x7f, 0xa0},       {0xad, 0xad},       {0x378, 0x379},
      {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
      {0x70f, 0x70f},     {0x180e, 0x180e},   {0x1680, 0x1680},
      {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},
      {0x3000, 0x3000},   {0xd800, 0xf8ff},   {0xfeff, 0xfeff},
      {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},
      {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff},
  };
  for (const Range& range : kHidden) {
    if (rune < range.first) break;
    if (rune <= range.last) return false;
  }
  return true;
}

constexpr char kHex[] = "0123456789abcdef";

void AppendHex(uint32_t x, int digits, std::string& out) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out += kHex[x >> shift & 15];
  }
}

// Escapes a control character by name if it has one.
bool AppendNamedEscape(char c, std::string& out) {
  switch (c) {
    case '\a':
      out += "\\a";
      return true;
    case '\b':
      out += "\\b";
      return true;
    case '\f':
      out += "\\f";
      return true;
    case '\n':
      out += "\\n";
      return true;
    case '\r':
      out += "\\r";
      return true;
    case '\t':
      out += "\\t";
      return true;
    case '\v':
      out += "\\v";
      return true;
    default:
      return false;
  }
}

// The shortest digits of |v|, and the place of the decimal point: the value is
// 0.DIGITS times ten to the `point`.
struct Decimal {
  std::array<char, 24> digits = {};
  int count = 0;
  int point = 0;
};

Decimal ShortestDigits(double v) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), std::fabs(v),
                                 std::chars_format::scientific)
                       .ptr;
  Decimal d;
  const char* p = text;
  for (; p != end && *p != 'e'; ++p) {
    if (*p != '.') d.digits[static_cast<size_t>(d.count++)] = *p;
  }
  int exponent = 0;
  if (p != end) {
    ++p;
    if (*p == '+') ++p;
    std::from_chars(p, end, exponent);
  }
  d.point = exponent + 1;
  return d;
}

void AppendExponentForm(const Decimal& d, std::string& out) {
  out += d.digits[0];
  if (d.count > 1) {
    out += '.';
    out.append(d.digits.data() + 1, static_cast<size_t>(d.count - 1));
  }
  const int exponent = d.point - 1;
  out += exponent < 0 ? "e-" : "e+";
  const int magnitude = exponent < 0 ? -exponent : exponent;
  if (magnitude < 10) out += '0';
  out += std::to_string(magnitude);
}

void AppendPlainForm(const Decimal& d, std::string& out) {
  if (d.point <= 0) {
    out += "0.";
    out.append(static_cast<size_t>(-d.point), '0');
    out.append(d.digits.data(), static_cast<size_t>(d.count));
    return;
  }
  const int whole = std::min(d.point, d.count);
  out.append(d.digits.data(), static_cast<size_t>(whole));
  if (d.point > d.count) {
    out.append(static_cast<size_t>(d.point - d.count), '0');
  } else if (d.count > d.point) {
    out += '.';
    out.append(d.digits.data() + whole, static_cast<size_t>(d.count - whole));
  }
}

bool EqualsFold(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower[i]) return false;
  }
  return true;
}

// What a number too large or too small for a double comes to; `text` is known
// to be well formed and without sign.
double OutOfRange(std::string_view text, char exponent_mark, int base_log) {
  // Position of the first digit that counts, relative to the point.
  int64_t place = 0;
  bool point = false, found = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == exponent_mark || c == exponent_mark - 32) break;
    if (c == '.') {
      point = true;
    } else if (!found && c == '0') {
      if (point) --place;
    } else {
      found = true;
      if (!point) ++place;
    }
  }
  int64_t exponent = 0;
  if (i < text.size()) {
    ++i;
    const bool negative = i < text.size() && text[i] == '-';
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    for (; i < text.size(); ++i) {
      if (exponent < 1'000'000'000) exponent = exponent * 10 + (text[i] - '0');
    }
    if (negative) exponent = -exponent;
  }
  return place * base_log + exponent > 0
             ? std::numeric_limits<double>::infinity()
             : 0;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    if (end - p >= 8) {  // eight ASCII bytes at a time
      uint64_t word;
      std::memcpy(&word, p, sizeof(word));
      if ((word & 0x8080808080808080) == 0) {
        p += 8;
        continue;
      }
    }
    const Rune rune = DecodeRune({p, static_cast<size_t>(end - p)});
    if (rune.length == 0) return false;
    p += rune.length;
  }
  return true;
}

std::string GoQuote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  out += '"';
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    const char c = text.front();
    if (rune.length == 0) {
      out += "\\x";
      AppendHex(static_cast<unsigned char>(c), 2, out);
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (rune.length > 1 && IsPrintable(rune.value)) {
      out += text.substr(0, rune.length);
    } else if (rune.value >= ' ' && rune.value < 0x7f) {
      out += c;
    } else if (rune.length > 1 && rune.value >= 0x10000) {
      out += "\\U";
      AppendHex(rune.value, 8, out);
    } else if (rune.length > 1) {
      out += "\\u";
      AppendHex(rune.value, 4, out);
    } else if (!AppendNamedEscape(c, out)) {
      out += "\\x";
      AppendHex(rune.value, 2, out);
    }
    text.remove_prefix(rune.length);
  }
  out += '"';
  return out;
}

std::string FormatFloat(double v, char format) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  std::string out;
  if (std::signbit(v)) out += '-';
  if (v == 0) return out + (format == 'e' ? "0e+00" : "0");
  const Decimal d = ShortestDigits(v);
  const int exponent = d.point - 1;
  // Go decides 'g' as if the precision were 6 when it prints the shortest
  // digits.
  if (format == 'e' || (format == 'g' && (exponent < -4 || exponent >= 6))) {
    AppendExponentForm(d, out);
  } else {
    AppendPlainForm(d, out);
  }
  return out;
}

namespace {

// Go's rule: an underscore stands between digits, or between a base's prefix
// and a digit.
bool UnderscoresSeparate(std::string_view text) {
  bool after_digit = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    text.remove_prefix(1);
  }
  const bool hex =
      text.size() > 1 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (hex) {
    text.remove_prefix(2);
    after_digit = true;
  }
  bool after_underscore = false;
  for (char c : text) {
    const bool digit =
        (c >= '0' && c <= '9') ||
        (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
    if (c == '_' ? !after_digit : after_underscore && !digit) return false;
    after_underscore = c == '_';
    after_digit = digit;
  }
  return !after_underscore;
}

}  // namespace

bool ParseGoFloat(std::string_view text, double& out) {
  if (text.find('_') != std::string_view::npos) {
    if (!UnderscoresSeparate(text)) return false;
    std::string plain(text);
    std::erase(plain, '_');
    return ParseGoFloat(plain, out);
  }
  std::string_view digits = text;
  bool negative = false;
  bool sign = false;
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) {
    negative = digits[0] == '-';
    sign = true;
    digits.remove_prefix(1);
  }
  if (digits.empty()) return false;
  const auto set = [&](double v) {
    out = negative ? -v : v;
    return true;
  };
  const char first = digits[0];
  if (first != '.' && (first < '0' || first > '9')) {
    if (EqualsFold(digits, "inf") || EqualsFold(digits, "infinity")) {
      return set(std::numeric_limits<double>::infinity());
    }
    if (!sign && EqualsFold(digits, "nan")) {
      out = NormalNaN();
      return true;
    }
    return false;
  }
  const bool hex = digits.size() > 2 && first == '0' &&
                   (digits[1] == 'x' || digits[1] == 'X');
  if (hex) {
    digits.remove_prefix(2);
    // Go wants the exponent of a hexadecimal number written out.
    const size_t p = digits.find_first_of("pP");
    if (p == std::string_view::npos || p == 0 || p + 1 == digits.size() ||
        digits.substr(0, p) == ".") {
      return false;
    }
    const char c = digits[0];
    if (c == '+' || c == '-') return false;
  }
  double v = 0;
  const char* const end = digits.data() + digits.size();
  const auto result = std::from_chars(
      digits.data(), end, v,
      hex ? std::chars_format::hex : std::chars_format::general);
  if (result.ptr != end) return false;
  if (result.ec == std::errc::result_out_of_range) {
    return set(OutOfRange(digits, hex ? 'p' : 'e', hex ? 4 : 1));
  }
  if (result.ec != std::errc()) return false;
  return set(v);
}

}  // namespace narthex
