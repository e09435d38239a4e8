#include "libpromql/func/histogram_scale.h"

namespace narthex::promql {

void Multiply(FloatHistogram& h, double factor) {
  h.zero_count *= factor;
  h.count *= factor;
  h.sum *= factor;
  for (double& bucket : h.positive_buckets) bucket *= factor;
  for (double& bucket : h.negative_buckets) bucket *= factor;
  if (factor < 0) h.hint = CounterResetHint::kGauge;
}

void Divide(FloatHistogram& h, double divisor) {
  h.zero_count /= divisor;
  h.count /= divisor;
  h.sum /= divisor;
  if (divisor == 0) {
    h.positive_buckets.clear();
    h.negative_buckets.clear();
    h.positive_spans.clear();
    h.negative_spans.clear();
    return;
  }
  for (double& bucket : h.positive_buckets) bucket /= divisor;
  for (double& bucket : h.negative_buckets) bucket /= divisor;
  if (divisor < 0) h.hint = CounterResetHint::kGauge;
}

}  // namespace narthex::promql
