// How a Db is built.  Every default is Prometheus's.
//
// A value; what it borrows must outlive the Db.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "narthex/base/clock.h"
#include "narthex/base/compress.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/base/metrics.h"
#include "narthex/base/time.h"

namespace narthex::tsdb {

// Work of a Db that takes long enough to be watched.
enum class Activity : uint8_t {
  kReplay,     // the log, in Open; counted in bytes
  kCompaction  // a block being written; counted in series
};

// What chunks of floats are written as.  Both are always read.
enum class FloatChunks : uint8_t {
  kXor,
  // Smaller for series that end and begin again, and with room for start times;
  // Prometheus reads it from 3.13 on.
  kXor2
};

struct Options {
  // --- What is kept.

  // A block goes as soon as its newest sample is older than the newest block's
  // by this much.  0: keep for ever.
  Duration retention = Days(15);

  // Bytes of blocks, WAL and head chunks together; the oldest blocks go first.
  // 0: no limit.
  uint64_t retention_bytes = 0;

  // The same as a share of the file system that the directory lies on, 0..100
  // percent; overrides retention_bytes.  0: no limit.
  double retention_percent = 0;

  // --- Blocks.

  // Span of one block cut from the head, 1 ms or more.  The head is cut once it
  // spans one and a half times this.
  Duration min_block_duration = Hours(2);

  // Span up to which blocks are merged.  0: a tenth of `retention`, between
  // min_block_duration and 31 days.
  Duration max_block_duration = Duration(0);

  // --- The head.

  // Samples that a chunk is planned for, 4..240; it is cut earlier or later as
  // Prometheus does.
  int samples_per_chunk = 120;

  // Samples up to this much older than the newest one are taken out of order.
  // 0: none.
  Duration out_of_order_time_window = Duration(0);

  // Close leaves the open chunks in the directory (chunk_snapshot.*), and Open
  // reads them instead of the log that they stand for.
  bool memory_snapshot_on_shutdown = false;

  // Series in memory; a new one beyond is refused with kResourceExhausted.  0:
  // no limit.
  uint64_t max_series = 0;

  // Once this share of the series in memory has come to an end (their newest
  // sample is a stale marker), these become blocks and leave it before the
  // rest does.  0..1; 0: never.
  double stale_series_compaction_threshold = 0;

  // Of chunks that begin from now on.
  FloatChunks float_chunks = FloatChunks::kXor;
  // Chunks of native histograms are of the kinds with room for start times
  // (Prometheus's feature histograms-st-encoding).
  bool histogram_start_times = false;
  // Start times of samples are logged, and kept by the chunks that can; without
  // it they are dropped.  Needs kXor2 (Prometheus's feature st-storage).
  bool start_times = false;

  // Exemplars kept, of all series together; the newest ones stay.  0: none.
  size_t max_exemplars = 0;

  // --- The write-ahead log.

  Compression wal_compression = Compression::kSnappy;  // or kNone, kZstd
  // A multiple of 32 KiB.
  size_t wal_segment_bytes = size_t{128} << 20;
  // Whatever is set, what was committed outlives the death of the process.  It
  // outlives a power cut
  //  - with sync_commits: always.  Commit returns only after fdatasync; those
  //    that come at the same time share one.
  //  - with sync_interval: if it was committed this much earlier.  Needs an
  //    executor.
  //  - otherwise: once its segment of the log is full, or after Close.
  bool sync_commits = false;
  Duration sync_interval = Duration(0);

  // --- How it is opened.

  // No lock, not a byte written, whatever else is writing there; a consistent
  // prefix of what a live writer has logged is read once, at Open.  Appenders
  // refuse.
  bool read_only = false;
  // Takes the file `lock` in the directory, as Prometheus does.
  bool lock_directory = true;

  // --- Background work: compaction, retention.

  // How often the Db looks whether there is work.  Work is begun by timers of
  // `clock` and done by `executor`'s RunLong; without an executor there is none
  // and the host calls Compact().
  Duration background_interval = Minutes(1);

  // How far an activity is; the last call of one has `done` == `total`, also
  // when it failed.  From the thread that does the work, a few times a second
  // at most as a rule; it must return soon and not call the Db.
  std::function<void(Activity, uint64_t done, uint64_t total)> progress =
      nullptr;

  // --- Borrowed.

  Env* env = Env::Posix();
  Clock* clock = Clock::System();
  Executor* executor = nullptr;
  Logger* logger = nullptr;           // null: say nothing
  MetricRegistry* metrics = nullptr;  // null: count nothing
};

}  // namespace narthex::tsdb
