// A query's plan: what is read, on which grid of instants every node is
// evaluated, what is computed once.  Times are settled: offsets, @, durations
// and the sizes of subqueries are plain milliseconds here.
//
// Made once per query by MakePlan(); const from then on, any thread.  Borrows
// the tree (grouping and matching lists, matchers), which must outlive it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "libpromql/func/function.h"
#include "narthex/base/time.h"
#include "narthex/model/annotations.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

enum class NodeKind : uint8_t {
  kNumber,
  kString,
  kScan,      // instant selector
  kRead,      // range selector, the operand of a window or the whole query
  kSubquery,  // likewise
  kWindow,    // function over a range
  kCall,      // any other function
  kAggregate,
  kBinary,
  kNegate,
  kFixed  // its operand is evaluated once and serves every step
};

// At which steps of the query the samples count that a node looks at, as
// Prometheus has it (QueryStats).
enum class Counting : uint8_t {
  kSteps,      // at the node's own
  kEveryStep,  // evaluated once, counted at every step
  kNowhere     // inside a subquery
};

struct PlanNode {
  PlanNode(NodeKind k, ValueType t, TextRange p) : kind(k), type(t), pos(p) {}
  virtual ~PlanNode() = default;
  PlanNode(const PlanNode&) = delete;
  PlanNode& operator=(const PlanNode&) = delete;

  const NodeKind kind;
  const ValueType type;
  const TextRange pos;
  StepGrid grid = {};
  Counting counting = Counting::kSteps;
  size_t index = 0;  // in the order of Explain
  std::vector<std::unique_ptr<PlanNode>> inputs = {};
};
using PlanPtr = std::unique_ptr<PlanNode>;

// From the instant of a step to the instant that is looked at.
struct TimeShift {
  std::optional<int64_t> pinned = {};  // @
  int64_t offset = 0;

  int64_t Apply(int64_t t) const {
    return SaturatingSub(pinned.value_or(t), offset);
  }
};

struct NumberNode : PlanNode {
  NumberNode(double v, TextRange p)
      : PlanNode(NodeKind::kNumber, ValueType::kScalar, p), value(v) {}
  const double value;
};

struct StringNode : PlanNode {
  StringNode(std::string v, TextRange p)
      : PlanNode(NodeKind::kString, ValueType::kString, p),
        value(std::move(v)) {}
  const std::string value;
};

struct ScanNode : PlanNode {
  explicit ScanNode(const VectorSelector& s)
      : PlanNode(NodeKind::kScan, ValueType::kVector, s.pos), selector(s) {}
  const VectorSelector& selector;
  TimeShift shift = {};
  size_t selection = 0;       // index into Plan::selections
  bool sample_times = false;  // timestamp(selector): times instead of values
  bool start_times = false;   // start_timestamp(selector): likewise
  // Of histograms, only count and sum are looked at, and resets.
  bool statistics_only = false;
};

struct ReadNode : PlanNode {
  explicit ReadNode(const MatrixSelector& s)
      : PlanNode(NodeKind::kRead, ValueType::kMatrix, s.pos), selector(s) {}
  const MatrixSelector& selector;
  TimeShift shift = {};
  int64_t range = 0;
  size_t selection = 0;
  bool statistics_only = false;  // as in ScanNode
};

// inputs[0]: the expression, on a grid of its own.
struct SubqueryNode : PlanNode {
  explicit SubqueryNode(const Subquery& s)
      : PlanNode(NodeKind::kSubquery, ValueType::kMatrix, s.pos) {}
  TimeShift shift = {};
  int64_t range = 0;
  int64_t step = 1;
};

struct CallNode : PlanNode {
  CallNode(const Call& c, NodeKind k)
      : PlanNode(k, c.type, c.pos), call(c), id(c.function->id) {}
  const Call& call;
  const FunctionId id;
  size_t range_arg = 0;  // of kWindow: which input is the range
  // Of info(): when its info series are looked at, as the first selector of its
  // operand is; its second argument is no input.
  TimeShift info_shift = {};
};

// inputs[0]: the operand; inputs[1]: the parameter, if it is a scalar.
struct AggregateNode : PlanNode {
  explicit AggregateNode(const Aggregate& a)
      : PlanNode(NodeKind::kAggregate, ValueType::kVector, a.pos),
        aggregate(a) {}
  const Aggregate& aggregate;
};

struct BinaryNode : PlanNode {
  explicit BinaryNode(const Binary& b)
      : PlanNode(NodeKind::kBinary, b.type, b.pos), binary(b) {}
  const Binary& binary;
};

struct NegateNode : PlanNode {
  explicit NegateNode(const Unary& u)
      : PlanNode(NodeKind::kNegate, u.type, u.pos) {}
};

struct FixedNode : PlanNode {
  FixedNode(ValueType type, TextRange p)
      : PlanNode(NodeKind::kFixed, type, p) {}
};

// Series that are selected together; several nodes may use one.
struct Selection {
  const Matchers* matchers = nullptr;
  TimeRange range = {kMaxTime, kMinTime};  // all that any user looks at
  size_t users = 0;
  std::string purpose = {};  // function or operator above the first user
  int64_t step = 0;
  int64_t window = 0;
  bool start_times = false;  // somebody asks for them
};

struct Plan {
  PlanPtr root = nullptr;
  std::vector<Selection> selections = {};
  StepGrid grid = {};     // of the tile
  size_t first_step = 0;  // of the tile, among those of the query
  size_t nodes = 0;
  bool range_query = false;
  // What operators read besides: the info series of info().
  TimeRange more_data = {kMaxTime, kMinTime};

  // Of all selections together.
  TimeRange DataRange() const;
};

struct PlanOptions {
  Duration lookback = Minutes(5);
  Duration default_subquery_step = Minutes(1);
  bool start_times = false;  // use-start-timestamps
  // Of a range query, only the steps [first_step, first_step + steps); 0: all.
  size_t first_step = 0;
  size_t steps = 0;
};

// Errors: durations that make no sense at this time, kinds of expressions that
// don't fit a range query; with Prometheus's texts.
absl::StatusOr<Plan> MakePlan(const Expr& expr, const QueryTimes& times,
                              bool range_query, const PlanOptions& options);

// What a node does, in a few words: "window rate".
std::string Describe(const PlanNode& node);
// What a selection reads, and for whom.
std::string Describe(const Selection& selection);

// --- The passes of MakePlan, each in a file of its own.

// Wraps the greatest subtrees that don't change from step to step.
void FixInvariants(PlanPtr& root);
// Gives every node its grid, every selection its time range.  `whole`: the grid
// of all steps, of which plan.grid may be a part.
void SettleTimes(PlanNode& root, const StepGrid& whole,
                 const PlanOptions& options, Plan& plan);
// Selectors with equal matchers get one selection.
void ShareSelections(PlanNode& root, Plan& plan);
// Which selectors need no buckets of histograms, and which start times.
void MarkUses(PlanNode& root, const PlanOptions& options, Plan& plan);

// rate and its like.
bool LooksAtStartTimes(FunctionId id);

}  // namespace narthex::promql
