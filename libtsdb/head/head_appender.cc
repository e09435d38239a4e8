#include "libtsdb/head/head_appender.h"

#include <algorithm>
#include <array>
#include <bit>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kPrefetch = 24;

}  // namespace

std::unique_ptr<Appender> Head::NewAppender() {
  return std::make_unique<HeadAppender>(*this);
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
  min_valid_ = head_.AppendableFrom();
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
  refs_.clear();
  slots_.clear();
  values_.clear();
  times_.clear();
  created_.clear();
  head_.metrics_.active_appenders.Add(-1);
  if (out_of_order_ != 0) head_.metrics_.out_of_order.Inc(out_of_order_);
  if (out_of_bounds_ != 0) head_.metrics_.out_of_bounds.Inc(out_of_bounds_);
  out_of_order_ = out_of_bounds_ = 0;
}

// The batch holds its series no longer; those that it made it still does.
void HeadAppender::DropSamples() {
  absl::MutexLock lock(&head_.batches_mu_);
  refs_.clear();
  slots_.clear();
  values_.clear();
  times_.clear();
}

absl::StatusOr<SeriesRef> HeadAppender::Resolve(const Labels& labels) {
  if (labels.empty()) return InvalidArgument("empty labelset: invalid sample");
  Begin();
  if (shard_ == kShards) {
    shard_ = slots_.empty()
                 ? head_.next_shard_.fetch_add(1, std::memory_order_relaxed) %
                       kShards
                 : ShardOf(slots_.front());
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
  Push(batch);
  if (!out.empty()) std::copy(outcomes_.begin(), outcomes_.end(), out.begin());
  return absl::OkStatus();
}

// `order` empty: all of the batch, as they come.
void HeadAppender::CheckShard(uint32_t number, const FloatBatch& batch,
                              std::span<const uint32_t> order) {
  const SeriesShard& shard = head_.shards_[number];
  const size_t n = order.empty() ? batch.refs.size() : order.size();
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
                std::bit_cast<uint64_t>(batch.values[i]), min_valid_);
  }
}

// Takes over what was accepted.
void HeadAppender::Push(const FloatBatch& batch) {
  const size_t n = batch.refs.size();
  size_t refused = 0;
  for (const Appended outcome : outcomes_) {
    refused += outcome != Appended::kStored;
  }
  if (refused == n) {
    // Nothing to take.
  } else {
    if (refs_.empty()) {
      at_ = batch.times.empty() ? batch.at : batch.times[0];
    }
    const bool one_time = times_.empty() && batch.times.empty() &&
                          (refs_.empty() || batch.at == at_);
    if (!one_time && times_.empty()) times_.assign(refs_.size(), at_);
    if (refused == 0) {
      refs_.insert(refs_.end(), batch.refs.begin(), batch.refs.end());
      slots_.insert(slots_.end(), call_slots_.begin(), call_slots_.end());
      values_.insert(values_.end(), batch.values.begin(), batch.values.end());
      if (!one_time) {
        if (batch.times.empty()) {
          times_.insert(times_.end(), n, batch.at);
        } else {
          times_.insert(times_.end(), batch.times.begin(), batch.times.end());
        }
      }
    } else {
      for (size_t i = 0; i < n; ++i) {
        if (outcomes_[i] != Appended::kStored) continue;
        refs_.push_back(batch.refs[i]);
        slots_.push_back(call_slots_[i]);
        values_.push_back(batch.values[i]);
        if (!one_time) {
          times_.push_back(batch.times.empty() ? batch.at : batch.times[i]);
        }
      }
    }
  }
  if (refused == 0) return;
  for (const Appended outcome : outcomes_) {
    out_of_order_ +=
        outcome == Appended::kOutOfOrder || outcome == Appended::kDuplicate;
    out_of_bounds_ += outcome == Appended::kOutOfBounds;
  }
}

Appended HeadAppender::AppendHistogram(SeriesRef, Timestamp, Timestamp,
                                       const Histogram&) {
  return Appended::kInvalid;
}

Appended HeadAppender::AppendHistogram(SeriesRef, Timestamp, Timestamp,
                                       const FloatHistogram&) {
  return Appended::kInvalid;
}

Appended HeadAppender::AppendExemplar(SeriesRef, const Exemplar&) {
  return Appended::kInvalid;
}

absl::Status HeadAppender::SetMetadata(SeriesRef, const Metadata&) {
  return Unimplemented("the head does not store metadata");
}

absl::Status HeadAppender::Commit() {
  if (!open_) return absl::OkStatus();
  absl::Status status = absl::OkStatus();
  if (!refs_.empty() || !created_.empty()) {
    status = head_.LogBatch(*this);
    if (status.ok()) {
      head_.StoreBatch(*this);
    } else {
      status = Annotate(status, "write to WAL");
    }
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
    if (status.ok()) head_.StoreBatch(*this);
  }
  End();
  return status;
}

}  // namespace narthex::tsdb
