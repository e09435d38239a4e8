// Timestamps that many open chunks share.  The series of one scrape have the
// same times, so these are kept once, and a chunk says only where it begins
// among them.
//
// A group grows at its end when a batch brings its next time; times that no
// chunk needs any more go from its front.  Belongs to a shard, protected by its
// lock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace narthex::tsdb {

class TimeGroup {
 public:
  // Times between the first one kept and the last; a group that has more takes
  // no new chunks, so that one series that sleeps can't make it grow for ever.
  static constexpr size_t kMaxJoinable = 512;

  bool empty() const { return times_.empty(); }
  size_t size() const { return times_.size(); }
  int64_t back() const { return times_.back(); }
  int64_t at(size_t i) const { return times_[i]; }
  // Where the chunk that begins at `start` begins now: an index for at().
  size_t IndexOf(uint16_t start) const {
    return static_cast<uint16_t>(start - first_);
  }
  // `n` times from there on.
  std::span<const int64_t> From(uint16_t start, size_t n) const {
    return {times_.data() + IndexOf(start), n};
  }
  // `t` is later than back().
  void Extend(int64_t t) {
    times_.push_back(t);
    starts_.push_back(0);
  }
  bool joinable() const { return times_.size() < kMaxJoinable; }
  uint32_t chunks() const { return chunks_; }

 private:
  friend class TimeGroups;

  std::vector<int64_t> times_;
  std::vector<uint32_t> starts_;  // chunks that begin with each time
  uint16_t first_ = 0;            // number of the first time, modulo 2^16
  uint32_t chunks_ = 0;
};

// The groups of a shard.  Handles count from 1; 0 is no group.
class TimeGroups {
 public:
  TimeGroup& at(uint32_t group) { return groups_[group - 1]; }
  const TimeGroup& at(uint32_t group) const { return groups_[group - 1]; }

  // A new group whose only time is `t`; a chunk must join it next.
  uint32_t Open(int64_t t);
  // A chunk begins with the last time of the group.  Returns its start.
  uint16_t Join(uint32_t group);
  // The chunk that began at `start` is gone; the group too if it was the last.
  void Leave(uint32_t group, uint16_t start);

  size_t memory_bytes() const;

 private:
  std::vector<TimeGroup> groups_;
  std::vector<uint32_t> free_;
};

}  // namespace narthex::tsdb
