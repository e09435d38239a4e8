// What literals mean: numbers and quoted strings.
//
// Pure functions, any thread.

#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"

namespace narthex::promql {

// Decimal, hexadecimal, `_` between digits, "inf" and "nan" in any case; a
// leading 0 before octal digits makes it octal.  Errors have Go's words.
absl::StatusOr<double> ParseNumber(std::string_view text);

// A string with its quotes, of which the lexer has found no fault.
std::string Unquote(std::string_view text);

// A duration literal in seconds, as Go's Duration.Seconds() computes it.
double ToSeconds(Duration d);
// Seconds to whole milliseconds: rounded to nanoseconds, then cut.
Duration FromSeconds(double seconds);
// Whether int64 nanoseconds can't hold it; NaN is nowhere in range.
bool SecondsOutOfRange(double seconds);

}  // namespace narthex::promql
