// What the database does by itself: full spans of the head become blocks,
// blocks are merged, old ones deleted, the log cut.

#include <algorithm>
#include <utility>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/compact/planner.h"
#include "libtsdb/db/db_impl.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

// A batch that stays open longer makes the compaction wait for the next tick.
constexpr Duration kWaitForBatches = Seconds(2);
constexpr std::string_view kBatchIsOpen =
    "compaction of the head waits for a batch that is still open";
// Stale series wait for a compaction of the head that is due within this.
constexpr Duration kSoon = Minutes(10);

// [begin, end), aligned: where the block of a sample at `t` is.
struct Window {
  int64_t begin = 0;
  int64_t end = 0;
};
Window WindowOf(int64_t t, int64_t width) {
  const int64_t number = t / width - (t % width < 0 ? 1 : 0);
  return {SaturatingMul(number, width), SaturatingMul(number + 1, width)};
}

}  // namespace

CompactOptions Db::Impl::MakeCompactOptions() {
  CompactOptions compact;
  compact.env = env;
  compact.clock = options.clock;
  compact.logger = options.logger;
  compact.cancel = &stop;
  compact.xor2 = head->xor2();
  if (options.progress) {
    compact.progress = [this](uint64_t done, uint64_t total) {
      options.progress(Activity::kCompaction, done, total);
    };
  }
  return compact;
}

absl::Status Db::Impl::Compact() {
  absl::MutexLock compacting(&compact_mu);
  metrics.compactions_triggered.Inc();
  if (closed) return FailedPrecondition("the database is closed");
  head->Tidy();
  int64_t blocks_end = kMinMillis;
  absl::Status status = absl::OkStatus();
  while (status.ok() && head->Compactable() && !stop.stopped()) {
    const int64_t mint = head->min_time();
    const int64_t maxt = head->BlockEnd(mint);
    if (!head->WaitForAppenders(maxt - 1, kWaitForBatches)) {
      Log(options.logger, LogLevel::kWarn, kBatchIsOpen);
      break;
    }
    head_compacted = options.clock->Now();
    const absl::StatusOr<bool> made = CompactHead(mint, maxt);
    status = made.status();
    if (!status.ok()) break;
    blocks_end = maxt;
    if (*made) continue;
    const absl::StatusOr<bool> skipped = SkipGap();
    status = skipped.status();
    if (status.ok() && !*skipped) break;
  }
  if (blocks_end != kMinMillis) {
    // What was compacted before an error is cut from the log all the same.
    const absl::Status cut = head->TruncateLog(*env, blocks_end);
    if (status.ok() && !cut.ok()) status = Annotate(cut, "WAL truncation");
  }
  if (status.ok() && blocks_end != kMinMillis) status = CompactLate();
  if (status.ok()) status = MergeBlocks();
  if (status.ok()) status = Reload();
  if (!status.ok() && status.code() != absl::StatusCode::kCancelled) {
    metrics.compactions_failed.Inc();
  }
  return status;
}

absl::StatusOr<bool> Db::Impl::CompactHead(int64_t mint, int64_t maxt) {
  absl::StatusOr<std::optional<BlockMeta>> meta;
  {
    // No sample before maxt can come any more, so nothing need be hidden.
    const std::shared_ptr<const BlockSource> source =
        head->NewInOrderSource({mint, maxt - 1});
    meta = WriteBlock(MakeCompactOptions(), dir, source, mint, maxt);
  }
  if (!meta.ok()) return Annotate(meta.status(), "persist head block");
  if (meta->has_value()) {
    metrics.compactions.Inc();
    if (const absl::Status reloaded = Reload(); !reloaded.ok()) {
      // The head keeps the samples and writes them again.
      DeleteBlock(*env, JoinPath(dir, (*meta)->ulid)).IgnoreError();
      return Annotate(reloaded, "reload blocks");
    }
  }
  NARTHEX_RETURN_IF_ERROR(head->Truncate(maxt));
  return meta->has_value();
}

// The gap is as long as a file says: it is not passed window by window.
absl::StatusOr<bool> Db::Impl::SkipGap() {
  const int64_t width = options.min_block_duration.ms;
  const int64_t from = head->min_time();
  // As far as the last of the blocks that Compact() would cut.
  const int64_t limit =
      WindowOf(SaturatingSub(head->max_time(), width / 2 * 3), width).begin;
  if (limit <= from) return true;
  if (!head->WaitForAppenders(limit - 1, kWaitForBatches)) {
    Log(options.logger, LogLevel::kWarn, kBatchIsOpen);
    return false;  // it may still bring samples for the gap
  }
  const TimeRange gap{from, limit - 1};
  NARTHEX_ASSIGN_OR_RETURN(
      const Timestamp next,
      FirstSample(*head->NewInOrderSource(gap), gap, stop));
  const int64_t begin = std::min(limit, WindowOf(next.ms, width).begin);
  if (begin > from) NARTHEX_RETURN_IF_ERROR(head->Truncate(begin));
  return true;
}

absl::Status Db::Impl::CompactHeadBefore(int64_t end) {
  absl::MutexLock compacting(&compact_mu);
  if (closed) return FailedPrecondition("the database is closed");
  if (!head->initialized() || head->min_time() >= end) return absl::OkStatus();
  // No batch that begins now brings any that the block would miss.
  head->SetMinValid(end);
  if (!head->WaitForAppenders(end - 1, kWaitForBatches)) {
    return Unavailable("a batch is still open");
  }
  NARTHEX_RETURN_IF_ERROR(CompactHead(head->min_time(), end).status());
  return Annotate(head->TruncateLog(*env, end), "WAL truncation");
}

absl::Status Db::Impl::WriteRanges(
    int64_t from, int64_t to, std::string_view hint,
    absl::FunctionRef<std::shared_ptr<const BlockSource>(TimeRange)> source,
    std::vector<std::string>& made) {
  const int64_t width = options.min_block_duration.ms;
  while (from <= to) {
    const auto [begin, end] = WindowOf(from, width);
    NARTHEX_ASSIGN_OR_RETURN(
        const std::optional<BlockMeta> meta,
        WriteBlock(MakeCompactOptions(), dir, source(TimeRange{begin, end - 1}),
                   begin, end, {std::string(hint)}));
    if (end == kMaxMillis) break;
    from = end;
    if (meta.has_value()) {
      made.push_back(meta->ulid);
      metrics.compactions.Inc();
      continue;
    }
    // The times are as far apart as a file says.
    NARTHEX_ASSIGN_OR_RETURN(
        const Timestamp next,
        FirstSample(*source(TimeRange{from, to}), TimeRange{from, to}, stop));
    from = next.ms;
  }
  return Reload();
}

// Late samples become blocks of their own, which overlap others and don't say
// how far the log is needed.
absl::Status Db::Impl::CompactLate() {
  if (head->late_min() > head->late_max()) return absl::OkStatus();
  NARTHEX_ASSIGN_OR_RETURN(const Head::LateCut cut, head->CutLate());
  if (cut.min_t > cut.max_t) return absl::OkStatus();
  std::vector<std::string> made;
  const absl::Status written = WriteRanges(
      cut.min_t, cut.max_t, kHintOutOfOrder,
      [&](TimeRange range) { return head->NewLateSource(range, cut.last); },
      made);
  if (!written.ok()) {
    // The head keeps the samples and writes them again.
    for (const std::string& ulid : made) {
      DeleteBlock(*env, JoinPath(dir, ulid)).IgnoreError();
    }
    return Annotate(written, "compact out-of-order samples");
  }
  return head->ForgetLate(*env, cut);
}

// Likewise of series that have come to an end.  One that goes on meanwhile
// stays in the head whole; readers merge what they then see twice.
absl::Status Db::Impl::CompactStale() {
  absl::MutexLock compacting(&compact_mu);
  if (closed) return FailedPrecondition("the database is closed");
  if (!head->initialized()) return absl::OkStatus();
  metrics.stale_compactions.Inc();
  Head::StaleSeries stale = head->FindStale();
  if (stale.ids.empty()) return absl::OkStatus();
  std::vector<std::string> made;
  const absl::Status written = WriteRanges(
      head->min_time(), head->max_time(), kHintStaleSeries,
      [&](TimeRange range) {
        return head->NewSelectedSource(range, stale.ids);
      },
      made);
  if (!written.ok()) {
    metrics.stale_compactions_failed.Inc();
    for (const std::string& ulid : made) {
      DeleteBlock(*env, JoinPath(dir, ulid)).IgnoreError();
    }
    return Annotate(written, "compact stale series");
  }
  Log(options.logger, LogLevel::kInfo, "stale series were compacted",
      {{"series", std::to_string(stale.ids.size())}});
  head->ForgetStale(std::move(stale));
  return absl::OkStatus();
}

// Not shortly before the whole head is compacted anyway.
bool Db::Impl::StaleIsDue() {
  const uint64_t stale = head->CountStale();
  const uint64_t series = head->series();
  const double threshold = stale_threshold.load(std::memory_order_relaxed);
  if (threshold <= 0 || stale == 0 || series == 0 ||
      static_cast<double>(stale) / static_cast<double>(series) < threshold) {
    return false;
  }
  absl::MutexLock compacting(&compact_mu);
  return head_compacted == Timestamp(0) ||
         options.clock->Now() + kSoon <
             head_compacted + options.min_block_duration;
}

absl::Status Db::Impl::MergeBlocks() {
  while (!stop.stopped()) {
    // The head has the highest priority.
    if (head->Compactable()) return absl::OkStatus();
    // A block of late samples that reaches beyond what came in order has to
    // wait: merged with others it would say that the head's log is not needed
    // so far, and the next replay would leave those samples out.
    const int64_t in_order_end = BlocksEnd();
    Blocks loaded = LoadedBlocks();
    std::erase_if(loaded, [in_order_end](const auto& block) {
      return block->meta().HasHint(kHintOutOfOrder) &&
             block->meta().max_time > in_order_end;
    });
    std::vector<BlockMeta> metas;
    for (const auto& block : loaded) metas.push_back(block->meta());
    const std::vector<size_t> plan = PlanCompaction(ranges, metas);
    if (plan.empty()) return absl::OkStatus();
    std::vector<std::shared_ptr<const BlockSource>> sources;
    for (const size_t i : plan) sources.push_back(loaded[i]);
    const absl::StatusOr<std::optional<BlockMeta>> merged =
        CompactBlocks(MakeCompactOptions(), dir, std::move(sources));
    const bool made = merged.ok() && merged->has_value();
    if (made) {
      metrics.compactions.Inc();
    }
    std::vector<std::string> changed;
    if (!made) {
      // Their meta.json says now that they are empty or can't be merged.
      for (const size_t i : plan) changed.push_back(loaded[i]->where());
    }
    if (const absl::Status reloaded = Reload(changed); !reloaded.ok()) {
      if (made) {
        DeleteBlock(*env, JoinPath(dir, (*merged)->ulid)).IgnoreError();
      }
      return Annotate(reloaded, "reload blocks");
    }
    if (!merged.ok()) return Annotate(merged.status(), "compact blocks");
  }
  return absl::OkStatus();
}

// --- Ticks: one timer at a time; its job hands over to the executor, which
// sets the next one when the work is done.

void Db::Impl::StartTicking() {
  if (options.executor == nullptr) return;
  absl::MutexLock lock(&tick_mu);
  ticking = true;
  ScheduleTick(options.clock->Now() + std::min(options.background_interval,
                                               options.min_block_duration));
  if (options.sync_interval.ms > 0 && !options.sync_commits) {
    syncing = true;
    ScheduleSync(options.clock->Now() + options.sync_interval);
  }
}

void Db::Impl::ScheduleSync(Timestamp at) {
  sync_timer = options.clock->RunAt(at, [this, at] {
    options.executor->RunLong([this, at] { SyncTick(at); });
  });
}

void Db::Impl::SyncTick(Timestamp due) {
  bool stopped;
  {
    absl::MutexLock lock(&tick_mu);
    stopped = stopping;
  }
  if (!stopped) {
    if (const absl::Status status = head->SyncLogs(); !status.ok()) {
      Log(options.logger, LogLevel::kError, "syncing the WAL failed",
          {{"err", Message(status)}});
    }
  }
  absl::MutexLock lock(&tick_mu);
  if (stopping) {
    syncing = false;
    return;
  }
  const Timestamp now = options.clock->Now();
  Timestamp next = due + options.sync_interval;
  if (next <= now) next = now + options.sync_interval;  // fell behind
  ScheduleSync(next);
}

void Db::Impl::ScheduleTick(Timestamp at) {
  timer = options.clock->RunAt(
      at, [this, at] { options.executor->RunLong([this, at] { Tick(at); }); });
}

void Db::Impl::Tick(Timestamp due) {
  bool stopped;
  {
    absl::MutexLock lock(&tick_mu);
    stopped = stopping;
  }
  if (!stopped) {
    if (const absl::Status status = Compact();
        !status.ok() && status.code() != absl::StatusCode::kCancelled) {
      Log(options.logger, LogLevel::kError, "compaction failed",
          {{"err", Message(status)}});
    }
    if (StaleIsDue()) {
      if (const absl::Status status = CompactStale(); !status.ok()) {
        Log(options.logger, LogLevel::kError,
            "immediate stale series compaction failed",
            {{"err", Message(status)}});
      }
    }
  }
  absl::MutexLock lock(&tick_mu);
  if (stopping) {
    ticking = false;
    return;
  }
  const Duration interval =
      std::min(options.background_interval, options.min_block_duration);
  const Timestamp now = options.clock->Now();
  Timestamp next = due + interval;
  if (next <= now) next = now + interval;  // fell behind
  ScheduleTick(next);
}

void Db::Impl::StopTicking() {
  absl::MutexLock lock(&tick_mu);
  stopping = true;
  if (ticking && options.clock->Cancel(timer)) ticking = false;
  if (syncing && options.clock->Cancel(sync_timer)) syncing = false;
  tick_mu.Await(absl::Condition(
      +[](bool* t) { return !*t; }, &ticking));
  tick_mu.Await(absl::Condition(
      +[](bool* t) { return !*t; }, &syncing));
}

}  // namespace narthex::tsdb
