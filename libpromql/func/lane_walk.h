// Windows that have to be walked sample by sample, a register full of them at a
// time: every lane does exactly what a lone walk would do
// (func/side_by_side.h), in the same order, on the widest registers that the
// processor has.
//
// Pure; any thread.

#pragma once

#include <cstddef>
#include <cstdint>

namespace narthex::promql {

// Which recurrence; the state's fields are those of the kernel in the file.
enum class LaneKernel : uint8_t {
  kSum,        // over_time.cc
  kVariance,   // over_time.cc
  kSmoothing,  // regression.cc; both factors the same in all lanes
  kLine        // regression.cc
};
inline constexpr size_t kLaneKernels = 4;
inline constexpr size_t kMaxLanes = 64;

struct LaneInput {
  const double* v = nullptr;
  const double* t = nullptr;  // ms; only kLine asks
  // The first sample of every lane; `n` of them in all lanes.
  const uint32_t* at = nullptr;
  uint32_t n = 0;
};

// Field f of lane l is state[f * lanes + l].  Sums that overflow are left
// wrong, and not finite: who sees that walks again.
struct LaneWalk {
  size_t lanes = 0;
  void (*run)(const LaneInput& in, double* state) = nullptr;
};

// Widest first; a null `run` ends the list.
struct LaneWalks {
  LaneWalk walks[3] = {};
};
const LaneWalks& FindLaneWalks(LaneKernel kernel);

// One per instruction set; null where it was not compiled.
LaneWalk Avx2LaneWalk(LaneKernel kernel);
LaneWalk Avx512LaneWalk(LaneKernel kernel);

}  // namespace narthex::promql
