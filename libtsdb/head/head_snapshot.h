// chunk_snapshot.<segment>.<offset>: the head's open chunks as they were when
// it was closed, so that the log up to there need not be read again.  A log of
// its own; drawn in docs/format/wal.md.
//
// Functions of bytes and directories; any thread.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libtsdb/block/tombstones.h"
#include "libtsdb/head/mem_series.h"
#include "libtsdb/wal/record.h"
#include "narthex/base/env.h"
#include "narthex/model/labels.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

struct SnapshotDir {
  uint32_t segment = 0;  // of the log: what is before `offset` in it is here
  uint64_t offset = 0;
  std::string path = {};
};
// The newest; unfinished ones don't count.
absl::StatusOr<std::optional<SnapshotDir>> LastSnapshot(
    Env& env, const std::string& data_dir);
std::string SnapshotPath(const std::string& data_dir, uint32_t segment,
                         uint64_t offset);
// All but that one.
absl::Status RemoveSnapshotsBut(Env& env, const std::string& data_dir,
                                std::string_view path);

enum class SnapshotRecord : uint8_t {
  kSeries = 1,
  kTombstones = 2,
  kExemplars = 3
};

// A series with its open chunk, if it has one.
struct SnapshotSeries {
  SeriesRef ref = SeriesRef::kNone;
  bool has_chunk = false;
  int64_t min_t = 0;
  int64_t max_t = 0;
  ChunkEncoding encoding = ChunkEncoding::kNone;
  std::string_view bytes = {};
  // The newest sample: of a float its bits.
  uint64_t last_v = 0;
  Histogram last_ints = {};
  FloatHistogram last_floats = {};
};
void EncodeSnapshotSeries(const SnapshotSeries& series, const Labels& labels,
                          std::string& out);
// The labels and `bytes` live until `visit` returns.
absl::Status DecodeSnapshotSeries(
    std::string_view record,
    absl::FunctionRef<absl::Status(const SnapshotSeries& series,
                                   std::span<const Label> labels)>
        visit);

// Sample by sample, as if they came anew, so that the chunk can be gone on
// with. Those before `min_valid`, and those that the series has, are left out.
void StoreSnapshot(const SnapshotSeries& series, const SampleColumns& columns,
                   int64_t min_valid, const StoreRules& rules,
                   SeriesShard& shard, uint32_t line, StoreCounts& counts)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);

void EncodeSnapshotTombstones(const Tombstones& tombstones, std::string& out);
absl::Status DecodeSnapshotTombstones(std::string_view record, Tombstones& out);

// As records of the log have them, behind this type.
void EncodeSnapshotExemplars(std::span<const wal::ExemplarRow> rows,
                             std::string& out);
absl::Status DecodeSnapshotExemplars(std::string_view record,
                                     std::vector<wal::ExemplarRow>& out);

}  // namespace narthex::tsdb
