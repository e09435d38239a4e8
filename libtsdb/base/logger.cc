#include "narthex/base/logger.h"

#include <unistd.h>

#include "narthex/base/clock.h"
#include "narthex/base/time.h"

namespace narthex {
namespace {

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarn:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  return "INFO";
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= ' ' || u >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void AppendValue(std::string_view text, std::string& out) {
  if (!NeedsQuotes(text)) {
    out += text;
    return;
  }
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (u < ' ' || u == 0x7f) {
      out += "\\x";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// Three decimals always, so that lines stand below one another.
std::string LogTime() {
  std::string text = FormatRfc3339(Clock::System()->Now());
  const size_t dot = text.find('.');
  if (dot == std::string::npos) {
    text.insert(text.size() - 1, ".000");
  } else {
    while (text.size() - dot < 5) text.insert(text.size() - 1, "0");
  }
  return text;
}

class StderrLogger final : public Logger {
 public:
  explicit StderrLogger(LogLevel least) : least_(least) {}

  void Write(LogLevel level, std::string_view message,
             std::span<const LogField> fields) override {
    if (level < least_) return;
    std::string line = "time=" + LogTime() + " level=";
    line += LevelName(level);
    line += " msg=";
    AppendValue(message, line);
    for (const LogField& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      AppendValue(field.value, line);
    }
    line += '\n';
    // One write per line, so that threads and processes don't mix theirs.
    [[maybe_unused]] const ssize_t written =
        ::write(STDERR_FILENO, line.data(), line.size());
  }

 private:
  const LogLevel least_;
};

}  // namespace

std::unique_ptr<Logger> NewStderrLogger(LogLevel least) {
  return std::make_unique<StderrLogger>(least);
}

}  // namespace narthex
