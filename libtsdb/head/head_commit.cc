// From a batch to samples that readers see: log, store, publish.

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "libtsdb/head/head.h"
#include "libtsdb/head/head_appender.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kPrefetchLine = 32;
constexpr size_t kPrefetchChunk = 16;

}  // namespace

// Sorts the batch by shard and writes it to the log.  Afterwards it has its
// epoch and a ticket per shard, in the order of the log; StoreBatch must
// follow.
absl::Status Head::LogBatch(HeadAppender& batch) {
  const size_t n = batch.slots_.size();
  std::array<uint32_t, kShards + 1> begin = {};
  for (const Slot slot : batch.slots_) ++begin[ShardOf(slot) + 1];
  for (uint32_t s = 0; s < kShards; ++s) begin[s + 1] += begin[s];
  batch.turns_.clear();
  batch.order_.clear();
  for (uint32_t s = 0; s < kShards; ++s) {
    if (begin[s] == begin[s + 1]) continue;
    batch.turns_.push_back({s, begin[s], begin[s + 1], 0});
  }
  if (batch.turns_.size() > 1) {
    batch.order_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      batch.order_[begin[ShardOf(batch.slots_[i])]++] =
          static_cast<uint32_t>(i);
    }
  }
  const auto in_order = [this, &batch] {
    batch.epoch_ = isolation_.Begin();
    for (HeadAppender::Turn& turn : batch.turns_) {
      turn.ticket = shards_[turn.shard].next_ticket++;
    }
  };
  if (log_ == nullptr) {
    absl::MutexLock lock(&order_mu_);
    in_order();
    return absl::OkStatus();
  }

  batch.records_.Clear();
  std::string series;
  if (unlogged_any_.load(std::memory_order_acquire)) {
    absl::MutexLock lock(&unlogged_mu_);
    unlogged_mu_.Await(absl::Condition(
        +[](bool* under_way) { return !*under_way; }, &unlogged_under_way_));
    series.swap(unlogged_);
    if (!series.empty()) {
      unlogged_under_way_ = true;
      batch.records_.Add(series, options_.wal_compression);
    }
  }
  if (n != 0) {
    batch.record_.clear();
    wal::EncodeSamples(batch.refs_, batch.values_, batch.at_, batch.times_,
                       batch.record_);
    batch.records_.Add(batch.record_, options_.wal_compression);
    if (batch.times_.empty()) {
      batch.records_.Cover(batch.at_);
    } else {
      const auto [least, greatest] =
          std::minmax_element(batch.times_.begin(), batch.times_.end());
      batch.records_.Cover(TimeRange{*least, *greatest});
    }
  }
  if (batch.records_.empty()) {  // another commit took the series along
    in_order();
    return absl::OkStatus();
  }
  absl::Status status = log_->Log(batch.records_, in_order);
  if (!series.empty()) {
    absl::MutexLock lock(&unlogged_mu_);
    unlogged_under_way_ = false;
    if (!status.ok()) {
      // The next one tries again; what was created meanwhile comes behind.
      if (!unlogged_.empty()) series.append(unlogged_, 1);
      unlogged_ = std::move(series);
    }
    unlogged_any_.store(!unlogged_.empty(), std::memory_order_release);
  }
  if (status.ok() && options_.sync_commits && n != 0) {
    status = log_->Sync();
    if (!status.ok()) {
      // Not durable, so not to be seen; but others wait for its turns.
      batch.DropSamples();
      StoreBatch(batch);
    }
  }
  return status;
}

void Head::StoreBatch(HeadAppender& batch) {
  StoreCounts counts;
  for (const HeadAppender::Turn& turn : batch.turns_) {
    SeriesShard& shard = shards_[turn.shard];
    absl::MutexLock lock(&shard.mu);
    if (shard.turn != turn.ticket) {
      const std::pair<const uint64_t*, uint64_t> waits{&shard.turn,
                                                       turn.ticket};
      shard.mu.Await(absl::Condition(
          +[](const std::pair<const uint64_t*, uint64_t>* w) {
            return *w->first == w->second;
          },
          &waits));
    }
    if (!batch.slots_.empty()) {
      StoreShard(batch, turn.shard,
                 std::span<const uint32_t>(batch.order_)
                     .subspan(batch.order_.empty() ? 0 : turn.begin,
                              batch.order_.empty() ? 0 : turn.end - turn.begin),
                 counts);
    }
    ++shard.turn;
  }
  if (counts.stored != 0) {
    UpdateTimes(counts.min_t, counts.max_t);
    metrics_.samples_appended.Inc(counts.stored);
  }
  if (counts.chunks != 0) {
    chunk_count_.fetch_add(counts.chunks, std::memory_order_relaxed);
    metrics_.chunks.Add(static_cast<double>(counts.chunks));
    metrics_.chunks_created.Inc(counts.chunks);
  }
  isolation_.Publish(batch.epoch_);
}

// One shard's part, whose turn it is.  Checks again, as time has passed since
// the samples were accepted.
void Head::StoreShard(HeadAppender& batch, uint32_t number,
                      std::span<const uint32_t> order, StoreCounts& counts) {
  SeriesShard& shard = shards_[number];
  shard.mu.AssertHeld();
  StoreRules rules = Rules();
  rules.epoch = static_cast<uint32_t>(batch.epoch_);
  const size_t n = order.empty() ? batch.slots_.size() : order.size();
  const auto line_of = [&](size_t k) {
    return LineOf(batch.slots_[order.empty() ? k : order[k]]);
  };
  const bool one_time = batch.times_.empty();
  for (size_t k = 0; k < n; ++k) {
    if (k + kPrefetchLine < n) {
      __builtin_prefetch(&shard.Line(line_of(k + kPrefetchLine)), 1);
    }
    if (k + kPrefetchChunk < n) {
      shard.PrefetchChunk(shard.Line(line_of(k + kPrefetchChunk)));
    }
    const size_t i = order.empty() ? k : order[k];
    const uint32_t line = LineOf(batch.slots_[i]);
    const int64_t t = one_time ? batch.at_.ms : batch.times_[i].ms;
    const uint64_t v = std::bit_cast<uint64_t>(batch.values_[i]);
    const Appended now = Accepts(shard.Line(line), t, v, batch.min_valid_);
    if (now == Appended::kStored && shard.Store(line, t, v, rules, counts)) {
      ++counts.stored;
      counts.min_t = std::min(counts.min_t, t);
      counts.max_t = std::max(counts.max_t, t);
    } else {
      ++counts.dropped;
      batch.out_of_order_ +=
          now == Appended::kOutOfOrder || now == Appended::kDuplicate;
    }
  }
}

StoreRules Head::Rules() const {
  StoreRules rules;
  rules.chunk_range = options_.chunk_range;
  rules.samples_per_chunk = options_.samples_per_chunk;
  rules.floor = isolation_.Floor();
  rules.base = base_;
  rules.chunks = chunks_.get();
  return rules;
}

}  // namespace narthex::tsdb
