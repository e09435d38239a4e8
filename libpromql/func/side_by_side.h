// Windows that can't be slid exactly are walked anew at every step; several of
// them are walked side by side, one a lane, so that the chains of dependent
// additions overlap.  Every lane does what a lone walk would do, bit for bit.
//
// Pure; any thread.

#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "libpromql/func/function.h"

namespace narthex::promql {

// Two doubles in a register, as gcc and clang have them.
using Pair = double __attribute__((vector_size(16)));
using PairMask = int64_t __attribute__((vector_size(16)));

inline double Abs(double x) { return std::fabs(x); }
inline Pair Abs(Pair x) {
  const PairMask magnitude = {std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::max()};
  return (Pair)((PairMask)x & magnitude);
}
inline double Select(bool mask, double a, double b) { return mask ? a : b; }
inline Pair Select(PairMask mask, Pair a, Pair b) {
  return (Pair)((mask & (PairMask)a) | (~mask & (PairMask)b));
}

// KahanSum::Add of kahan.h for one or two lanes.
template <typename T>
void KahanAdd(T x, T& sum, T& c) {
  const T t = sum + x;
  const auto larger = Abs(sum) >= Abs(x);
  const T first = Select(larger, sum, x);
  const T second = Select(larger, x, sum);
  const T next = c + ((first - t) + second);
  const T infinity = T{} + std::numeric_limits<double>::infinity();
  c = Select(Abs(t) == infinity, T{}, next);
  sum = t;
}

// A Kernel has
//   kFields               doubles of state
//   kPairs                pairs of lanes that fit the registers
//   kFirst                samples that Start looks at
//   Start(k)              -> std::array<double, kFields>
//   Step(state, v, t)     the next sample, T = double or Pair; t in ms
//   Finish(k, state)      hands over the result
// Windows of fewer than kFirst samples must not be among `steps`.
template <typename Kernel>
class SideBySide {
 public:
  SideBySide(Kernel& kernel, const SeriesWindows& in)
      : kernel_(kernel), in_(in) {}

  void Run(std::span<const uint32_t> steps) {
    size_t i = 0;
    for (; i + kLanes <= steps.size(); i += kLanes) RunGroup(&steps[i]);
    for (; i < steps.size(); ++i) {
      const uint32_t k = steps[i];
      State<double> state = kernel_.Start(k);
      Walk(state, in_.lo[k] + Kernel::kFirst, in_.hi[k]);
      kernel_.Finish(k, state);
    }
  }

 private:
  static constexpr size_t kLanes = 2 * Kernel::kPairs;
  template <typename T>
  using State = std::array<T, Kernel::kFields>;

  void Walk(State<double>& state, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; ++i) {
      kernel_.Step(state, in_.v[i], static_cast<double>(in_.t[i].ms));
    }
  }

  void RunGroup(const uint32_t* steps) {
    std::array<State<double>, kLanes> lanes;
    std::array<uint32_t, kLanes> at;
    uint32_t common = std::numeric_limits<uint32_t>::max();
    for (size_t l = 0; l < kLanes; ++l) {
      lanes[l] = kernel_.Start(steps[l]);
      at[l] = in_.lo[steps[l]] + Kernel::kFirst;
      common = std::min(common, in_.hi[steps[l]] - at[l]);
    }
    std::array<State<Pair>, Kernel::kPairs> pairs;
    for (size_t p = 0; p < Kernel::kPairs; ++p) {
      for (size_t f = 0; f < Kernel::kFields; ++f) {
        pairs[p][f] = Pair{lanes[2 * p][f], lanes[2 * p + 1][f]};
      }
    }
    const double* const v = in_.v.data();
    const Timestamp* const t = in_.t.data();
    for (uint32_t i = 0; i < common; ++i) {
      for (size_t p = 0; p < Kernel::kPairs; ++p) {
        const uint32_t a = at[2 * p] + i, b = at[2 * p + 1] + i;
        kernel_.Step(
            pairs[p], Pair{v[a], v[b]},
            Pair{static_cast<double>(t[a].ms), static_cast<double>(t[b].ms)});
      }
    }
    for (size_t l = 0; l < kLanes; ++l) {
      for (size_t f = 0; f < Kernel::kFields; ++f) {
        lanes[l][f] = pairs[l / 2][f][l % 2];
      }
      Walk(lanes[l], at[l] + common, in_.hi[steps[l]]);
      kernel_.Finish(steps[l], lanes[l]);
    }
  }

  Kernel& kernel_;
  const SeriesWindows& in_;
};

}  // namespace narthex::promql
