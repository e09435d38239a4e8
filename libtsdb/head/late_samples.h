// Samples of a series that came out of order: a few in memory, sorted by time;
// when they are many they become chunks in chunks_head, each marked as late.
// These may overlap each other and the chunks of the series that came in order.
//
// Protected by the lock of the shard that owns the series.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "libtsdb/chunk/head_chunk_file.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/model/columns.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/tsdb/chunk.h"

namespace narthex::tsdb {

// What samples become when they are written.
struct LateEncoding {
  bool xor2 = false;
  bool histogram_starts = false;
};

struct LateSample {
  int64_t t = 0;
  uint64_t v = 0;      // a float's bits
  int64_t start = 0;   // 0: unknown
  uint32_t epoch = 0;  // of its commit, mod 2^32
  // One of them if it is a histogram.
  std::shared_ptr<const Histogram> ints = nullptr;
  std::shared_ptr<const FloatHistogram> floats = nullptr;

  ChunkEncoding encoding(const LateEncoding& as) const {
    if (ints != nullptr) {
      return as.histogram_starts ? ChunkEncoding::kHistogramST
                                 : ChunkEncoding::kHistogram;
    }
    if (floats != nullptr) {
      return as.histogram_starts ? ChunkEncoding::kFloatHistogramST
                                 : ChunkEncoding::kFloatHistogram;
    }
    return as.xor2 ? ChunkEncoding::kXor2 : ChunkEncoding::kXor;
  }
};

// A chunk in chunks_head.
struct LateChunk {
  // A sample that not every reader may see yet.
  struct Fresh {
    int64_t t = 0;
    uint32_t epoch = 0;
  };
  HeadChunkRef ref = 0;
  int64_t min_t = 0;
  int64_t max_t = 0;
  uint32_t samples = 0;
  std::vector<Fresh> fresh = {};
};

class LateSamples {
 public:
  // Ascending by time, each time once.
  std::vector<LateSample> open = {};
  std::vector<LateChunk> mapped = {};  // as written

  bool empty() const { return open.empty() && mapped.empty(); }
  // false: there is one of that time, which stays.
  bool Insert(LateSample sample);
  int64_t min_t() const;  // of all; kMaxMillis
  size_t memory_bytes() const;
};

// Encodes samples as chunks of one kind each, in order; stops at an error.
absl::Status EncodeLate(
    const std::vector<LateSample>& samples, const LateEncoding& as,
    absl::FunctionRef<absl::Status(ChunkEncoding encoding, size_t begin,
                                   size_t end, std::string_view bytes)>
        visit);
// Adds the samples, which ascend, to empty columns; with their start times, as
// far as the columns have room for them and `as` keeps them.
absl::Status ToColumns(const std::vector<LateSample>& samples,
                       const LateEncoding& as, TimeRange range,
                       SampleColumns& out);

// What a reader takes with it.
struct LateCopy {
  std::vector<LateChunk> mapped = {};
  std::vector<LateSample> open = {};
  bool empty() const { return mapped.empty() && open.empty(); }
  void Clear() {
    mapped.clear();
    open.clear();
  }
};

// What one commit has for the log of late samples (wbl/).  A marker stands
// between the samples of a series that are in the chunk it names and those that
// came later.
class LateLog {
 public:
  // `start_times`: it writes the types of records that have them.
  explicit LateLog(bool start_times) : with_starts_(start_times) {}

  void Add(SeriesRef ref, int64_t t, uint64_t v, int64_t start);
  void Add(SeriesRef ref, int64_t t, const Histogram& h, int64_t start);
  void Add(SeriesRef ref, int64_t t, const FloatHistogram& h, int64_t start);
  void Mark(SeriesRef ref, const std::vector<HeadChunkRef>& chunks,
            Compression compression);
  bool empty() const {
    return records_.empty() && markers_.empty() && series_.empty();
  }
  // All of it; afterwards it is empty.
  wal::RecordBatch Take(Compression compression);

 private:
  void Flush(Compression compression);

  const bool with_starts_;
  wal::RecordBatch records_;
  std::string scratch_;
  std::vector<wal::MmapMarker> markers_;  // come before the samples
  std::vector<SeriesRef> refs_;
  std::vector<Timestamp> times_;
  std::vector<double> values_;
  std::vector<Timestamp> start_times_;  // empty without
  std::vector<wal::IntHistogramRow> ints_;
  std::vector<wal::FloatHistogramRow> floats_;
  absl::flat_hash_set<uint64_t> series_;  // that have samples above
};

}  // namespace narthex::tsdb
