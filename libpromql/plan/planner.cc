// Tree to nodes: parentheses go, unary plus goes, durations and modifiers
// become milliseconds, start() and its like become numbers.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "libpromql/plan/plan.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class Planner {
 public:
  Planner(const QueryTimes& times, const PlanOptions& options)
      : times_(times), options_(options) {}

  absl::StatusOr<PlanPtr> Make(const Expr& expr) {
    return Visit(expr, [this](const auto& node) { return MakeNode(node); });
  }

 private:
  absl::StatusOr<PlanPtr> MakeNode(const NumberLiteral& n) {
    return PlanPtr(std::make_unique<NumberNode>(n.value, n.pos));
  }
  absl::StatusOr<PlanPtr> MakeNode(const StringLiteral& s) {
    return PlanPtr(std::make_unique<StringNode>(s.value, s.pos));
  }
  absl::StatusOr<PlanPtr> MakeNode(const Paren& p) { return Make(*p.expr); }

  absl::StatusOr<PlanPtr> MakeNode(const VectorSelector& s) {
    auto scan = std::make_unique<ScanNode>(s);
    NARTHEX_ASSIGN_OR_RETURN(scan->shift, Shift(s.at, s.offset));
    return PlanPtr(std::move(scan));
  }

  absl::StatusOr<PlanPtr> MakeNode(const MatrixSelector& s) {
    auto read = std::make_unique<ReadNode>(s);
    NARTHEX_ASSIGN_OR_RETURN(Duration range, s.range.Resolve(times_, true));
    read->range = range.ms;
    NARTHEX_ASSIGN_OR_RETURN(read->shift,
                             Shift(s.selector->at, s.selector->offset));
    return PlanPtr(std::move(read));
  }

  absl::StatusOr<PlanPtr> MakeNode(const Subquery& s) {
    auto sub = std::make_unique<SubqueryNode>(s);
    NARTHEX_ASSIGN_OR_RETURN(Duration range, s.range.Resolve(times_, true));
    sub->range = range.ms;
    Duration step = options_.default_subquery_step;
    if (s.step.present()) {
      NARTHEX_ASSIGN_OR_RETURN(step, s.step.Resolve(times_, true));
    }
    // Below a millisecond there are no instants.
    sub->step = std::max<int64_t>(step.ms, 1);
    NARTHEX_ASSIGN_OR_RETURN(sub->shift, Shift(s.at, s.offset));
    NARTHEX_ASSIGN_OR_RETURN(PlanPtr input, Make(*s.expr));
    sub->inputs.push_back(std::move(input));
    return PlanPtr(std::move(sub));
  }

  absl::StatusOr<PlanPtr> MakeNode(const Call& call) {
    switch (call.function->id) {
      case FunctionId::kStart:
        return Number(times_.start.ms / 1000.0, call);
      case FunctionId::kEnd:
        return Number(times_.end.ms / 1000.0, call);
      case FunctionId::kRange:
        return Number((times_.end - times_.start).seconds(), call);
      case FunctionId::kStep:
        return Number(times_.start == times_.end ? 0 : times_.step.seconds(),
                      call);
      default:
        break;
    }
    NodeKind kind = NodeKind::kCall;
    size_t range_arg = 0;
    for (size_t i = 0; i < call.args.size(); ++i) {
      if (Unwrap(*call.args[i]).type == ValueType::kMatrix) {
        kind = NodeKind::kWindow;
        range_arg = i;
        break;
      }
    }
    auto node = std::make_unique<CallNode>(call, kind);
    node->range_arg = range_arg;
    for (const ExprPtr& arg : call.args) {
      if (node->id == FunctionId::kInfo && !node->inputs.empty()) break;
      NARTHEX_ASSIGN_OR_RETURN(PlanPtr input, Make(*arg));
      node->inputs.push_back(std::move(input));
    }
    if (node->id == FunctionId::kInfo) {
      if (auto shift = ShiftOfFirstSelector(*node->inputs[0])) {
        node->info_shift = *shift;
      }
    }
    if (node->id == FunctionId::kTimestamp &&
        Unwrap(*call.args[0]).kind == ExprKind::kVector) {
      static_cast<ScanNode&>(*node->inputs[0]).sample_times = true;
    }
    if (node->id == FunctionId::kStartTimestamp &&
        Unwrap(*call.args[0]).kind == ExprKind::kVector) {
      static_cast<ScanNode&>(*node->inputs[0]).start_times = true;
    }
    return PlanPtr(std::move(node));
  }

  absl::StatusOr<PlanPtr> MakeNode(const Aggregate& a) {
    auto node = std::make_unique<AggregateNode>(a);
    NARTHEX_ASSIGN_OR_RETURN(PlanPtr operand, Make(*a.expr));
    node->inputs.push_back(std::move(operand));
    if (a.param != nullptr) {
      NARTHEX_ASSIGN_OR_RETURN(PlanPtr param, Make(*a.param));
      node->inputs.push_back(std::move(param));
    }
    return PlanPtr(std::move(node));
  }

  absl::StatusOr<PlanPtr> MakeNode(const Binary& b) {
    auto node = std::make_unique<BinaryNode>(b);
    NARTHEX_ASSIGN_OR_RETURN(PlanPtr lhs, Make(*b.lhs));
    NARTHEX_ASSIGN_OR_RETURN(PlanPtr rhs, Make(*b.rhs));
    node->inputs.push_back(std::move(lhs));
    node->inputs.push_back(std::move(rhs));
    return PlanPtr(std::move(node));
  }

  absl::StatusOr<PlanPtr> MakeNode(const Unary& u) {
    if (u.op == UnaryOp::kPlus) return Make(*u.expr);
    auto node = std::make_unique<NegateNode>(u);
    NARTHEX_ASSIGN_OR_RETURN(PlanPtr operand, Make(*u.expr));
    node->inputs.push_back(std::move(operand));
    return PlanPtr(std::move(node));
  }

  // An @ of the selector, or else of the subqueries around it, from the inside
  // out; offsets add up until there is one.
  static std::optional<TimeShift> ShiftOfFirstSelector(const PlanNode& node) {
    if (node.kind == NodeKind::kScan) {
      return static_cast<const ScanNode&>(node).shift;
    }
    if (node.kind == NodeKind::kRead) {
      return static_cast<const ReadNode&>(node).shift;
    }
    for (const PlanPtr& input : node.inputs) {
      std::optional<TimeShift> shift = ShiftOfFirstSelector(*input);
      if (!shift) continue;
      if (node.kind == NodeKind::kSubquery && !shift->pinned) {
        const TimeShift& around = static_cast<const SubqueryNode&>(node).shift;
        shift->offset = SaturatingAdd(shift->offset, around.offset);
        shift->pinned = around.pinned;
      }
      return shift;
    }
    return std::nullopt;
  }

  static PlanPtr Number(double value, const Expr& expr) {
    return std::make_unique<NumberNode>(value, expr.pos);
  }

  absl::StatusOr<TimeShift> Shift(const AtModifier& at,
                                  const DurationSpec& offset) {
    TimeShift shift;
    if (at.present()) shift.pinned = at.Resolve(times_).ms;
    NARTHEX_ASSIGN_OR_RETURN(Duration d, offset.Resolve(times_, false));
    shift.offset = d.ms;
    return shift;
  }

  const QueryTimes& times_;
  const PlanOptions& options_;
};

void Number(PlanNode& node, size_t& next) {
  node.index = next++;
  for (const PlanPtr& input : node.inputs) Number(*input, next);
}

}  // namespace

TimeRange Plan::DataRange() const {
  TimeRange all = more_data;
  for (const Selection& s : selections) {
    all.min = std::min(all.min, s.range.min);
    all.max = std::max(all.max, s.range.max);
  }
  if (all.min > all.max) return {grid.start, grid.start};
  return all;
}

absl::StatusOr<Plan> MakePlan(const Expr& expr, const QueryTimes& times,
                              bool range_query, const PlanOptions& options) {
  if (range_query && expr.type != ValueType::kVector &&
      expr.type != ValueType::kScalar) {
    return InvalidArgument(
        StrCat("invalid expression type \"", DocumentedName(expr.type),
               "\" for range query, must be Scalar or instant Vector"));
  }
  Plan plan;
  plan.range_query = range_query;
  plan.grid.start = times.start.ms;
  if (range_query) {
    if (times.step.ms <= 0) return InvalidArgument("step must be positive");
    plan.grid.step = times.step.ms;
    if (times.end >= times.start) {
      plan.grid.steps =
          static_cast<size_t>(SaturatingSub(times.end.ms, times.start.ms) /
                              times.step.ms) +
          1;
    }
  } else {
    plan.grid.steps = 1;
  }
  NARTHEX_ASSIGN_OR_RETURN(plan.root, Planner(times, options).Make(expr));
  FixInvariants(plan.root);
  ShareSelections(*plan.root, plan);
  MarkUses(*plan.root, options, plan);
  const StepGrid whole = plan.grid;
  if (options.steps != 0) {
    plan.first_step = std::min(options.first_step, whole.steps);
    plan.grid.start = whole.At(plan.first_step);
    plan.grid.steps = std::min(options.steps, whole.steps - plan.first_step);
  }
  SettleTimes(*plan.root, whole, options, plan);
  Number(*plan.root, plan.nodes);
  return plan;
}

}  // namespace narthex::promql
