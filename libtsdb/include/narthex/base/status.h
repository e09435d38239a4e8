// Status makers that take std::string_view, two macros, and the one bridge to
// Abseil's own string_view: Debian builds Abseil with a string_view of its own,
// so text crosses from std to absl here and nowhere else.
//
// Any thread.  Damage names file and offset (CorruptAt); a user's mistake in a
// text names line and column, in the message.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace narthex {

// The same bytes as the other library's string_view.
inline absl::string_view View(std::string_view s) {
  return absl::string_view(s.data(), s.size());
}
inline std::string_view StdView(absl::string_view s) {
  return std::string_view(s.data(), s.size());
}

// absl::StrCat, with std::string_view among its arguments.
template <typename... Args>
std::string StrCat(const Args&... args) {
  auto bridge = [](const auto& arg) -> decltype(auto) {
    using Arg = std::decay_t<decltype(arg)>;
    if constexpr (std::is_same_v<Arg, std::string_view>) {
      return View(arg);
    } else {
      return (arg);
    }
  };
  return absl::StrCat(bridge(args)...);
}
template <typename... Args>
void StrAppend(std::string* out, const Args&... args) {
  auto bridge = [](const auto& arg) -> decltype(auto) {
    using Arg = std::decay_t<decltype(arg)>;
    if constexpr (std::is_same_v<Arg, std::string_view>) {
      return View(arg);
    } else {
      return (arg);
    }
  };
  absl::StrAppend(out, bridge(args)...);
}

// For hash tables with std::string keys that are asked with std::string_view.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const {
    return std::hash<std::string_view>{}(s);
  }
};
struct StringEq {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    return a == b;
  }
};

inline absl::Status MakeStatus(absl::StatusCode code, std::string_view text) {
  return absl::Status(code, View(text));
}
// What the caller handed in can't be right: bad text, bad option.
inline absl::Status InvalidArgument(std::string_view text) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, text);
}
inline absl::Status NotFound(std::string_view text) {
  return MakeStatus(absl::StatusCode::kNotFound, text);
}
inline absl::Status AlreadyExists(std::string_view text) {
  return MakeStatus(absl::StatusCode::kAlreadyExists, text);
}
// The call is right, the time or the place is not: locked, closed, read-only.
inline absl::Status FailedPrecondition(std::string_view text) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, text);
}
// A budget or limit refused, or the disk is full.
inline absl::Status ResourceExhausted(std::string_view text) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, text);
}
inline absl::Status OutOfRange(std::string_view text) {
  return MakeStatus(absl::StatusCode::kOutOfRange, text);
}
inline absl::Status Unimplemented(std::string_view text) {
  return MakeStatus(absl::StatusCode::kUnimplemented, text);
}
// A bug of ours; never the answer to bad input.
inline absl::Status Internal(std::string_view text) {
  return MakeStatus(absl::StatusCode::kInternal, text);
}
inline absl::Status Unavailable(std::string_view text) {
  return MakeStatus(absl::StatusCode::kUnavailable, text);
}
inline absl::Status Cancelled(std::string_view text) {
  return MakeStatus(absl::StatusCode::kCancelled, text);
}
inline absl::Status DeadlineExceeded(std::string_view text) {
  return MakeStatus(absl::StatusCode::kDeadlineExceeded, text);
}
// Bytes on disk or on the wire are damaged.
inline absl::Status DataLoss(std::string_view text) {
  return MakeStatus(absl::StatusCode::kDataLoss, text);
}
// kDataLoss with "<path>:<offset>: <what>".
absl::Status CorruptAt(std::string_view path, uint64_t offset,
                       std::string_view what);
// "<what> <path>: <strerror>", with the code that fits errno: kNotFound,
// kAlreadyExists, kResourceExhausted (ENOSPC, EDQUOT), kPermissionDenied, else
// kUnavailable.
absl::Status ErrnoStatus(int error, std::string_view what,
                         std::string_view path);
// The same code with `prefix` + ": " before the text.
absl::Status Annotate(const absl::Status& status, std::string_view prefix);

inline std::string_view Message(const absl::Status& status) {
  return StdView(status.message());
}

}  // namespace narthex

#define NARTHEX_CONCAT_INNER(a, b) a##b
#define NARTHEX_CONCAT(a, b) NARTHEX_CONCAT_INNER(a, b)

#define NARTHEX_RETURN_IF_ERROR(expr)                      \
  do {                                                     \
    if (::absl::Status narthex_status = (expr);            \
        !narthex_status.ok()) {                            \
      return narthex_status;                               \
    }                                                      \
  } while (false)

#define NARTHEX_ASSIGN_OR_RETURN(lhs, expr) \
  NARTHEX_ASSIGN_OR_RETURN_INNER(           \
      NARTHEX_CONCAT(narthex_or_, __LINE__), lhs, expr)
#define NARTHEX_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                   \
  if (!tmp.ok()) return std::move(tmp).status();       \
  lhs = *std::move(tmp)
