#include "libpromql/exec/binary_element.h"

#include "libpromql/exec/annotate.h"
#include "libpromql/func/binary_ops.h"
#include "libpromql/func/histogram_functions.h"
#include "libpromql/func/histogram_row.h"
#include "libpromql/func/histogram_scale.h"
#include "narthex/model/histogram_sum.h"

namespace narthex::promql {
namespace {

void ApplyToFloats(BinaryOp op, double left, double right, BinaryElement& out) {
  if (op == BinaryOp::kTrimLower || op == BinaryOp::kTrimUpper) {
    out.note = BinaryNote::kTypes;
    return;
  }
  out.v = ApplyOne(op, left, right);
  if (IsComparison(op)) {
    out.keep = out.v != 0;
    out.v = left;
  }
}

void AddOrSubtract(BinaryOp op, const HistogramView& left,
                   const HistogramView& right, BinaryElement& out) {
  Assign(left, out.histogram);
  Assign(right, out.other);
  const bool add = op == BinaryOp::kAdd;
  const auto sum = add ? AddTo(out.histogram, out.other)
                       : SubtractFrom(out.histogram, out.other);
  if (!sum.ok()) {
    out.note = BinaryNote::kLayouts;
    return;
  }
  if (sum->hints_collide) {
    out.note = BinaryNote::kResets;
    return;
  }
  if (!add) out.histogram.hint = CounterResetHint::kGauge;
  if (sum->bounds_reconciled) out.note = BinaryNote::kReconciled;
  CompactFully(out.histogram);
}

}  // namespace

void ApplyToElements(BinaryOp op, const Element& left, const Element& right,
                     BinaryElement& out) {
  out.keep = true;
  out.note = BinaryNote::kNone;
  out.v = 0;
  out.left = {};
  out.is_histogram = left.histogram || right.histogram;
  if (!out.is_histogram) {
    ApplyToFloats(op, left.v, right.v, out);
    return;
  }
  if (left.histogram && right.histogram) {
    if (op == BinaryOp::kEqual || op == BinaryOp::kNotEqual) {
      out.left = left.histogram;
      out.keep = SameHistogram(left.histogram, right.histogram) ==
                 (op == BinaryOp::kEqual);
      return;
    }
    if (op == BinaryOp::kAdd || op == BinaryOp::kSub) {
      AddOrSubtract(op, left.histogram, right.histogram, out);
      return;
    }
  } else if (left.histogram) {
    switch (op) {
      case BinaryOp::kMul:
      case BinaryOp::kDiv:
        Assign(left.histogram, out.histogram);
        if (op == BinaryOp::kMul) {
          Multiply(out.histogram, right.v);
        } else {
          Divide(out.histogram, right.v);
        }
        CompactFully(out.histogram);
        return;
      case BinaryOp::kTrimUpper:
      case BinaryOp::kTrimLower:
        Assign(left.histogram, out.histogram);
        TrimHistogram(right.v, op == BinaryOp::kTrimUpper, out.histogram);
        return;
      default:
        break;
    }
  } else if (op == BinaryOp::kMul) {
    Assign(right.histogram, out.histogram);
    Multiply(out.histogram, left.v);
    CompactFully(out.histogram);
    return;
  }
  out.note = BinaryNote::kTypes;
}

void BinaryNotes::Tell(QueryScope& scope, BinaryOp op, TextRange at) {
  Note last;
  const std::string_view what =
      op == BinaryOp::kAdd ? "addition" : "subtraction";
  for (const Note& note : notes_) {
    if (note == last) continue;
    last = note;
    switch (note.note) {
      case BinaryNote::kNone:
        break;
      case BinaryNote::kTypes:
        scope.Info(IncompatibleTypesText(Text(op), note.left_histogram,
                                         note.right_histogram),
                   at);
        break;
      case BinaryNote::kLayouts:
        scope.Warn(IncompatibleLayoutText(Text(op)), at);
        break;
      case BinaryNote::kResets:
        scope.Warn(ConflictingResetsText(what), at);
        break;
      case BinaryNote::kReconciled:
        scope.Info(ReconciledBoundsText(what), at);
        break;
    }
  }
  notes_.clear();
}

}  // namespace narthex::promql
