// One step of a query plan at work.  Made once per query; pulls from its
// children.  Labels first, all of them, so that parents can size their tables;
// then values, a block of series at a time, each a column over the step grid.
//
// One thread calls; an operator may spread its own work over the query's
// Executor.  Rows and spans live as long as the QueryScope.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libpromql/exec/column_block.h"
#include "narthex/model/symbols.h"

namespace narthex::promql {

class QueryScope;
struct PlanNode;

struct SeriesRow {
  LabelRow labels = {};
  // Delayed name removal: name, type and unit go at the end of the query.
  bool drop_name = false;
};
using SeriesRows = std::span<const SeriesRow>;

class Operator {
 public:
  explicit Operator(QueryScope& scope) : scope_(scope) {}
  virtual ~Operator();
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  // All series that may have values, in the order of the blocks.  Idempotent.
  virtual absl::StatusOr<SeriesRows> Series() = 0;

  // The next series, in order, without gaps; false: no more.  After Series().
  absl::StatusOr<bool> Next(ColumnBlock& out);

  // For messages; null: a part of a node.
  void SetNode(const PlanNode& node) { node_ = &node; }

  // The parent has all it needs: samples held no longer count.
  void Finish();

 protected:
  virtual absl::StatusOr<bool> Produce(ColumnBlock& out) = 0;
  QueryScope& scope() { return scope_; }

 private:
  QueryScope& scope_;
  const PlanNode* node_ = nullptr;
  int64_t held_ = 0;
};
using OperatorPtr = std::unique_ptr<Operator>;

// One series without labels, that has a value at each of its `steps`.
class ScalarOperator : public Operator {
 public:
  ScalarOperator(QueryScope& scope, size_t steps)
      : Operator(scope), steps_(steps) {}

  absl::StatusOr<SeriesRows> Series() final;

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) final;
  // Sets values[0, steps()); called once.
  virtual absl::Status Evaluate(double* values) = 0;
  size_t steps() const { return steps_; }

 private:
  const size_t steps_;
  bool done_ = false;
};

// Everything that `input` gives, in one block; `steps` are those of its grid.
absl::StatusOr<ColumnBlock> Drain(QueryScope& scope, Operator& input,
                                  size_t steps);
// The values of a scalar at every step.
absl::StatusOr<std::vector<double>> DrainScalar(QueryScope& scope,
                                                Operator& input, size_t steps);

// Series of a range of samples each, for functions over windows: what a range
// selector or a subquery gives.
struct SampleView {
  std::span<const Timestamp> t = {};
  std::span<const double> v = {};
  std::span<const Timestamp> st = {};           // start times if there are any
  const HistogramColumn* histograms = nullptr;  // null: none
};

class WorkerScratch;

class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual absl::StatusOr<SeriesRows> Series() = 0;
  // Makes ready the next series, at most `max`; how many: 0 at the end.
  virtual absl::StatusOr<size_t> Advance(size_t max) = 0;
  // The i-th of them, without stale markers; from any thread, each with its
  // own scratch, in which the view may lie.
  virtual absl::Status Load(size_t i, WorkerScratch& scratch,
                            SampleView& out) = 0;
  virtual void Finish() = 0;
};
using SampleSourcePtr = std::unique_ptr<SampleSource>;

}  // namespace narthex::promql
