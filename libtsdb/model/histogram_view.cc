#include "narthex/model/histogram_view.h"

#include <bit>
#include <cstring>
#include <limits>

#include "libtsdb/model/histogram_buckets.h"
#include "libtsdb/model/indexed_buckets.h"

namespace narthex {
namespace {

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}
bool SameBits(std::span<const double> a, std::span<const double> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// One side's counts fell, or a full bucket is gone.  Buckets that end within
// the zero bucket don't count.
bool SideFell(IndexedBuckets now, IndexedBuckets before, int32_t schema,
              int32_t schema_before, double zero_threshold) {
  Coarsen(before, schema_before, schema);
  const auto in_zero_bucket = [&](const IndexedBucket& bucket) {
    return BucketBound(bucket.index, schema, {}) <= zero_threshold;
  };
  size_t i = 0, j = 0;
  if (schema != kCustomBucketsSchema) {
    while (i < now.size() && in_zero_bucket(now[i])) ++i;
    while (j < before.size() && in_zero_bucket(before[j])) ++j;
  }
  for (; j < before.size(); ++j) {
    while (i < now.size() && now[i].index < before[j].index) ++i;
    if (i == now.size() || now[i].index > before[j].index) {
      if (before[j].count != 0) return true;
    } else if (now[i].count < before[j].count) {
      return true;
    }
  }
  return false;
}

// Sums up what lies at or below a bound, from where it stopped.
class RollUp {
 public:
  explicit RollUp(const HistogramView& h)
      : bounds_(h.layout().custom_values),
        buckets_(ToBuckets(h.layout().positive_spans, h.positive())) {}

  double UpTo(double bound) {
    double sum = 0;
    while (i_ < buckets_.size() &&
           BucketBound(buckets_[i_].index, kCustomBucketsSchema, bounds_) <=
               bound) {
      sum += buckets_[i_++].count;
    }
    return sum;
  }

 private:
  const std::vector<double>& bounds_;
  const IndexedBuckets buckets_;
  size_t i_ = 0;
};

// Between the bounds that both have, something fell.
bool FellBetweenCommonBounds(const HistogramView& now,
                             const HistogramView& before) {
  const std::vector<double>& a = now.layout().custom_values;
  const std::vector<double>& b = before.layout().custom_values;
  RollUp sum_now(now), sum_before(before);
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (a[i] < b[j]) {
      ++i;
    } else if (b[j] < a[i]) {
      ++j;
    } else {
      if (sum_now.UpTo(a[i]) < sum_before.UpTo(a[i])) return true;
      ++i;
      ++j;
    }
  }
  constexpr double kInf = std::numeric_limits<double>::infinity();
  return sum_now.UpTo(kInf) < sum_before.UpTo(kInf);
}

}  // namespace

HistogramView ViewOf(const HistogramColumn& column, size_t i) {
  const HistogramColumn::Point& point = column.points[i];
  HistogramView view;
  view.shared = &column.layouts[point.layout];
  view.buckets = column.buckets.data() + point.buckets;
  view.count = point.count;
  view.zero_count = point.zero_count;
  view.sum = point.sum;
  view.hint = static_cast<CounterResetHint>(point.hint);
  return view;
}

void Assign(const HistogramView& view, FloatHistogram& out) {
  const HistogramLayout& layout = view.layout();
  out.hint = view.hint;
  out.schema = layout.schema;
  out.zero_threshold = layout.zero_threshold;
  out.zero_count = view.zero_count;
  out.count = view.count;
  out.sum = view.sum;
  out.positive_spans = layout.positive_spans;
  out.negative_spans = layout.negative_spans;
  out.custom_values = layout.custom_values;
  const auto positive = view.positive(), negative = view.negative();
  out.positive_buckets.assign(positive.begin(), positive.end());
  out.negative_buckets.assign(negative.begin(), negative.end());
}

std::shared_ptr<const HistogramLayout> MakeLayout(const FloatHistogram& h) {
  auto layout = std::make_shared<HistogramLayout>();
  layout->schema = h.schema;
  layout->zero_threshold = h.zero_threshold;
  layout->positive_spans = h.positive_spans;
  layout->negative_spans = h.negative_spans;
  layout->custom_values = h.custom_values;
  layout->positive_buckets = static_cast<uint32_t>(h.positive_buckets.size());
  layout->negative_buckets = static_cast<uint32_t>(h.negative_buckets.size());
  return layout;
}

bool SameHistogram(const HistogramView& a, const HistogramView& b) {
  const HistogramLayout& x = a.layout();
  const HistogramLayout& y = b.layout();
  if (!SameBits(a.count, b.count) || !SameBits(a.sum, b.sum) ||
      !SameBits(a.zero_count, b.zero_count) ||
      !SameBits(a.positive(), b.positive()) ||
      !SameBits(a.negative(), b.negative())) {
    return false;
  }
  return &x == &y ||
         (x.schema == y.schema && x.zero_threshold == y.zero_threshold &&
          x.custom_values == y.custom_values &&
          SameSpans(x.positive_spans, y.positive_spans) &&
          SameSpans(x.negative_spans, y.negative_spans));
}

bool DetectReset(const HistogramView& now, const HistogramView& before) {
  if (now.hint == CounterResetHint::kReset) return true;
  if (now.hint == CounterResetHint::kNotReset) return false;
  if (now.count < before.count) return true;
  const HistogramLayout& layout = now.layout();
  const HistogramLayout& old = before.layout();
  if (&layout == &old || SameLayout(layout, old)) {
    if (now.zero_count < before.zero_count) return true;
    const size_t n = now.size();
    for (size_t i = 0; i < n; ++i) {
      if (now.buckets[i] < before.buckets[i]) return true;
    }
    return false;
  }
  if (now.uses_custom_buckets()) {
    if (!before.uses_custom_buckets()) return true;
    if (layout.custom_values != old.custom_values) {
      return FellBetweenCommonBounds(now, before);
    }
  }
  // A finer schema or a narrower zero bucket need a fresh start.
  if (layout.schema > old.schema) return true;
  if (layout.zero_threshold < old.zero_threshold) return true;
  const IndexedBuckets positive =
      ToBuckets(old.positive_spans, before.positive());
  const IndexedBuckets negative =
      ToBuckets(old.negative_spans, before.negative());
  double zero_count = before.zero_count;
  if (layout.zero_threshold != old.zero_threshold) {
    double threshold = layout.zero_threshold;
    zero_count = ZeroCountBelow(before.zero_count, old.schema, positive,
                                negative, threshold);
    if (threshold != layout.zero_threshold) return true;  // cuts a full bucket
  }
  if (now.zero_count < zero_count) return true;
  return SideFell(ToBuckets(layout.positive_spans, now.positive()), positive,
                  layout.schema, old.schema, layout.zero_threshold) ||
         SideFell(ToBuckets(layout.negative_spans, now.negative()), negative,
                  layout.schema, old.schema, layout.zero_threshold);
}

}  // namespace narthex
