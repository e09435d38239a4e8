// What does not change from step to step is computed once.  The rule is
// Prometheus's to the letter, as it can be observed (promql.md 1.4): a
// parameter of an aggregation is not looked at, a literal is left alone, and
// the inside of a subquery is fixed by itself.

#include <vector>

#include "libpromql/plan/plan.h"
#include "narthex/promql/host_function.h"

namespace narthex::promql {
namespace {

struct Verdict {
  bool invariant = false;
  bool wrap = false;
};

void Wrap(PlanPtr& node) {
  auto fixed = std::make_unique<FixedNode>(node->type, node->pos);
  fixed->inputs.push_back(std::move(node));
  node = std::move(fixed);
}

// Depends on the instant at which it is evaluated, whatever its arguments.
bool DependsOnTime(FunctionId id) {
  switch (id) {
    case FunctionId::kPredictLinear:
    case FunctionId::kTime:
    case FunctionId::kTimestamp:
      return true;
    default:
      return IsCalendarFunction(id);
  }
}

Verdict Examine(PlanNode& node);

bool DependsOnTime(const CallNode& node) {
  if (node.id != FunctionId::kHost) return DependsOnTime(node.id);
  return static_cast<const FunctionSet::Entry*>(node.call.function)
      ->host.depends_on_time;
}

Verdict ExamineCall(CallNode& node) {
  bool invariant = !DependsOnTime(node);
  // The time of a pinned selector's sample is pinned too.
  bool pinned_timestamp = node.id == FunctionId::kTimestamp;
  std::vector<bool> wrap;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Verdict verdict = Examine(*node.inputs[i]);
    wrap.push_back(verdict.wrap);
    invariant = invariant && verdict.invariant;
    // Of the text: a plus before the selector has left the plan.
    if (!verdict.invariant ||
        Unwrap(*node.call.args[i]).kind != ExprKind::kVector) {
      pinned_timestamp = false;
    }
  }
  // info()'s own selector is no input, but counts.
  for (size_t i = node.inputs.size(); i < node.call.args.size(); ++i) {
    const auto* selector = As<VectorSelector>(Unwrap(*node.call.args[i]));
    invariant = invariant && selector != nullptr && selector->at.present();
  }
  if (invariant || pinned_timestamp) return {true, true};
  for (size_t i = 0; i < wrap.size(); ++i) {
    if (wrap[i]) Wrap(node.inputs[i]);
  }
  return {};
}

Verdict Examine(PlanNode& node) {
  switch (node.kind) {
    case NodeKind::kNumber:
    case NodeKind::kString:
      return {true, false};
    case NodeKind::kScan: {
      const bool pinned = static_cast<ScanNode&>(node).shift.pinned.has_value();
      return {pinned, pinned};
    }
    case NodeKind::kRead:
      return {static_cast<ReadNode&>(node).shift.pinned.has_value(), false};
    case NodeKind::kSubquery: {
      if (Examine(*node.inputs[0]).invariant) Wrap(node.inputs[0]);
      return {static_cast<SubqueryNode&>(node).shift.pinned.has_value(), false};
    }
    case NodeKind::kWindow:
    case NodeKind::kCall:
      return ExamineCall(static_cast<CallNode&>(node));
    case NodeKind::kAggregate:
    case NodeKind::kNegate:
    case NodeKind::kFixed:
      return Examine(*node.inputs[0]);
    case NodeKind::kBinary:
      break;
  }
  const Verdict lhs = Examine(*node.inputs[0]);
  const Verdict rhs = Examine(*node.inputs[1]);
  if (lhs.invariant && rhs.invariant) return {true, true};
  if (lhs.wrap) Wrap(node.inputs[0]);
  if (rhs.wrap) Wrap(node.inputs[1]);
  return {};
}

}  // namespace

void FixInvariants(PlanPtr& root) {
  if (Examine(*root).wrap) Wrap(root);
}

}  // namespace narthex::promql
