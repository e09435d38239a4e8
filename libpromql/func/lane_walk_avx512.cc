// Compiled for avx512 where the compiler can (CMakeLists.txt); run only where
// the processor has it.

#include "libpromql/func/lane_walk.h"

#ifdef __AVX512DQ__
#define NARTHEX_LANE_WIDTH 8
#include "libpromql/func/lane_walk_body.h"
#endif

namespace narthex::promql {

#ifdef __AVX512DQ__
LaneWalk Avx512LaneWalk(LaneKernel kernel) { return WalkOf(kernel); }
#else
LaneWalk Avx512LaneWalk(LaneKernel) { return {}; }
#endif

}  // namespace narthex::promql
