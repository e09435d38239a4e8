// A batch in the making: columns of references, times and values that passed
// the checks, in the order they came; logged and stored by Commit.
//
// One thread.  Until it is committed or rolled back, the series it holds are
// not removed.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libtsdb/head/head.h"
#include "libtsdb/wal/record.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb {

// What was accepted, of which no series has samples of a kind that the log puts
// before one that came earlier: floats, integer histograms, those with bounds
// of their own, float histograms, likewise.
struct BatchPart {
  template <typename Row>
  struct Rows {
    // Longer than what is used: their memory is used again.
    std::vector<Row> rows = {};
    std::vector<Slot> slots = {};

    Row& Add(Slot slot) {
      if (slots.size() == rows.size()) rows.emplace_back();
      slots.push_back(slot);
      return rows[slots.size() - 1];
    }
    std::span<const Row> used() const {
      return std::span(rows).first(slots.size());
    }
    bool empty() const { return slots.empty(); }
    void Clear() { slots.clear(); }
  };

  std::vector<SeriesRef> refs = {};
  std::vector<Slot> slots = {};
  std::vector<double> values = {};
  std::vector<Timestamp> times = {};  // empty: all at `at`
  Timestamp at = 0;
  std::vector<Timestamp> start_times = {};  // empty: the head keeps none
  Rows<wal::IntHistogramRow> ints = {};
  Rows<wal::FloatHistogramRow> floats = {};
  Rows<wal::ExemplarRow> exemplars = {};
  struct MetadataRow {
    SeriesRef ref = SeriesRef::kNone;
    Metadata metadata = {};
  };
  Rows<MetadataRow> metadata = {};

  // Of the commit: floats by shard, those of shard s at [begin[s], begin[s+1]);
  // an empty order: all are in one shard, as they came.
  std::vector<uint32_t> order = {};
  std::array<uint32_t, kShards + 1> begin = {};

  bool empty() const {
    return refs.empty() && ints.empty() && floats.empty() &&
           exemplars.empty() && metadata.empty();
  }
  template <typename H>
  Rows<wal::HistogramRow<H>>& Histograms() {
    if constexpr (std::is_same_v<H, Histogram>) {
      return ints;
    } else {
      return floats;
    }
  }
  void Clear() {
    refs.clear();
    slots.clear();
    values.clear();
    times.clear();
    start_times.clear();
    ints.Clear();
    floats.Clear();
    exemplars.Clear();
    metadata.Clear();
    order.clear();
    begin.fill(0);
  }
};

class HeadAppender final : public Appender {
 public:
  explicit HeadAppender(Head& head);
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
  // kNoSlot: the head has forgotten it.
  Slot SlotOf(SeriesRef ref) const
      ABSL_SHARED_LOCKS_REQUIRED(head_.lifetimes_mu_);
  BatchPart& part() { return *parts_[used_ - 1]; }
  void NewPart();
  template <typename H>
  Appended AppendAny(SeriesRef ref, Timestamp t, Timestamp start, const H& h);
  void CheckShard(uint32_t shard, const FloatBatch& batch,
                  std::span<const uint32_t> order);
  void CheckAfterHistograms(const FloatBatch& batch);
  void Push(const FloatBatch& batch);
  void PushStartTimes(const FloatBatch& batch);
  void Count(Appended outcome);
  // The series that it holds.
  template <typename Visit>
  void VisitSlots(Visit visit) const {
    for (size_t p = 0; p < used_; ++p) {
      for (const Slot slot : parts_[p]->slots) visit(slot);
      for (const Slot slot : parts_[p]->ints.slots) visit(slot);
      for (const Slot slot : parts_[p]->floats.slots) visit(slot);
      for (const Slot slot : parts_[p]->exemplars.slots) visit(slot);
      for (const Slot slot : parts_[p]->metadata.slots) visit(slot);
    }
    for (const Slot slot : created_) visit(slot);
  }

  Head& head_;
  bool open_ = false;
  bool bounded_ = false;
  Bounds bounds_;
  uint32_t shard_ = kShards;  // where new series go; kShards: undecided

  // The first used_ are in use, at least one.
  std::vector<std::unique_ptr<BatchPart>> parts_;
  size_t used_ = 1;
  // The last kind of histogram of each series in the last part.
  absl::flat_hash_map<Slot, wal::RecordType> kinds_;
  std::vector<Slot> created_;

  // Of the call in hand.
  std::vector<Slot> call_slots_;
  std::vector<Appended> outcomes_;
  std::vector<uint32_t> order_;
  uint64_t out_of_order_ = 0, out_of_bounds_ = 0, too_old_ = 0;

  // Of the commit in hand.
  std::string record_;
  wal::RecordBatch records_;
  LateLog late_;
  std::vector<HeadChunkRef> late_mapped_;
  uint64_t epoch_ = 0;
  struct Turn {
    uint32_t shard = 0;
    uint64_t ticket = 0;
  };
  std::vector<Turn> turns_;
};

}  // namespace narthex::tsdb
