// What is rare in a column of values, found without a branch per value: stale
// markers, and drops from one value to the next.  Whole runs are looked at in
// pairs; only a run that has something is looked at value by value.
//
// Pure; any thread.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "libpromql/func/side_by_side.h"
#include "narthex/model/sample.h"

namespace narthex::promql {

inline constexpr size_t kScanRun = 32;

inline Pair LoadPair(const double* from) {
  Pair pair;
  std::memcpy(&pair, from, sizeof(pair));
  return pair;
}

// A stale marker is a NaN, and other NaNs are rare as well.
inline bool AnyStale(std::span<const double> v) {
  size_t i = 0;
  for (; i + kScanRun <= v.size(); i += kScanRun) {
    PairMask nan = {};
    for (size_t j = 0; j < kScanRun; j += 2) {
      const Pair pair = LoadPair(&v[i + j]);
      nan |= pair != pair;
    }
    if ((nan[0] | nan[1]) == 0) continue;
    for (double x : v.subspan(i, kScanRun)) {
      if (IsStale(x)) return true;
    }
  }
  return std::any_of(v.begin() + static_cast<std::ptrdiff_t>(i), v.end(),
                     IsStale);
}

// Calls f(i), ascending, for all i > 0 with v[i] < v[i - 1].
template <typename F>
void ForEachDrop(std::span<const double> v, F&& f) {
  size_t i = 1;
  for (; i + kScanRun <= v.size(); i += kScanRun) {
    PairMask drop = {};
    for (size_t j = 0; j < kScanRun; j += 2) {
      drop |= LoadPair(&v[i + j]) < LoadPair(&v[i + j - 1]);
    }
    if ((drop[0] | drop[1]) == 0) continue;
    for (size_t j = i; j < i + kScanRun; ++j) {
      if (v[j] < v[j - 1]) f(j);
    }
  }
  for (; i < v.size(); ++i) {
    if (v[i] < v[i - 1]) f(i);
  }
}

}  // namespace narthex::promql
