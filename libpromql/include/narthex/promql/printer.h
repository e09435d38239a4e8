// Tree to text.  What Print() writes parses to the same tree; both forms are,
// byte for byte, what Prometheus 3.14 writes.
//
// Pure functions, any thread.

#pragma once

#include <string>

#include "narthex/promql/ast.h"

namespace narthex::promql {

// One line.
std::string Print(const Expr& expr);
std::string Print(const DurationExpr& expr);
// "5m", "step() * 2", "-1h": as behind `offset` and in brackets.
std::string Print(const DurationSpec& spec);

// Lines of at most 100 bytes where that can be had, two spaces for a level:
// `promql format`, /api/v1/format_query.
std::string PrettyPrint(const Expr& expr);

// What a node itself says, without its children, to head a line of a plan:
// `sum by (job)`, `+ on (x)`, `rate`, `[5m] offset 1m`.
std::string PrintHead(const Expr& expr);

}  // namespace narthex::promql
