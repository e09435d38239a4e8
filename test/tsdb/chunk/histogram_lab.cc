#include "test/tsdb/chunk/histogram_lab.h"

#include "libtsdb/chunk/histogram_layout.h"

namespace narthex::tsdb {
namespace {

template <typename Visit>
void Spread(const std::map<int32_t, uint64_t>& counts, std::vector<Span>& spans,
            Visit visit) {
  SpanBuilder builder(spans);
  for (const auto& [index, count] : counts) {
    builder.Add(index);
    visit(count);
  }
}

}  // namespace

uint64_t BucketModel::Count() const {
  uint64_t n = zero_count;
  for (const auto& [index, count] : positive) n += count;
  for (const auto& [index, count] : negative) n += count;
  return n;
}

Histogram BucketModel::Integer() const {
  Histogram h;
  h.hint = hint;
  h.schema = schema;
  h.zero_threshold = zero_threshold;
  h.zero_count = zero_count;
  h.count = Count();
  h.sum = sum;
  int64_t last = 0;
  Spread(positive, h.positive_spans, [&](uint64_t n) {
    h.positive_deltas.push_back(static_cast<int64_t>(n) - last);
    last = static_cast<int64_t>(n);
  });
  last = 0;
  Spread(negative, h.negative_spans, [&](uint64_t n) {
    h.negative_deltas.push_back(static_cast<int64_t>(n) - last);
    last = static_cast<int64_t>(n);
  });
  return h;
}

FloatHistogram BucketModel::Float() const {
  FloatHistogram h;
  const auto more = [](uint64_t n) { return static_cast<double>(n) * 4 / 3; };
  h.hint = hint;
  h.schema = schema;
  h.zero_threshold = zero_threshold;
  h.zero_count = more(zero_count);
  h.count = more(Count());
  h.sum = sum;
  Spread(positive, h.positive_spans,
         [&](uint64_t n) { h.positive_buckets.push_back(more(n)); });
  Spread(negative, h.negative_spans,
         [&](uint64_t n) { h.negative_buckets.push_back(more(n)); });
  return h;
}

void Observe(std::mt19937_64& random, BucketModel& h) {
  const auto below = [&](uint64_t n) { return random() % n; };
  h.sum += static_cast<double>(below(1000)) / 8;
  if (below(4) == 0) h.zero_count += below(3);
  for (auto* side : {&h.positive, &h.negative}) {
    for (auto& [index, count] : *side) {
      if (below(3) == 0) count += below(20);
    }
    if (below(8) == 0) {
      (*side)[static_cast<int32_t>(below(24)) - 12] += below(5);
    }
  }
}

std::map<int32_t, double> Buckets(const FloatHistogram& h, bool positive) {
  std::map<int32_t, double> out;
  size_t i = 0;
  const auto& counts = positive ? h.positive_buckets : h.negative_buckets;
  for (BucketCursor at(positive ? h.positive_spans : h.negative_spans);
       !at.done(); at.Next()) {
    const double count = counts.at(i++);
    if (count != 0) out[static_cast<int32_t>(at.index())] = count;
  }
  return out;
}

FloatHistogram AsFloat(const Histogram& h) { return h.ToFloat(); }

}  // namespace narthex::tsdb
