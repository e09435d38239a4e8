// Points and spans of time, in whole milliseconds, as Prometheus counts them.
//
// Values; any thread.  Arithmetic saturates at the ends of int64 instead of
// overflowing, because users hand in times such as "the earliest there is".

#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace narthex {

// A span of time in milliseconds; negative ones are legal.
struct Duration {
  int64_t ms = 0;

  constexpr Duration() = default;
  constexpr explicit Duration(int64_t milliseconds) : ms(milliseconds) {}
  constexpr double seconds() const { return static_cast<double>(ms) / 1000.0; }
  friend constexpr auto operator<=>(Duration, Duration) = default;
};

// Milliseconds since 1970-01-01 UTC.  Made from a bare number without ceremony:
// a sample's time is a number wherever it comes from.
struct Timestamp {
  int64_t ms = 0;

  constexpr Timestamp() = default;
  constexpr Timestamp(int64_t milliseconds) : ms(milliseconds) {}  // NOLINT
  friend constexpr auto operator<=>(Timestamp, Timestamp) = default;
};

inline constexpr int64_t kMinMillis = std::numeric_limits<int64_t>::min();
inline constexpr int64_t kMaxMillis = std::numeric_limits<int64_t>::max();
inline constexpr Timestamp kMinTime = kMinMillis;
inline constexpr Timestamp kMaxTime = kMaxMillis;

constexpr int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? kMaxMillis : kMinMillis;
}
constexpr int64_t SaturatingSub(int64_t a, int64_t b) {
  int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b < 0 ? kMaxMillis : kMinMillis;
}
constexpr int64_t SaturatingMul(int64_t a, int64_t b) {
  int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) == (b < 0) ? kMaxMillis : kMinMillis;
}

constexpr Duration Milliseconds(int64_t n) { return Duration(n); }
constexpr Duration Seconds(int64_t n) {
  return Duration(SaturatingMul(n, 1000));
}
constexpr Duration Minutes(int64_t n) {
  return Duration(SaturatingMul(n, 60 * 1000));
}
constexpr Duration Hours(int64_t n) {
  return Duration(SaturatingMul(n, 3600 * 1000));
}
constexpr Duration Days(int64_t n) {
  return Duration(SaturatingMul(n, 24 * 3600 * 1000));
}

constexpr Duration operator+(Duration a, Duration b) {
  return Duration(SaturatingAdd(a.ms, b.ms));
}
constexpr Duration operator-(Duration a, Duration b) {
  return Duration(SaturatingSub(a.ms, b.ms));
}
constexpr Duration operator-(Duration a) {
  return Duration(SaturatingSub(0, a.ms));
}
constexpr Duration operator*(Duration a, int64_t n) {
  return Duration(SaturatingMul(a.ms, n));
}
constexpr Duration operator/(Duration a, int64_t n) {
  return Duration(a.ms / n);
}
constexpr Timestamp operator+(Timestamp t, Duration d) {
  return SaturatingAdd(t.ms, d.ms);
}
constexpr Timestamp operator-(Timestamp t, Duration d) {
  return SaturatingSub(t.ms, d.ms);
}
constexpr Duration operator-(Timestamp a, Timestamp b) {
  return Duration(SaturatingSub(a.ms, b.ms));
}

// Both ends belong to it, as in chunks and queries.  (A block's own range is
// half open; it says so where it is.)
struct TimeRange {
  Timestamp min = kMinTime;
  Timestamp max = kMaxTime;

  constexpr bool Contains(Timestamp t) const { return min <= t && t <= max; }
  constexpr bool Overlaps(TimeRange other) const {
    return min <= other.max && other.min <= max;
  }
  friend constexpr bool operator==(TimeRange, TimeRange) = default;
};

// Prometheus's duration text: "1h30m", "90s", "1y2w3d4h5m6s7ms", "0".  Each unit
// at most once, in that order.  Errors are Prometheus's: `empty duration
// string`, `not a valid duration string: "x"`, `duration out of range`.
absl::StatusOr<Duration> ParseDuration(std::string_view text);
// The shortest such text: "1h30m", "0s"; y and w only if nothing is left over,
// as Prometheus prints it.  Negative ones get a minus sign.
std::string FormatDuration(Duration d);

// The HTTP API's time: float seconds ("1795177652.194") or RFC 3339 with up to
// nanoseconds, cut to milliseconds.
absl::StatusOr<Timestamp> ParseTime(std::string_view text);
// The HTTP API's duration: float seconds or Prometheus's duration text.
absl::StatusOr<Duration> ParseDurationOrSeconds(std::string_view text);
// "2026-11-20T12:23:53.194Z"; without the fraction if it is zero.
std::string FormatRfc3339(Timestamp t);
// Seconds with as many decimals as needed: "1795177652.194", "12", "-0.001".
std::string FormatSeconds(Timestamp t);

}  // namespace narthex
