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

  // Exemplars kept, of all series together; the newest ones stay.  0: none.
  size_t max_exemplars = 0;

  // --- The write-ahead log.

  Compression wal_compression = Compression::kSnappy;  // or kNone, kZstd
  // A multiple of 32 KiB.
  size_t wal_segment_bytes = size_t{128} << 20;
  // Every Commit returns only after fdatasync: its samples outlive a power cut,
  // not only the death of the process.
  bool sync_commits = false;
  // Without that: samples outlive a power cut if they were committed this much
  // earlier.  0: no promise (the log is synced when a segment is full).  Needs
  // an executor.
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
