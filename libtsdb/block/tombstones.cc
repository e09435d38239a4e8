#include "libtsdb/block/tombstones.h"

#include <algorithm>
#include <utility>

#include "narthex/base/coding.h"
#include "narthex/base/crc32c.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// DO NOT CHANGE: the bytes are Prometheus's, and on people's disks.
constexpr uint32_t kMagic = 0x0130BA30;
constexpr uint8_t kVersion = 1;
constexpr size_t kHeaderSize = 4 + 1;
constexpr size_t kCrcSize = 4;

// The first interval that ends at `t` or later.
Intervals::const_iterator EndingFrom(const Intervals& intervals, Timestamp t) {
  return std::partition_point(
      intervals.begin(), intervals.end(),
      [t](const TimeRange& interval) { return interval.max < t; });
}

// Removes the elements of `column` whose time lies in the intervals.
template <typename Times, typename Keep>
void CutTimes(const Intervals& intervals, size_t n, const Times& time,
              const Keep& keep) {
  auto at = intervals.begin();
  for (size_t i = 0; i < n; ++i) {
    const Timestamp t = time(i);
    while (at != intervals.end() && at->max < t) ++at;
    if (at == intervals.end() || t < at->min) keep(i);
  }
}

}  // namespace

void AddInterval(Intervals& intervals, TimeRange range) {
  if (range.max < range.min) return;
  // What touches it: from one millisecond before to one after.
  const Timestamp before = SaturatingSub(range.min.ms, 1);
  const Timestamp after = SaturatingAdd(range.max.ms, 1);
  const auto first =
      intervals.begin() + (EndingFrom(intervals, before) - intervals.begin());
  auto last = first;
  for (; last != intervals.end() && last->min <= after; ++last) {
    range.min = std::min(range.min, last->min);
    range.max = std::max(range.max, last->max);
  }
  if (first == last) {
    intervals.insert(first, range);
    return;
  }
  *first = range;
  intervals.erase(first + 1, last);
}

bool Covers(const Intervals& intervals, TimeRange range) {
  const auto it = EndingFrom(intervals, range.max);
  return it != intervals.end() && it->min <= range.min;
}

bool OverlapsAny(const Intervals& intervals, TimeRange range) {
  const auto it = EndingFrom(intervals, range.min);
  return it != intervals.end() && it->min <= range.max;
}

void CutIntervals(const Intervals& intervals, SampleColumns& columns,
                  size_t from_float, size_t from_histogram) {
  if (intervals.empty()) return;
  Timestamp* t = columns.mutable_t();
  double* v = columns.mutable_v();
  Timestamp* st = columns.st().empty() ? nullptr : columns.mutable_st();
  size_t out = from_float;
  CutTimes(
      intervals, columns.size() - from_float,
      [&](size_t i) { return t[from_float + i]; },
      [&](size_t i) {
        t[out] = t[from_float + i];
        v[out] = v[from_float + i];
        if (st != nullptr) st[out] = st[from_float + i];
        ++out;
      });
  columns.SetSize(out);

  std::vector<HistogramColumn::Point>& points =
      columns.mutable_histograms().points;
  if (points.size() <= from_histogram) return;
  size_t kept = from_histogram;
  CutTimes(
      intervals, points.size() - from_histogram,
      [&](size_t i) { return points[from_histogram + i].t; },
      [&](size_t i) { points[kept++] = points[from_histogram + i]; });
  points.resize(kept);
}

uint64_t Tombstones::total() const {
  uint64_t sum = 0;
  for (const auto& [ref, intervals] : by_ref_) sum += intervals.size();
  return sum;
}

void Tombstones::Add(uint64_t ref, TimeRange range) {
  AddInterval(by_ref_[ref], range);
}

void Tombstones::TruncateBefore(Timestamp t) {
  for (auto it = by_ref_.begin(); it != by_ref_.end();) {
    Intervals& intervals = it->second;
    intervals.erase(intervals.begin(), EndingFrom(intervals, t));
    if (intervals.empty()) {
      by_ref_.erase(it++);
    } else {
      ++it;
    }
  }
}

const Intervals* Tombstones::Find(uint64_t ref) const {
  const auto it = by_ref_.find(ref);
  return it == by_ref_.end() ? nullptr : &it->second;
}

void Tombstones::ForEach(
    absl::FunctionRef<void(uint64_t, const Intervals&)> visit) const {
  std::vector<uint64_t> refs;
  refs.reserve(by_ref_.size());
  for (const auto& [ref, intervals] : by_ref_) refs.push_back(ref);
  std::sort(refs.begin(), refs.end());
  for (uint64_t ref : refs) visit(ref, by_ref_.find(ref)->second);
}

absl::StatusOr<Tombstones> ReadTombstones(Env& env, const std::string& dir) {
  Tombstones tombstones;
  const std::string path = JoinPath(dir, "tombstones");
  absl::StatusOr<std::string> bytes = env.ReadFile(path);
  if (absl::IsNotFound(bytes.status())) return tombstones;
  NARTHEX_RETURN_IF_ERROR(bytes.status());
  if (bytes->size() < kHeaderSize + kCrcSize) {
    return CorruptAt(path, bytes->size(), "tombstones file is too short");
  }
  if (LoadBE32(bytes->data()) != kMagic) {
    return CorruptAt(path, 0, "bad tombstones magic");
  }
  if (static_cast<uint8_t>((*bytes)[4]) != kVersion) {
    return CorruptAt(path, 4, "unknown tombstones version");
  }
  const std::string_view body = std::string_view(*bytes).substr(
      kHeaderSize, bytes->size() - kHeaderSize - kCrcSize);
  if (Crc32c(body) != LoadBE32(body.data() + body.size())) {
    return CorruptAt(path, kHeaderSize, "tombstones checksum mismatch");
  }
  ByteReader in(body);
  while (!in.empty()) {
    const size_t offset = in.offset();
    const uint64_t ref = in.Uvarint();
    const int64_t min_t = in.Varint();
    const int64_t max_t = in.Varint();
    if (!in.ok()) {
      return CorruptAt(path, kHeaderSize + offset, "damaged tombstone");
    }
    if (min_t <= max_t) tombstones.Add(ref, {min_t, max_t});
  }
  return tombstones;
}

absl::Status WriteTombstones(Env& env, const std::string& dir,
                             const Tombstones& tombstones) {
  std::string bytes;
  ByteWriter out(bytes);
  out.BE32(kMagic);
  out.U8(kVersion);
  tombstones.ForEach([&out](uint64_t ref, const Intervals& intervals) {
    for (const TimeRange& interval : intervals) {
      out.Uvarint(ref);
      out.Varint(interval.min.ms);
      out.Varint(interval.max.ms);
    }
  });
  // Neither the magic nor the version is covered.
  out.BE32(Crc32c(std::string_view(bytes).substr(kHeaderSize)));
  return env.WriteFileAtomically(JoinPath(dir, "tombstones"), bytes);
}

}  // namespace narthex::tsdb
