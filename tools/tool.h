// What the verbs share: exit codes, errors on standard error, colours and
// progress bars that vanish in pipes, times as people write them.
//
// A verb is one file: its options, one call into a library, its output.  It
// offers an Add function (listed in verbs.h, called in main.cc) that puts its
// sub-command under a parent and, when that sub-command is chosen, stores the
// process's exit code.  One thread, but Progress::Set, which any thread may
// call.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"
#include "narthex/tsdb/options.h"

namespace narthex::tools {

inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kLintFailure = 3;  // something to mend was found

// The status's message, a line on standard error.  Returns kFailure.
int Fail(const absl::Status& status);
int Fail(std::string_view message);

// Buffered standard output, for all that may be long; flushed at exit and by
// Flush.  false: nobody reads it any more (a closed pipe, a full disk).
bool Print(std::string_view text);
bool Flush();

// Whether standard output / error is a terminal that wants colours: NO_COLOR
// and TERM=dumb are heeded.
bool ColorsOnStdout();
bool ColorsOnStderr();
// `text` between the escape codes if `on`.  Styles: "1" bold, "2" dim, "31"
// red, "32" green, "33" yellow, "36" cyan, several as "1;31".
std::string Paint(std::string_view text, std::string_view style, bool on);
// Columns of the terminal that standard output is, else `otherwise`.
int TerminalWidth(int otherwise = 80);

// A PromQL error whose message begins "line:col: ": the line of the query
// that it speaks of, and below it a caret under the offending text.  "" if the
// message has no position.
std::string MarkQueryError(std::string_view query, std::string_view message);

// A whole file; "-" is standard input.
absl::StatusOr<std::string> ReadInput(const std::string& path);

// promtool's --time, --start, --end: float seconds or RFC 3339.
absl::StatusOr<Timestamp> ParseTimeFlag(std::string_view text);
// Go's time.Duration as flags take it ("1h30m", "1.5s", "90s"), days, weeks and
// years too.
absl::StatusOr<Duration> ParseDurationFlag(std::string_view text);

// A bar on standard error, redrawn ten times a second at most and wiped when
// done; nothing at all if standard error is no terminal.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `total`, in whatever unit; total 0: not known, a count is shown.
  void Set(uint64_t done, uint64_t total);

 private:
  void Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string label_;
  const bool on_;
  const int64_t began_nanos_;
  absl::Mutex mu_;
  uint64_t done_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t total_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t drawn_nanos_ ABSL_GUARDED_BY(mu_) = 0;
};

// tsdb::Options::progress with a bar for each activity while it goes on.
std::function<void(tsdb::Activity, uint64_t, uint64_t)> StorageProgress();

// Log lines for a terminal that may show a bar: it is wiped first, and comes
// back when it moves on.  `out` must outlive it.
class AboveBars final : public Logger {
 public:
  explicit AboveBars(Logger& out);
  void Write(LogLevel level, std::string_view message,
             std::span<const LogField> fields) override;

 private:
  Logger& out_;
  const bool on_;
};

}  // namespace narthex::tools
