// For the replay: up to when the samples of each series are in full chunks that
// chunks_head has.  Eight bytes a series, side by side in the order of the
// numbers, where its line would be a cache miss; most samples of a log need no
// more, not even to know where their series is.
//
// One thread.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "libtsdb/index/postings.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb {

class DoneUntil {
 public:
  // kMinMillis: none of them.
  int64_t Of(uint64_t id) const {
    const uint64_t page = id >> kPageBits;
    if (page >= pages_.size() || pages_[page] == nullptr) return kMinMillis;
    return (*pages_[page])[id & (kPageSize - 1)];
  }
  void Set(SeriesId id, int64_t t) {
    const uint32_t page = id >> kPageBits;
    const bool there = page < pages_.size() && pages_[page] != nullptr;
    if (!there) {
      if (t == kMinMillis) return;
      if (page >= pages_.size()) pages_.resize(page + size_t{1});
      pages_[page] = std::make_unique<Page>();
      pages_[page]->fill(kMinMillis);
    }
    (*pages_[page])[id & (kPageSize - 1)] = t;
  }

  // Of a record's samples those that are not done and not before `min_valid`:
  // their places and references.  Returns the times of all.
  TimeRange Pick(const wal::SampleRows& rows, uint64_t base, int64_t min_valid,
                 std::vector<uint32_t>& picked,
                 std::vector<SeriesRef>& refs) const {
    picked.clear();
    refs.clear();
    TimeRange range = {kMaxTime, kMinTime};
    for (size_t i = 0; i < rows.size(); ++i) {
      const Timestamp t = rows.times[i];
      range.min = std::min(range.min, t);
      range.max = std::max(range.max, t);
      if (t.ms < min_valid ||
          t.ms <= Of(static_cast<uint64_t>(rows.refs[i]) - base)) {
        continue;
      }
      picked.push_back(static_cast<uint32_t>(i));
      refs.push_back(rows.refs[i]);
    }
    return range;
  }

 private:
  static constexpr uint32_t kPageBits = 12;
  static constexpr uint32_t kPageSize = 1u << kPageBits;
  using Page = std::array<int64_t, kPageSize>;

  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace narthex::tsdb
