#include "narthex/model/float_histogram.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "libtsdb/model/histogram_buckets.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex {
namespace {

absl::Status CheckCounts(const std::vector<double>& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] < 0) return NegativeBucket(i, FormatFloat(counts[i]));
  }
  return absl::OkStatus();
}

// Buckets of a side, gaps filled, that a list in the tests' notation may have.
constexpr uint64_t kWidestInTests = 100'000;

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}
bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return SameBits(x, y); });
}

void AppendBucket(const FloatHistogram::Bucket& bucket, std::string& out) {
  out += bucket.lower_inclusive ? '[' : '(';
  out += FormatFloat(bucket.lower);
  out += ',';
  out += FormatFloat(bucket.upper);
  out += bucket.upper_inclusive ? ']' : ')';
  out += ':';
  out += FormatFloat(bucket.count);
}

// How many buckets there are from a side's first to its last, gaps and all.
uint64_t Width(const std::vector<Span>& spans) {
  uint64_t width = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    width += spans[i].length;
    if (i > 0 && spans[i].offset > 0) {
      width += static_cast<uint64_t>(spans[i].offset);
    }
  }
  return width;
}

std::string Joined(const std::vector<double>& numbers) {
  std::string out = "[";
  for (const double x : numbers) {
    if (out.size() > 1) out += ' ';
    out += FormatFloat(x);
  }
  return out + ']';
}

// From the lowest to the highest.  Prometheus has two ways: in its texts every
// bucket has the bounds of its index, and a negative zero bucket is one too;
// its iterator passes over that, and cuts the neighbours of the zero bucket by
// it.
std::vector<FloatHistogram::Bucket> BucketsOf(const FloatHistogram& h,
                                              bool as_text) {
  const bool custom = h.uses_custom_buckets();
  std::vector<FloatHistogram::Bucket> all;
  const auto add = [&](int64_t index, double n, bool positive) {
    if (n == 0) return;
    const auto i = static_cast<int32_t>(index);
    FloatHistogram::Bucket bucket;
    bucket.upper = BucketBound(i, h.schema, h.custom_values);
    bucket.lower = BucketBound(i - 1, h.schema, h.custom_values);
    if (!as_text && !custom && bucket.lower < h.zero_threshold) {
      bucket.lower = h.zero_threshold;
    }
    if (!positive) {
      std::swap(bucket.lower, bucket.upper);
      bucket.lower = -bucket.lower;
      bucket.upper = -bucket.upper;
    }
    bucket.lower_inclusive = custom ? i == 0 : bucket.lower < 0;
    bucket.upper_inclusive = custom || bucket.upper > 0;
    bucket.count = n;
    bucket.index = i;
    all.push_back(bucket);
  };
  VisitBuckets(h.negative_spans, h.negative_buckets.size(),
               [&](int64_t index, size_t i) {
                 add(index, h.negative_buckets[i], /*positive=*/false);
               });
  std::reverse(all.begin(), all.end());
  if (as_text ? h.zero_count != 0 : h.zero_count > 0) {
    all.push_back(
        {-h.zero_threshold, h.zero_threshold, true, true, h.zero_count, 0});
  }
  VisitBuckets(h.positive_spans, h.positive_buckets.size(),
               [&](int64_t index, size_t i) {
                 add(index, h.positive_buckets[i], /*positive=*/true);
               });
  return all;
}

}  // namespace

absl::Status FloatHistogram::Validate() const {
  if (uses_custom_buckets()) {
    const absl::Status status = CheckCustomBuckets<FloatHistogram, double>(
        *this, positive_buckets, negative_buckets);
    if (!status.ok()) return status;
  } else if (IsExponentialSchema(schema)) {
    if (absl::Status status =
            CheckSpans(positive_spans, positive_buckets.size());
        !status.ok()) {
      return Annotate(status, "positive side");
    }
    absl::Status status = CheckSpans(negative_spans, negative_buckets.size());
    if (status.ok()) status = CheckCounts(negative_buckets);
    if (!status.ok()) return Annotate(status, "negative side");
    if (zero_count < 0) {
      return InvalidArgument(StrCat(
          "zero bucket has observation count of ", FormatFloat(zero_count),
          ": histogram has a bucket whose observation count is "
          "negative"));
    }
    if (!custom_values.empty()) {
      return InvalidArgument(
          "histogram with exponential schema must not have custom bounds");
    }
  } else {
    return InvalidSchema(schema);
  }
  if (count < 0) {
    // Two spaces, as in Prometheus.
    return InvalidArgument(
        StrCat("observation count is  ", FormatFloat(count),
               ": histogram's observation count is negative"));
  }
  return Annotate(CheckCounts(positive_buckets), "positive side");
}

bool FloatHistogram::SameAs(const FloatHistogram& other) const {
  return schema == other.schema && SameBits(count, other.count) &&
         SameBits(zero_count, other.zero_count) && SameBits(sum, other.sum) &&
         SameBits(zero_threshold, other.zero_threshold) &&
         SameSpans(positive_spans, other.positive_spans) &&
         SameSpans(negative_spans, other.negative_spans) &&
         SameBits(positive_buckets, other.positive_buckets) &&
         SameBits(negative_buckets, other.negative_buckets) &&
         SameBits(custom_values, other.custom_values);
}

void FloatHistogram::Compact(int max_empty) {
  CompactBuckets(max_empty, positive_spans, positive_buckets);
  CompactBuckets(max_empty, negative_spans, negative_buckets);
}

std::vector<FloatHistogram::Bucket> FloatHistogram::AllBuckets() const {
  return BucketsOf(*this, /*as_text=*/false);
}

std::string FloatHistogram::ToString() const {
  std::string out =
      "{count:" + FormatFloat(count) + ", sum:" + FormatFloat(sum);
  for (const Bucket& bucket : BucketsOf(*this, /*as_text=*/true)) {
    out += ", ";
    AppendBucket(bucket, out);
  }
  return out + '}';
}

// A layout with gaps that no list should fill comes as ToString() has it.
std::string FloatHistogram::ToTestString() const {
  if (Width(positive_spans) > kWidestInTests ||
      Width(negative_spans) > kWidestInTests) {
    return ToString();
  }
  FloatHistogram h = *this;
  h.Compact(std::numeric_limits<int>::max());  // one span a side
  std::string out;
  const auto part = [&out](std::string_view key, const std::string& value) {
    if (!out.empty()) out += ' ';
    out += key;
    out += ':';
    out += value;
  };
  if (h.schema != 0) part("schema", std::to_string(h.schema));
  if (h.count != 0) part("count", FormatFloat(h.count));
  if (h.sum != 0) part("sum", FormatFloat(h.sum));
  if (h.zero_count != 0) part("z_bucket", FormatFloat(h.zero_count));
  if (h.zero_threshold != 0) part("z_bucket_w", FormatFloat(h.zero_threshold));
  if (h.uses_custom_buckets()) part("custom_values", Joined(h.custom_values));
  switch (h.hint) {
    case CounterResetHint::kUnknown:
      break;
    case CounterResetHint::kReset:
      part("counter_reset_hint", "reset");
      break;
    case CounterResetHint::kNotReset:
      part("counter_reset_hint", "not_reset");
      break;
    case CounterResetHint::kGauge:
      part("counter_reset_hint", "gauge");
      break;
  }
  const auto side = [&part](std::string_view offset_key,
                            std::string_view buckets_key,
                            const std::vector<Span>& spans,
                            const std::vector<double>& buckets) {
    if (!spans.empty() && spans[0].offset != 0) {
      part(offset_key, std::to_string(spans[0].offset));
    }
    if (!buckets.empty()) part(buckets_key, Joined(buckets));
  };
  side("offset", "buckets", h.positive_spans, h.positive_buckets);
  side("n_offset", "n_buckets", h.negative_spans, h.negative_buckets);
  return "{{" + out + "}}";
}

}  // namespace narthex
