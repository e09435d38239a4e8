#include "libpromql/exec/aggregate_histogram.h"

#include <algorithm>

#include "libpromql/exec/annotate.h"

namespace narthex::promql {

void HistogramLanes::Add(size_t group, const HistogramRow& row,
                         const uint64_t* floats, size_t series,
                         size_t begin_word, size_t end_word) {
  const size_t end = std::min(end_word * 64, steps_);
  for (size_t k = begin_word * 64; k < end; ++k) {
    if (!row.Has(k)) continue;
    std::unique_ptr<Lane>& slot = lanes_[group * steps_ + k];
    if (slot == nullptr) {
      slot = std::make_unique<Lane>();
      slot->floats_first = TestBit(floats, k);
      bytes_.fetch_add(sizeof(Lane) + 16 * row.View(k).size(),
                       std::memory_order_relaxed);
    }
    Lane& lane = *slot;
    if (lane.floats_first || lane.incompatible) continue;
    const HistogramView h = row.View(k);
    lane.reset |= h.hint == CounterResetHint::kReset;
    lane.no_reset |= h.hint == CounterResetHint::kNotReset;
    switch (mean_ ? lane.sum.AddToMean(h) : lane.sum.Add(h)) {
      case HistogramAccumulator::Added::kFine:
        break;
      case HistogramAccumulator::Added::kReconciled:
        lane.reconciled = true;
        break;
      case HistogramAccumulator::Added::kIncompatible:
        lane.incompatible = true;
        lane.floats_before = TestBit(floats, k);
        lane.incompatible_series = static_cast<uint32_t>(series);
        break;
    }
  }
}

void HistogramLanes::Finish(QueryScope& scope, size_t group, SeriesRows rows,
                            TextRange at, ColumnBlock& out, size_t row) {
  FloatHistogram result;
  for (size_t k = 0; k < steps_; ++k) {
    const std::unique_ptr<Lane> lane = std::move(lanes_[group * steps_ + k]);
    if (lane == nullptr) continue;
    if (lane->reconciled) {
      scope.Info(ReconciledBoundsText("aggregation"), at);
    }
    if (lane->incompatible) {
      scope.Warn(MixedSchemasText(
                     scope.MetricName(rows[lane->incompatible_series].labels)),
                 at);
    }
    const bool floats = TestBit(out.present(row), k);
    ClearBit(out.present(row), k);
    if (floats && (!lane->incompatible || lane->floats_before)) {
      scope.Warn(MixedInAggregationText(), at);
      continue;
    }
    if (lane->incompatible) continue;
    if (lane->reset && lane->no_reset) {
      scope.Warn(ConflictingResetsText("aggregation"), at);
    }
    if (mean_) {
      lane->sum.Mean(result);
    } else {
      lane->sum.Sum(result);
    }
    CompactFully(result);
    out.SetHistogram(row, k, result);
  }
}

}  // namespace narthex::promql
