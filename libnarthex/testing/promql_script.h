// A `.test` script as commands: what there is to load, to evaluate, to expect.
// docs/guide tells the language; it is that of Prometheus's promqltest.
//
// Values.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/model/matcher.h"
#include "narthex/promql/parser.h"

namespace narthex::testing {

struct ClearCommand {};

struct LoadCommand {
  int line = 0;  // of the first series
  Duration step = {};
  bool with_nhcb = false;
  std::string series = {};
};

// `expect warn regex: ...`: without either, any text will do.
struct ExpectedText {
  std::optional<std::string> text = {};
  std::shared_ptr<const Regex> regex = nullptr;

  bool Matches(std::string_view actual) const {
    if (text) return *text == actual;
    return regex == nullptr || regex->Matches(actual);
  }
};

struct ExpectedSeries {
  Labels labels = {};
  std::vector<promql::SeriesValue> values = {};
};

struct EvalCommand {
  int line = 0;
  std::string expr = {};
  bool range = false;
  // Of a range query; of an instant query whose range vector is expected, the
  // grid of its points.
  Timestamp start = 0, end = 0;
  Duration step = {};
  Timestamp at = 0;  // of an instant query

  bool ordered = false;
  bool fail = false;
  bool any_warning = false, any_info = false;  // eval_warn, eval_info
  bool no_warnings = false, no_infos = false;
  std::vector<ExpectedText> failure = {};  // at most one
  std::vector<ExpectedText> warnings = {};
  std::vector<ExpectedText> infos = {};

  // What should come: a scalar, a string, or series in the order of lines.
  std::optional<double> scalar = {};
  std::string string = {};
  std::vector<ExpectedSeries> series = {};
  // Strings and range vectors can't be the middle of a range query.
  bool instant_only = false;
};

using Command = std::variant<ClearCommand, LoadCommand, EvalCommand>;

// Errors: "line 12: what is wrong".
absl::StatusOr<std::vector<Command>> ParseScript(std::string_view text);

}  // namespace narthex::testing
