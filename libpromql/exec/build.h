// From plan nodes to operators.  Every factory is declared here and lives in a
// file of its own name.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libpromql/exec/operator.h"
#include "libpromql/plan/plan.h"

namespace narthex::promql {

// The operator of a node and of all below it.
OperatorPtr Build(const PlanNode& node, QueryScope& scope);
// Of a range selector or a subquery.
SampleSourcePtr BuildSource(const PlanNode& node, QueryScope& scope);

OperatorPtr NewConstant(const NumberNode& node, QueryScope& scope);
OperatorPtr NewScanInstant(const ScanNode& node, QueryScope& scope);
OperatorPtr NewScanSmoothed(const ScanNode& node, QueryScope& scope);
SampleSourcePtr NewReadSource(const ReadNode& node, QueryScope& scope);
SampleSourcePtr NewSubquerySource(const SubqueryNode& node, OperatorPtr input);
// `params`: the scalar arguments, in order.
OperatorPtr NewScanRange(const CallNode& node, QueryScope& scope,
                         SampleSourcePtr source,
                         std::vector<OperatorPtr> params);
OperatorPtr NewFixed(const FixedNode& node, QueryScope& scope,
                     OperatorPtr input);
OperatorPtr NewNegate(const NegateNode& node, QueryScope& scope,
                      OperatorPtr input);

// Functions of vectors and scalars; absent inputs (strings) are null.
OperatorPtr NewCall(const CallNode& node, QueryScope& scope,
                    std::vector<OperatorPtr> inputs);
OperatorPtr NewHostMap(const CallNode& node, QueryScope& scope,
                       std::vector<OperatorPtr> inputs);
OperatorPtr NewAbsent(const CallNode& node, QueryScope& scope,
                      OperatorPtr input);
OperatorPtr NewLabelFunction(const CallNode& node, QueryScope& scope,
                             OperatorPtr input);
// Of instant queries; a range query gets a warning, and its floats as they are.
OperatorPtr NewSort(const CallNode& node, QueryScope& scope, OperatorPtr input);
OperatorPtr NewHistogramFunction(const CallNode& node, QueryScope& scope,
                                 std::vector<OperatorPtr> inputs);
OperatorPtr NewInfo(const CallNode& node, QueryScope& scope, OperatorPtr input);
// histogram_count and its like.
OperatorPtr NewHistogramMap(const CallNode& node, QueryScope& scope,
                            OperatorPtr input);

OperatorPtr NewBinaryScalar(const BinaryNode& node, QueryScope& scope,
                            OperatorPtr lhs, OperatorPtr rhs);
OperatorPtr NewBinaryVector(const BinaryNode& node, QueryScope& scope,
                            OperatorPtr lhs, OperatorPtr rhs);
OperatorPtr NewBinarySet(const BinaryNode& node, QueryScope& scope,
                         OperatorPtr lhs, OperatorPtr rhs);

OperatorPtr NewAggregate(const AggregateNode& node, QueryScope& scope,
                         OperatorPtr input);
OperatorPtr NewAggregateTop(const AggregateNode& node, QueryScope& scope,
                            OperatorPtr input, OperatorPtr param);
OperatorPtr NewAggregateQuantile(const AggregateNode& node, QueryScope& scope,
                                 OperatorPtr input, OperatorPtr param);
OperatorPtr NewCountValues(const AggregateNode& node, QueryScope& scope,
                           OperatorPtr input);

// Of what the types allow and the language has no meaning for, as `1 </ 2`:
// fails with kUnimplemented as soon as it is asked for anything.
OperatorPtr NewRefusal(QueryScope& scope, std::string text);

// --- Labels of a whole vector.

// As many rows as before.  `distinct`: they are known to differ, as the input's
// do, so nobody need look.
struct RelabeledRows {
  SeriesRows rows = {};
  bool distinct = false;
};
// Called once with the input's rows.
using Relabel = std::function<absl::StatusOr<RelabeledRows>(SeriesRows)>;
// When rows that become equal are an error: if both have a value at one step,
// or if both have any value at all.
enum class Collision : uint8_t { kOfSteps, kOfSeries };
absl::Status DuplicateLabelset();
// The input's values under other labels; equal rows are merged.
OperatorPtr NewRelabeled(QueryScope& scope, OperatorPtr input,
                         const StepGrid& grid, Relabel relabel,
                         Collision collision = Collision::kOfSteps);
// The input without its names, at once or flagged.
OperatorPtr NewNameDropped(QueryScope& scope, OperatorPtr input,
                           const StepGrid& grid,
                           Collision collision = Collision::kOfSteps);

}  // namespace narthex::promql
