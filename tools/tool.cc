#include "tools/tool.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "narthex/base/env.h"
#include "narthex/base/status.h"

namespace narthex::tools {
namespace {

int64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool WantsColors(int fd) {
  if (isatty(fd) == 0) return false;
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::strcmp(term, "dumb") != 0;
}

// "1 234 567" reads faster than "1234567".
std::string Grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ' ');
  }
  return digits;
}

// Bytes of the UTF-8 text up to `column` (1-based, in bytes), as columns of the
// terminal.
size_t VisibleWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool ReadNumber(std::string_view& text, size_t& out) {
  const char* end = text.data() + text.size();
  const auto [p, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(p - text.data()));
  return true;
}

}  // namespace

int Fail(const absl::Status& status) { return Fail(Message(status)); }

int Fail(std::string_view message) {
  Flush();
  std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()),
               message.data());
  return kFailure;
}

bool Print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
}

bool Flush() { return std::fflush(stdout) == 0; }

bool ColorsOnStdout() {
  static const bool on = WantsColors(STDOUT_FILENO);
  return on;
}

bool ColorsOnStderr() {
  static const bool on = WantsColors(STDERR_FILENO);
  return on;
}

std::string Paint(std::string_view text, std::string_view style, bool on) {
  if (!on) return std::string(text);
  return StrCat("\033[", style, "m", text, "\033[0m");
}

int TerminalWidth(int otherwise) {
  winsize size = {};
  if (isatty(STDOUT_FILENO) != 0 &&
      ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  return otherwise;
}

std::string MarkQueryError(std::string_view query, std::string_view message) {
  // "...: 1:5: parse error: ...": the first such pair of numbers is meant.
  size_t line = 0, column = 0;
  bool found = false;
  std::string_view rest = message;
  while (!rest.empty() && !found) {
    std::string_view at = rest;
    found = ReadNumber(at, line) && at.starts_with(':') &&
            (at.remove_prefix(1), ReadNumber(at, column)) &&
            at.starts_with(':') && line > 0 && column > 0;
    const size_t next = rest.find(' ');
    rest.remove_prefix(next == std::string_view::npos ? rest.size() : next + 1);
  }
  if (!found) return "";
  for (size_t i = 1; i < line; ++i) {
    const size_t end = query.find('\n');
    if (end == std::string_view::npos) return "";
    query.remove_prefix(end + 1);
  }
  query = query.substr(0, query.find('\n'));
  column = std::min(column - 1, query.size());

  // The caret sits under the first byte; tildes go on to the end of the word.
  size_t end = column;
  auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
           c == ':' || (static_cast<unsigned char>(c) & 0x80) != 0;
  };
  while (end < query.size() && is_word(query[end])) ++end;
  const size_t width =
      std::max<size_t>(1, VisibleWidth(query.substr(column, end - column)));
  std::string pad;
  for (const char c : query.substr(0, column)) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    pad.push_back(c == '\t' ? '\t' : ' ');
  }
  return StrCat(
      "  ", query, "\n  ", pad,
      Paint(StrCat("^", std::string(width - 1, '~')), "1;31", ColorsOnStderr()),
      "\n");
}

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  if (path != "-") return Env::Posix()->ReadFile(path);
  std::string text;
  char buffer[64 * 1024];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), stdin)) {
    text.append(buffer, n);
  }
  if (std::ferror(stdin) != 0) return Unavailable("can't read standard input");
  return text;
}

absl::StatusOr<Timestamp> ParseTimeFlag(std::string_view text) {
  return ParseTime(text);
}

absl::StatusOr<Duration> ParseDurationFlag(std::string_view text) {
  auto duration = ParseDuration(text);
  if (duration.ok()) return duration;
  // Go's fractions: a sum of numbers, each with its unit.
  std::string_view rest = text;
  double ms = 0;
  bool any = false;
  while (!rest.empty()) {
    const size_t digits = rest.find_first_not_of("0123456789.");
    double number = 0;
    if (digits == 0 || digits == std::string_view::npos ||
        std::from_chars(rest.data(), rest.data() + digits, number).ptr !=
            rest.data() + digits) {
      return duration;
    }
    rest.remove_prefix(digits);
    const size_t letters = rest.find_first_of("0123456789.");
    const std::string_view unit = rest.substr(0, letters);
    if (unit == "h") {
      number *= 3'600'000;
    } else if (unit == "m") {
      number *= 60'000;
    } else if (unit == "s") {
      number *= 1000;
    } else if (unit != "ms") {
      return duration;
    }
    ms += number;
    any = true;
    rest.remove_prefix(unit.size());
  }
  if (!any || ms > 9e15) return duration;
  return Duration(static_cast<int64_t>(std::llround(ms)));
}

Progress::Progress(std::string label)
    : label_(std::move(label)),
      on_(isatty(STDERR_FILENO) != 0),
      began_nanos_(NowNanos()) {}

Progress::~Progress() {
  if (!on_) return;
  absl::MutexLock lock(&mu_);
  if (drawn_nanos_ != 0) std::fputs("\r\033[K", stderr);
}

void Progress::Set(uint64_t done, uint64_t total) {
  if (!on_) return;
  absl::MutexLock lock(&mu_);
  done_ = done;
  total_ = total;
  const int64_t now = NowNanos();
  if (now - drawn_nanos_ < 100'000'000) return;
  drawn_nanos_ = now;
  Draw();
}

void Progress::Draw() {
  const double seconds = static_cast<double>(NowNanos() - began_nanos_) / 1e9;
  std::string line = StrCat("\r\033[K", label_, " ");
  if (total_ == 0) {
    line += Grouped(done_);
  } else {
    constexpr int kCells = 30;
    const double part =
        std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
    // Eighths of a cell make the bar move smoothly.
    const int eighths = static_cast<int>(part * kCells * 8);
    static constexpr const char* kEighth[] = {"",  "▏", "▎", "▍",
                                              "▌", "▋", "▊", "▉"};
    std::string bar;
    for (int i = 0; i < eighths / 8; ++i) bar += "█";
    bar += kEighth[eighths % 8];
    const int used = eighths / 8 + (eighths % 8 != 0 ? 1 : 0);
    bar.append(static_cast<size_t>(kCells - used), ' ');
    char tail[64];
    std::snprintf(tail, sizeof(tail), " %3.0f%%", part * 100);
    StrAppend(&line, Paint(bar, "36", ColorsOnStderr()), std::string(tail));
    if (part > 0.02 && seconds > 1) {
      const double left = seconds * (1 - part) / part;
      std::snprintf(tail, sizeof(tail), "  %.0f s left", std::ceil(left));
      line += tail;
    }
  }
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

std::function<void(tsdb::Activity, uint64_t, uint64_t)> StorageProgress() {
  struct Bars {
    absl::Mutex mu;
    std::array<std::unique_ptr<Progress>, 2> bars ABSL_GUARDED_BY(mu);
  };
  return [bars = std::make_shared<Bars>()](tsdb::Activity activity,
                                           uint64_t done, uint64_t total) {
    const auto i = static_cast<size_t>(activity);
    absl::MutexLock lock(&bars->mu);
    std::unique_ptr<Progress>& bar = bars->bars[i];
    if (done >= total) {
      bar = nullptr;
      return;
    }
    if (bar == nullptr) {
      bar = std::make_unique<Progress>(i == 0 ? "replaying the log"
                                              : "writing a block");
    }
    bar->Set(done, total);
  };
}

AboveBars::AboveBars(Logger& out)
    : out_(out), on_(isatty(STDERR_FILENO) != 0) {}

void AboveBars::Write(LogLevel level, std::string_view message,
                      std::span<const LogField> fields) {
  if (on_) std::fputs("\r\033[K", stderr);
  out_.Write(level, message, fields);
}

}  // namespace narthex::tools
