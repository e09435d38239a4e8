#include "narthex/base/time.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "narthex/base/status.h"

namespace narthex {
namespace {

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

struct Unit {
  std::string_view name;
  int64_t ms;
  bool only_if_exact;  // printed only if nothing is left over
};
constexpr Unit kUnits[] = {
    {"y", 365 * kDay, true}, {"w", 7 * kDay, true}, {"d", kDay, false},
    {"h", kHour, false},     {"m", kMinute, false}, {"s", kSecond, false},
    {"ms", 1, false},
};
// Go counts nanoseconds in 63 bits, so users can't say more than 292 years.
constexpr int64_t kMaxDuration = kMaxMillis / 1'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Quoting of plain text as users see it in messages.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Seconds as a float, with an optional exponent.
bool ParseNumber(std::string_view text, double& out) {
  if (text.empty()) return false;
  std::string_view digits = text;
  if (digits.front() == '+') {
    digits.remove_prefix(1);
    if (digits.empty() || digits.front() == '-') return false;
  }
  const char* const end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, out);
  return result.ec == std::errc() && result.ptr == end;
}

// Days from 1970-01-01 to the first of March of `year` shifted so that the leap
// day is the year's last one.
int64_t DaysFromCivil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto yoe = static_cast<unsigned>(year - era * 400);
  const unsigned doy =
      (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<int64_t>(doe) - 719468;
}

struct Civil {
  int64_t year = 0;
  unsigned month = 0;
  unsigned day = 0;
};

Civil CivilFromDays(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto doe = static_cast<unsigned>(days - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  const int64_t year =
      static_cast<int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0);
  return {year, month, doy - (153 * mp + 2) / 5 + 1};
}

// Exactly `n` digits; -1 if there are others.
int Digits(std::string_view& text, size_t n) {
  if (text.size() < n) return -1;
  int x = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!IsDigit(text[i])) return -1;
    x = x * 10 + (text[i] - '0');
  }
  text.remove_prefix(n);
  return x;
}

bool Eat(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

int DaysOfMonth(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool ParseRfc3339(std::string_view text, Timestamp& out) {
  const int year = Digits(text, 4);
  if (year < 0 || !Eat(text, '-')) return false;
  const int month = Digits(text, 2);
  if (month < 1 || month > 12 || !Eat(text, '-')) return false;
  const int day = Digits(text, 2);
  if (day < 1 || day > DaysOfMonth(year, month) || !Eat(text, 'T')) {
    return false;
  }
  const int hour = Digits(text, 2);
  if (hour < 0 || hour > 23 || !Eat(text, ':')) return false;
  const int minute = Digits(text, 2);
  if (minute < 0 || minute > 59 || !Eat(text, ':')) return false;
  const int second = Digits(text, 2);
  if (second < 0 || second > 59) return false;
  int64_t fraction_ms = 0;
  if (Eat(text, '.')) {
    size_t n = 0;
    int64_t scale = 100;
    while (n < text.size() && IsDigit(text[n])) {
      fraction_ms += (text[n] - '0') * scale;
      scale /= 10;
      ++n;
    }
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  int64_t zone_minutes = 0;
  if (!Eat(text, 'Z')) {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
    const int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    const int zone_hour = Digits(text, 2);
    if (zone_hour < 0 || zone_hour > 24 || !Eat(text, ':')) return false;
    const int zone_minute = Digits(text, 2);
    if (zone_minute < 0 || zone_minute > 60) return false;
    zone_minutes = sign * (zone_hour * 60 + zone_minute);
  }
  if (!text.empty()) return false;
  const int64_t days = DaysFromCivil(year, static_cast<unsigned>(month),
                                     static_cast<unsigned>(day));
  out = days * kDay + hour * kHour + (minute - zone_minutes) * kMinute +
        second * kSecond + fraction_ms;
  return true;
}

void AppendPadded(int64_t x, int width, std::string& out) {
  const std::string digits = std::to_string(x);
  for (auto n = static_cast<int>(digits.size()); n < width; ++n) out += '0';
  out += digits;
}

// What is left of a second, without trailing zeros; nothing if it is zero.
void AppendMillis(int64_t ms, std::string& out) {
  if (ms == 0) return;
  out += '.';
  AppendPadded(ms, 3, out);
  while (out.back() == '0') out.pop_back();
}

}  // namespace

absl::StatusOr<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration();
  if (text.empty()) return InvalidArgument("empty duration string");
  auto invalid = [text] {
    return InvalidArgument(
        StrCat("not a valid duration string: ", Quoted(text)));
  };
  int64_t total = 0;
  bool too_large = false;
  size_t unit = 0;  // the first one that may still follow
  for (std::string_view rest = text; !rest.empty();) {
    size_t digits = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    if (digits == 0) return invalid();
    int64_t n = 0;
    if (std::from_chars(rest.data(), rest.data() + digits, n).ec !=
        std::errc()) {
      n = kMaxMillis;
    }
    rest.remove_prefix(digits);
    size_t letters = 0;
    while (letters < rest.size() && !IsDigit(rest[letters])) ++letters;
    const std::string_view name = rest.substr(0, letters);
    while (unit < std::size(kUnits) && kUnits[unit].name != name) ++unit;
    if (unit == std::size(kUnits)) {
      const bool known =
          std::any_of(std::begin(kUnits), std::end(kUnits),
                      [name](const Unit& u) { return u.name == name; });
      if (known || letters == 0) return invalid();
      return InvalidArgument(
          StrCat("unknown unit ", Quoted(name), " in duration ", Quoted(text)));
    }
    rest.remove_prefix(letters);
    total = SaturatingAdd(total, SaturatingMul(n, kUnits[unit].ms));
    if (total > kMaxDuration) too_large = true;
    ++unit;
  }
  if (too_large) return InvalidArgument("duration out of range");
  return Duration(total);
}

std::string FormatDuration(Duration d) {
  if (d.ms == 0) return "0s";
  std::string out;
  // Unsigned, so that the least int64 has an absolute value.
  uint64_t left = static_cast<uint64_t>(d.ms);
  if (d.ms < 0) {
    out += '-';
    left = 0 - left;
  }
  for (const Unit& unit : kUnits) {
    const auto ms = static_cast<uint64_t>(unit.ms);
    if (left < ms || (unit.only_if_exact && left % ms != 0)) continue;
    StrAppend(&out, left / ms, unit.name);
    left %= ms;
  }
  return out;
}

absl::StatusOr<Timestamp> ParseTime(std::string_view text) {
  double seconds = 0;
  if (ParseNumber(text, seconds)) {
    double whole = 0;
    const double fraction = std::modf(seconds, &whole);
    const double ms = std::round(fraction * 1000);
    // Beyond these the product would leave int64.
    if (std::isfinite(seconds) && whole < 9.2e15 && whole > -9.2e15) {
      return Timestamp(static_cast<int64_t>(whole) * 1000 +
                       static_cast<int64_t>(ms));
    }
  }
  Timestamp t;
  if (ParseRfc3339(text, t)) return t;
  // How Go prints the ends of its time, which clients send back for "all".
  if (text == "-292273086-05-16T16:47:06Z") return kMinTime;
  if (text == "292277025-08-18T07:12:54.999999999Z" ||
      text == "292277025-08-18T07:12:54.999Z") {
    return kMaxTime;
  }
  return InvalidArgument(
      StrCat("cannot parse ", Quoted(text), " to a valid timestamp"));
}

absl::StatusOr<Duration> ParseDurationOrSeconds(std::string_view text) {
  double seconds = 0;
  if (ParseNumber(text, seconds) && !std::isnan(seconds)) {
    const double nanos = seconds * 1e9;
    if (nanos > 9223372036854775807.0 || nanos < -9223372036854775808.0) {
      return InvalidArgument(StrCat("cannot parse ", Quoted(text),
                                    " to a valid duration. It overflows "
                                    "int64"));
    }
    return Duration(static_cast<int64_t>(nanos / 1e6));
  }
  absl::StatusOr<Duration> d = ParseDuration(text);
  if (d.ok()) return d;
  return InvalidArgument(
      StrCat("cannot parse ", Quoted(text), " to a valid duration"));
}

std::string FormatRfc3339(Timestamp t) {
  int64_t days = t.ms / kDay;
  int64_t ms = t.ms % kDay;
  if (ms < 0) {
    ms += kDay;
    --days;
  }
  const Civil civil = CivilFromDays(days);
  std::string out;
  if (civil.year < 0) out += '-';
  AppendPadded(civil.year < 0 ? -civil.year : civil.year, 4, out);
  out += '-';
  AppendPadded(civil.month, 2, out);
  out += '-';
  AppendPadded(civil.day, 2, out);
  out += 'T';
  AppendPadded(ms / kHour, 2, out);
  out += ':';
  AppendPadded(ms / kMinute % 60, 2, out);
  out += ':';
  AppendPadded(ms / kSecond % 60, 2, out);
  AppendMillis(ms % kSecond, out);
  out += 'Z';
  return out;
}

std::string FormatSeconds(Timestamp t) {
  std::string out;
  uint64_t ms = static_cast<uint64_t>(t.ms);
  if (t.ms < 0) {
    out += '-';
    ms = 0 - ms;
  }
  StrAppend(&out, ms / 1000);
  AppendMillis(static_cast<int64_t>(ms % 1000), out);
  return out;
}

}  // namespace narthex
