#include "narthex/model/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "libtsdb/model/histogram_buckets.h"
#include "narthex/base/status.h"
#include "narthex/model/float_histogram.h"

namespace narthex {
namespace {

// Deltas may wrap: they come from outside.
int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) +
                              static_cast<uint64_t>(b));
}

absl::Status SumDeltas(const std::vector<int64_t>& deltas, uint64_t& sum) {
  int64_t count = 0;
  for (size_t i = 0; i < deltas.size(); ++i) {
    count = WrappingAdd(count, deltas[i]);
    if (count < 0) return NegativeBucket(i, std::to_string(count));
    sum += static_cast<uint64_t>(count);
  }
  return absl::OkStatus();
}

std::vector<double> Absolute(const std::vector<int64_t>& deltas) {
  std::vector<double> counts;
  counts.reserve(deltas.size());
  int64_t count = 0;
  for (const int64_t delta : deltas) {
    count = WrappingAdd(count, delta);
    counts.push_back(static_cast<double>(count));
  }
  return counts;
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

}  // namespace

absl::Status Histogram::Validate() const {
  uint64_t in_buckets = zero_count;
  if (schema == kCustomBucketsSchema) {
    const absl::Status status = CheckCustomBuckets<Histogram, int64_t>(
        *this, positive_deltas, negative_deltas);
    if (!status.ok()) return status;
  } else if (IsExponentialSchema(schema)) {
    if (absl::Status status =
            CheckSpans(positive_spans, positive_deltas.size());
        !status.ok()) {
      return Annotate(status, "positive side");
    }
    absl::Status status = CheckSpans(negative_spans, negative_deltas.size());
    if (status.ok()) status = SumDeltas(negative_deltas, in_buckets);
    if (!status.ok()) return Annotate(status, "negative side");
    if (!custom_values.empty()) {
      return InvalidArgument(
          "histogram with exponential schema must not have custom bounds");
    }
  } else {
    return InvalidSchema(schema);
  }
  if (absl::Status status = SumDeltas(positive_deltas, in_buckets);
      !status.ok()) {
    return Annotate(status, "positive side");
  }
  // Observations of NaN are in the count and in no bucket; they make the sum
  // NaN.
  if (std::isnan(sum) ? in_buckets > count : in_buckets != count) {
    return InvalidArgument(StrCat(
        in_buckets, " observations found in buckets, but the Count field is ",
        count,
        std::isnan(sum)
            ? ": histogram's observation count should be at least the number "
              "of observations found in the buckets"
            : ": histogram's observation count should equal the number of "
              "observations found in the buckets (in absence of NaN)"));
  }
  return absl::OkStatus();
}

FloatHistogram Histogram::ToFloat() const {
  FloatHistogram h;
  h.hint = hint;
  h.schema = schema;
  h.zero_threshold = zero_threshold;
  h.zero_count = static_cast<double>(zero_count);
  h.count = static_cast<double>(count);
  h.sum = sum;
  h.positive_spans = positive_spans;
  h.negative_spans = negative_spans;
  h.positive_buckets = Absolute(positive_deltas);
  h.negative_buckets = Absolute(negative_deltas);
  h.custom_values = custom_values;
  return h;
}

bool Histogram::SameAs(const Histogram& other) const {
  return schema == other.schema && count == other.count &&
         zero_count == other.zero_count && SameBits(sum, other.sum) &&
         SameBits(zero_threshold, other.zero_threshold) &&
         SameSpans(positive_spans, other.positive_spans) &&
         SameSpans(negative_spans, other.negative_spans) &&
         positive_deltas == other.positive_deltas &&
         negative_deltas == other.negative_deltas &&
         std::equal(custom_values.begin(), custom_values.end(),
                    other.custom_values.begin(), other.custom_values.end(),
                    SameBits);
}

}  // namespace narthex
