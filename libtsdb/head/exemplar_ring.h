// The exemplars that came last, of all series, in a ring: the newest takes the
// place of the oldest.  They are in no block: log and snapshot alone keep them.
//
// Any thread; one lock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "libtsdb/block/block_source.h"
#include "narthex/base/metrics.h"
#include "narthex/base/status.h"
#include "narthex/model/appender.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/labels.h"

namespace narthex::tsdb {

class ExemplarRing final : public ExemplarSource {
 public:
  // `capacity` 0: none are kept.
  ExemplarRing(size_t capacity, MetricRegistry& metrics);

  // What Prometheus would say to it: kStored also for one that is there
  // already (then `same`, if given, is set) or if none are kept, kOutOfOrder,
  // or kInvalid if its labels are longer than 128 characters.
  Appended Check(const Labels& series, const Exemplar& exemplar,
                 bool* same = nullptr) const;
  // The same, and keeps it.
  Appended Add(const Labels& series, const Exemplar& exemplar);

  bool enabled() const;
  // Drops the oldest ones that have no room.
  void Resize(size_t capacity);
  // Older than the newest of its series by this much: refused.  ms.
  void SetWindow(int64_t window);

  void Select(std::span<const Matchers> selectors, TimeRange range,
              std::vector<ExemplarSeries>& out) const override;
  // All of them, the oldest arrival first.
  void Visit(absl::FunctionRef<void(const Labels& series, const Exemplar&)>
                 visit) const;

 private:
  struct Chain {
    Labels series = {};
    std::deque<uint32_t> slots = {};  // ascending by time
  };
  struct Slot {
    Exemplar exemplar = {};
    Chain* chain = nullptr;  // null: empty
  };
  const Chain* Find(const Labels& series) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  Appended Judge(const Chain* chain, const Exemplar& exemplar, bool& same) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Put(const Labels& series, Exemplar exemplar)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Free(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Report() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Counter& appended_;
  Counter& out_of_order_;
  Gauge& in_storage_;
  Gauge& series_in_storage_;
  Gauge& oldest_;
  Gauge& max_;

  mutable absl::Mutex mu_;
  int64_t window_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Slot> ring_ ABSL_GUARDED_BY(mu_);
  uint32_t next_ ABSL_GUARDED_BY(mu_) = 0;
  size_t used_ ABSL_GUARDED_BY(mu_) = 0;
  // By packed labels; chains stay where they are.
  absl::node_hash_map<std::string, Chain, StringHash, StringEq> chains_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace narthex::tsdb
