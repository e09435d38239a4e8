// What a difference between samples is multiplied with, to stand for the whole
// window (promql.md 1.8).
//
// Pure; any thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace narthex::promql {

// A window (begin, end] and its samples' times, in ms.
struct Sampled {
  int64_t begin = 0, end = 0;
  int64_t first_t = 0, last_t = 0;
  size_t intervals = 0;
  // The first sample is known to have been counted from zero since then.
  std::optional<int64_t> start = {};
};

struct Extrapolation {
  bool counter;
  bool per_second;
  double range_seconds;

  double Factor(const Sampled& s, double first_v, double difference) const {
    double to_end = static_cast<double>(s.end - s.last_t) / 1000;
    double sampled = static_cast<double>(s.last_t - s.first_t) / 1000;
    const double average =
        s.intervals > 0 ? sampled / static_cast<double>(s.intervals) : 0;
    const double threshold = average * 1.1;
    double to_start = 0;
    if (s.start) {
      sampled = static_cast<double>(s.last_t - *s.start) / 1000;
    } else {
      to_start = static_cast<double>(s.first_t - s.begin) / 1000;
      if (to_start >= threshold) to_start = average / 2;
      if (counter && difference > 0 && first_v >= 0) {
        // A counter can't have been below zero before its first sample.
        const double to_zero = sampled * (first_v / difference);
        if (to_zero < to_start) to_start = to_zero;
      }
    }
    if (to_end >= threshold) to_end = average / 2;
    double factor = 1;
    if (sampled != 0) factor = (sampled + to_start + to_end) / sampled;
    if (per_second) factor /= range_seconds;
    return factor;
  }
};

}  // namespace narthex::promql
