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

// "<path>.corrupt-<now in ms>", or the next such name that is free: where what
// is damaged is kept.
std::string AsidePath(Env& env, const std::string& path, Timestamp now);

}  // namespace narthex::tsdb::wal
