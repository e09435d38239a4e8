// The native histogram with integer counts, as scraped and as stored.  Buckets
// are deltas to their neighbour, in the order of the spans.
//
// Values; one thread each.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace narthex {

class FloatHistogram;

// `length` consecutive buckets, `offset` after the end of the span before (of
// the first span: the index of its first bucket, may be negative).
struct Span {
  int32_t offset = 0;
  uint32_t length = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

enum class CounterResetHint : uint8_t {
  kUnknown = 0,
  kReset = 1,
  kNotReset = 2,
  kGauge = 3
};

inline constexpr int32_t kCustomBucketsSchema = -53;
inline constexpr int32_t kMinSchema = -4;
inline constexpr int32_t kMaxSchema = 8;

class Histogram {
 public:
  CounterResetHint hint = CounterResetHint::kUnknown;
  // -4..8: base 2^(2^-schema); kCustomBucketsSchema: bounds in custom_values.
  int32_t schema = 0;
  double zero_threshold = 0;
  uint64_t zero_count = 0;
  uint64_t count = 0;
  double sum = 0;
  std::vector<Span> positive_spans = {};
  std::vector<Span> negative_spans = {};
  std::vector<int64_t> positive_deltas = {};
  std::vector<int64_t> negative_deltas = {};
  std::vector<double> custom_values = {};

  // Prometheus's checks of a histogram that is about to be stored, its texts.
  absl::Status Validate() const;
  FloatHistogram ToFloat() const;
  // Bit for bit, with equal layouts.
  bool SameAs(const Histogram& other) const;
};

}  // namespace narthex
