// EXPLAIN ANALYZE: what a node gives and how long it takes, counted around its
// operator.  Only there when somebody asks.
//
// As the operators they stand around.

#pragma once

#include "libpromql/exec/operator.h"
#include "libpromql/exec/scope.h"
#include "libpromql/plan/plan.h"

namespace narthex::promql {

OperatorPtr NewProbe(const PlanNode& node, QueryScope& scope,
                     OperatorPtr input);
SampleSourcePtr NewSourceProbe(const PlanNode& node, QueryScope& scope,
                               SampleSourcePtr input);

}  // namespace narthex::promql
