// Small things around SeriesSet: a walk over columns, and a set made of plain
// rows, for hosts and tests.

#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "narthex/model/columns.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/labels.h"
#include "narthex/model/querier.h"
#include "narthex/model/sample.h"

namespace narthex {

// Walks floats and histograms merged by time.  Borrows the columns.
class SampleIterator {
 public:
  explicit SampleIterator(const SampleColumns& columns) : columns_(columns) {}
  SampleKind Next();  // kNone: the end
  Timestamp t() const { return t_; }
  double value() const { return v_; }  // after kFloat
  FloatHistogram histogram() const;    // after kHistogram
  size_t histogram_index() const { return h_ - 1; }

 private:
  const SampleColumns& columns_;
  size_t f_ = 0, h_ = 0;
  Timestamp t_ = 0;
  double v_ = 0;
};

// A series as plain data.
struct SeriesData {
  Labels labels = {};
  std::vector<Sample> floats = {};  // ascending
  std::vector<std::pair<Timestamp, FloatHistogram>> histograms = {};
  // Empty, or one per float (histogram); 0: unknown.
  std::vector<Timestamp> start_times = {};
  std::vector<Timestamp> histogram_start_times = {};
};

// A store that holds just these rows.
std::unique_ptr<Queryable> NewMemoryQueryable(std::vector<SeriesData> rows);

}  // namespace narthex
