// What of the samples is looked at: buckets of histograms, start times.

#include "libpromql/plan/plan.h"

namespace narthex::promql {
namespace {

class Marker {
 public:
  Marker(const PlanOptions& options, Plan& plan)
      : options_(options), plan_(plan) {}

  // `statistics`: something above asks for counts and sums only; `buckets`:
  // something above needs buckets, be it for resets between a subquery's
  // points.
  void Walk(PlanNode& node, bool statistics, bool buckets, bool starts) {
    switch (node.kind) {
      case NodeKind::kScan: {
        auto& scan = static_cast<ScanNode&>(node);
        scan.statistics_only = statistics && !buckets;
        Ask(scan.selection, scan.start_times);
        return;
      }
      case NodeKind::kRead: {
        auto& read = static_cast<ReadNode&>(node);
        read.statistics_only = statistics && !buckets;
        Ask(read.selection, starts);
        return;
      }
      case NodeKind::kSubquery:
        buckets = true;
        break;
      case NodeKind::kWindow:
      case NodeKind::kCall:
        switch (static_cast<CallNode&>(node).id) {
          case FunctionId::kHistogramCount:
          case FunctionId::kHistogramSum:
          case FunctionId::kHistogramAvg:
            statistics = true;
            break;
          case FunctionId::kHistogramQuantile:
          case FunctionId::kHistogramQuantiles:
          case FunctionId::kHistogramFraction:
            buckets = true;
            break;
          default:
            break;
        }
        starts = LooksAtStartTimes(static_cast<CallNode&>(node).id);
        break;
      case NodeKind::kBinary: {
        const BinaryOp op = static_cast<BinaryNode&>(node).binary.op;
        if (op == BinaryOp::kTrimLower || op == BinaryOp::kTrimUpper) {
          buckets = true;
        }
        break;
      }
      default:
        break;
    }
    for (PlanPtr& input : node.inputs) {
      Walk(*input, statistics, buckets, starts);
    }
  }

 private:
  void Ask(size_t selection, bool starts) {
    if (starts && options_.start_times) {
      plan_.selections[selection].start_times = true;
    }
  }

  const PlanOptions& options_;
  Plan& plan_;
};

}  // namespace

bool LooksAtStartTimes(FunctionId id) {
  return id == FunctionId::kRate || id == FunctionId::kIrate ||
         id == FunctionId::kIncrease || id == FunctionId::kResets;
}

void MarkUses(PlanNode& root, const PlanOptions& options, Plan& plan) {
  Marker(options, plan).Walk(root, false, false, false);
}

}  // namespace narthex::promql
