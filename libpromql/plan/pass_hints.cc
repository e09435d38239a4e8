// From the root down: on which grid every node is evaluated, hence which times
// every selector looks at.

#include <algorithm>

#include "libpromql/plan/plan.h"

namespace narthex::promql {
namespace {

class Settler {
 public:
  Settler(const PlanOptions& options, Plan& plan)
      : options_(options), plan_(plan) {}

  // `whole`: the grid that the node had if the query were not cut in tiles.
  void Settle(PlanNode& node, const StepGrid& grid, const StepGrid& whole,
              Counting counting, std::string_view above) {
    node.counting = counting;
    switch (node.kind) {
      case NodeKind::kScan: {
        auto& scan = static_cast<ScanNode&>(node);
        node.grid = grid;
        int64_t ahead = 0;
        if (scan.selector.smoothed) ahead = options_.lookback.ms;
        Look(scan.selection, grid, scan.shift, options_.lookback.ms, ahead,
             above);
        return;
      }
      case NodeKind::kRead: {
        auto& read = static_cast<ReadNode&>(node);
        node.grid = grid;
        int64_t behind = read.range, ahead = 0;
        const VectorSelector& selector = *read.selector.selector;
        if (selector.anchored || selector.smoothed) {
          behind = SaturatingAdd(behind, options_.lookback.ms);
        }
        if (selector.smoothed) ahead = options_.lookback.ms;
        Look(read.selection, grid, read.shift, behind, ahead, above);
        return;
      }
      case NodeKind::kSubquery: {
        auto& subquery = static_cast<SubqueryNode&>(node);
        const StepGrid inner = InnerGrid(subquery, grid);
        node.grid = grid;
        // What a subquery is the whole of counts at the query's one step.
        Settle(*node.inputs[0], inner, InnerGrid(subquery, whole),
               plan_.root.get() == &node ? Counting::kEveryStep
                                         : Counting::kNowhere,
               above);
        return;
      }
      case NodeKind::kFixed: {
        node.grid = grid;
        // At the first step of all, whichever tile asks: a few parameters
        // change from step to step all the same.
        StepGrid once = whole;
        once.steps = std::min<size_t>(grid.steps, 1);
        if (counting == Counting::kSteps) counting = Counting::kEveryStep;
        Settle(*node.inputs[0], once, once, counting, above);
        return;
      }
      case NodeKind::kWindow:
      case NodeKind::kCall: {
        auto& call = static_cast<CallNode&>(node);
        above = call.call.function->name;
        if (call.id == FunctionId::kInfo && grid.steps > 0) {
          Widen(plan_.more_data, grid, call.info_shift, options_.lookback.ms);
        }
        break;
      }
      case NodeKind::kAggregate:
        above = Text(static_cast<AggregateNode&>(node).aggregate.op);
        break;
      default:
        break;
    }
    node.grid = grid;
    for (PlanPtr& input : node.inputs) {
      Settle(*input, grid, whole, counting, above);
    }
  }

 private:
  // All multiples of the step after the first window's start, up to the last
  // window's end.
  static StepGrid InnerGrid(const SubqueryNode& node, const StepGrid& outer) {
    StepGrid inner;
    inner.step = node.step;
    if (outer.steps == 0) return inner;
    const int64_t begin =
        SaturatingSub(node.shift.Apply(outer.start), node.range);
    const int64_t end = node.shift.Apply(outer.At(outer.steps - 1));
    // Rounds towards zero; then the first multiple after `begin`.
    inner.start = begin / inner.step * inner.step;
    if (inner.start <= begin) {
      inner.start = SaturatingAdd(inner.start, inner.step);
    }
    if (inner.start <= end) {
      inner.steps =
          static_cast<size_t>(SaturatingSub(end, inner.start) / inner.step) + 1;
    }
    return inner;
  }

  static void Widen(TimeRange& range, const StepGrid& grid,
                    const TimeShift& shift, int64_t behind) {
    const int64_t first = shift.Apply(grid.start);
    const int64_t last = shift.Apply(grid.At(grid.steps - 1));
    range.min = std::min(
        range.min, Timestamp(SaturatingAdd(SaturatingSub(first, behind), 1)));
    range.max = std::max(range.max, Timestamp(last));
  }

  // A node looks at (t - behind, t + ahead] for every instant t, shifted.
  void Look(size_t index, const StepGrid& grid, const TimeShift& shift,
            int64_t behind, int64_t ahead, std::string_view above) {
    Selection& selection = plan_.selections[index];
    if (grid.steps == 0) return;
    const int64_t first = shift.Apply(grid.start);
    const int64_t last = shift.Apply(grid.At(grid.steps - 1));
    const int64_t min = SaturatingAdd(SaturatingSub(first, behind), 1);
    selection.range.min = std::min(selection.range.min, Timestamp(min));
    selection.range.max =
        std::max(selection.range.max, Timestamp(SaturatingAdd(last, ahead)));
    if (selection.purpose.empty()) {
      selection.purpose = above;
      selection.step = grid.steps > 1 ? grid.step : 0;
      selection.window = behind;
    } else if (selection.step != grid.step || selection.window != behind) {
      // Two users: nobody may leave out what only one of them doesn't see.
      selection.step = selection.window = 0;
    }
  }

  const PlanOptions& options_;
  Plan& plan_;
};

}  // namespace

void SettleTimes(PlanNode& root, const StepGrid& whole,
                 const PlanOptions& options, Plan& plan) {
  Settler(options, plan)
      .Settle(root, plan.grid, whole, Counting::kSteps, "query");
}

}  // namespace narthex::promql
