#include "narthex/model/columns.h"

#include <algorithm>
#include <cstring>

#include "narthex/base/status.h"

namespace narthex {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kSlack = 64;  // bytes past the end that may be read
constexpr size_t kLeast = 1024;

// Bytes of one column, so that the next one is aligned as well.
size_t ColumnBytes(size_t capacity) {
  return (capacity * sizeof(double) + kSlack + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

SampleColumns::SampleColumns(MemoryBudget& budget) : reservation_(budget) {}
SampleColumns::~SampleColumns() = default;

absl::Status SampleColumns::Reserve(size_t more) {
  const size_t need = size_ + more;
  if (need <= capacity_) return absl::OkStatus();
  return Grow(std::max({need, capacity_ + capacity_ / 2, kLeast}),
              st_ != nullptr);
}

absl::Status SampleColumns::ReserveStartTimes() {
  if (st_ == nullptr) {
    NARTHEX_RETURN_IF_ERROR(Grow(std::max(capacity_, kLeast), true));
    std::fill(st_, st_ + size_, Timestamp(0));
  }
  return absl::OkStatus();
}

absl::Status SampleColumns::Grow(size_t capacity, bool with_start_times) {
  const size_t column = ColumnBytes(capacity);
  const size_t bytes = column * (with_start_times ? 3 : 2) + kAlign;
  // Not zeroed: whoever reserves is about to write.
  if (!reservation_.GrowTo(bytes)) {
    return ResourceExhausted(
        StrCat("the memory budget has no room for ", capacity, " samples"));
  }
  static_assert(sizeof(Timestamp) == sizeof(double));
  std::unique_ptr<char[]> block(new char[bytes]);
  const auto address = reinterpret_cast<uintptr_t>(block.get());
  char* const base = block.get() + (kAlign - address % kAlign) % kAlign;
  auto* const t = reinterpret_cast<Timestamp*>(base);
  auto* const v = reinterpret_cast<double*>(base + column);
  auto* const st = with_start_times
                       ? reinterpret_cast<Timestamp*>(base + 2 * column)
                       : nullptr;
  if (size_ != 0) {
    std::memcpy(static_cast<void*>(t), t_, size_ * sizeof(*t));
    std::memcpy(v, v_, size_ * sizeof(*v));
    if (st != nullptr && st_ != nullptr) {
      std::memcpy(static_cast<void*>(st), st_, size_ * sizeof(*st));
    }
  }
  block_ = std::move(block);
  t_ = t;
  v_ = v;
  st_ = st;
  capacity_ = capacity;
  return absl::OkStatus();
}

void SampleColumns::Clip(TimeRange range) {
  if (size_ != 0 && (t_[0] < range.min || t_[size_ - 1] > range.max)) {
    Timestamp* const first = std::lower_bound(t_, t_ + size_, range.min);
    Timestamp* const last = std::upper_bound(first, t_ + size_, range.max);
    const auto skip = static_cast<size_t>(first - t_);
    const auto n = static_cast<size_t>(last - first);
    if (skip != 0) {
      std::memmove(static_cast<void*>(t_), first, n * sizeof(*t_));
      // As bytes: a stale marker must not go through a float register.
      std::memmove(v_, v_ + skip, n * sizeof(*v_));
      if (st_ != nullptr) {
        std::memmove(static_cast<void*>(st_), st_ + skip, n * sizeof(*st_));
      }
    }
    size_ = n;
  }
  // Layouts and buckets of points that go are left where they are: the others
  // refer to them by number.
  std::vector<HistogramColumn::Point>& points = histograms_.points;
  size_t kept = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!range.Contains(points[i].t)) continue;
    points[kept++] = points[i];
  }
  points.resize(kept);
}

bool SameLayout(const HistogramLayout& a, const HistogramLayout& b) {
  return a.schema == b.schema && a.zero_threshold == b.zero_threshold &&
         a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans &&
         a.custom_values == b.custom_values;
}

namespace {

bool HasLayout(const HistogramLayout& layout, const FloatHistogram& h) {
  return layout.schema == h.schema &&
         layout.zero_threshold == h.zero_threshold &&
         layout.positive_buckets == h.positive_buckets.size() &&
         layout.negative_buckets == h.negative_buckets.size() &&
         layout.positive_spans == h.positive_spans &&
         layout.negative_spans == h.negative_spans &&
         layout.custom_values == h.custom_values;
}

}  // namespace

void AppendHistogram(Timestamp t, const FloatHistogram& h,
                     HistogramColumn& out) {
  if (out.layouts.empty() || !HasLayout(*out.layouts.back(), h)) {
    auto layout = std::make_shared<HistogramLayout>();
    layout->schema = h.schema;
    layout->zero_threshold = h.zero_threshold;
    layout->positive_spans = h.positive_spans;
    layout->negative_spans = h.negative_spans;
    layout->custom_values = h.custom_values;
    layout->positive_buckets = static_cast<uint32_t>(h.positive_buckets.size());
    layout->negative_buckets = static_cast<uint32_t>(h.negative_buckets.size());
    out.layouts.push_back(std::move(layout));
  }
  HistogramColumn::Point point;
  point.t = t;
  point.count = h.count;
  point.zero_count = h.zero_count;
  point.sum = h.sum;
  point.layout = static_cast<uint32_t>(out.layouts.size() - 1);
  point.buckets = static_cast<uint32_t>(out.buckets.size());
  point.hint = static_cast<uint8_t>(h.hint);
  out.points.push_back(point);
  out.buckets.insert(out.buckets.end(), h.positive_buckets.begin(),
                     h.positive_buckets.end());
  out.buckets.insert(out.buckets.end(), h.negative_buckets.begin(),
                     h.negative_buckets.end());
}

FloatHistogram ToFloatHistogram(const HistogramColumn& column, size_t i) {
  const HistogramColumn::Point& point = column.points[i];
  const HistogramLayout& layout = *column.layouts[point.layout];
  FloatHistogram h;
  h.hint = static_cast<CounterResetHint>(point.hint);
  h.schema = layout.schema;
  h.zero_threshold = layout.zero_threshold;
  h.zero_count = point.zero_count;
  h.count = point.count;
  h.sum = point.sum;
  h.positive_spans = layout.positive_spans;
  h.negative_spans = layout.negative_spans;
  h.custom_values = layout.custom_values;
  // Whoever asked for no buckets gets none.
  const size_t need = size_t{layout.positive_buckets} + layout.negative_buckets;
  if (point.buckets + need <= column.buckets.size()) {
    const auto at = column.buckets.begin() + point.buckets;
    h.positive_buckets.assign(at, at + layout.positive_buckets);
    h.negative_buckets.assign(at + layout.positive_buckets,
                              at + static_cast<std::ptrdiff_t>(need));
  }
  return h;
}

}  // namespace narthex
