#include "libtsdb/head/time_group.h"

#include <algorithm>

namespace narthex::tsdb {
namespace {

// Times dropped from the front at once: moving the rest costs as much for one.
constexpr size_t kDropAtOnce = 64;

}  // namespace

uint32_t TimeGroups::Open(int64_t t) {
  uint32_t group;
  if (free_.empty()) {
    groups_.emplace_back();
    group = static_cast<uint32_t>(groups_.size());
  } else {
    group = free_.back();
    free_.pop_back();
  }
  at(group).Extend(t);
  return group;
}

uint16_t TimeGroups::Join(uint32_t group) {
  TimeGroup& g = at(group);
  ++g.chunks_;
  ++g.starts_.back();
  return static_cast<uint16_t>(g.first_ + g.times_.size() - 1);
}

void TimeGroups::Leave(uint32_t group, uint16_t start) {
  TimeGroup& g = at(group);
  --g.starts_[g.IndexOf(start)];
  if (--g.chunks_ == 0) {
    g = TimeGroup();
    free_.push_back(group);
    return;
  }
  const auto needed = std::find_if(g.starts_.begin(), g.starts_.end(),
                                   [](uint32_t n) { return n != 0; });
  const auto unused = needed - g.starts_.begin();
  if (static_cast<size_t>(unused) < kDropAtOnce) return;
  g.times_.erase(g.times_.begin(), g.times_.begin() + unused);
  g.starts_.erase(g.starts_.begin(), needed);
  g.first_ = static_cast<uint16_t>(g.first_ + unused);
}

size_t TimeGroups::memory_bytes() const {
  size_t n = groups_.capacity() * sizeof(TimeGroup) +
             free_.capacity() * sizeof(uint32_t);
  for (const TimeGroup& g : groups_) {
    n += g.times_.capacity() * sizeof(int64_t) +
         g.starts_.capacity() * sizeof(uint32_t);
  }
  return n;
}

}  // namespace narthex::tsdb
