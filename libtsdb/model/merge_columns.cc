#include <algorithm>
#include <cstring>

#include "narthex/base/status.h"
#include "narthex/model/merge.h"

namespace narthex {
namespace {

// Values move as bytes: a stale marker must not go through a float register.
template <typename T>
void Copy(const T* from, size_t n, T* to) {
  if (n != 0) {
    std::memmove(static_cast<void*>(to), static_cast<const void*>(from),
                 n * sizeof(T));
  }
}

// Copies samples [begin, begin + n) of `from` to position `at` of `into`.
void CopyFloats(const SampleColumns& from, size_t begin, size_t n,
                SampleColumns& into, size_t at) {
  Copy(from.t().data() + begin, n, into.mutable_t() + at);
  Copy(from.v().data() + begin, n, into.mutable_v() + at);
  if (into.mutable_st() == nullptr) return;
  if (from.st().empty()) {
    std::fill_n(into.mutable_st() + at, n, Timestamp(0));
  } else {
    Copy(from.st().data() + begin, n, into.mutable_st() + at);
  }
}

void MoveFloats(SampleColumns& columns, size_t begin, size_t n, size_t to) {
  Copy(columns.mutable_t() + begin, n, columns.mutable_t() + to);
  Copy(columns.mutable_v() + begin, n, columns.mutable_v() + to);
  if (columns.mutable_st() != nullptr) {
    Copy(columns.mutable_st() + begin, n, columns.mutable_st() + to);
  }
}

absl::Status MergeFloats(const SampleColumns& from, SampleColumns& into) {
  const size_t m = from.size(), n = into.size();
  if (m == 0) return absl::OkStatus();
  if (!from.st().empty()) NARTHEX_RETURN_IF_ERROR(into.ReserveStartTimes());
  NARTHEX_RETURN_IF_ERROR(into.Reserve(m));
  const std::span<const Timestamp> t = from.t();
  if (n == 0 || into.t()[n - 1] < t[0]) {
    CopyFloats(from, 0, m, into, n);
    into.SetSize(n + m);
    return absl::OkStatus();
  }
  if (t[m - 1] < into.t()[0]) {
    MoveFloats(into, 0, n, m);
    CopyFloats(from, 0, m, into, 0);
    into.SetSize(n + m);
    return absl::OkStatus();
  }
  // From the back, so that nothing is overwritten before it was read.
  Timestamp* const out = into.mutable_t();
  size_t i = n, j = m, at = n + m;
  while (j != 0) {
    if (i != 0 && out[i - 1] >= t[j - 1]) {
      if (out[i - 1] == t[j - 1]) --j;  // the sample of `into` stays
      MoveFloats(into, --i, 1, --at);
    } else {
      CopyFloats(from, --j, 1, into, --at);
    }
  }
  // Between i and at is a gap as wide as there were equal times.
  MoveFloats(into, at, n + m - at, i);
  into.SetSize(n + m - (at - i));
  return absl::OkStatus();
}

// Appends point i of `from`, its layout and buckets so much further back.
void AddPoint(const HistogramColumn& from, size_t i, size_t layout_base,
              size_t bucket_base, HistogramColumn& out) {
  HistogramColumn::Point point = from.points[i];
  point.layout += static_cast<uint32_t>(layout_base);
  point.buckets += static_cast<uint32_t>(bucket_base);
  out.points.push_back(point);
}

void MergeHistograms(const HistogramColumn& from, HistogramColumn& into) {
  if (from.empty()) return;
  const size_t layouts = into.layouts.size(), buckets = into.buckets.size();
  into.layouts.insert(into.layouts.end(), from.layouts.begin(),
                      from.layouts.end());
  into.buckets.insert(into.buckets.end(), from.buckets.begin(),
                      from.buckets.end());
  HistogramColumn merged;
  merged.points.reserve(into.points.size() + from.points.size());
  size_t i = 0, j = 0;
  while (i < into.points.size() || j < from.points.size()) {
    if (j == from.points.size() ||
        (i < into.points.size() && into.points[i].t <= from.points[j].t)) {
      if (j < from.points.size() && into.points[i].t == from.points[j].t) ++j;
      AddPoint(into, i++, 0, 0, merged);
    } else {
      AddPoint(from, j++, layouts, buckets, merged);
    }
  }
  into.points = std::move(merged.points);
}

bool HasFloatAt(const SampleColumns& columns, size_t floats, Timestamp t) {
  const Timestamp* const begin = columns.t().data();
  return std::binary_search(begin, begin + floats, t);
}

}  // namespace

absl::Status MergeColumns(const SampleColumns& from, SampleColumns& into) {
  const bool histograms =
      !from.histograms().empty() || !into.histograms().empty();
  if (!histograms) return MergeFloats(from, into);
  // A time belongs to one sample, float or histogram: that of `into`.
  std::vector<Timestamp> taken;
  for (const HistogramColumn::Point& point : into.histograms().points) {
    taken.push_back(point.t);
  }
  HistogramColumn added = from.histograms();
  const size_t floats = into.size();
  size_t left = 0;
  for (size_t i = 0; i < added.points.size(); ++i) {
    if (HasFloatAt(into, floats, added.points[i].t)) continue;
    added.points[left++] = added.points[i];
  }
  added.points.resize(left);
  NARTHEX_RETURN_IF_ERROR(MergeFloats(from, into));
  if (!taken.empty() && !from.t().empty()) {
    size_t kept = 0;
    for (size_t i = 0; i < into.size(); ++i) {
      if (std::binary_search(taken.begin(), taken.end(), into.t()[i])) continue;
      MoveFloats(into, i, 1, kept++);
    }
    into.SetSize(kept);
  }
  MergeHistograms(added, into.mutable_histograms());
  return absl::OkStatus();
}

}  // namespace narthex
