// Blocks on disk, for tools and programs that read them without a Db: what a
// block says of itself, which blocks a directory has, what is in one of them.
//
// Functions; any thread.  Nothing here writes.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/env.h"
#include "narthex/base/time.h"
#include "narthex/model/matcher.h"

namespace narthex::tsdb {

struct BlockStats {
  uint64_t samples = 0;  // floats and histograms
  uint64_t float_samples = 0;
  uint64_t histogram_samples = 0;
  uint64_t series = 0;
  uint64_t chunks = 0;
  uint64_t tombstones = 0;
};

struct BlockParent {
  std::string ulid = {};
  Timestamp min_time = 0;
  Timestamp max_time = 0;
};

inline constexpr std::string_view kHintOutOfOrder = "from-out-of-order";
inline constexpr std::string_view kHintStaleSeries = "from-stale-series";
inline constexpr std::string_view kHintSelectedSeries = "from-selected-series";

// meta.json.  The range is half open: [min_time, max_time).
struct BlockMeta {
  std::string ulid = {};
  Timestamp min_time = 0;
  Timestamp max_time = 0;
  BlockStats stats = {};
  int level = 0;                          // compactions that it went through
  std::vector<std::string> sources = {};  // the head blocks in it
  std::vector<BlockParent> parents = {};  // what it was made of, directly
  std::vector<std::string> hints = {};    // sorted
  bool deletable = false;                 // a compaction found nothing in it
  bool failed = false;                    // not to be compacted again
  // The file as it was read, so that keys unknown to us survive a rewrite.
  std::string json = {};

  bool HasHint(std::string_view hint) const;
  void AddHint(std::string_view hint);  // keeps them sorted, once each
};

struct BlockInfo {
  BlockMeta meta = {};
  std::string dir = {};
  uint64_t bytes = 0;  // of all its files
};

// The blocks directly below `dir`, sorted by min_time; `dir` itself if it is a
// block.  Directories whose name is no ULID are not blocks; one whose meta.json
// can't be read is left out and named in `problems` (if given).
absl::StatusOr<std::vector<BlockInfo>> ListBlocks(
    Env &env, const std::string &dir,
    std::vector<std::string> *problems = nullptr);

// What `tsdb analyze` prints, computed over one block.
struct BlockAnalysis {
  using Count = std::pair<std::string, uint64_t>;
  BlockMeta meta = {};
  uint64_t series = 0;  // matching, if there were matchers
  uint64_t label_names = 0;
  uint64_t postings_unique_pairs = 0;
  uint64_t postings_total = 0;
  // Each sorted by count, greatest first, then by text; at most `limit` long.
  std::vector<Count> uncovered_pairs = {};  // time without samples, ms
  std::vector<Count> uncovered_names = {};
  std::vector<Count> frequent_pairs = {};    // series having the pair
  std::vector<Count> name_bytes = {};        // bytes of a name's values
  std::vector<Count> name_cardinality = {};  // values of a name
  std::vector<Count> metric_series = {};     // series of a metric
  // Of the chunks (only if asked for).
  struct ChunkSpread {
    std::vector<uint32_t> samples = {};  // of every float chunk
    std::vector<uint32_t> bytes = {};
    std::vector<uint32_t> histogram_samples = {};  // of every histogram chunk
    std::vector<uint32_t> histogram_bytes = {};
    std::vector<uint32_t> histogram_buckets = {};  // of all its samples
    uint64_t chunks = 0;  // of both kinds
    uint64_t histogram_chunks = 0;
  };
  ChunkSpread chunks = {};
};

struct AnalyzeOptions {
  size_t limit = 20;
  bool chunks = false;
  Matchers matchers = {};
};

// `dir` is the directory of the block itself.
absl::StatusOr<BlockAnalysis> AnalyzeBlock(Env &env, const std::string &dir,
                                           const AnalyzeOptions &options = {});

}  // namespace narthex::tsdb
