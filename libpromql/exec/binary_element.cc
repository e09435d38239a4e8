#include "libpromql/exec/binary_element.h"

#include "libpromql/func/binary_ops.h"
#include "libpromql/func/histogram_scale.h"
#include "narthex/base/status.h"

namespace narthex::promql {

absl::StatusOr<BinaryElement> ApplyToElements(BinaryOp op, double left,
                                              const HistogramPtr& left_h,
                                              double right,
                                              const HistogramPtr& right_h) {
  BinaryElement out;
  const bool trim = op == BinaryOp::kTrimLower || op == BinaryOp::kTrimUpper;
  if (left_h == nullptr && right_h == nullptr) {
    if (trim) {
      out.incompatible = true;
      return out;
    }
    out.v = ApplyOne(op, left, right);
    if (IsComparison(op)) {
      out.keep = out.v != 0;
      out.v = left;
    }
    return out;
  }
  if (left_h == nullptr) {
    if (op == BinaryOp::kMul) {
      out.histogram = Compacted(Multiplied(*right_h, left));
      return out;
    }
  } else if (right_h == nullptr) {
    if (op == BinaryOp::kMul) {
      out.histogram = Compacted(Multiplied(*left_h, right));
      return out;
    }
    if (op == BinaryOp::kDiv) {
      out.histogram = Compacted(Divided(*left_h, right));
      return out;
    }
    if (trim) return Unimplemented("trimming histograms is not implemented");
  } else {
    if (op == BinaryOp::kEqual || op == BinaryOp::kNotEqual) {
      out.histogram = left_h;
      out.keep = left_h->SameAs(*right_h) == (op == BinaryOp::kEqual);
      return out;
    }
    if (op == BinaryOp::kAdd || op == BinaryOp::kSub) {
      return Unimplemented("adding histograms is not implemented");
    }
  }
  out.incompatible = true;
  return out;
}

}  // namespace narthex::promql
