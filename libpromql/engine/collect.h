// From operators to a Value: ids become text, columns become samples.
//
// One thread, at the end of a query.

#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "libpromql/exec/operator.h"
#include "libpromql/exec/row_table.h"
#include "libpromql/exec/scope.h"
#include "narthex/promql/value.h"

namespace narthex::promql {

// The plan's root is a string.
Value CollectString(const Plan& plan);
// The plan's root is a range selector or a subquery; of an instant query.
absl::StatusOr<Value> CollectSamples(QueryScope& scope);

// Everything else, tile by tile.
class Collector {
 public:
  // With a sink every series of a range query goes there.
  Collector(QueryScope& scope, ResultSink* sink)
      : scope_(scope), sink_(sink), reservation_(scope.budget()) {}

  // Tiles in order of time; the scope knows of the tile.
  absl::Status Add(const Plan& tile);
  Value Take();

 private:
  absl::Status AddRow(const Plan& tile, const ColumnBlock& block, size_t row,
                      LabelRow labels);

  QueryScope& scope_;
  ResultSink* const sink_;
  Reservation reservation_;
  size_t bytes_ = 0;
  int64_t points_ = 0;  // of the tile
  std::optional<ScalarValue> scalar_;
  Vector vector_;
  Matrix matrix_;
  RowTable series_;  // of the matrix, if there are tiles
};

}  // namespace narthex::promql
