// The bodies of lane_walk.h, for one instruction set: the includer defines
// NARTHEX_LANE_WIDTH, doubles in a register, and is compiled for it.  All is
// local to the including file, and nothing of the standard library is called:
// no inline function compiled for a wide machine may end up in the program at
// large.
//
// Pure; any thread.

#pragma once

#include "libpromql/func/lane_walk.h"

namespace narthex::promql {
namespace {

constexpr int kWidth = NARTHEX_LANE_WIDTH;
using Lanes = double __attribute__((vector_size(8 * kWidth)));
using LaneMask = int64_t __attribute__((vector_size(8 * kWidth)));

inline __attribute__((always_inline)) void Magnitude(const Lanes& x,
                                                     Lanes& out) {
  const LaneMask sign = LaneMask{} + INT64_MAX;
  out = (Lanes)((LaneMask)x & sign);
}

// Without a look for infinities: those show in the end.
inline __attribute__((always_inline)) void Kahan(const Lanes& x, Lanes& sum,
                                                 Lanes& c) {
  const Lanes t = sum + x;
  Lanes a, b;
  Magnitude(sum, a);
  Magnitude(x, b);
  const LaneMask larger = a >= b;
  const Lanes first = larger ? sum : x;
  const Lanes second = larger ? x : sum;
  c += (first - t) + second;
  sum = t;
}

struct SumBody {
  static constexpr int kFields = 2;
  static constexpr int kSharedFields = 0;
  static constexpr bool kTimes = false;
  static __attribute__((always_inline)) void Step(Lanes* s, const Lanes*,
                                                  const Lanes& v,
                                                  const Lanes&) {
    Kahan(v, s[0], s[1]);
  }
};

struct VarianceBody {
  static constexpr int kFields = 5;
  static constexpr int kSharedFields = 0;
  static constexpr bool kTimes = false;
  static __attribute__((always_inline)) void Step(Lanes* s, const Lanes*,
                                                  const Lanes& v,
                                                  const Lanes&) {
    s[0] += 1.0;
    const Lanes delta = v - (s[1] + s[2]);
    Kahan(delta / s[0], s[1], s[2]);
    Kahan(delta * (v - (s[1] + s[2])), s[3], s[4]);
  }
};

struct SmoothingBody {
  static constexpr int kFields = 3;
  static constexpr int kSharedFields = 2;  // the factors
  static constexpr bool kTimes = false;
  static __attribute__((always_inline)) void Step(Lanes* s, const Lanes* factor,
                                                  const Lanes& v,
                                                  const Lanes&) {
    const Lanes x = factor[0] * v;
    const Lanes moved = factor[1] * (s[1] - s[0]);
    const Lanes kept = (1.0 - factor[1]) * s[2];
    s[2] = moved + kept;
    const Lanes y = (1.0 - factor[0]) * (s[1] + s[2]);
    s[0] = s[1];
    s[1] = x + y;
  }
};

struct LineBody {
  static constexpr int kFields = 12;
  static constexpr int kSharedFields = 0;
  static constexpr bool kTimes = true;
  static __attribute__((always_inline)) void Step(Lanes* s, const Lanes*,
                                                  const Lanes& y,
                                                  const Lanes& t) {
    const Lanes one = Lanes{} + 1.0;
    s[2] = y != s[1] ? one : s[2];
    s[3] += 1.0;
    const Lanes x = (t - s[0]) / 1e3;
    Kahan(x, s[4], s[5]);
    Kahan(y, s[6], s[7]);
    Kahan(x * y, s[8], s[9]);
    Kahan(x * x, s[10], s[11]);
  }
};

inline __attribute__((always_inline)) void Load(const double* from,
                                                Lanes& out) {
  __builtin_memcpy(&out, from, sizeof(out));
}

// kAdjacent: the lanes begin at neighbouring samples, one load takes them all.
template <typename Body, int kRegisters, bool kAdjacent>
void Walk(const LaneInput& in, double* state) {
  constexpr int kLaneCount = kRegisters * kWidth;
  Lanes s[kRegisters][Body::kFields];
#pragma GCC unroll 16
  for (int r = 0; r < kRegisters; ++r) {
#pragma GCC unroll 16
    for (int f = 0; f < Body::kFields; ++f) {
      Load(state + f * kLaneCount + r * kWidth, s[r][f]);
    }
  }
  // Behind the others: fields that are the same in every lane.
  Lanes shared[Body::kSharedFields + 1] = {};
  for (int f = 0; f < Body::kSharedFields; ++f) {
    Load(state + (Body::kFields + f) * kLaneCount, shared[f]);
  }
  for (uint32_t i = 0; i < in.n; ++i) {
#pragma GCC unroll 16
    for (int r = 0; r < kRegisters; ++r) {
      Lanes v, t = {};
      if (kAdjacent) {
        Load(in.v + in.at[0] + i + r * kWidth, v);
        if (Body::kTimes) Load(in.t + in.at[0] + i + r * kWidth, t);
      } else {
#pragma GCC unroll 8
        for (int l = 0; l < kWidth; ++l) {
          const uint32_t at = in.at[r * kWidth + l] + i;
          v[l] = in.v[at];
          if (Body::kTimes) t[l] = in.t[at];
        }
      }
      Body::Step(s[r], shared, v, t);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRegisters; ++r) {
#pragma GCC unroll 16
    for (int f = 0; f < Body::kFields; ++f) {
      __builtin_memcpy(state + f * kLaneCount + r * kWidth, &s[r][f],
                       sizeof(Lanes));
    }
  }
}

template <typename Body, int kRegisters>
void Run(const LaneInput& in, double* state) {
  bool adjacent = true;
  for (int l = 1; l < kRegisters * kWidth; ++l) {
    adjacent = adjacent && in.at[l] == in.at[l - 1] + 1;
  }
  if (adjacent) {
    Walk<Body, kRegisters, true>(in, state);
  } else {
    Walk<Body, kRegisters, false>(in, state);
  }
}

template <typename Body, int kRegisters>
LaneWalk Make() {
  return {kRegisters * kWidth, &Run<Body, kRegisters>};
}

// As many registers at work as there is room for their states; what waits for
// its own last result needs many.
LaneWalk WalkOf(LaneKernel kernel) {
  constexpr bool kWide = kWidth == 8;
  switch (kernel) {
    case LaneKernel::kSum:
      return Make<SumBody, 4>();
    case LaneKernel::kVariance:
      return Make < VarianceBody, kWide ? 4 : 2 > ();
    case LaneKernel::kSmoothing:
      return Make < SmoothingBody, kWide ? 8 : 4 > ();
    case LaneKernel::kLine:
      return Make < LineBody, kWide ? 2 : 1 > ();
  }
  return {};
}

}  // namespace
}  // namespace narthex::promql
