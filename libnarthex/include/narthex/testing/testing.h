// Tests of PromQL expressions, written in the language of Prometheus's own
// `.test` files: load series, evaluate, expect.
//
//   load 1m
//     http_requests_total{job="api"} 0+60x10
//
//   eval instant at 10m rate(http_requests_total[5m])
//     {job="api"} 1
//
// Knows no test framework; catch2.h and gtest.h beside it do.  One thread per
// call and per TestStore; nothing throws.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/model/querier.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"

namespace narthex::testing {

// A store in memory, filled by notation.  Any number of queries at once, but
// not while it is being filled.
class TestStore final : public Queryable {
 public:
  struct LoadOptions {
    int first_line = 1;  // its number in errors
    // Makes native histograms with custom buckets of the classic ones that are
    // loaded: `h` of `h_bucket`, `h_count` and `h_sum`.
    bool with_nhcb = false;
  };
  // A line per series: `up{job="x"} 0+1x5 _ stale`.  Value i is at i * step.
  // Series that are there already go on; times must ascend.  Errors name line
  // and column.
  absl::Status Load(Duration step, std::string_view lines,
                    const LoadOptions& options);
  absl::Status Load(Duration step, std::string_view lines) {
    return Load(step, lines, LoadOptions());
  }
  // Samples of one series, appended.
  absl::Status Append(SeriesData series);
  void Clear();
  size_t size() const { return series_.size(); }  // series

  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(TimeRange range) override;

 private:
  void Changed();

  std::map<Labels, SeriesData> series_;
  absl::Mutex mu_;
  // Of what is there; null after a change.
  std::unique_ptr<Queryable> view_ ABSL_GUARDED_BY(mu_);
};

// The engine that Prometheus's own tests are written for: every flag on, 10,000
// samples, lookback of five minutes.
promql::EngineOptions ScriptEngineOptions();

struct ScriptOptions {
  promql::EngineOptions engine = ScriptEngineOptions();
  // Every query is answered with this many threads as well; values, annotations
  // and errors must be the same, to the last bit.  1: once is enough.
  int threads = 4;
  // Likewise in tiles of so many steps, with one thread and with `threads`.  0:
  // not so.
  size_t tile_steps = 7;
  // As Prometheus does: an instant query is also asked as the middle of a range
  // query, and at other times with its time pinned by `@`.
  bool vary_instants = true;
};

// An `eval` that didn't come out as expected.
struct ScriptFailure {
  int line = 0;  // from 1
  std::string expr = {};
  std::string what = {};  // several lines: what was expected, what came
};

struct ScriptReport {
  std::string name = {};
  size_t evals = 0;
  std::vector<ScriptFailure> failures = {};  // in order of lines

  size_t passed() const { return evals - failures.size(); }
};

// Runs all of a script.  An error if it isn't one: "<name>:<line>: ...".  After
// a load that fails, every eval fails until the next `clear`.
absl::StatusOr<ScriptReport> RunScript(std::string_view name,
                                       std::string_view text,
                                       const ScriptOptions& options = {});
absl::StatusOr<ScriptReport> RunScriptFile(const std::string& path,
                                           const ScriptOptions& options = {});

// "<name>: passed N of M", then a paragraph per failure.
std::string ToString(const ScriptReport& report);

}  // namespace narthex::testing
