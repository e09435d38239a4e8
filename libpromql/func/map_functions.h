// The families of functions of one number, each in a file of its own;
// registry.cc asks them in turn.

#pragma once

#include "libpromql/func/function.h"

namespace narthex::promql {

// A function of one number, a lambda without captures, as a loop over a column.
template <typename F>
MapFunction Loop(F) {
  return [](double* values, size_t n) {
    for (size_t i = 0; i < n; ++i) values[i] = F{}(values[i]);
  };
}

MapFunction FindMathFunction(FunctionId id);      // math.cc
MapFunction FindCalendarFunction(FunctionId id);  // calendar.cc

}  // namespace narthex::promql
