#include "libpromql/func/histogram_row.h"

#include <algorithm>

namespace narthex::promql {
namespace {

bool InOnePiece(const std::vector<Span>& spans,
                const std::vector<double>& buckets) {
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].length == 0 || (i > 0 && spans[i].offset == 0)) return false;
  }
  return std::find(buckets.begin(), buckets.end(), 0.0) == buckets.end();
}

}  // namespace

void HistogramRow::Set(size_t k, size_t steps, const HistogramView& h) {
  if (at_.empty()) at_.assign(steps, 0);
  if (column_.layouts.empty() || column_.layouts.back() != *h.shared) {
    column_.layouts.push_back(*h.shared);
  }
  HistogramColumn::Point point;
  point.count = h.count;
  point.zero_count = h.zero_count;
  point.sum = h.sum;
  point.hint = static_cast<uint8_t>(h.hint);
  point.layout = static_cast<uint32_t>(column_.layouts.size() - 1);
  point.buckets = static_cast<uint32_t>(column_.buckets.size());
  column_.buckets.insert(column_.buckets.end(), h.buckets,
                         h.buckets + h.size());
  column_.points.push_back(point);
  at_[k] = static_cast<uint32_t>(column_.points.size());
}

void HistogramRow::Set(size_t k, size_t steps, const FloatHistogram& h) {
  if (at_.empty()) at_.assign(steps, 0);
  AppendHistogram(Timestamp(), h, column_);
  at_[k] = static_cast<uint32_t>(column_.points.size());
}

void HistogramRow::Fill(size_t steps, const HistogramView& h) {
  Clear();
  Set(0, steps, h);
  std::fill(at_.begin(), at_.end(), at_[0]);
}

int64_t HistogramRow::Samples(size_t k) const {
  return SampleEquivalent(*column_.layouts[column_.points[at_[k] - 1].layout]);
}

int64_t SampleEquivalent(const HistogramLayout& layout) {
  const size_t numbers = layout.positive_spans.size() +
                         layout.negative_spans.size() +
                         layout.positive_buckets + layout.negative_buckets +
                         layout.custom_values.size();
  return static_cast<int64_t>((168 + 8 * numbers + 8) / 16);
}

size_t HistogramRow::bytes() const {
  return at_.capacity() * sizeof(uint32_t) +
         column_.points.capacity() * sizeof(HistogramColumn::Point) +
         column_.buckets.capacity() * sizeof(double) +
         column_.layouts.capacity() *
             sizeof(std::shared_ptr<const HistogramLayout>);
}

void CompactFully(FloatHistogram& h) {
  if (InOnePiece(h.positive_spans, h.positive_buckets) &&
      InOnePiece(h.negative_spans, h.negative_buckets)) {
    return;
  }
  h.Compact();
}

}  // namespace narthex::promql
