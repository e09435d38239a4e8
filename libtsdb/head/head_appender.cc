#include "libtsdb/head/head_appender.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kPrefetch = 24;

}  // namespace

std::unique_ptr<Appender> Head::NewAppender() {
  return std::make_unique<HeadAppender>(*this);
}

HeadAppender::HeadAppender(Head& head)
    : head_(head), late_(head.options_.start_times) {
  parts_.push_back(std::make_unique<BatchPart>());
}

HeadAppender::~HeadAppender() { Rollback().IgnoreError(); }

void HeadAppender::Begin() {
  if (open_) return;
  open_ = true;
  head_.metrics_.active_appenders.Add(1);
  absl::MutexLock lock(&head_.batches_mu_);
  head_.batches_.insert(this);
}

void HeadAppender::BeginSamples(int64_t first_t) {
  Begin();
  if (bounded_) return;
  // The first sample ever says where the head begins.
  if (!head_.initialized()) head_.InitTime(first_t);
  absl::MutexLock lock(&head_.batches_mu_);
  bounds_ = head_.MakeBounds();
  bounded_ = true;
}

void HeadAppender::End() {
  if (!open_) return;
  {
    // Others look at a batch only while it is among the open ones.
    absl::MutexLock lock(&head_.batches_mu_);
    head_.batches_.erase(this);
    bounded_ = false;
  }
  open_ = false;
  shard_ = kShards;
  for (size_t i = 0; i < used_; ++i) parts_[i]->Clear();
  used_ = 1;
  kinds_.clear();
  created_.clear();
  head_.metrics_.active_appenders.Add(-1);
  if (out_of_order_ != 0) head_.metrics_.out_of_order.Inc(out_of_order_);
  if (out_of_bounds_ != 0) head_.metrics_.out_of_bounds.Inc(out_of_bounds_);
  if (too_old_ != 0) head_.metrics_.too_old.Inc(too_old_);
  out_of_order_ = out_of_bounds_ = too_old_ = 0;
}

// The batch holds its series no longer; those that it made it still does.
void HeadAppender::DropSamples() {
  absl::MutexLock lock(&head_.batches_mu_);
  for (size_t i = 0; i < used_; ++i) parts_[i]->Clear();
  used_ = 1;
  kinds_.clear();
}

void HeadAppender::NewPart() {
  if (used_ == parts_.size()) parts_.push_back(std::make_unique<BatchPart>());
  ++used_;
  kinds_.clear();
}

absl::StatusOr<SeriesRef> HeadAppender::Resolve(const Labels& labels) {
  if (labels.empty()) return InvalidArgument("empty labelset: invalid sample");
  Begin();
  if (shard_ == kShards) {
    const std::vector<Slot>& known = parts_[0]->slots;
    shard_ = known.empty()
                 ? head_.next_shard_.fetch_add(1, std::memory_order_relaxed) %
                       kShards
                 : ShardOf(known.front());
  }
  absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
  NARTHEX_ASSIGN_OR_RETURN(const Head::Found found,
                           head_.FindOrCreate(labels, shard_, std::nullopt));
  if (found.created) created_.push_back(found.slot);
  return SeriesRef{head_.RefOf(found.id)};
}

absl::Status HeadAppender::AppendFloats(const FloatBatch& batch,
                                        std::span<Appended> out) {
  const size_t n = batch.refs.size();
  if (batch.values.size() != n ||
      (!batch.times.empty() && batch.times.size() != n) ||
      (!batch.start_times.empty() && batch.start_times.size() != n) ||
      (!out.empty() && out.size() != n)) {
    return InvalidArgument("columns of a batch differ in length");
  }
  if (n == 0) return absl::OkStatus();
  BeginSamples(batch.times.empty() ? batch.at.ms : batch.times[0].ms);

  absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
  call_slots_.resize(n);
  outcomes_.resize(n);
  head_.by_id_.FindAll(batch.refs, head_.base_, call_slots_.data());

  // As a rule all are in one shard.
  const uint32_t first = ShardOf(call_slots_[0]);
  bool mixed = false;
  for (size_t i = 0; i < n; ++i) {
    mixed |= call_slots_[i] == kNoSlot || ShardOf(call_slots_[i]) != first;
  }
  if (!mixed) {
    CheckShard(first, batch, {});
  } else {
    std::array<uint32_t, kShards + 1> begin = {};
    for (size_t i = 0; i < n; ++i) {
      if (call_slots_[i] == kNoSlot) {
        outcomes_[i] = Appended::kUnknownRef;
      } else {
        ++begin[ShardOf(call_slots_[i]) + 1];
      }
    }
    for (uint32_t s = 0; s < kShards; ++s) begin[s + 1] += begin[s];
    order_.resize(begin[kShards]);
    std::array<uint32_t, kShards + 1> next = begin;
    for (size_t i = 0; i < n; ++i) {
      if (call_slots_[i] == kNoSlot) continue;
      order_[next[ShardOf(call_slots_[i])]++] = static_cast<uint32_t>(i);
    }
    for (uint32_t s = 0; s < kShards; ++s) {
      if (begin[s] == begin[s + 1]) continue;
      CheckShard(s, batch,
                 std::span(order_).subspan(begin[s], begin[s + 1] - begin[s]));
    }
  }
  if (!kinds_.empty()) CheckAfterHistograms(batch);
  Push(batch);
  if (!out.empty()) std::copy(outcomes_.begin(), outcomes_.end(), out.begin());
  return absl::OkStatus();
}

// `order` empty: all of the batch, as they come.
void HeadAppender::CheckShard(uint32_t number, const FloatBatch& batch,
                              std::span<const uint32_t> order) {
  const SeriesShard& shard = head_.shards_[number];
  const size_t n = order.empty() ? batch.refs.size() : order.size();
  bool late = false;  // decided when it is stored
  absl::ReaderMutexLock lock(&shard.mu);
  for (size_t k = 0; k < n; ++k) {
    if (k + kPrefetch < n) {
      const size_t ahead = order.empty() ? k + kPrefetch : order[k + kPrefetch];
      __builtin_prefetch(&shard.Line(LineOf(call_slots_[ahead])));
    }
    const size_t i = order.empty() ? k : order[k];
    const int64_t t = batch.times.empty() ? batch.at.ms : batch.times[i].ms;
    outcomes_[i] =
        Accepts(shard.Line(LineOf(call_slots_[i])), t,
                std::bit_cast<uint64_t>(batch.values[i]), bounds_, late);
  }
}

// The log puts a part's floats before its histograms: a float that came after a
// histogram of the same series begins the next part.
void HeadAppender::CheckAfterHistograms(const FloatBatch& batch) {
  for (size_t i = 0; i < batch.refs.size(); ++i) {
    if (outcomes_[i] != Appended::kStored) continue;
    if (!kinds_.contains(call_slots_[i])) continue;
    NewPart();
    return;
  }
}

// Takes over what was accepted.
void HeadAppender::Push(const FloatBatch& batch) {
  const size_t n = batch.refs.size();
  size_t refused = 0;
  for (const Appended outcome : outcomes_) {
    refused += outcome != Appended::kStored;
  }
  BatchPart& to = part();
  if (refused == n) {
    // Nothing to take.
  } else {
    if (to.refs.empty()) {
      to.at = batch.times.empty() ? batch.at : batch.times[0];
    }
    const bool one_time = to.times.empty() && batch.times.empty() &&
                          (to.refs.empty() || batch.at == to.at);
    if (!one_time && to.times.empty()) to.times.assign(to.refs.size(), to.at);
    if (head_.options_.start_times) PushStartTimes(batch);
    if (refused == 0) {
      to.refs.insert(to.refs.end(), batch.refs.begin(), batch.refs.end());
      to.slots.insert(to.slots.end(), call_slots_.begin(), call_slots_.end());
      to.values.insert(to.values.end(), batch.values.begin(),
                       batch.values.end());
      if (!one_time) {
        if (batch.times.empty()) {
          to.times.insert(to.times.end(), n, batch.at);
        } else {
          to.times.insert(to.times.end(), batch.times.begin(),
                          batch.times.end());
        }
      }
    } else {
      for (size_t i = 0; i < n; ++i) {
        if (outcomes_[i] != Appended::kStored) continue;
        to.refs.push_back(batch.refs[i]);
        to.slots.push_back(call_slots_[i]);
        to.values.push_back(batch.values[i]);
        if (!one_time) {
          to.times.push_back(batch.times.empty() ? batch.at : batch.times[i]);
        }
      }
    }
  }
  if (refused == 0) return;
  for (const Appended outcome : outcomes_) Count(outcome);
}

// Of what was accepted.
void HeadAppender::PushStartTimes(const FloatBatch& batch) {
  std::vector<Timestamp>& to = part().start_times;
  for (size_t i = 0; i < batch.refs.size(); ++i) {
    if (outcomes_[i] != Appended::kStored) continue;
    to.push_back(batch.start_times.empty() ? Timestamp(0)
                                           : batch.start_times[i]);
  }
}

void HeadAppender::Count(Appended outcome) {
  out_of_order_ +=
      outcome == Appended::kOutOfOrder || outcome == Appended::kDuplicate;
  out_of_bounds_ += outcome == Appended::kOutOfBounds;
  too_old_ += outcome == Appended::kTooOld;
}

template <typename H>
Appended HeadAppender::AppendAny(SeriesRef ref, Timestamp t, Timestamp start,
                                 const H& h) {
  BeginSamples(t.ms);
  if (t.ms < bounds_.min_valid && bounds_.late_from == kMaxMillis) {
    Count(Appended::kOutOfBounds);
    return Appended::kOutOfBounds;
  }
  if (!h.Validate().ok()) return Appended::kInvalid;
  absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
  const Slot slot = SlotOf(ref);
  if (slot == kNoSlot) return Appended::kUnknownRef;
  {
    const SeriesShard& shard = head_.shards_[ShardOf(slot)];
    absl::ReaderMutexLock lock(&shard.mu);
    bool late = false;
    const Appended outcome = shard.AcceptsHistogram(shard.Line(LineOf(slot)),
                                                    t.ms, h, bounds_, late);
    if (outcome != Appended::kStored) {
      Count(outcome);
      return outcome;
    }
  }
  const bool custom = h.schema == kCustomBucketsSchema;
  wal::RecordType kind;
  if constexpr (std::is_same_v<H, Histogram>) {
    kind = custom ? wal::RecordType::kCustomHistograms
                  : wal::RecordType::kHistograms;
    // The order of the log is not that of the numbers: see BatchPart.
    const auto it = kinds_.find(slot);
    if (it != kinds_.end() && it->second != kind &&
        !(custom && it->second == wal::RecordType::kHistograms)) {
      NewPart();
    }
  } else {
    kind = custom ? wal::RecordType::kCustomFloatHistograms
                  : wal::RecordType::kFloatHistograms;
    const auto it = kinds_.find(slot);
    if (it != kinds_.end() && !custom &&
        it->second == wal::RecordType::kCustomFloatHistograms) {
      NewPart();
    }
  }
  kinds_[slot] = kind;
  wal::HistogramRow<H>& row = part().template Histograms<H>().Add(slot);
  row.ref = ref;
  row.t = t;
  row.start = head_.options_.start_times ? start : Timestamp(0);
  row.h = h;
  return Appended::kStored;
}

Appended HeadAppender::AppendHistogram(SeriesRef ref, Timestamp t,
                                       Timestamp start, const Histogram& h) {
  return AppendAny(ref, t, start, h);
}

Appended HeadAppender::AppendHistogram(SeriesRef ref, Timestamp t,
                                       Timestamp start,
                                       const FloatHistogram& h) {
  return AppendAny(ref, t, start, h);
}

Appended HeadAppender::AppendExemplar(SeriesRef ref, const Exemplar& exemplar) {
  if (!head_.exemplars_.enabled()) return Appended::kStored;
  Begin();
  absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
  const Slot slot = SlotOf(ref);
  if (slot == kNoSlot) return Appended::kUnknownRef;
  bool same = false;
  const Appended outcome =
      head_.exemplars_.Check(head_.LabelsOf(slot), exemplar, &same);
  // One that the series shows still is not logged again.
  if (outcome != Appended::kStored || same) return outcome;
  wal::ExemplarRow& row = part().exemplars.Add(slot);
  row.ref = ref;
  row.t = exemplar.t;
  row.value = exemplar.value;
  row.labels = exemplar.labels;
  row.has_timestamp = exemplar.has_timestamp;
  return outcome;
}

absl::Status HeadAppender::SetMetadata(SeriesRef ref,
                                       const Metadata& metadata) {
  Begin();
  absl::ReaderMutexLock lifetimes(&head_.lifetimes_mu_);
  const Slot slot = SlotOf(ref);
  if (slot == kNoSlot) {
    return NotFound(
        StrCat("no series with the reference ", static_cast<uint64_t>(ref)));
  }
  const uint64_t id = static_cast<uint64_t>(ref) - head_.base_;
  if (head_.metadata_.Has(static_cast<SeriesId>(id), metadata)) {
    return absl::OkStatus();
  }
  BatchPart::MetadataRow& row = part().metadata.Add(slot);
  row.ref = ref;
  row.metadata = metadata;
  return absl::OkStatus();
}

Slot HeadAppender::SlotOf(SeriesRef ref) const {
  Slot slot = kNoSlot;
  head_.by_id_.FindAll(std::span(&ref, 1), head_.base_, &slot);
  return slot;
}

absl::Status HeadAppender::Commit() {
  if (!open_) return absl::OkStatus();
  absl::Status status = absl::OkStatus();
  std::optional<absl::ReaderMutexLock> gate;
  if (head_.has_late_log()) gate.emplace(&head_.late_gate_);
  if (used_ > 1 || !part().empty() || !created_.empty()) {
    status = head_.LogBatch(*this);
    if (status.ok()) status = head_.StoreBatch(*this);
    if (!status.ok()) status = Annotate(status, "write to WAL");
  } else {
    status = head_.LogLate(wal::RecordBatch());
    if (status.ok()) status = head_.SyncLate();
  }
  End();
  return status;
}

absl::Status HeadAppender::Rollback() {
  if (!open_) return absl::OkStatus();
  DropSamples();
  absl::Status status = absl::OkStatus();
  // Series stay, and the log knows them.
  if (!created_.empty()) {
    status = head_.LogBatch(*this);
    if (status.ok()) status = head_.StoreBatch(*this);
  }
  End();
  return status;
}

}  // namespace narthex::tsdb
