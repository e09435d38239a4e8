#include "libpromql/parse/literal.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>

#include "absl/strings/charconv.h"
#include "libpromql/parse/chars.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

// All of `digits` in the base; false if there is another character, or if it
// doesn't fit.
bool ParseInteger(std::string_view digits, int base, int64_t& out) {
  if (digits.empty()) return false;
  int64_t value = 0;
  for (char c : digits) {
    const int d = HexValue(static_cast<unsigned char>(c));
    if (d >= base || __builtin_mul_overflow(value, int64_t{base}, &value) ||
        __builtin_add_overflow(value, int64_t{d}, &value)) {
      return false;
    }
  }
  out = value;
  return true;
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

}  // namespace

absl::StatusOr<double> ParseNumber(std::string_view text) {
  std::string without;
  std::string_view digits = text;
  auto invalid = [text] {
    return InvalidArgument(StrCat("strconv.ParseFloat: parsing ", GoQuote(text),
                                  ": invalid syntax"));
  };
  if (text.find('_') != std::string_view::npos) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '_') {
        without += text[i];
      } else if (i == 0 || i + 1 == text.size() ||
                 !IsWord(static_cast<unsigned char>(text[i - 1])) ||
                 !IsWord(static_cast<unsigned char>(text[i + 1]))) {
        return invalid();
      }
    }
    digits = without;
  }
  const bool hex =
      digits.size() > 1 && digits[0] == '0' && (digits[1] | 0x20) == 'x';
  if (digits.size() > 1 && digits[0] == '0') {
    int64_t integer = 0;
    if (hex ? ParseInteger(digits.substr(2), 16, integer)
            : ParseInteger(digits.substr(1), 8, integer)) {
      return static_cast<double>(integer);
    }
  }
  double value = 0;
  const char* end = digits.data() + digits.size();
  const absl::from_chars_result result =
      absl::from_chars(digits.data(), end, value);
  if (hex || result.ptr != end || result.ec == std::errc::invalid_argument) {
    return InvalidArgument(StrCat("strconv.ParseFloat: parsing ", GoQuote(text),
                                  ": invalid syntax"));
  }
  // What is too small is 0; what is too big is refused.
  if (result.ec == std::errc::result_out_of_range && std::fabs(value) > 1) {
    return InvalidArgument(StrCat("strconv.ParseFloat: parsing ", GoQuote(text),
                                  ": value out of range"));
  }
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

std::string Unquote(std::string_view text) {
  const char quote = text.front();
  text = text.substr(1, text.size() - 2);
  if (quote == '`' || text.find('\\') == std::string_view::npos) {
    return std::string(text);
  }
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    int digits = 0;
    switch (c) {
      case 'a':
        out += '\a';
        continue;
      case 'b':
        out += '\b';
        continue;
      case 'f':
        out += '\f';
        continue;
      case 'n':
        out += '\n';
        continue;
      case 'r':
        out += '\r';
        continue;
      case 't':
        out += '\t';
        continue;
      case 'v':
        out += '\v';
        continue;
      case 'x':
        digits = 2;
        break;
      case 'u':
        digits = 4;
        break;
      case 'U':
        digits = 8;
        break;
      default:
        if (c < '0' || c > '7') {
          out += c;
          continue;
        }
        break;
    }
    uint32_t code = 0;
    if (digits == 0) {  // three octal ones, of which `c` is the first
      for (size_t end = i + 3; i < end; ++i) {
        code = code * 8 + static_cast<uint32_t>(text[i] - '0');
      }
      --i;
    } else {
      for (int d = 0; d < digits; ++d) {
        code = code * 16 + static_cast<uint32_t>(HexValue(text[++i]));
      }
    }
    // \x and octal ones are bytes, the others are characters.
    if (c == 'u' || c == 'U') {
      AppendUtf8(code, out);
    } else {
      out += static_cast<char>(code);
    }
  }
  return out;
}

double ToSeconds(Duration d) {
  return static_cast<double>(d.ms / 1000) +
         static_cast<double>(d.ms % 1000) / 1e3;
}

Duration FromSeconds(double seconds) {
  constexpr double kLimit = 9223372036854775807.0;
  const double nanos = std::round(seconds * 1e9);
  if (std::isnan(nanos)) return Duration(0);
  if (nanos >= kLimit) return Duration(kMaxMillis / 1000000);
  if (nanos <= -kLimit) return Duration(kMinMillis / 1000000);
  return Duration(static_cast<int64_t>(nanos) / 1000000);
}

bool SecondsOutOfRange(double seconds) {
  constexpr double kLimit = 9223372036854775808.0 / 1e9;
  return !(seconds <= kLimit && seconds >= -kLimit);
}

}  // namespace narthex::promql
