// Where narthex says what happened: a level, a message, key=value pairs.  A null
// Logger* means "say nothing"; use Log(), which knows that.
//
// Write() is called from any thread.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace narthex {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

struct LogField {
  std::string_view key = {};
  std::string_view value = {};
};

class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Write(LogLevel level, std::string_view message,
                     std::span<const LogField> fields) = 0;
};

inline void Log(Logger* logger, LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields = {}) {
  if (logger != nullptr) {
    logger->Write(level, message, {fields.begin(), fields.size()});
  }
}

// Lines as Prometheus prints them, on standard error:
//   time=2026-11-20T12:23:53.194Z level=INFO msg="..." key=value
// What is below `least` is dropped.
std::unique_ptr<Logger> NewStderrLogger(LogLevel least);

}  // namespace narthex
