// Histograms for the tests of what stores them: made from a seed, growing as
// counters do, with buckets that appear, vanish and fall.
//
// One thread.

#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "test/support/hex.h"

namespace narthex::tsdb {

// A native histogram as counts by bucket index: what spans and deltas mean.
struct BucketModel {
  int32_t schema = 0;
  double zero_threshold = 0;
  uint64_t zero_count = 0;
  double sum = 0;
  std::map<int32_t, uint64_t> positive;
  std::map<int32_t, uint64_t> negative;
  CounterResetHint hint = CounterResetHint::kUnknown;

  uint64_t Count() const;
  Histogram Integer() const;
  // The same with float counts, each 1/3 larger.
  FloatHistogram Float() const;
};

// A counter: each call adds observations, mostly to buckets it has.
void Observe(std::mt19937_64& random, BucketModel& h);

// A FloatHistogram's buckets with counts, by index; empty ones left out.
std::map<int32_t, double> Buckets(const FloatHistogram& h, bool positive);
FloatHistogram AsFloat(const Histogram& h);
inline const FloatHistogram& AsFloat(const FloatHistogram& h) { return h; }

}  // namespace narthex::tsdb
