// Damaged segments of a log, written anew without what is damaged.
//
// A replay ends a segment at its first damage, since a crash may have left it
// half written there, and what lies behind would be later than what is missing.
// Who repairs a directory wants every record that is whole.  A function;
// nobody else may have the log open.

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "narthex/base/env.h"
#include "narthex/base/time.h"

namespace narthex::tsdb::wal {

// Of each segment in `dir` that has damage: the file as it was becomes
// "<segment>.corrupt-<now in ms>", its whole records get its name.  `done`: a
// line for each.
absl::Status SalvageSegments(Env& env, const std::string& dir, Timestamp now,
                             std::vector<std::string>* done);

}  // namespace narthex::tsdb::wal
