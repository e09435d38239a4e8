// The families of functions over windows, each in a file of its own;
// registry.cc asks them in turn.

#pragma once

#include "libpromql/func/function.h"

namespace narthex::promql {

WindowFunction FindRateFunction(FunctionId id);        // rate.cc
WindowFunction FindOverTimeFunction(FunctionId id);    // over_time.cc
WindowFunction FindRegressionFunction(FunctionId id);  // regression.cc

}  // namespace narthex::promql
