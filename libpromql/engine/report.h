// From plans, and what their nodes counted, to reports.
//
// One thread, at the end of a query.

#pragma once

#include "libpromql/exec/scope.h"
#include "libpromql/plan/plan.h"
#include "narthex/promql/explain.h"

namespace narthex::promql {

PlanReport ReportOf(const Plan& plan);
// The same with costs; `work`: of every node, by PlanNode::index.
PlanReport ReportOf(const Plan& plan, const std::vector<NodeWork>& work,
                    const QueryStats& stats);

}  // namespace narthex::promql
