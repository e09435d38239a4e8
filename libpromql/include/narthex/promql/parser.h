// Text to tree: PromQL of Prometheus 3.14, its error texts and positions.
//
// Pure functions, any thread.  A text that is refused gets one error, the first
// that there is: "<line>:<col>: parse error: <what>", both from 1, columns in
// bytes.  Trees higher than kMaxTreeHeight are refused; time and memory are
// linear in the text.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/labels.h"
#include "narthex/model/matcher.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

class FunctionSet;

// What of the language is switched on.  The defaults are those of Prometheus's
// server and of promtool.
struct ParserOptions {
  // promql-experimental-functions: limitk, limit_ratio, info, sort_by_label ...
  bool experimental_functions = false;
  // `[5m * 2]`, `offset step()`.
  bool duration_expressions = true;
  // promql-extended-range-selectors: `anchored`, `smoothed`.
  bool extended_range_selectors = false;
  // promql-binop-fill-modifiers: `fill(0)`, `fill_left`, `fill_right`.
  bool binop_fill_modifiers = false;
  // Functions beside PromQL's own, borrowed: for as long as the trees live.
  const FunctionSet* functions = nullptr;

  static constexpr ParserOptions Everything() {
    return {true, true, true, true, nullptr};
  }
};

// Where and what, for those who mark the place in the text.
struct ParseError {
  TextRange pos = {};
  std::string text = {};  // without position: "unexpected end of input"
};

// An expression, sound in type.  kInvalidArgument otherwise, and `error`, if
// not null, says where.
absl::StatusOr<ExprPtr> ParseExpr(std::string_view text,
                                  const ParserOptions& options = {},
                                  ParseError* error = nullptr);

// `up{job="x"}` as a label set: in tests, no regular expressions.
absl::StatusOr<Labels> ParseMetric(std::string_view text);

// A bare vector selector: the `match[]` of the HTTP API.  As in Prometheus, it
// is the caller's business whether an all-empty selector is welcome.
absl::StatusOr<Matchers> ParseMetricSelector(std::string_view text);

// --- The series notation of tests: `up{job="x"} 0+10x5 _ stale {{count:3}}`.

struct SeriesValue {
  double value = 0;
  bool omitted = false;  // `_`: no sample at this step
  std::shared_ptr<const FloatHistogram> histogram = nullptr;
  // counter_reset_hint was written: expectations check it.
  bool hint_set = false;
};

struct SeriesDescription {
  Labels labels = {};
  std::vector<SeriesValue> values = {};
};

// At most kMaxSeriesValues values.
inline constexpr size_t kMaxSeriesValues = size_t{1} << 24;
absl::StatusOr<SeriesDescription> ParseSeriesDescription(
    std::string_view text, ParseError* error = nullptr);

// "<line>:<col>", both from 1, columns in bytes, of a byte in `text`; lines
// count from `first_line`.  "unknown position" of an empty text, "invalid
// position" of an offset outside.
std::string LineColumn(std::string_view text, size_t offset,
                       int first_line = 1);

}  // namespace narthex::promql
