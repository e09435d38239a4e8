#include "narthex/tsdb/db.h"

#include <algorithm>
#include <utility>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/compact/planner.h"
#include "libtsdb/db/db_impl.h"
#include "libtsdb/wal/checkpoint.h"
#include "libtsdb/wal/salvage.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr int64_t kLongestBlock = Days(31).ms;
// How often a read-only open looks again while a writer changes the directory.
constexpr int kReadAttempts = 8;
// How often a log is read again for what was found in it too late.
constexpr int kReplays = 4;

// As Prometheus says it.
absl::Status NoRoomForStartTimes() {
  return InvalidArgument(
      "float chunk encoding \"xor\" is incompatible with start-timestamp "
      "storage; XOR chunks do not store start timestamps, use \"xor2\"");
}

absl::Status CheckOptions(const Options& options) {
  if (options.min_block_duration.ms < 1) {
    return InvalidArgument("min_block_duration must be at least 1 ms");
  }
  if (options.max_block_duration.ms < 0 || options.retention.ms < 0 ||
      options.sync_interval.ms < 0) {
    return InvalidArgument("a duration must not be negative");
  }
  if (options.samples_per_chunk < 4 || options.samples_per_chunk > 240) {
    return InvalidArgument("samples_per_chunk must be from 4 to 240");
  }
  if (options.wal_segment_bytes == 0 ||
      options.wal_segment_bytes % wal::kPageSize != 0) {
    return InvalidArgument("wal_segment_bytes must be a multiple of 32 KiB");
  }
  if (options.wal_compression == Compression::kGzip) {
    return InvalidArgument("the WAL knows snappy, zstd and none");
  }
  if (options.out_of_order_time_window.ms < 0) {
    return InvalidArgument("a duration must not be negative");
  }
  if (options.start_times && options.float_chunks == FloatChunks::kXor) {
    return NoRoomForStartTimes();
  }
  if (!(options.stale_series_compaction_threshold >= 0 &&
        options.stale_series_compaction_threshold <= 1)) {
    return InvalidArgument(
        "stale_series_compaction_threshold must be from 0 to 1");
  }
  if (options.background_interval.ms < 1) {
    return InvalidArgument("background_interval must be at least 1 ms");
  }
  return absl::OkStatus();
}

std::vector<Duration> BlockRanges(const Options& options) {
  const Duration smallest = options.min_block_duration;
  Duration largest = options.max_block_duration;
  if (largest.ms == 0) {
    largest = Duration(kLongestBlock);
    if (options.retention.ms != 0) {
      largest = std::min(largest, options.retention / 10);
    }
  }
  return CompactionRanges(smallest, std::max(smallest, largest));
}

// A database that is read only refuses to be written.
class RefusingAppender final : public Appender {
 public:
  absl::StatusOr<SeriesRef> Resolve(const Labels&) override { return Refuse(); }
  absl::Status AppendFloats(const FloatBatch&, std::span<Appended>) override {
    return Refuse();
  }
  Appended AppendHistogram(SeriesRef, Timestamp, Timestamp,
                           const Histogram&) override {
    return Appended::kInvalid;
  }
  Appended AppendHistogram(SeriesRef, Timestamp, Timestamp,
                           const FloatHistogram&) override {
    return Appended::kInvalid;
  }
  Appended AppendExemplar(SeriesRef, const Exemplar&) override {
    return Appended::kInvalid;
  }
  absl::Status SetMetadata(SeriesRef, const Metadata&) override {
    return Refuse();
  }
  absl::Status Commit() override { return Refuse(); }
  absl::Status Rollback() override { return absl::OkStatus(); }

 private:
  static absl::Status Refuse() {
    return FailedPrecondition("the database is open read-only");
  }
};

}  // namespace

Db::Impl::Impl(std::string directory, const Options& wanted)
    : dir(std::move(directory)),
      options(wanted),
      memory(dir.empty() ? NewMemEnv() : nullptr),
      env(memory != nullptr ? memory.get() : options.env),
      own_metrics(options.metrics == nullptr
                      ? std::make_unique<MetricRegistry>()
                      : nullptr),
      metrics(options.metrics == nullptr ? *own_metrics : *options.metrics),
      ranges(BlockRanges(options)),
      stale_threshold(options.stale_series_compaction_threshold) {
  if (dir.empty()) dir = "memory";
}

Db::Impl::~Impl() { Close().IgnoreError(); }

HeadOptions Db::Impl::MakeHeadOptions() const {
  HeadOptions head_options;
  head_options.chunk_range = options.min_block_duration.ms;
  head_options.samples_per_chunk =
      static_cast<uint32_t>(options.samples_per_chunk);
  head_options.wal_compression = options.wal_compression;
  head_options.wal_segment_bytes = options.wal_segment_bytes;
  head_options.sync_commits = options.sync_commits;
  head_options.sync_often = options.sync_interval.ms > 0;
  head_options.start_times = options.start_times;
  head_options.xor2 = options.float_chunks == FloatChunks::kXor2;
  head_options.histogram_starts = options.histogram_start_times;
  head_options.max_series = options.max_series;
  head_options.max_exemplars = options.max_exemplars;
  if (options.memory_snapshot_on_shutdown && !options.read_only &&
      memory == nullptr) {
    head_options.snapshot_dir = dir;
    head_options.snapshot_env = env;
  }
  head_options.executor = options.executor;
  head_options.logger = options.logger;
  head_options.metrics =
      options.metrics == nullptr ? own_metrics.get() : options.metrics;
  return head_options;
}

// The order is Prometheus's (A17), but that the lock comes before anything is
// changed.
absl::Status Db::Impl::Open() {
  if (!env->Exists(dir)) {
    NARTHEX_RETURN_IF_ERROR(env->MakeDirs(dir));
    // Not every parent may be opened by whoever may write below it.
    env->SyncDir(std::string(DirName(dir))).IgnoreError();
  }
  if (options.lock_directory && memory == nullptr) {
    NARTHEX_ASSIGN_OR_RETURN(lock, env->Lock(JoinPath(dir, "lock")));
  }
  NARTHEX_RETURN_IF_ERROR(RemoveLeftovers(*env, dir));
  const std::string wal_dir = JoinPath(dir, "wal");
  if (env->Exists(wal_dir)) {
    // Unfinished checkpoints.
    NARTHEX_RETURN_IF_ERROR(wal::RemoveCheckpointsBelow(*env, wal_dir, 0));
  }
  absl::MutexLock compacting(&compact_mu);
  NARTHEX_RETURN_IF_ERROR(Reload());
  return OpenHead();
}

std::function<void(uint64_t, uint64_t)> Db::Impl::ReplayProgress() const {
  if (!options.progress) return nullptr;
  return [this](uint64_t done, uint64_t total) {
    options.progress(Activity::kReplay, done, total);
  };
}

bool Db::Impl::LearnSharedRefs(const ReplayReport& report,
                               HeadOptions& head_options) {
  constexpr size_t kNamed = 10;
  size_t learned = 0;
  for (const uint64_t ref : report.shared_refs) {
    if (!head_options.shared_refs.insert(ref).second) continue;
    if (++learned > kNamed) continue;
    Log(options.logger, LogLevel::kWarn,
        "the WAL gives one reference to two series: each gets what stands "
        "behind its own record, and a new reference; chunks in chunks_head and "
        "late samples of that reference are left out",
        {{"ref", std::to_string(ref)}});
  }
  if (learned > kNamed) {
    Log(options.logger, LogLevel::kWarn,
        "more references that the WAL gives to two series",
        {{"refs", std::to_string(learned - kNamed)}});
  }
  head_options.next_ref = std::max(head_options.next_ref, report.next_ref);
  return learned != 0;
}

absl::StatusOr<ReplayReport> Db::Impl::ReplayHead(
    const HeadOptions& head_options) {
  head = std::make_unique<Head>(head_options);
  const int64_t min_valid = BlocksEnd();
  if (min_valid != kMinMillis) {
    NARTHEX_RETURN_IF_ERROR(head->Truncate(min_valid));
  }
  HeadChunkOptions chunk_options;
  chunk_options.logger = options.logger;
  std::vector<HeadChunkDamage> damages;
  NARTHEX_ASSIGN_OR_RETURN(
      std::unique_ptr<HeadChunkStore> chunks,
      HeadChunkStore::Open(
          *env, JoinPath(dir, "chunks_head"), chunk_options,
          [&](const HeadChunk& chunk) { head->OfferChunk(chunk, min_valid); },
          &damages));
  head->SetChunks(std::move(chunks));
  ReportDamage(damages);
  head->SetWindow(options.out_of_order_time_window.ms);
  if (memory != nullptr) return ReplayReport();  // nothing to log for

  std::optional<SnapshotDir> snapshot;
  if (options.memory_snapshot_on_shutdown && damages.empty()) {
    NARTHEX_ASSIGN_OR_RETURN(snapshot, LastSnapshot(*env, dir));
  }
  NARTHEX_ASSIGN_OR_RETURN(
      ReplayReport report,
      head->Replay(*env, JoinPath(dir, "wal"), ReplayProgress(), snapshot));
  if (!report.snapshot.ok()) {
    const std::string aside =
        wal::AsidePath(*env, snapshot->path, options.clock->Now());
    Log(options.logger, LogLevel::kError,
        "a damaged chunk snapshot, or one of another log, is set aside; the "
        "WAL "
        "is read instead",
        {{"err", Message(report.snapshot)}, {"aside", aside}});
    NARTHEX_RETURN_IF_ERROR(env->Rename(snapshot->path, aside));
  }
  return report;
}

absl::Status Db::Impl::OpenHead() {
  const Timestamp begin = options.clock->Now();
  HeadOptions head_options = MakeHeadOptions();
  NARTHEX_ASSIGN_OR_RETURN(ReplayReport report, ReplayHead(head_options));
  if (memory != nullptr) return absl::OkStatus();
  // Of a damaged snapshot nothing is taken: it is not there the next time.
  for (int i = 0; i < kReplays && (LearnSharedRefs(report, head_options) ||
                                   !report.snapshot.ok());
       ++i) {
    NARTHEX_ASSIGN_OR_RETURN(report, ReplayHead(head_options));
  }
  NARTHEX_RETURN_IF_ERROR(wal::SetAside(*env, report.damages,
                                        options.clock->Now(), options.logger));
  if (report.unknown_refs != 0) {
    Log(options.logger, LogLevel::kWarn,
        "samples without a series record were left out",
        {{"samples", std::to_string(report.unknown_refs)}});
  }
  if (report.kept_records != 0) {
    Log(options.logger, LogLevel::kWarn,
        "the WAL holds records of kinds that are kept and not read",
        {{"records", std::to_string(report.kept_records)}});
  }
  NARTHEX_RETURN_IF_ERROR(OpenLate());
  head->EndReplay();
  Log(options.logger, LogLevel::kInfo, "WAL replay completed",
      {{"series", std::to_string(report.series)},
       {"samples", std::to_string(report.samples)},
       {"duration", FormatDuration(options.clock->Now() - begin)}});
  return head->OpenLog(*env, JoinPath(dir, "wal"));
}

// The log of late samples is read even where none are taken any more.
absl::Status Db::Impl::OpenLate() {
  const std::string late_dir = JoinPath(dir, "wbl");
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<wal::SegmentFile> segments,
                           wal::ListSegments(*env, late_dir));
  if (segments.empty() && options.out_of_order_time_window.ms == 0) {
    return absl::OkStatus();
  }
  NARTHEX_ASSIGN_OR_RETURN(const ReplayReport report,
                           head->ReplayLate(*env, late_dir));
  NARTHEX_RETURN_IF_ERROR(wal::SetAside(*env, report.damages,
                                        options.clock->Now(), options.logger));
  if (report.unknown_refs != 0) {
    Log(options.logger, LogLevel::kWarn,
        "late samples without a series record were left out",
        {{"samples", std::to_string(report.unknown_refs)}});
  }
  return head->OpenLateLog(*env, late_dir);
}

void Db::Impl::ReportDamage(const std::vector<HeadChunkDamage>& damages) {
  for (const HeadChunkDamage& damage : damages) {
    Log(options.logger, LogLevel::kWarn, "damaged head chunks set aside",
        {{"file", damage.file},
         {"offset", std::to_string(damage.offset)},
         {"err", damage.what}});
  }
}

// Reads log and blocks as they are.  A writer may cut the log and add blocks
// meanwhile; then what was read does not belong together, and is read again.
absl::Status Db::Impl::OpenReadOnly() {
  absl::Status status;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    status = ReadOnce();
    if (status.code() != absl::StatusCode::kAborted &&
        status.code() != absl::StatusCode::kNotFound) {
      return status;
    }
  }
  return status;
}

absl::StatusOr<ReplayReport> Db::Impl::ReplayReadOnly(
    const HeadOptions& head_options) {
  head = std::make_unique<Head>(head_options);
  const int64_t min_valid = BlocksEnd();
  if (min_valid != kMinMillis) {
    NARTHEX_RETURN_IF_ERROR(head->Truncate(min_valid));
  }
  // Before the log: what a writer puts into chunks_head is in the log already,
  // so the log, read later, has all that comes behind these chunks.
  scratch = NewMemEnv();
  HeadChunkOptions chunk_options;
  chunk_options.read_only = true;
  chunk_options.scratch = scratch.get();
  chunk_options.logger = options.logger;
  NARTHEX_ASSIGN_OR_RETURN(
      std::unique_ptr<HeadChunkStore> chunks,
      HeadChunkStore::Open(
          *env, JoinPath(dir, "chunks_head"), chunk_options,
          [&](const HeadChunk& chunk) { head->OfferChunk(chunk, min_valid); },
          nullptr));
  head->SetChunks(std::move(chunks));
  return head->Replay(*env, JoinPath(dir, "wal"), ReplayProgress());
}

absl::Status Db::Impl::ReadOnce() {
  head = nullptr;
  NARTHEX_RETURN_IF_ERROR(env->Stat(dir).status());
  const auto load = [this](Blocks& out) -> absl::Status {
    if (IsBlockDir(*env, dir)) {
      NARTHEX_ASSIGN_OR_RETURN(std::shared_ptr<BlockReader> block,
                               BlockReader::Open(*env, dir));
      out.push_back(std::move(block));
      return absl::OkStatus();
    }
    NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> dirs,
                             BlockDirs(*env, dir));
    for (const std::string& path : dirs) {
      if (!ReadBlockMeta(*env, path).ok()) {
        Log(options.logger, LogLevel::kError,
            "a block without readable meta.json is left out", {{"dir", path}});
        continue;
      }
      NARTHEX_ASSIGN_OR_RETURN(std::shared_ptr<BlockReader> block,
                               BlockReader::Open(*env, path));
      out.push_back(std::move(block));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return a->meta().min_time < b->meta().min_time;
    });
    return absl::OkStatus();
  };
  Blocks found;
  NARTHEX_RETURN_IF_ERROR(load(found));
  {
    absl::MutexLock lock(&blocks_mu);
    blocks = found;
  }
  HeadOptions head_options = MakeHeadOptions();
  NARTHEX_ASSIGN_OR_RETURN(ReplayReport report, ReplayReadOnly(head_options));
  for (int i = 0; i < kReplays && LearnSharedRefs(report, head_options); ++i) {
    NARTHEX_ASSIGN_OR_RETURN(report, ReplayReadOnly(head_options));
  }
  NARTHEX_ASSIGN_OR_RETURN(const ReplayReport late,
                           head->ReplayLate(*env, JoinPath(dir, "wbl")));
  head->EndReplay();
  std::vector<wal::Damage> damages = report.damages;
  damages.insert(damages.end(), late.damages.begin(), late.damages.end());
  for (const wal::Damage& damage : damages) {
    if (damage.torn) continue;  // perhaps still being written
    Log(options.logger, LogLevel::kWarn, "part of the WAL can't be read",
        {{"file", damage.path},
         {"offset", std::to_string(damage.offset)},
         {"err", damage.what}});
  }
  // Blocks that came meanwhile may hold what the log has lost since.
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<std::string> now,
                           BlockDirs(*env, dir));
  for (const std::string& path : now) {
    const bool known =
        std::any_of(found.begin(), found.end(),
                    [&](const auto& block) { return block->where() == path; });
    if (!known && ReadBlockMeta(*env, path).ok()) {
      return absl::AbortedError("the directory changes faster than it is read");
    }
  }
  return absl::OkStatus();
}

absl::Status Db::Impl::Close() {
  if (closed.exchange(true)) return absl::OkStatus();
  stop.Cancel();
  StopTicking();
  absl::MutexLock compacting(&compact_mu);
  absl::Status status = absl::OkStatus();
  if (head != nullptr) status = head->Close();
  {
    absl::MutexLock blocks_lock(&blocks_mu);
    blocks.clear();
  }
  if (lock != nullptr) {
    env->Remove(JoinPath(dir, "lock")).IgnoreError();
    lock = nullptr;
  }
  return status;
}

// --- The public face.

absl::StatusOr<std::unique_ptr<Db>> Db::Open(std::string dir,
                                             const Options& options) {
  NARTHEX_RETURN_IF_ERROR(CheckOptions(options));
  if (dir.empty() && options.read_only) {
    return InvalidArgument("read-only needs a directory");
  }
  auto impl = std::make_unique<Impl>(std::move(dir), options);
  NARTHEX_RETURN_IF_ERROR(options.read_only ? impl->OpenReadOnly()
                                            : impl->Open());
  if (!options.read_only) impl->StartTicking();
  return std::unique_ptr<Db>(new Db(std::move(impl)));
}

Db::Db(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Db::~Db() = default;

std::unique_ptr<Appender> Db::NewAppender() {
  if (impl_->options.read_only) return std::make_unique<RefusingAppender>();
  return impl_->head->NewAppender();
}

absl::StatusOr<std::unique_ptr<Querier>> Db::NewQuerier(TimeRange range) {
  return impl_->NewQuerier(range);
}

absl::Status Db::Compact() {
  if (impl_->options.read_only) {
    return FailedPrecondition("the database is open read-only");
  }
  return impl_->Compact();
}

absl::Status Db::Delete(TimeRange range,
                        std::span<const Matcher* const> matchers) {
  return impl_->Delete(range, matchers);
}
absl::Status Db::CleanTombstones() { return impl_->CleanTombstones(); }
absl::Status Db::Snapshot(const std::string& to, bool with_head) {
  return impl_->Snapshot(to, with_head);
}

absl::Status Db::CompactHead(Timestamp end) {
  if (impl_->options.read_only) {
    return FailedPrecondition("the database is open read-only");
  }
  return impl_->CompactHeadBefore(end.ms);
}

absl::Status Db::SetOutOfOrderTimeWindow(Duration window) {
  if (impl_->options.read_only) return absl::OkStatus();
  if (window.ms > 0 && impl_->memory == nullptr) {
    NARTHEX_RETURN_IF_ERROR(
        impl_->head->OpenLateLog(*impl_->env, JoinPath(impl_->dir, "wbl")));
  }
  impl_->head->SetWindow(window.ms);
  return absl::OkStatus();
}

absl::Status Db::CompactStaleSeries() {
  if (impl_->options.read_only) {
    return FailedPrecondition("the database is open read-only");
  }
  return impl_->CompactStale();
}

absl::Status Db::SetFloatChunks(FloatChunks chunks) {
  if (impl_->options.start_times && chunks == FloatChunks::kXor) {
    return NoRoomForStartTimes();
  }
  impl_->head->SetXor2(chunks == FloatChunks::kXor2);
  return absl::OkStatus();
}

void Db::SetStaleSeriesCompactionThreshold(double threshold) {
  impl_->stale_threshold.store(threshold, std::memory_order_relaxed);
}

void Db::SetMaxExemplars(size_t n) { impl_->head->exemplars().Resize(n); }

void Db::SetRetention(Duration time, uint64_t bytes, double percent) {
  absl::MutexLock compacting(&impl_->compact_mu);
  impl_->options.retention = time;
  impl_->options.retention_bytes = bytes;
  impl_->options.retention_percent = percent;
}

std::vector<BlockMeta> Db::Blocks() const {
  std::vector<BlockMeta> metas;
  for (const auto& block : impl_->LoadedBlocks()) {
    metas.push_back(block->meta());
  }
  return metas;
}

Stats Db::stats(size_t limit) const { return impl_->MakeStats(limit); }

const std::string& Db::dir() const { return impl_->dir; }

bool Db::read_only() const { return impl_->options.read_only; }

absl::Status Db::Close() { return impl_->Close(); }

}  // namespace narthex::tsdb
