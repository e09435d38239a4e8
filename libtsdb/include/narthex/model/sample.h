// One float sample, and the two NaNs that Prometheus knows.
//
// A stale marker is told by its bits alone.  It is a signalling NaN: test it
// before any arithmetic, and move it as an integer where a copy may quieten it.

#pragma once

#include <bit>
#include <cstdint>

#include "narthex/base/time.h"

namespace narthex {

inline constexpr uint64_t kStaleNaNBits = 0x7ff0000000000002;
inline constexpr uint64_t kNormalNaNBits = 0x7ff8000000000001;

inline uint64_t Bits(double v) { return std::bit_cast<uint64_t>(v); }
inline double FromBits(uint64_t bits) { return std::bit_cast<double>(bits); }
inline double StaleNaN() { return FromBits(kStaleNaNBits); }
inline double NormalNaN() { return FromBits(kNormalNaNBits); }
inline bool IsStale(double v) { return Bits(v) == kStaleNaNBits; }

enum class SampleKind : uint8_t { kNone = 0, kFloat, kHistogram };

struct Sample {
  Timestamp t = 0;
  double v = 0;
};

}  // namespace narthex
