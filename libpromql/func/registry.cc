// From a function's id to its implementation.

#include "libpromql/func/function.h"
#include "libpromql/func/map_functions.h"
#include "libpromql/func/window_functions.h"

namespace narthex::promql {

MapFunction FindMapFunction(FunctionId id) {
  if (MapFunction f = FindMathFunction(id)) return f;
  return FindCalendarFunction(id);
}

WindowFunction FindWindowFunction(FunctionId id) {
  if (WindowFunction f = FindRateFunction(id)) return f;
  if (WindowFunction f = FindOverTimeFunction(id)) return f;
  return FindRegressionFunction(id);
}

}  // namespace narthex::promql
