// Calls of functions that the embedding program has added: whatever they do
// comes back as a value or as an error.
//
// Any thread.

#pragma once

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "libpromql/func/function.h"
#include "libpromql/plan/plan.h"
#include "narthex/promql/host_function.h"

namespace narthex::promql {

// Null: not a host's.
inline const HostFunction* HostFunctionOf(const CallNode& node) {
  if (node.id != FunctionId::kHost) return nullptr;
  return &static_cast<const FunctionSet::Entry*>(node.call.function)->host;
}

// All windows of one series.
absl::Status CallHostWindows(const HostFunction& function,
                             const SeriesWindows& in,
                             std::span<const std::vector<double>> params,
                             WindowOutput& out);

}  // namespace narthex::promql
