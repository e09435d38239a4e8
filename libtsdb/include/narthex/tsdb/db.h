// The database: a directory that is Prometheus's own, byte for byte.
//
//   auto db = narthex::tsdb::Db::Open("data", {});
//   auto app = (*db)->NewAppender();
//   auto ref = app->Resolve({{"__name__", "up"}, {"job", "x"}});
//   narthex::AppendFloat(*app, *ref, now, 1);
//   app->Commit();
//
// Every method is safe from any thread, except Close() and the destructor,
// which must be last: Appenders and Queriers die before the Db.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"
#include "narthex/model/matcher.h"
#include "narthex/model/querier.h"
#include "narthex/tsdb/block.h"
#include "narthex/tsdb/options.h"

namespace narthex::tsdb {

struct NameCount {
  std::string name = {};
  uint64_t count = 0;
};

// Bytes that the head holds, slack included.
struct HeadBytes {
  uint64_t series = 0;         // lines and their cold parts
  uint64_t open_chunks = 0;    // slabs
  uint64_t mapped_chunks = 0;  // lists of chunks that are on disk
  uint64_t labels = 0;         // text, its table, label rows
  uint64_t postings = 0;
  uint64_t lookup = 0;  // by reference and by label hash
  uint64_t total() const {
    return series + open_chunks + mapped_chunks + labels + postings + lookup;
  }
};

struct Stats {
  // --- The head, as /api/v1/status/tsdb shows it.
  uint64_t series = 0;
  uint64_t label_pairs = 0;
  uint64_t chunks = 0;
  // kMaxTime and kMinTime if there is no sample.
  Timestamp min_time = kMaxTime;
  Timestamp max_time = kMinTime;
  // Top lists, greatest first; of equal counts in no particular order.
  std::vector<NameCount> series_by_metric = {};
  std::vector<NameCount> values_by_label = {};
  std::vector<NameCount> value_bytes_by_label = {};
  std::vector<NameCount> series_by_pair = {};  // "name=value"
  HeadBytes bytes = {};

  // --- The directory.
  uint64_t blocks = 0;
  uint64_t block_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t head_chunk_bytes = 0;
};

class Db final : public Appendable, public Queryable {
 public:
  // Opens or creates; replays the log before it returns.  An empty `dir` keeps
  // everything in memory.  kFailedPrecondition, naming the lock file, if
  // another process holds the directory; kDataLoss if a block is damaged.  A
  // damaged log is no error: the intact prefix is replayed, the rest set aside
  // under another name, and the logger told which file and offset.
  static absl::StatusOr<std::unique_ptr<Db>> Open(std::string dir,
                                                  const Options& options);
  ~Db() override;  // Close(), its status dropped
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  std::unique_ptr<Appender> NewAppender() override;
  // Pins what it reads: no compaction or truncation waits for it or disturbs
  // it.
  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(TimeRange range) override;

  // Does now what the background would: full spans of the head become blocks,
  // blocks are merged, what is out of retention is deleted, the log cut.
  absl::Status Compact();

  // Deletes the samples within `range` (closed) of the series that match all of
  // the matchers: nobody sees them any more.  They leave the disk with the next
  // compaction of their block, or by CleanTombstones.  Logged when it returns.
  absl::Status Delete(TimeRange range,
                      std::span<const Matcher* const> matchers);
  // Writes anew every block that has deleted samples, without them.
  absl::Status CleanTombstones();
  // A copy of the blocks below the directory `to`, by hard links where the
  // files can't change, and of the head as a block of its own if `with_head`.
  // `to` is on the same file system.
  absl::Status Snapshot(const std::string& to, bool with_head = true);

  // What the head has before `end` becomes a block now, full or not, and leaves
  // the head.  Samples before `end` are refused from then on.
  absl::Status CompactHead(Timestamp end);

  // Series of the head that have come to an end become blocks now and leave it,
  // as many as there are.
  absl::Status CompactStaleSeries();

  // These may change while it is open, as prometheus.yml does.
  // kInvalidArgument where start times are stored and the chunks have no room
  // for them.
  absl::Status SetFloatChunks(FloatChunks chunks);
  void SetStaleSeriesCompactionThreshold(double threshold);
  absl::Status SetOutOfOrderTimeWindow(Duration window);
  void SetMaxExemplars(size_t n);
  // As in Options; what is beyond goes with the next compaction.
  void SetRetention(Duration time, uint64_t bytes, double percent = 0);

  // Of the blocks, ascending by time.
  std::vector<BlockMeta> Blocks() const;
  // `limit`: length of the top lists; 0: leave them out, which is cheap.
  Stats stats(size_t limit = 10) const;
  const std::string& dir() const;
  bool read_only() const;

  // Waits for background work, flushes, unlocks.  Idempotent.
  absl::Status Close();

 private:
  struct Impl;
  explicit Db(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex::tsdb
