// For the replay: up to when the samples of each series are in full chunks that
// chunks_head has.  Eight bytes a series, side by side, where its line would be
// a cache miss; most samples of a log need no more.
//
// One thread.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "libtsdb/head/series_map.h"
#include "narthex/base/time.h"

namespace narthex::tsdb {

class DoneUntil {
 public:
  // kMinMillis: none of them.
  int64_t Of(Slot slot) const {
    const std::vector<int64_t>& done = shards_[ShardOf(slot)];
    return LineOf(slot) < done.size() ? done[LineOf(slot)] : kMinMillis;
  }
  void Set(Slot slot, int64_t t) {
    std::vector<int64_t>& done = shards_[ShardOf(slot)];
    if (LineOf(slot) >= done.size()) {
      if (t == kMinMillis) return;
      done.resize(LineOf(slot) + size_t{1}, kMinMillis);
    }
    done[LineOf(slot)] = t;
  }

 private:
  std::array<std::vector<int64_t>, kShards> shards_;  // by line
};

}  // namespace narthex::tsdb
