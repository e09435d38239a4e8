// sum and avg of native histograms: an accumulator per group and step, made
// where there are histograms.  The floats of the same groups are added up by
// func/accumulate.h; where a group has both, there is no result.
//
// Lanes (steps) are independent of each other: one thread per range of words.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "libpromql/exec/column_block.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/histogram_accumulator.h"

namespace narthex::promql {

class HistogramLanes {
 public:
  HistogramLanes(bool mean, size_t groups, size_t steps)
      : mean_(mean), steps_(steps), lanes_(groups * steps) {}

  // Adds a row's histograms at the steps of words [begin, end).  `floats`:
  // where the group has met floats up to now; `series`: the row's number.
  void Add(size_t group, const HistogramRow& row, const uint64_t* floats,
           size_t series, size_t begin_word, size_t end_word);

  // The group's histograms, where there are no floats; `out`'s row has the
  // floats.  `rows` are the series that were added.
  void Finish(QueryScope& scope, size_t group, SeriesRows rows, TextRange at,
              ColumnBlock& out, size_t row);

  size_t bytes() const {
    return lanes_.capacity() * sizeof(lanes_[0]) +
           bytes_.load(std::memory_order_relaxed);
  }

 private:
  struct Lane {
    HistogramAccumulator sum;
    bool floats_first = false;  // then there is no result anyway
    bool reconciled = false;
    bool reset = false, no_reset = false;
    // Exponential and custom buckets: from there on nothing is added.
    bool incompatible = false;
    bool floats_before = false;  // met before that
    uint32_t incompatible_series = 0;
  };

  const bool mean_;
  const size_t steps_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by group, then step
  std::atomic<size_t> bytes_ = 0;
};

}  // namespace narthex::promql
