// Aggregation of columns: one accumulator per group, a lane per step, values
// added in the order of the series, so that every lane does exactly what
// Prometheus does at that step.
//
// One thread per range of lanes; lanes don't touch each other.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "libpromql/func/function.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

// All groups of one aggregation.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  // Adds the present lanes of words [begin, end) to the group.
  virtual void Add(size_t group, const double* values, const uint64_t* present,
                   size_t begin_word, size_t end_word) = 0;
  // Where the group has values up to now.
  virtual const uint64_t* present(size_t group) const = 0;
  // The group's results, and where there are any.
  virtual void Finish(size_t group, double* values, uint64_t* present) = 0;
  // Doubles per group and step, for the budget.
  virtual size_t doubles() const = 0;
};

// sum, avg, min, max, count, group, stddev, stdvar.
std::unique_ptr<Accumulator> NewAccumulator(AggregateOp op, size_t groups,
                                            size_t steps);

}  // namespace narthex::promql
