// From plan nodes to operators.

#include "libpromql/exec/build.h"

#include <utility>

#include "libpromql/exec/probe.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

// Null for strings: they are read from the tree.
OperatorPtr BuildInput(const PlanNode& node, QueryScope& scope) {
  return node.kind == NodeKind::kString ? nullptr : Build(node, scope);
}

OperatorPtr BuildWindow(const CallNode& node, QueryScope& scope) {
  std::vector<OperatorPtr> params;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (i != node.range_arg) params.push_back(Build(*node.inputs[i], scope));
  }
  OperatorPtr scan = NewScanRange(
      node, scope, BuildSource(*node.inputs[node.range_arg], scope),
      std::move(params));
  if (node.id != FunctionId::kAbsentOverTime) return scan;
  return NewAbsent(node, scope, std::move(scan));
}

OperatorPtr BuildCall(const CallNode& node, QueryScope& scope) {
  std::vector<OperatorPtr> inputs;
  for (const PlanPtr& input : node.inputs) {
    inputs.push_back(BuildInput(*input, scope));
  }
  switch (node.id) {
    case FunctionId::kHost:
      return NewHostMap(node, scope, std::move(inputs));
    case FunctionId::kAbsent:
      return NewAbsent(node, scope, std::move(inputs[0]));
    case FunctionId::kLabelReplace:
    case FunctionId::kLabelJoin:
      return NewLabelFunction(node, scope, std::move(inputs[0]));
    case FunctionId::kSort:
    case FunctionId::kSortDesc:
    case FunctionId::kSortByLabel:
    case FunctionId::kSortByLabelDesc:
      return NewSort(node, scope, std::move(inputs[0]));
    case FunctionId::kHistogramQuantile:
    case FunctionId::kHistogramQuantiles:
    case FunctionId::kHistogramFraction:
      return NewHistogramFunction(node, scope, std::move(inputs));
    case FunctionId::kInfo:
      return NewInfo(node, scope, std::move(inputs[0]));
    case FunctionId::kHistogramCount:
    case FunctionId::kHistogramSum:
    case FunctionId::kHistogramAvg:
    case FunctionId::kHistogramStddev:
    case FunctionId::kHistogramStdvar:
      return NewHistogramMap(node, scope, std::move(inputs[0]));
    default:
      return NewCall(node, scope, std::move(inputs));
  }
}

OperatorPtr BuildAggregate(const AggregateNode& node, QueryScope& scope) {
  OperatorPtr input = Build(*node.inputs[0], scope);
  OperatorPtr param;
  if (node.inputs.size() > 1) param = BuildInput(*node.inputs[1], scope);
  switch (node.aggregate.op) {
    case AggregateOp::kTopK:
    case AggregateOp::kBottomK:
    case AggregateOp::kLimitK:
    case AggregateOp::kLimitRatio:
      return NewAggregateTop(node, scope, std::move(input), std::move(param));
    case AggregateOp::kQuantile:
      return NewAggregateQuantile(node, scope, std::move(input),
                                  std::move(param));
    case AggregateOp::kCountValues:
      return NewCountValues(node, scope, std::move(input));
    default:
      return NewAggregate(node, scope, std::move(input));
  }
}

OperatorPtr BuildBinary(const BinaryNode& node, QueryScope& scope) {
  OperatorPtr lhs = Build(*node.inputs[0], scope);
  OperatorPtr rhs = Build(*node.inputs[1], scope);
  if (IsSetOperator(node.binary.op)) {
    return NewBinarySet(node, scope, std::move(lhs), std::move(rhs));
  }
  if (node.inputs[0]->type == ValueType::kVector &&
      node.inputs[1]->type == ValueType::kVector) {
    return NewBinaryVector(node, scope, std::move(lhs), std::move(rhs));
  }
  return NewBinaryScalar(node, scope, std::move(lhs), std::move(rhs));
}

OperatorPtr BuildNode(const PlanNode& node, QueryScope& scope) {
  switch (node.kind) {
    case NodeKind::kNumber:
      return NewConstant(static_cast<const NumberNode&>(node), scope);
    case NodeKind::kScan:
      return NewScanInstant(static_cast<const ScanNode&>(node), scope);
    case NodeKind::kWindow:
      return BuildWindow(static_cast<const CallNode&>(node), scope);
    case NodeKind::kCall:
      return BuildCall(static_cast<const CallNode&>(node), scope);
    case NodeKind::kAggregate:
      return BuildAggregate(static_cast<const AggregateNode&>(node), scope);
    case NodeKind::kBinary:
      return BuildBinary(static_cast<const BinaryNode&>(node), scope);
    case NodeKind::kNegate:
      return NewNegate(static_cast<const NegateNode&>(node), scope,
                       Build(*node.inputs[0], scope));
    case NodeKind::kFixed:
      return NewFixed(static_cast<const FixedNode&>(node), scope,
                      Build(*node.inputs[0], scope));
    case NodeKind::kString:
    case NodeKind::kRead:
    case NodeKind::kSubquery:
      break;
  }
  return NewRefusal(scope, "a string or a range has no value at a step");
}

SampleSourcePtr BuildSourceNode(const PlanNode& node, QueryScope& scope) {
  if (node.kind == NodeKind::kRead) {
    return NewReadSource(static_cast<const ReadNode&>(node), scope);
  }
  return NewSubquerySource(static_cast<const SubqueryNode&>(node),
                           Build(*node.inputs[0], scope));
}

}  // namespace

OperatorPtr Build(const PlanNode& node, QueryScope& scope) {
  OperatorPtr made = BuildNode(node, scope);
  made->SetNode(node);
  if (scope.WorkOf(node) == nullptr) return made;
  return NewProbe(node, scope, std::move(made));
}

SampleSourcePtr BuildSource(const PlanNode& node, QueryScope& scope) {
  SampleSourcePtr made = BuildSourceNode(node, scope);
  if (scope.WorkOf(node) == nullptr) return made;
  return NewSourceProbe(node, scope, std::move(made));
}

}  // namespace narthex::promql
