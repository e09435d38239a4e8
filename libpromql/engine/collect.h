// From operators to a Value: ids become text, columns become samples.
//
// One thread, at the end of a query.

#pragma once

#include "absl/status/statusor.h"
#include "libpromql/exec/operator.h"
#include "libpromql/exec/scope.h"
#include "narthex/promql/value.h"

namespace narthex::promql {

// The plan's root is a string.
Value CollectString(const Plan& plan);
// The plan's root is a range selector or a subquery; of an instant query.
absl::StatusOr<Value> CollectSamples(QueryScope& scope);
// Everything else.
absl::StatusOr<Value> CollectSteps(QueryScope& scope);

}  // namespace narthex::promql
