// SeriesScan: what the instant selectors share, plain and smoothed.  The series
// of a selection become columns, block by block; what a column holds is the
// subclass's business.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "libpromql/exec/shared_scan.h"
#include "libpromql/exec/window.h"
#include "narthex/base/status.h"

namespace narthex::promql {

class SeriesScan : public Operator {
 public:
  SeriesScan(const ScanNode& node, QueryScope& scope)
      : Operator(scope),
        node_(node),
        selection_(scope.selection(node.selection)),
        ends_(node.grid, node.shift),
        lookback_(scope.lookback()) {}

  absl::StatusOr<SeriesRows> Series() final {
    if (node_.grid.steps == 0) return SeriesRows();
    NARTHEX_ASSIGN_OR_RETURN(rows_, selection_.Select());
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) final {
    if (next_ >= rows_.size()) return false;
    const size_t rows =
        std::min(rows_.size() - next_, scope().RowsPerBlock(node_.grid.steps));
    out.Reset(next_, rows, node_.grid.steps);
    Begin(rows);
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        rows, node_.grid.steps > 1 ? 4 : 256,
        [&](size_t begin, size_t end, WorkerScratch& scratch) {
          for (size_t row = begin; row < end; ++row) {
            NARTHEX_RETURN_IF_ERROR(ScanRow(out, row, scratch));
          }
          return absl::OkStatus();
        }));
    scope().CountQueryable(node_, out.Samples());
    End(out);
    next_ += rows;
    return true;
  }

  // Around the rows of a block.
  virtual void Begin(size_t /*rows*/) {}
  virtual void End(const ColumnBlock& /*out*/) {}
  // Fills a row of `out`, that of series out.first() + row.  Several workers at
  // a time, a row each.
  virtual absl::Status ScanRow(ColumnBlock& out, size_t row,
                               WorkerScratch& scratch) = 0;

  // Everything that any step looks at.
  TimeRange Range(int64_t ahead) const {
    const int64_t last = ends_.At(node_.grid.steps - 1);
    return {SaturatingAdd(SaturatingSub(ends_.first, lookback_), 1),
            SaturatingAdd(last, ahead)};
  }

  const ScanNode& node_;
  SharedSelection& selection_;
  const WindowEnds ends_;
  const int64_t lookback_;
  SeriesRows rows_;

 private:
  size_t next_ = 0;
};

}  // namespace narthex::promql
