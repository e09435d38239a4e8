#include "libtsdb/compact/planner.h"

#include <algorithm>
#include <numeric>

namespace narthex::tsdb {
namespace {

using Indices = std::vector<size_t>;

// A block of which this part of the series is deleted is worth rewriting.
constexpr double kTombstoneShare = 0.05;

// Indices of blocks of one class, ascending by min_time.
class ClassPlan {
 public:
  ClassPlan(const std::vector<Duration>& ranges,
            const std::vector<BlockMeta>& blocks, Indices members)
      : ranges_(ranges), blocks_(blocks), members_(std::move(members)) {
    std::stable_sort(members_.begin(), members_.end(),
                     [this](size_t a, size_t b) {
                       return blocks_[a].min_time < blocks_[b].min_time;
                     });
  }

  Indices Plan(bool overlapping) {
    if (members_.empty()) return {};
    if (overlapping) {
      if (Indices run = OverlapRun(); !run.empty()) return run;
    }
    // The newest stays as it is for one more round: whoever copies new blocks
    // away finds it whole.
    members_.pop_back();
    if (Indices group = FullWindow(); !group.empty()) return group;
    return Tombstoned();
  }

 private:
  const BlockMeta& At(size_t i) const { return blocks_[members_[i]]; }

  Indices OverlapRun() const {
    Indices run;
    Timestamp end = At(0).max_time;
    for (size_t i = 1; i < members_.size(); ++i) {
      if (At(i).min_time < end) {
        if (run.empty()) run.push_back(members_[i - 1]);
        run.push_back(members_[i]);
      } else if (!run.empty()) {
        break;
      }
      end = std::max(end, At(i).max_time);
    }
    return run;
  }

  // Blocks that together fill an aligned window of the next larger size, or
  // lie in one that has passed.
  Indices FullWindow() const {
    if (ranges_.size() < 2 || members_.empty()) return {};
    const Timestamp newest = At(members_.size() - 1).min_time;
    for (size_t r = 1; r < ranges_.size(); ++r) {
      const int64_t width = ranges_[r].ms;
      for (size_t i = 0; i < members_.size();) {
        const int64_t min_t = At(i).min_time.ms;
        const int64_t into = min_t % width;  // of the window, or less width
        const int64_t start =
            SaturatingSub(min_t, into >= 0 ? into : into + width);
        const Timestamp end = SaturatingAdd(start, width);
        if (At(i).max_time > end) {
          ++i;  // not aligned, or larger already
          continue;
        }
        Indices group;
        bool failed = false;
        const Timestamp first = At(i).min_time;
        Timestamp last = first;
        for (; i < members_.size() && At(i).max_time <= end; ++i) {
          group.push_back(members_[i]);
          failed = failed || At(i).failed;
          last = At(i).max_time;
        }
        const bool full = (last - first).ms == width || last <= newest;
        if (group.size() > 1 && full && !failed) return group;
      }
    }
    return {};
  }

  Indices Tombstoned() const {
    for (size_t i = members_.size(); i-- > 0;) {
      const BlockMeta& meta = At(i);
      const uint64_t deleted = meta.stats.tombstones;
      if (meta.max_time - meta.min_time < ranges_[ranges_.size() / 2]) {
        // Too short to be worth it, unless nothing of it is left.
        if (deleted > 0 && deleted >= meta.stats.series) return {members_[i]};
        break;
      }
      if (static_cast<double>(deleted) /
              static_cast<double>(meta.stats.series + 1) >
          kTombstoneShare) {
        return {members_[i]};
      }
    }
    return {};
  }

  const std::vector<Duration>& ranges_;
  const std::vector<BlockMeta>& blocks_;
  Indices members_;
};

}  // namespace

std::vector<Duration> CompactionRanges(Duration smallest, Duration largest) {
  constexpr size_t kMostRanges = 10;
  std::vector<Duration> ranges = {smallest};
  while (ranges.size() < kMostRanges && ranges.back() * 3 <= largest) {
    ranges.push_back(ranges.back() * 3);
  }
  return ranges;
}

std::vector<size_t> PlanCompaction(const std::vector<Duration>& ranges,
                                   const std::vector<BlockMeta>& blocks,
                                   bool overlapping) {
  if (ranges.empty()) return {};
  // A block that holds a part of the head's series alone must keep its hint: it
  // says that the WAL has more of that time.  So these classes never mix, and
  // whole blocks come first.
  //
  // Late samples may be in blocks before those that came in time: a merged
  // block would say, by its end, that the WAL isn't needed for that time any
  // more. (Prometheus merges them, and loses samples when it is restarted.)
  Timestamp in_time_end = kMinTime;
  for (const BlockMeta& block : blocks) {
    if (!block.HasHint(kHintOutOfOrder) && !block.HasHint(kHintStaleSeries) &&
        !block.HasHint(kHintSelectedSeries)) {
      in_time_end = std::max(in_time_end, block.max_time);
    }
  }
  Indices whole, ahead, stale, selected;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].HasHint(kHintOutOfOrder) &&
        blocks[i].max_time > in_time_end) {
      ahead.push_back(i);
    } else if (blocks[i].HasHint(kHintStaleSeries)) {
      stale.push_back(i);
    } else if (blocks[i].HasHint(kHintSelectedSeries)) {
      selected.push_back(i);
    } else {
      whole.push_back(i);
    }
  }
  for (Indices* members : {&whole, &ahead, &stale, &selected}) {
    Indices plan =
        ClassPlan(ranges, blocks, std::move(*members)).Plan(overlapping);
    if (!plan.empty()) return plan;
  }
  return {};
}

}  // namespace narthex::tsdb
