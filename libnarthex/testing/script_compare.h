// Whether an answer is what a script expects.
//
// Pure functions.  The empty text: it is; else what was expected and what came.

#pragma once

#include <string>

#include "libnarthex/testing/promql_script.h"
#include "narthex/promql/engine.h"

namespace narthex::testing {

std::string CompareValue(const EvalCommand& eval, const promql::Value& value);
std::string CompareAnnotations(const EvalCommand& eval,
                               const promql::QueryResult& result);
std::string CompareFailure(const EvalCommand& eval, const absl::Status& status);

// Equal within 1e-6 of their size; NaN equals NaN, a stale marker only itself.
bool AlmostEqual(double a, double b);

}  // namespace narthex::testing
