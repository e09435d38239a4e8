#include "libpromql/func/lane_walk.h"

#include <array>

namespace narthex::promql {
namespace {

bool HasAvx2() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

bool HasAvx512() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

std::array<LaneWalks, kLaneKernels> FindAll() {
  std::array<LaneWalks, kLaneKernels> all;
  for (size_t k = 0; k < kLaneKernels; ++k) {
    LaneWalk* next = all[k].walks;
    const LaneKernel kernel = static_cast<LaneKernel>(k);
    if (HasAvx512()) *next = Avx512LaneWalk(kernel);
    if (next->run != nullptr) ++next;
    if (HasAvx2()) *next = Avx2LaneWalk(kernel);
  }
  return all;
}

}  // namespace

const LaneWalks& FindLaneWalks(LaneKernel kernel) {
  static const std::array<LaneWalks, kLaneKernels> all = FindAll();
  return all[static_cast<size_t>(kernel)];
}

}  // namespace narthex::promql
