#include "libtsdb/model/histogram_buckets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "narthex/base/status.h"
#include "narthex/model/float_histogram.h"

namespace narthex {
namespace {

// Upper bounds of schema 8 within [0.5, 1).  They are not the powers of two
// rounded to the nearest, but what repeated multiplication comes to: bounds of
// odd number are those of the coarser schema, the others the one before times
// the schema's base.  Prometheus's numbers, bit for bit.
using Bounds = std::array<double, 256>;

Bounds MakeBounds() {
  constexpr double kBase[] = {
      2.0,
      0x1.6a09e667f3bccp+0,  // one unit below the square root: as published
      0x1.306fe0a31b715p+0,
      0x1.172b83c7d517bp+0,
      0x1.0b5586cf9890fp+0,
      0x1.059b0d3158574p+0,
      0x1.02c9a3e778061p+0,
      0x1.0163da9fb3335p+0,
      0x1.00b1afa5abcbfp+0};
  Bounds bounds = {0.5};
  for (size_t schema = 1; schema <= 8; ++schema) {
    const size_t n = size_t{1} << schema;
    Bounds finer = {0.5};
    for (size_t i = 0; i + 1 < n; ++i) {
      finer[i + 1] = i % 2 == 1 ? bounds[i / 2 + 1] : finer[i] * kBase[schema];
    }
    bounds = finer;
  }
  return bounds;
}

double ExponentialBound(int64_t index, int32_t schema) {
  static const Bounds bounds = MakeBounds();
  schema = std::clamp(schema, -10, kMaxSchema);
  // The last bucket of finite numbers would end at 2^1024: the greatest double
  // stands for it.  The one behind holds the infinities.
  constexpr double kGreatest = std::numeric_limits<double>::max();
  constexpr int64_t kFar = 1 << 20;  // far beyond what ldexp tells apart
  if (schema < 0) {
    const int64_t exponent = index * (int64_t{1} << -schema);
    if (exponent == 1024) return kGreatest;
    return std::ldexp(1, static_cast<int>(std::clamp(exponent, -kFar, kFar)));
  }
  const int64_t n = int64_t{1} << schema;
  const int64_t fraction = index & (n - 1);
  const int64_t exponent = (index >> schema) + 1;
  if (fraction == 0 && exponent == 1025) return kGreatest;
  return std::ldexp(bounds[static_cast<size_t>(fraction << (8 - schema))],
                    static_cast<int>(std::clamp(exponent, -kFar, kFar)));
}

// Skips spans of length 0, adding their offsets up.
class SpanWalk {
 public:
  explicit SpanWalk(std::span<const Span> spans) : spans_(spans) {}
  bool Next() {
    offset_ = 0;
    while (i_ < spans_.size()) {
      offset_ += spans_[i_].offset;
      if (spans_[i_++].length != 0) return true;
    }
    return false;
  }
  int64_t offset() const { return offset_; }
  uint32_t length() const { return spans_[i_ - 1].length; }

 private:
  std::span<const Span> spans_;
  size_t i_ = 0;
  int64_t offset_ = 0;
};

}  // namespace

double BucketBound(int32_t index, int32_t schema,
                   const std::vector<double>& custom_values) {
  if (schema != kCustomBucketsSchema) return ExponentialBound(index, schema);
  if (index < 0) return -std::numeric_limits<double>::infinity();
  const auto i = static_cast<size_t>(index);
  return i < custom_values.size() ? custom_values[i]
                                  : std::numeric_limits<double>::infinity();
}

bool SameSpans(std::span<const Span> a, std::span<const Span> b) {
  SpanWalk x(a), y(b);
  while (true) {
    const bool more = x.Next();
    if (more != y.Next()) return false;
    if (!more) return true;
    if (x.offset() != y.offset() || x.length() != y.length()) return false;
  }
}

void CompactBuckets(int max_empty, std::vector<Span>& spans,
                    std::vector<double>& buckets) {
  // What a hostile layout may make grow.
  constexpr int64_t kMostFilled = 1 << 20;
  std::vector<Span> new_spans;
  std::vector<double> new_buckets;
  int64_t end = 0;  // behind the last bucket written
  VisitBuckets(spans, buckets.size(), [&](int64_t index, size_t i) {
    if (buckets[i] == 0) return;
    const int64_t gap = index - end;
    if (new_spans.empty() || gap > max_empty || gap > kMostFilled) {
      new_spans.push_back({static_cast<int32_t>(gap), 0});
    } else {
      new_buckets.insert(new_buckets.end(), static_cast<size_t>(gap), 0.0);
      new_spans.back().length += static_cast<uint32_t>(gap);
    }
    new_buckets.push_back(buckets[i]);
    ++new_spans.back().length;
    end = index + 1;
  });
  spans = std::move(new_spans);
  buckets = std::move(new_buckets);
}

bool IsExponentialSchema(int32_t schema) {
  return schema >= kMinSchema && schema <= kMaxSchema;
}

absl::Status InvalidSchema(int32_t schema) {
  return InvalidArgument(
      StrCat("histogram has an invalid schema, which must be between ",
             kMinSchema, " and ", kMaxSchema, " for exponential buckets, or ",
             kCustomBucketsSchema, " for custom buckets, got schema ", schema));
}

absl::Status NegativeBucket(size_t i, std::string_view count) {
  return InvalidArgument(
      StrCat("bucket number ", i + 1, " has observation count of ", count,
             ": histogram has a bucket whose observation count is negative"));
}

namespace {

absl::Status NegativeOffset(size_t i, const Span& span) {
  return InvalidArgument(
      StrCat("span number ", i + 1, " with offset ", span.offset,
             ": histogram has a span whose offset is negative"));
}

absl::Status BucketMismatch(uint64_t need, size_t have) {
  return InvalidArgument(
      StrCat("spans need ", need, " buckets, have ", have,
             " buckets: histogram spans specify different number of buckets "
             "than provided"));
}

}  // namespace

absl::Status CheckSpans(std::span<const Span> spans, size_t buckets) {
  uint64_t need = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) return NegativeOffset(i, spans[i]);
    need += spans[i].length;
  }
  if (need != buckets) return BucketMismatch(need, buckets);
  return absl::OkStatus();
}

absl::Status CheckCustomBounds(std::span<const double> bounds,
                               std::span<const Span> spans, size_t buckets) {
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (std::isnan(bounds[i])) {
      return InvalidArgument("histogram custom bounds must not be NaN");
    }
    if (i > 0 && bounds[i] <= bounds[i - 1]) {
      return InvalidArgument(absl::StrFormat(
          "previous bound is %f and current is %f: histogram custom bounds "
          "must be in strictly increasing order",
          bounds[i - 1], bounds[i]));
    }
  }
  if (!bounds.empty() &&
      bounds.back() == std::numeric_limits<double>::infinity()) {
    return InvalidArgument(
        "last +Inf bound must not be explicitly defined: histogram custom "
        "bounds must be finite");
  }
  uint64_t need = 0, reach = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].offset < 0) return NegativeOffset(i, spans[i]);
    need += spans[i].length;
    reach += static_cast<uint64_t>(spans[i].offset) + spans[i].length;
  }
  if (need != buckets) return BucketMismatch(need, buckets);
  if (bounds.size() + 1 < reach) {
    return InvalidArgument(
        StrCat("only ", bounds.size(),
               " custom bounds defined which is insufficient to cover total "
               "span length of ",
               reach, ": histogram custom bounds are too few"));
  }
  return absl::OkStatus();
}

}  // namespace narthex
