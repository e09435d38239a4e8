// A native histogram times or divided by a number.
//
// Pure; any thread.

#pragma once

#include "narthex/promql/value.h"

namespace narthex::promql {

// A negative factor makes a gauge of it.
HistogramPtr Multiplied(const FloatHistogram& h, double factor);
// Division by zero leaves no buckets, and counts that are infinite or NaN.
HistogramPtr Divided(const FloatHistogram& h, double divisor);
// Without empty buckets.
HistogramPtr Compacted(const HistogramPtr& h);

}  // namespace narthex::promql
