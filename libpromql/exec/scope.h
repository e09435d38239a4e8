// What the operators of one query share: the view of the store, limits,
// annotations, memory for label rows, and the workers.
//
// One thread, but for what says otherwise.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "libpromql/exec/operator.h"
#include "libpromql/exec/row_table.h"
#include "libpromql/func/function.h"
#include "libpromql/plan/plan.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/executor.h"
#include "narthex/model/annotations.h"
#include "narthex/model/columns.h"
#include "narthex/model/querier.h"
#include "narthex/promql/engine.h"

namespace narthex::promql {

// A worker's memory, reused from series to series.
class WorkerScratch {
 public:
  explicit WorkerScratch(MemoryBudget& budget)
      : columns(budget), clean(budget) {}

  SampleColumns columns;  // as read
  SampleColumns clean;    // without stale markers, if there were some
  std::vector<uint32_t> lo, hi, hist_lo, hist_hi;
  WindowScratch window;
};

class SharedSelection;

// What a node cost, for EXPLAIN ANALYZE.  Counted from any thread.
struct NodeWork {
  std::atomic<int64_t> series = 0, values = 0, samples = 0, nanos = 0,
                       bytes = 0;
};

class QueryScope {
 public:
  struct Limits {
    int64_t max_samples = 0;
    const CancelToken* deadline = nullptr;
    const CancelToken* caller = nullptr;  // may be null
    bool analyze = false;
    bool count_steps = false;
  };

  QueryScope(const Plan& plan, const EngineOptions& options, Duration lookback,
             Querier& querier, MemoryBudget& budget, Executor& executor,
             Limits limits);
  ~QueryScope();

  const Plan& plan() const { return plan_; }
  const EngineOptions& options() const { return options_; }
  int64_t lookback() const { return lookback_.ms; }
  bool delayed_names() const { return options_.delayed_name_removal; }
  Querier& querier() { return querier_; }
  Symbols& symbols() { return querier_.symbols(); }
  MemoryBudget& budget() { return budget_; }
  // The store asks the caller's token if there is one, else the deadline;
  // CheckLoad() asks what it does not.
  ReadContext read_context() {
    return {budget_,
            limits_.caller != nullptr ? *limits_.caller : *limits_.deadline};
  }
  SharedSelection& selection(size_t i) { return *selections_[i]; }

  // --- Limits.

  // Has somebody cancelled, is it too late?  Any thread.
  absl::Status Check() const;
  // Before a series is read.
  absl::Status CheckLoad() const {
    return limits_.caller == nullptr ? absl::OkStatus() : Check();
  }
  // For loops over samples that may be long.
  WindowStop stop() const {
    return {[](const void* scope) {
              return !static_cast<const QueryScope*>(scope)->Check().ok();
            },
            this};
  }
  // `n` more samples are held at once; kResourceExhausted above the limit.
  absl::Status Hold(int64_t n);
  // Would `n` more be too many?  (A window while it is looked at.)
  absl::Status CheckRoom(int64_t n);
  void Release(int64_t n) { held_ -= n; }
  // Samples that `node` looked at, over all steps.
  void CountQueryable(const PlanNode& node, int64_t n);
  // The same by step, if somebody wants to know; any thread.
  bool counts_steps() const { return !step_samples_.empty(); }
  void CountAtStep(const PlanNode& node, size_t k, int64_t n);
  // Any thread.
  void CountDecoded(const PlanNode& node, int64_t n) {
    decoded_.fetch_add(n, std::memory_order_relaxed);
    if (NodeWork* work = WorkOf(node)) work->samples += n;
  }
  int64_t peak_samples() const { return peak_; }
  int64_t queryable_samples() const { return queryable_; }
  int64_t decoded_samples() const { return decoded_; }
  std::vector<int64_t> samples_per_step() const;
  // Null: nobody asks.
  NodeWork* WorkOf(const PlanNode& node) {
    return work_.empty() ? nullptr : &work_[node.index];
  }
  const std::vector<NodeWork>& work() const { return work_; }

  // --- Tiles: the plan is evaluated some steps at a time.

  void BeginTile(const Plan& tile, bool only);
  bool tiled() const { return tiled_; }
  // Of the next operator that merges series: which of them has had values
  // under a label set so far.  The same one in every tile.
  using SeriesSeen = absl::flat_hash_map<RowKey, LabelRow>;
  SeriesSeen& NextSeen();
  int64_t series() const;

  // --- Annotations.

  void Warn(std::string text, TextRange at) {
    annotations_.Warn(std::move(text), at);
  }
  void Info(std::string text, TextRange at) {
    annotations_.Info(std::move(text), at);
  }
  Annotations& annotations() { return annotations_; }

  // --- Labels.

  SymbolId name_id() const { return name_id_; }
  SymbolId type_id() const { return type_id_; }
  SymbolId unit_id() const { return unit_id_; }
  SymbolId bucket_id() const { return bucket_id_; }
  // Is it one of the three that go with the name?
  bool IsMetadata(SymbolId name) const {
    return name == name_id_ || name == type_id_ || name == unit_id_;
  }
  std::string_view MetricName(LabelRow row);
  // A copy that lives as long as the scope.
  LabelRow Keep(LabelRow row);
  std::span<SeriesRow> NewRows(size_t n);
  // Without name, type and unit; `row` itself if it has none of them.
  LabelRow DropMetadata(LabelRow row);
  // Have all rows the same name, type and unit?
  bool SameMetadata(SeriesRows rows) const;
  // With one label set (value 0: removed).
  LabelRow WithLabel(LabelRow row, SymbolId name, SymbolId value);
  // What becomes of a row when its node drops the name: at once, or flagged.
  SeriesRow DropName(const SeriesRow& row);

  // --- Work.

  Executor& executor() { return executor_; }
  // Series per block so that a block is about a megabyte.
  size_t RowsPerBlock(size_t steps) const;
  // Calls body(begin, end, scratch) for parts of [0, n), in parallel if that
  // pays.  The error of the lowest part wins.
  absl::Status ForParts(
      size_t n, size_t least_part,
      absl::FunctionRef<absl::Status(size_t, size_t, WorkerScratch&)> body);

 private:
  std::unique_ptr<WorkerScratch> TakeScratch();
  void GiveScratch(std::unique_ptr<WorkerScratch> scratch);

  const Plan& plan_;
  const EngineOptions& options_;
  const Duration lookback_;
  Querier& querier_;
  MemoryBudget& budget_;
  Executor& executor_;
  const Limits limits_;

  int64_t held_ = 0, peak_ = 0, queryable_ = 0;
  std::atomic<int64_t> decoded_ = 0;
  std::vector<std::atomic<int64_t>> step_samples_;  // of the query's steps
  std::vector<NodeWork> work_;                      // of the plan's nodes
  bool tiled_ = false;
  size_t tile_begin_ = 0, tile_steps_ = 0;
  size_t next_seen_ = 0;
  std::vector<std::unique_ptr<SeriesSeen>> seen_;
  Reservation label_bytes_;
  size_t labels_kept_ = 0;
  bool over_budget_ = false;  // for labels, which have nobody to tell
  Annotations annotations_;
  SymbolId name_id_, type_id_, unit_id_, bucket_id_;

  std::vector<std::unique_ptr<LabelPair[]>> pages_;
  size_t page_left_ = 0;
  LabelPair* page_ = nullptr;
  std::vector<std::unique_ptr<SeriesRow[]>> row_arrays_;
  std::vector<std::unique_ptr<SharedSelection>> selections_;

  absl::Mutex scratch_mu_;
  std::vector<std::unique_ptr<WorkerScratch>> scratch_
      ABSL_GUARDED_BY(scratch_mu_);
};

}  // namespace narthex::promql
