// Compiled for avx2 where the compiler can (CMakeLists.txt); run only where the
// processor has it.

#include "libpromql/func/lane_walk.h"

#ifdef __AVX2__
#define NARTHEX_LANE_WIDTH 4
#include "libpromql/func/lane_walk_body.h"
#endif

namespace narthex::promql {

#ifdef __AVX2__
LaneWalk Avx2LaneWalk(LaneKernel kernel) { return WalkOf(kernel); }
#else
LaneWalk Avx2LaneWalk(LaneKernel) { return {}; }
#endif

}  // namespace narthex::promql
