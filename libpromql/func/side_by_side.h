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
#include <vector>

#include "libpromql/func/function.h"
#include "libpromql/func/lane_walk.h"

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

template <typename Kernel>
concept JoinsAnother = requires(Kernel k, std::array<double, Kernel::kFields> s,
                                uint32_t i) {
  k.Joined(s, i);
  k.FinishJoined(i);
};

// A Kernel has
//   kFields               doubles of state
//   kPairs                pairs of lanes that fit the registers
//   kFirst                samples that Start looks at
//   kLanes                what it is called where registers are wider
//   Start(k)              -> std::array<double, kFields>
//   Step(state, v, t)     the next sample, T = double or Pair; t in ms
//   SameLanes(a, b)       whether windows that start like this go together
//   Finish(k, state)      hands over the result
//   Joined(state, i)      optional: whether the walk that the kernel knows the
//                         end of has this very state before sample i; then
//   FinishJoined(k)       hands over what Finish would, no more is walked
// Windows of fewer than kFirst samples must not be among `steps`.
template <typename Kernel>
class SideBySide {
 public:
  SideBySide(Kernel& kernel, const SeriesWindows& in, WindowScratch& scratch)
      : kernel_(kernel), in_(in), scratch_(scratch) {}

  void Run(std::span<const uint32_t> steps) {
    if (steps.empty()) return;
    size_t i = 0;
    for (const LaneWalk& walk : FindLaneWalks(Kernel::kLanes).walks) {
      if (walk.run == nullptr) break;
      // Of few steps narrow registers are as good.
      while (steps.size() >= walk.lanes && steps.size() - i > kFew) {
        // The last group overlaps the one before: results are the same twice.
        const size_t begin = std::min(i, steps.size() - walk.lanes);
        if (in_.stop()) return;
        if (!RunWide(walk, &steps[begin])) break;
        i = begin + walk.lanes;
      }
    }
    for (; i < steps.size(); i += kNarrow) {
      if (in_.stop()) return;
      // Lanes too many do what the last one does.
      std::array<uint32_t, kNarrow> group;
      for (size_t l = 0; l < kNarrow; ++l) {
        group[l] = steps[std::min(i + l, steps.size() - 1)];
      }
      RunGroup(group);
    }
  }

 private:
  static constexpr size_t kNarrow = 2 * Kernel::kPairs;
  static constexpr size_t kFew = 8;
  template <typename T>
  using State = std::array<T, Kernel::kFields>;

  void Walk(State<double>& state, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; ++i) {
      kernel_.Step(state, in_.v[i], static_cast<double>(in_.t[i].ms));
    }
  }

  // False: not of this kind.
  bool RunWide(const LaneWalk& walk, const uint32_t* steps) {
    std::array<State<double>, kMaxLanes> begun;
    std::array<uint32_t, kMaxLanes> at;
    std::array<double, kMaxLanes * Kernel::kFields> state;
    uint32_t common = std::numeric_limits<uint32_t>::max();
    for (size_t l = 0; l < walk.lanes; ++l) {
      begun[l] = kernel_.Start(steps[l]);
      at[l] = in_.lo[steps[l]] + Kernel::kFirst;
      common = std::min(common, in_.hi[steps[l]] - at[l]);
      for (size_t f = 0; f < Kernel::kFields; ++f) {
        state[f * walk.lanes + l] = begun[l][f];
      }
    }
    if (!kernel_.SameLanes(begun[0], begun[walk.lanes - 1])) return false;
    if constexpr (JoinsAnother<Kernel>) {
      WalkUntilJoined(walk, common, at, state);
    } else {
      walk.run({in_.v.data(), Times(), at.data(), common}, state.data());
      for (size_t l = 0; l < walk.lanes; ++l) at[l] += common;
    }
    for (size_t l = 0; l < walk.lanes; ++l) {
      State<double> lane = Lane(walk, state, l);
      const uint32_t k = steps[l];
      if constexpr (JoinsAnother<Kernel>) {
        if (kernel_.Joined(lane, at[l])) {
          kernel_.FinishJoined(k);
          continue;
        }
      }
      if (std::all_of(lane.begin(), lane.end(),
                      [](double x) { return std::isfinite(x); })) {
        Walk(lane, at[l], in_.hi[k]);
      } else {
        lane = begun[l];
        Walk(lane, in_.lo[k] + Kernel::kFirst, in_.hi[k]);
      }
      kernel_.Finish(k, lane);
    }
    return true;
  }

  template <typename Fields>
  static State<double> Lane(const LaneWalk& walk, const Fields& state,
                            size_t l) {
    State<double> lane;
    for (size_t f = 0; f < Kernel::kFields; ++f) {
      lane[f] = state[f * walk.lanes + l];
    }
    return lane;
  }

  // Stretches that double, until no lane has anything new to tell.
  template <typename Lanes, typename Fields>
  void WalkUntilJoined(const LaneWalk& walk, uint32_t common, Lanes& at,
                       Fields& state) {
    for (uint32_t stretch = 32; common > 0; stretch *= 2) {
      const uint32_t n = std::min(stretch, common);
      walk.run({in_.v.data(), Times(), at.data(), n}, state.data());
      common -= n;
      bool joined = true;
      for (size_t l = 0; l < walk.lanes; ++l) {
        at[l] += n;
        joined = joined && kernel_.Joined(Lane(walk, state, l), at[l]);
      }
      if (joined) return;
    }
  }

  // Milliseconds as doubles, made once per series.
  const double* Times() {
    if (Kernel::kLanes != LaneKernel::kLine) return nullptr;
    std::vector<double>& times = scratch_.more_values;
    if (!times_made_) {
      times.resize(in_.t.size() + kMaxLanes);
      for (size_t i = 0; i < in_.t.size(); ++i) {
        times[i] = static_cast<double>(in_.t[i].ms);
      }
      times_made_ = true;
    }
    return times.data();
  }

  void RunGroup(const std::array<uint32_t, kNarrow>& steps) {
    std::array<State<double>, kNarrow> lanes;
    std::array<uint32_t, kNarrow> at;
    uint32_t common = std::numeric_limits<uint32_t>::max();
    for (size_t l = 0; l < kNarrow; ++l) {
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
    for (size_t l = 0; l < kNarrow; ++l) {
      for (size_t f = 0; f < Kernel::kFields; ++f) {
        lanes[l][f] = pairs[l / 2][f][l % 2];
      }
      if (l > 0 && steps[l] == steps[l - 1]) continue;
      Walk(lanes[l], at[l] + common, in_.hi[steps[l]]);
      kernel_.Finish(steps[l], lanes[l]);
    }
  }

  Kernel& kernel_;
  const SeriesWindows& in_;
  WindowScratch& scratch_;
  bool times_made_ = false;
};

}  // namespace narthex::promql
