// Runs a program and takes what it writes: for a bounded time, for a bounded
// output, with a process group of its own that is gone when Run returns.
//
// Run blocks its thread; any thread may set `cancelled` meanwhile.  The program
// reads nothing and inherits no file but its two outputs; a program without a
// slash is looked for in this process's PATH.

#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"

namespace narthex::scrape {

struct Program {
  std::string command = {};
  std::vector<std::string> args = {};  // without the command itself
  // On top of this process's environment.
  std::vector<std::pair<std::string, std::string>> env = {};
  Duration timeout = Seconds(60);
  size_t output_limit = size_t{1} << 20;  // of what it writes to its output
};

struct ProgramResult {
  int exit_code = 0;  // 128 + the signal's number if one has ended it
  std::string out = {};
  std::string err = {};  // its beginning
};

// kNotFound: there is no such program; kDeadlineExceeded, kResourceExhausted,
// kCancelled: it was ended; kUnavailable: it could not be begun.  That it says
// no by its exit code is no error here.
absl::StatusOr<ProgramResult> RunProgram(const Program& program,
                                         const std::atomic<bool>& cancelled);

}  // namespace narthex::scrape
