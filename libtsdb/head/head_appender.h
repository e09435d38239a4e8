// A batch in the making: columns of references, times and values that passed
// the checks, in the order they came; logged and stored by Commit.
//
// One thread.  Until it is committed or rolled back, the series it holds are
// not removed.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libtsdb/head/head.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb {

class HeadAppender final : public Appender {
 public:
  explicit HeadAppender(Head& head) : head_(head) {}
  ~HeadAppender() override;

  absl::StatusOr<SeriesRef> Resolve(const Labels& labels) override;
  absl::Status AppendFloats(const FloatBatch& batch,
                            std::span<Appended> out) override;
  Appended AppendHistogram(SeriesRef ref, Timestamp t, Timestamp start,
                           const Histogram& h) override;
  Appended AppendHistogram(SeriesRef ref, Timestamp t, Timestamp start,
                           const FloatHistogram& h) override;
  Appended AppendExemplar(SeriesRef ref, const Exemplar& exemplar) override;
  absl::Status SetMetadata(SeriesRef ref, const Metadata& metadata) override;
  absl::Status Commit() override;
  absl::Status Rollback() override;

 private:
  friend class Head;

  // The batch begins with the first thing put into it: bounds are taken then.
  void Begin();
  void BeginSamples(int64_t first_t);
  void End();
  void DropSamples();
  void CheckShard(uint32_t shard, const FloatBatch& batch,
                  std::span<const uint32_t> order);
  void Push(const FloatBatch& batch);
  Timestamp TimeOf(size_t i) const { return times_.empty() ? at_ : times_[i]; }

  Head& head_;
  bool open_ = false;
  bool bounded_ = false;
  int64_t min_valid_ = 0;
  uint32_t shard_ = kShards;  // where new series go; kShards: undecided

  // What was accepted.
  std::vector<SeriesRef> refs_;
  std::vector<Slot> slots_;
  std::vector<double> values_;
  std::vector<Timestamp> times_;  // empty: all at at_
  Timestamp at_ = 0;
  std::vector<Slot> created_;

  // Of the call in hand.
  std::vector<Slot> call_slots_;
  std::vector<Appended> outcomes_;
  std::vector<uint32_t> order_;
  uint64_t out_of_order_ = 0, out_of_bounds_ = 0;

  // Of the commit in hand.
  std::string record_;
  wal::RecordBatch records_;
  uint64_t epoch_ = 0;
  struct Turn {
    uint32_t shard = 0;
    uint32_t begin = 0, end = 0;  // in order_; empty order_: all, as they come
    uint64_t ticket = 0;
  };
  std::vector<Turn> turns_;
};

}  // namespace narthex::tsdb
