// The queries of W4 and W4F, as the peer's program has them.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace narthex::bench {

constexpr int64_t kRangeInterval = 10000;    // ms between samples and steps
constexpr int kRangeSamples = 8640 + 10000;  // of every series

struct RangeCase {
  std::string query = {};
  int steps = 0;
};
// Ending at the last sample, a step per sample.
std::vector<RangeCase> RangeCases();

extern const std::vector<const char*> kInstantCases;
extern const std::vector<const char*> kHistogramCases;
extern const std::vector<const char*> kFleetCases;

}  // namespace narthex::bench
