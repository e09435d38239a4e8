// A binary operator on two single elements, one of them a histogram at least;
// columns of floats go another way.
//
// Pure; any thread.

#pragma once

#include "absl/status/statusor.h"
#include "narthex/promql/ast.h"
#include "narthex/promql/value.h"

namespace narthex::promql {

struct BinaryElement {
  double v = 0;
  HistogramPtr histogram = {};
  bool keep = true;
  // There is no such operation between these types: the element is dropped.
  bool incompatible = false;
};

// Null histograms: floats.
absl::StatusOr<BinaryElement> ApplyToElements(BinaryOp op, double left,
                                              const HistogramPtr& left_h,
                                              double right,
                                              const HistogramPtr& right_h);

}  // namespace narthex::promql
