// Functions of the embedding program, called from PromQL by name:
//
//   FunctionSet functions;
//   functions.Add({.name = "fahrenheit",
//                  .map = [](const HostColumn& c) {
//                    for (double& v : c.values) v = v * 1.8 + 32;
//                    return absl::OkStatus();
//                  }});
//   Engine engine({.functions = &functions});
//   engine.Instant(store, "fahrenheit(room_celsius)", now);
//
// A FunctionSet is filled first and const from then on; it must outlive the
// engines and the trees that know it.  The functions are called from any of
// the query's threads, several at a time, and must be pure: the same answer for
// the same input.  What they throw, and what they return as an error, ends the
// query with an error that names them.

#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

// One series over some steps of a query.
struct HostColumn {
  // One per step, to be changed in place.  Where the series has no value at a
  // step, what is there and what is put there is of no account.
  std::span<double> values = {};
  // Of every scalar argument, one per step.
  std::span<const std::span<const double>> params = {};
};

// One series in the window of one step.
struct HostWindow {
  // The floats in (end - range, end], oldest first, at least one; no stale
  // markers.  Native histograms are left out.
  std::span<const Timestamp> t = {};
  std::span<const double> v = {};
  Timestamp end = 0;  // with offset and @ applied
  Duration range = Duration(0);
  std::span<const double> params = {};  // the scalar arguments
};

// Exactly one of `map` and `window` is set.
struct HostFunction {
  // [a-zA-Z_][a-zA-Z0-9_]*, not a function or a keyword of PromQL.
  std::string name = {};
  // name(instant vector, scalar...): value by value.
  std::function<absl::Status(const HostColumn&)> map = {};
  // name(range vector, scalar...): one value per window, or none.
  std::function<absl::StatusOr<std::optional<double>>(const HostWindow&)>
      window = {};
  // Scalar arguments behind the vector.
  int scalars = 0;
  // The result keeps the metric's name: it is one of the samples as it was.
  bool keeps_name = false;
  // Looks at more than its samples (a clock, the window's end): then it is
  // evaluated at every step even if its input does not change.
  bool depends_on_time = false;
};

class FunctionSet {
 public:
  FunctionSet() = default;
  FunctionSet(const FunctionSet&) = delete;
  FunctionSet& operator=(const FunctionSet&) = delete;

  // kInvalidArgument: a name that is no name, or both or none of `map` and
  // `window`; kAlreadyExists: there is one of this name.
  absl::Status Add(HostFunction function);

  // Null: there is none.
  const Function* Find(std::string_view name) const;

  // A function as the parser knows it, which is what a Call points to.
  struct Entry : Function {
    HostFunction host = {};
    std::vector<ValueType> types = {};
  };

 private:
  std::deque<Entry> entries_;  // stay where they are
};

}  // namespace narthex::promql
