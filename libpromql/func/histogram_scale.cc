#include "libpromql/func/histogram_scale.h"

#include <memory>

namespace narthex::promql {

HistogramPtr Multiplied(const FloatHistogram& h, double factor) {
  auto out = std::make_shared<FloatHistogram>(h);
  out->zero_count *= factor;
  out->count *= factor;
  out->sum *= factor;
  for (double& bucket : out->positive_buckets) bucket *= factor;
  for (double& bucket : out->negative_buckets) bucket *= factor;
  if (factor < 0) out->hint = CounterResetHint::kGauge;
  return out;
}

HistogramPtr Divided(const FloatHistogram& h, double divisor) {
  auto out = std::make_shared<FloatHistogram>(h);
  out->zero_count /= divisor;
  out->count /= divisor;
  out->sum /= divisor;
  if (divisor == 0) {
    out->positive_buckets.clear();
    out->negative_buckets.clear();
    out->positive_spans.clear();
    out->negative_spans.clear();
    return out;
  }
  for (double& bucket : out->positive_buckets) bucket /= divisor;
  for (double& bucket : out->negative_buckets) bucket /= divisor;
  if (divisor < 0) out->hint = CounterResetHint::kGauge;
  return out;
}

HistogramPtr Compacted(const HistogramPtr& h) {
  auto out = std::make_shared<FloatHistogram>(*h);
  out->Compact();
  return out;
}

}  // namespace narthex::promql
