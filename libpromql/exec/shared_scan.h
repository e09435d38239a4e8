// A selector's series, selected once per query.  If several nodes use them and
// they fit, they are decoded once too.
//
// Select() from the query's thread; Load() from any, but every series by one
// worker at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "libpromql/exec/operator.h"
#include "libpromql/plan/plan.h"
#include "narthex/base/time.h"
#include "narthex/model/querier.h"

namespace narthex::promql {

class SharedSelection {
 public:
  SharedSelection(QueryScope& scope, const Selection& selection)
      : scope_(scope), selection_(selection) {}

  // The rows are the query's, as the store has them.
  absl::StatusOr<SeriesRows> Select();
  size_t size() const { return rows_.size(); }
  const SeriesSet& set() const { return *set_; }

  // The samples of series i in `range`, stale markers among them, in `scratch`
  // or in the selection's own memory.
  absl::Status Load(size_t i, TimeRange range, WorkerScratch& scratch,
                    SampleView& out);
  // Does every user find the series decoded?
  bool shared() const { return share_; }

 private:
  absl::Status Read(size_t i, TimeRange range, SampleColumns& out);

  QueryScope& scope_;
  const Selection& selection_;
  std::unique_ptr<SeriesSet> set_;
  SeriesRows rows_;
  bool selected_ = false;
  bool share_ = false;
  std::vector<std::unique_ptr<SampleColumns>> decoded_;
};

// Removes stale markers; the result lies in `view` as it is, or in
// scratch.clean.
absl::Status DropStale(WorkerScratch& scratch, SampleView& view);
// Histograms without their buckets, whose hints say what the buckets would have
// said about resets.
void KeepStatistics(WorkerScratch& scratch, SampleView& view);

}  // namespace narthex::promql
