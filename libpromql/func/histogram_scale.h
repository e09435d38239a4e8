// A native histogram times or divided by a number.
//
// Pure; any thread.

#pragma once

#include "narthex/model/float_histogram.h"

namespace narthex::promql {

// A negative factor makes a gauge of it.
void Multiply(FloatHistogram& h, double factor);
// Division by zero leaves no buckets, and counts that are infinite or NaN.
void Divide(FloatHistogram& h, double divisor);

}  // namespace narthex::promql
