// What start times say about counters: a sample that was counted from a moment
// after the sample before tells of a reset.
//
// Pure; any thread.

#pragma once

#include "narthex/base/time.h"

namespace narthex::promql {

struct StartedSample {
  Timestamp st = 0;  // 0: unknown
  Timestamp t = 0;
};

inline bool StartTellsReset(StartedSample before, StartedSample now) {
  if (now.st.ms == 0 || now.st >= now.t || now.st < before.t) return false;
  if (now.st > before.t) return true;
  // It begins where the one before ended: deltas do so, and so do counters
  // whose start nobody knows.  Which it is, the one before tells.
  return before.st <= before.t && before.st.ms != 0 && before.st != before.t;
}

// Neither the same start nor one behind the sample before.
inline bool StartOverlaps(StartedSample before, StartedSample now) {
  return now.st.ms != 0 && now.st < before.t && now.st != before.st;
}

}  // namespace narthex::promql
