// A head in memory for tests, with verbs: append, commit, read.
//
// One thread, if nothing else is said.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libtsdb/head/head.h"
#include "narthex/base/env.h"
#include "narthex/model/appender.h"
#include "narthex/model/labels.h"
#include "narthex/model/matcher.h"

namespace narthex::test {

struct Point {
  int64_t t = 0;
  uint64_t bits = 0;  // of the value: NaNs compare
  friend bool operator==(const Point&, const Point&) = default;
};

// A chunk as a block would get it.
struct ChunkShape {
  int64_t min_t = 0;
  int64_t max_t = 0;
  std::string bytes = {};
  friend bool operator==(const ChunkShape&, const ChunkShape&) = default;
};

class HeadLab {
 public:
  // Without a log; `with_log`: in "data/wal" of the memory's files.
  explicit HeadLab(int64_t chunk_range = 2 * 3600 * 1000,
                   bool with_log = false);
  HeadLab(const tsdb::HeadOptions& options, bool with_log);

  tsdb::Head& head() { return *head_; }
  Env& env() { return *env_; }

  // One sample, committed at once.
  Appended Append(const Labels& labels, int64_t t, double v);
  // The samples that a reader sees now; `isolated` false: all there are.
  std::vector<Point> Read(const Labels& labels, bool isolated = true);
  std::vector<ChunkShape> Chunks(const Labels& labels);
  // What `source` shows of the series.
  static std::vector<Point> ReadFrom(const tsdb::BlockSource& source,
                                     const Labels& labels,
                                     TimeRange range = TimeRange());
  // Closes and opens anew from what the files hold, without those in `lost`.
  tsdb::ReplayReport Reopen(const std::string& lost = {});

 private:
  tsdb::ReplayReport Open();

  tsdb::HeadOptions options_;
  bool with_log_;
  std::unique_ptr<Env> env_ = NewMemEnv();
  std::unique_ptr<tsdb::Head> head_;
};

// Entries of the series with exactly these labels.
tsdb::SeriesBatch Find(const tsdb::BlockSource& source, const Labels& labels,
                       TimeRange range = TimeRange());

}  // namespace narthex::test
