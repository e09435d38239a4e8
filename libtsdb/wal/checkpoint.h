// What of the past the head still needs, written as a log of its own:
// wal/checkpoint.00000012 stands for the segments up to 00000012.
//
// One thread at a time.  The bytes need not be those that Prometheus would have
// written; replaying them must come to the same.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/wal/format.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/env.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"

namespace narthex::tsdb::wal {

struct Checkpoint {
  uint32_t segment = 0;  // the last one that it stands for
  std::string dir = {};
};
// The newest; unfinished ones (".tmp") don't count.
absl::StatusOr<std::optional<Checkpoint>> LastCheckpoint(
    Env& env, const std::string& wal_dir);

struct CheckpointRequest {
  std::string wal_dir = {};
  uint32_t to = 0;     // the last segment to stand for
  Timestamp mint = 0;  // samples before it are not needed
  // Nor deletions that end before this, if it is less than `mint`.
  Timestamp tombstones_from = kMaxTime;
  Compression compression = Compression::kSnappy;
  uint64_t segment_size = kDefaultSegmentSize;
  // Lets sample records of old segments be left out unread; may be null.
  const SegmentTimes* times = nullptr;
  Logger* logger = nullptr;
};
struct CheckpointStats {
  uint64_t series_kept = 0, series_dropped = 0;
  uint64_t samples_kept = 0, samples_dropped = 0;
  uint64_t records_skipped = 0;  // left out by type, never unpacked
  uint64_t records_copied = 0;   // of types that aren't taken apart here
  uint64_t torn = 0;
};
// Reads the last checkpoint and the segments behind it up to `to`; keeps series
// for which `keep` is true.  Then the new checkpoint is in place and synced;
// the segments and older checkpoints are still there (see below).  A corrupt
// segment is kDataLoss, and everything stays as it was.
absl::StatusOr<CheckpointStats> WriteCheckpoint(
    Env& env, const CheckpointRequest& request,
    absl::FunctionRef<bool(SeriesRef)> keep);

// Deletes checkpoints that stand for less than `segment`, and what an
// interrupted one left behind.
absl::Status RemoveCheckpointsBelow(Env& env, const std::string& wal_dir,
                                    uint32_t segment);

}  // namespace narthex::tsdb::wal
