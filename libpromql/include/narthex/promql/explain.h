// A query's plan as text: what is read, what is computed once, how the rest is
// stacked.
//
// Any thread.

#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {

// One line per node, children indented; the time range that every selector
// reads.  A step of 0: an instant query at range.min.
// Nothing is read from a store.
absl::StatusOr<std::string> Explain(const EngineOptions &options,
                                    std::string_view query, TimeRange range,
                                    Duration step);

}  // namespace narthex::promql
