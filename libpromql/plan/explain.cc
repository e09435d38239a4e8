// What plans consist of, in words.

#include <string>

#include "libpromql/plan/plan.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

std::string Describe(const TimeShift& shift) {
  std::string text;
  if (shift.pinned) {
    StrAppend(&text, " @ ", FormatSeconds(Timestamp(*shift.pinned)));
  }
  if (shift.offset != 0) {
    StrAppend(&text, " offset ", FormatDuration(Duration(shift.offset)));
  }
  return text;
}

}  // namespace

std::string Describe(const PlanNode& node) {
  switch (node.kind) {
    case NodeKind::kNumber:
      return StrCat("number ",
                    FormatFloat(static_cast<const NumberNode&>(node).value));
    case NodeKind::kString:
      return StrCat("string ",
                    GoQuote(static_cast<const StringNode&>(node).value));
    case NodeKind::kScan: {
      const auto& scan = static_cast<const ScanNode&>(node);
      return StrCat(scan.sample_times ? "scan times" : "scan", " of selection ",
                    scan.selection, Describe(scan.shift));
    }
    case NodeKind::kRead: {
      const auto& read = static_cast<const ReadNode&>(node);
      return StrCat("read [", FormatDuration(Duration(read.range)),
                    "] of selection ", read.selection, Describe(read.shift));
    }
    case NodeKind::kSubquery: {
      const auto& sub = static_cast<const SubqueryNode&>(node);
      return StrCat("subquery [", FormatDuration(Duration(sub.range)), "]",
                    Describe(sub.shift));
    }
    case NodeKind::kWindow:
      return StrCat("window ",
                    static_cast<const CallNode&>(node).call.function->name);
    case NodeKind::kCall:
      return StrCat("call ",
                    static_cast<const CallNode&>(node).call.function->name);
    case NodeKind::kAggregate: {
      const Aggregate& a = static_cast<const AggregateNode&>(node).aggregate;
      std::string text = StrCat("aggregate ", Text(a.op));
      if (!a.grouping.empty() || a.without) {
        text += a.without ? " without (" : " by (";
        for (size_t i = 0; i < a.grouping.size(); ++i) {
          StrAppend(&text, i > 0 ? ", " : "", a.grouping[i]);
        }
        text += ")";
      }
      return text;
    }
    case NodeKind::kBinary: {
      const Binary& b = static_cast<const BinaryNode&>(node).binary;
      std::string text = StrCat("binary ", Text(b.op));
      if (b.matching) StrAppend(&text, " ", Text(b.matching->card));
      return text;
    }
    case NodeKind::kNegate:
      return "negate";
    case NodeKind::kFixed:
      break;
  }
  return "once";
}

std::string Describe(const Selection& s) {
  std::string out = "{";
  for (size_t m = 0; m < s.matchers->size(); ++m) {
    StrAppend(&out, m > 0 ? "," : "", (*s.matchers)[m]->ToString());
  }
  StrAppend(&out, "} from ", FormatSeconds(s.range.min), " to ",
            FormatSeconds(s.range.max), ", for ", s.purpose, ", ", s.users,
            s.users == 1 ? " user" : " users");
  return out;
}

}  // namespace narthex::promql
