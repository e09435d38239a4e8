// Deleted ranges of time, by series, and the file that keeps them; drawn in
// docs/format/tombstones.md.
//
// Intervals is a value.  A Tombstones is changed by one thread; once shared it
// is const and safe from many.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/env.h"
#include "narthex/base/time.h"
#include "narthex/model/columns.h"

namespace narthex::tsdb {

// Closed ranges, ascending, neither overlapping nor touching each other.
using Intervals = std::vector<TimeRange>;

// Adds a range, merging it with what it overlaps or touches (+-1 ms).
void AddInterval(Intervals &intervals, TimeRange range);
// Does one of them hold the whole of `range`?
bool Covers(const Intervals &intervals, TimeRange range);
bool OverlapsAny(const Intervals &intervals, TimeRange range);
// Drops the floats and histograms within the intervals, from index `from_float`
// and `from_histogram` on.
void CutIntervals(const Intervals &intervals, SampleColumns &columns,
                  size_t from_float = 0, size_t from_histogram = 0);

class Tombstones {
 public:
  bool empty() const { return by_ref_.empty(); }
  // Series with deletions.
  size_t series() const { return by_ref_.size(); }
  // Intervals, of all series: meta.json's numTombstones.
  uint64_t total() const;

  void Add(uint64_t ref, TimeRange range);
  void Remove(uint64_t ref) { by_ref_.erase(ref); }
  // Forgets what ends before `t`.
  void TruncateBefore(Timestamp t);
  // Null if nothing is deleted.  Lives until the next change.
  const Intervals *Find(uint64_t ref) const;
  // Ascending by ref.
  void ForEach(
      absl::FunctionRef<void(uint64_t, const Intervals &)> visit) const;

 private:
  absl::flat_hash_map<uint64_t, Intervals> by_ref_;
};

// <dir>/tombstones.  A missing file holds none; an empty one is damaged.
absl::StatusOr<Tombstones> ReadTombstones(Env &env, const std::string &dir);
absl::Status WriteTombstones(Env &env, const std::string &dir,
                             const Tombstones &tombstones);

}  // namespace narthex::tsdb
