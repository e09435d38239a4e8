#include "libtsdb/head/head.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/time/time.h"
#include "libtsdb/head/head_appender.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {

HeadMetrics::HeadMetrics(MetricRegistry& r)
    : series(r.NewGauge("prometheus_tsdb_head_series",
                        "Total number of series in the head block.")),
      stale_series(
          r.NewGauge("prometheus_tsdb_head_stale_series",
                     "Total number of stale series in the head block.")),
      chunks(r.NewGauge("prometheus_tsdb_head_chunks",
                        "Total number of chunks in the head block.")),
      min_time(r.NewGauge("prometheus_tsdb_head_min_time",
                          "Minimum time bound of the head block. The unit is "
                          "decided by the library consumer.")),
      max_time(r.NewGauge("prometheus_tsdb_head_max_time",
                          "Maximum timestamp of the head block. The unit is "
                          "decided by the library consumer.")),
      active_appenders(
          r.NewGauge("prometheus_tsdb_head_active_appenders",
                     "Number of currently active appender transactions")),
      series_created(
          r.NewCounter("prometheus_tsdb_head_series_created_total",
                       "Total number of series created in the head")),
      series_removed(
          r.NewCounter("prometheus_tsdb_head_series_removed_total",
                       "Total number of series removed in the head")),
      series_refused(r.NewCounter(
          "narthex_tsdb_head_series_refused_total",
          "Total number of series that the head's limit did not let in.")),
      chunks_created(
          r.NewCounter("prometheus_tsdb_head_chunks_created_total",
                       "Total number of chunks created in the head")),
      chunks_removed(
          r.NewCounter("prometheus_tsdb_head_chunks_removed_total",
                       "Total number of chunks removed in the head")),
      samples_appended(r.NewCounter(
          "prometheus_tsdb_head_samples_appended_total",
          "Total number of appended samples.", {{"type", "float"}})),
      histograms_appended(r.NewCounter(
          "prometheus_tsdb_head_samples_appended_total",
          "Total number of appended samples.", {{"type", "histogram"}})),
      late_appended(r.NewCounter(
          "prometheus_tsdb_head_out_of_order_samples_appended_total",
          "Total number of appended out of order samples.",
          {{"type", "float"}})),
      out_of_order(r.NewCounter(
          "prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due "
          "to out of order being disabled.",
          {{"type", "float"}})),
      out_of_bounds(r.NewCounter(
          "prometheus_tsdb_out_of_bound_samples_total",
          "Total number of out of bound samples ingestion failed attempts with "
          "out of order support disabled.",
          {{"type", "float"}})),
      too_old(r.NewCounter(
          "prometheus_tsdb_too_old_samples_total",
          "Total number of out of order samples ingestion failed attempts with "
          "out of support enabled, but sample outside of time window.",
          {{"type", "float"}})),
      truncations(r.NewCounter("prometheus_tsdb_head_truncations_total",
                               "Total number of head truncations attempted.")),
      checkpoints(
          r.NewCounter("prometheus_tsdb_checkpoint_creations_total",
                       "Total number of checkpoint creations attempted.")),
      checkpoint_failures(
          r.NewCounter("prometheus_tsdb_checkpoint_creations_failed_total",
                       "Total number of checkpoint creations that failed.")),
      wal_corruptions(r.NewCounter("prometheus_tsdb_wal_corruptions_total",
                                   "Total number of WAL corruptions.")) {}

Head::Head(HeadOptions options)
    : options_(std::move(options)),
      own_metrics_(options_.metrics == nullptr
                       ? std::make_unique<MetricRegistry>()
                       : nullptr),
      metrics_(options_.metrics == nullptr ? *own_metrics_ : *options_.metrics),
      exemplars_(options_.max_exemplars, options_.metrics == nullptr
                                             ? *own_metrics_
                                             : *options_.metrics),
      postings_(symbols_),
      xor2_(options_.xor2),
      tombstones_(std::make_shared<const Tombstones>()) {
  // Another try to replay may have counted.
  metrics_.series.Set(0);
  metrics_.chunks.Set(0);
}

Head::~Head() { Close().IgnoreError(); }

void Head::SetChunks(std::unique_ptr<HeadChunkStore> chunks) {
  chunks_ = std::move(chunks);
}

void Head::SetMinValid(int64_t t) {
  int64_t now = min_valid_.load(std::memory_order_relaxed);
  while (t > now && !min_valid_.compare_exchange_weak(now, t)) {
  }
}

absl::Status Head::OpenLog(Env& env, const std::string& wal_dir) {
  wal::WalOptions options;
  options.segment_size = options_.wal_segment_bytes;
  options.logger = options_.logger;
  options.executor = options_.executor;
  options.keep_unsynced = options_.sync_commits || options_.sync_often;
  NARTHEX_ASSIGN_OR_RETURN(log_, wal::WalWriter::Open(env, wal_dir, options));
  for (const auto& [segment, times] : replayed_times_) {
    if (times.min <= times.max) log_->times().Cover(segment, times);
    log_->times().MarkComplete(segment);
  }
  replayed_times_ = {};
  // Series to which the replay gave new references: deletions may come before
  // the next samples.
  std::string series;
  {
    absl::MutexLock lock(&unlogged_mu_);
    series.swap(unlogged_);
    unlogged_any_.store(false, std::memory_order_release);
  }
  if (series.empty()) return absl::OkStatus();
  wal::RecordBatch batch;
  batch.Add(series, options_.wal_compression);
  return log_->Log(batch);
}

std::string Head::wal_dir() const {
  return log_ == nullptr ? std::string() : log_->dir();
}

uint64_t Head::ChunkFileBytes() const {
  return chunks_ == nullptr ? 0 : chunks_->DiskBytes();
}

absl::StatusOr<Head::Found> Head::FindOrCreate(const Labels& labels,
                                               uint32_t number,
                                               std::optional<SeriesId> fixed) {
  const uint64_t hash = labels.Hash();
  SlotsByHash::Stripe& stripe = by_hash_.Of(hash);
  SeriesId id = 0;
  const auto is = [&](Slot slot) {
    const SeriesShard& shard = shards_[ShardOf(slot)];
    absl::ReaderMutexLock lock(&shard.mu);
    if (!symbols_.RowIs(shard.Line(LineOf(slot)).labels, labels)) return false;
    id = shard.IdOf(LineOf(slot));
    return true;
  };
  absl::MutexLock lock(&stripe.mu);
  Slot slot = stripe.Find(hash, is);
  if (slot != kNoSlot) return Found{id, slot, false};

  if (labels.Has("")) return InvalidArgument("empty label name");
  if (series_.fetch_add(1, std::memory_order_relaxed) >= options_.max_series &&
      options_.max_series != 0 && !fixed.has_value()) {
    series_.fetch_sub(1, std::memory_order_relaxed);
    metrics_.series_refused.Inc();
    return ResourceExhausted(StrCat("the head holds its limit of ",
                                    options_.max_series,
                                    " series: no new one is taken"));
  }
  absl::Cleanup undo = [this] {
    series_.fetch_sub(1, std::memory_order_relaxed);
  };
  SeriesShard& shard = shards_[number];
  {
    absl::MutexLock shard_lock(&shard.mu);
    absl::MutexLock index_lock(&index_mu_);
    id = fixed.value_or(next_id_);
    if (id == SeriesShard::kNoId) {
      return ResourceExhausted("out of series references: open anew");
    }
    static thread_local std::vector<LabelPair> pairs;
    pairs.clear();
    NARTHEX_ASSIGN_OR_RETURN(const RowHandle row,
                             symbols_.AddRow(labels, pairs));
    const uint32_t line = shard.AddLine(id, row);
    if (line == kMaxLines) {
      symbols_.DropRow(row, 0);
      return ResourceExhausted("too many series in one shard of the head");
    }
    slot = MakeSlot(number, line);
    by_id_.Set(id, slot);
    if (!fixed.has_value()) {
      ++next_id_;
      postings_.Add(id, pairs);
    } else {
      next_id_ = std::max(next_id_, id + 1);
    }
  }
  stripe.Add(hash, slot);
  if (!fixed.has_value() && log_ != nullptr) LogSeriesLater(id, labels);
  std::move(undo).Cancel();
  metrics_.series.Add(1);
  metrics_.series_created.Inc();
  return Found{id, slot, true};
}

void Head::LogSeriesLater(SeriesId id, const Labels& labels) {
  absl::MutexLock lock(&unlogged_mu_);
  if (unlogged_.empty()) wal::BeginSeries(unlogged_);
  wal::AddSeries(SeriesRef{RefOf(id)}, labels, unlogged_);
  unlogged_any_.store(true, std::memory_order_release);
}

bool Head::HasLabels(Slot slot, const Labels& labels) const {
  const SeriesShard& shard = shards_[ShardOf(slot)];
  absl::ReaderMutexLock lock(&shard.mu);
  return symbols_.RowIs(shard.Line(LineOf(slot)).labels, labels);
}

Labels Head::LabelsOf(Slot slot) const {
  const SeriesShard& shard = shards_[ShardOf(slot)];
  RowHandle row;
  {
    absl::ReaderMutexLock lock(&shard.mu);
    row = shard.Line(LineOf(slot)).labels;
  }
  return symbols_.RowLabels(row);
}

bool Head::FindMetadata(SeriesRef ref, Metadata& out) const {
  const uint64_t id = static_cast<uint64_t>(ref) - base_;
  return id <= 0xffffffffu && metadata_.Find(static_cast<SeriesId>(id), out);
}

// --- Times.

// The greatest is set first: who sees a least time may count on both.
void Head::InitTime(int64_t t) {
  int64_t none = kMinMillis;
  max_time_.compare_exchange_strong(none, t);
  none = kMaxMillis;
  min_time_.compare_exchange_strong(none, t);
  metrics_.min_time.Set(static_cast<double>(min_time()));
  metrics_.max_time.Set(static_cast<double>(max_time()));
}

void Head::UpdateTimes(int64_t min_t, int64_t max_t) {
  int64_t now = max_time_.load(std::memory_order_relaxed);
  while (max_t > now && !max_time_.compare_exchange_weak(now, max_t)) {
  }
  if (max_t > now) metrics_.max_time.Set(static_cast<double>(max_t));
  now = min_time_.load(std::memory_order_relaxed);
  while (min_t < now && !min_time_.compare_exchange_weak(now, min_t)) {
  }
  if (min_t < now) metrics_.min_time.Set(static_cast<double>(min_t));
}

int64_t Head::AppendableFrom() const {
  return std::max(SaturatingSub(max_time(), options_.chunk_range / 2),
                  min_valid_.load(std::memory_order_acquire));
}

bool Head::Compactable() const {
  return initialized() &&
         SaturatingSub(max_time(), min_time()) > options_.chunk_range / 2 * 3;
}

int64_t Head::BlockEnd(int64_t mint) const {
  return SaturatingAdd(mint / options_.chunk_range * options_.chunk_range,
                       options_.chunk_range);
}

bool Head::WaitForAppenders(int64_t maxt, Duration limit) {
  struct Wait {
    Head& head;
    int64_t maxt;
  } wait{*this, maxt};
  absl::MutexLock lock(&batches_mu_);
  return batches_mu_.AwaitWithTimeout(
      absl::Condition(
          +[](Wait* w) ABSL_NO_THREAD_SAFETY_ANALYSIS {
            for (const HeadAppender* batch : w->head.batches_) {
              if (batch->bounded_ && batch->bounds_.min_valid <= w->maxt) {
                return false;
              }
            }
            return true;
          },
          &wait),
      absl::Milliseconds(limit.ms));
}

HeadCounts Head::Counts() {
  HeadCounts counts;
  counts.series = series_.load(std::memory_order_relaxed);
  counts.chunks = chunk_count_.load(std::memory_order_relaxed);
  for (SeriesShard& shard : shards_) {
    absl::ReaderMutexLock lock(&shard.mu);
    counts.line_bytes += shard.line_bytes();
    counts.slab_bytes += shard.slab_bytes();
    counts.mapped_bytes += shard.mapped_bytes();
  }
  counts.label_bytes = symbols_.bytes();
  counts.postings_bytes = postings_.bytes();
  counts.label_bytes += metadata_.bytes();
  counts.lookup_bytes = by_id_.bytes() + by_hash_.bytes();
  return counts;
}

absl::Status Head::Close() {
  absl::Status status = absl::OkStatus();
  Tidy();
  uint32_t segment = 0;
  std::string last;  // of the log's segments
  if (log_ != nullptr) {
    segment = log_->segment();
    last = wal::SegmentPath(log_->dir(), segment);
    status = log_->Close();
    log_ = nullptr;
  }
  {
    absl::MutexLock lock(&late_mu_);
    late_log_.store(nullptr);
    if (own_late_log_ != nullptr) {
      const absl::Status closed = own_late_log_->Close();
      if (status.ok()) status = closed;
      own_late_log_ = nullptr;
    }
  }
  // A snapshot has one reference for each series: with it, what the log of late
  // samples and chunks_head have under the other one would not be found again.
  const bool snapshot = chunks_ != nullptr && !last.empty() &&
                        !options_.snapshot_dir.empty() && !logged_twice_;
  if (chunks_ != nullptr) {
    const absl::Status closed = chunks_->Close();
    if (status.ok()) status = closed;
    chunks_ = nullptr;
  }
  if (snapshot && status.ok()) {
    Env& env = *options_.snapshot_env;
    NARTHEX_ASSIGN_OR_RETURN(const FileInfo info, env.Stat(last));
    status =
        Annotate(WriteSnapshot(env, options_.snapshot_dir, segment, info.size),
                 "chunk snapshot");
  }
  return status;
}

}  // namespace narthex::tsdb
