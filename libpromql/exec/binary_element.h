// A binary operator on two single elements, one of them a histogram at least;
// columns of floats go another way.
//
// One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libpromql/exec/column_block.h"
#include "libpromql/exec/scope.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

struct Element {
  double v = 0;
  HistogramView histogram = {};  // none: a float
};
inline Element ElementAt(const ColumnBlock& block, size_t row, size_t k) {
  if (block.IsHistogram(row, k)) return {0, block.Histogram(row, k)};
  return {block.values(row)[k], {}};
}

// What there is to say about a pair of elements.
enum class BinaryNote : uint8_t {
  kNone,
  kTypes,      // no such operation between floats and histograms so: dropped
  kLayouts,    // exponential and custom buckets: dropped
  kResets,     // one was reset, the other not: dropped
  kReconciled  // bounds of custom buckets differ
};

// Kept from element to element: its histogram's memory serves them all.
struct BinaryElement {
  bool keep = true;  // by a comparison
  BinaryNote note = BinaryNote::kNone;
  double v = 0;
  // The value is a histogram: `left`, or else `histogram`.
  bool is_histogram = false;
  HistogramView left = {};
  FloatHistogram histogram = {};
  FloatHistogram other = {};  // scratch

  bool dropped() const {
    return note != BinaryNote::kNone && note != BinaryNote::kReconciled;
  }
  // A comparison with `bool`.
  void ToBool() {
    v = keep ? 1 : 0;
    is_histogram = false;
  }
  void Store(ColumnBlock& out, size_t row, size_t k) const {
    if (!is_histogram) {
      out.values(row)[k] = v;
      SetBit(out.present(row), k);
    } else if (left) {
      out.SetHistogram(row, k, left);
    } else {
      out.SetHistogram(row, k, histogram);
    }
  }
};

void ApplyToElements(BinaryOp op, const Element& left, const Element& right,
                     BinaryElement& out);

// Of every step the last note counts, as in Prometheus.
class BinaryNotes {
 public:
  // `k`: the step.
  void Set(size_t k, size_t steps, const Element& left, const Element& right,
           BinaryNote note) {
    if (notes_.empty()) notes_.resize(steps);
    notes_[k] = {note, static_cast<bool>(left.histogram),
                 static_cast<bool>(right.histogram)};
  }
  // As annotations; forgets them.
  void Tell(QueryScope& scope, BinaryOp op, TextRange at);

 private:
  struct Note {
    BinaryNote note = BinaryNote::kNone;
    bool left_histogram = false, right_histogram = false;
    friend bool operator==(const Note&, const Note&) = default;
  };
  std::vector<Note> notes_;  // of every step, or empty
};

}  // namespace narthex::promql
