// Checks every file of a data directory against what docs/format says of it,
// and mends what can be mended.
//
// Nothing is ever deleted: a damaged block is written anew from what is whole
// and kept beside under another name, as a damaged log is.  A function; nobody
// else may write to the directory meanwhile.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/logger.h"

namespace narthex::tsdb {

struct Problem {
  std::string file = {};
  uint64_t offset = 0;
  std::string what = {};
};

struct VerifyReport {
  std::vector<Problem> problems = {};
  // What was done about them, a line each; empty without `repair`.
  std::vector<std::string> repairs = {};
  uint64_t blocks = 0;
  uint64_t series = 0;  // in blocks
  uint64_t chunks = 0;  // in blocks and chunks_head
  uint64_t samples = 0;
  uint64_t log_records = 0;
  uint64_t bytes = 0;  // read
  bool ok() const { return problems.empty(); }
};

struct VerifyOptions {
  Env* env = Env::Posix();
  Clock* clock = Clock::System();
  Logger* logger = nullptr;
  bool repair = false;
  // Problems beyond so many are counted as one.
  size_t max_problems = 1000;
};

// `dir` is a data directory, a snapshot, or one block.  An error only if the
// directory can't be read at all, or a repair could not be written.
absl::StatusOr<VerifyReport> Verify(const std::string& dir,
                                    const VerifyOptions& options = {});

}  // namespace narthex::tsdb
