// Commits of ten samples each that outlive a power cut, by 1, 4 and 16
// appenders at once: those that come together share an fdatasync.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kBatch = 10;

std::unique_ptr<Db> shared_db;

void BM_SyncedCommits(benchmark::State& state) {
  const std::string dir = StrCat("/tmp/narthex-commits-", getpid());
  if (state.thread_index() == 0) {
    shared_db = nullptr;  // of the run before, whose threads have ended
    Env::Posix()->RemoveAll(dir).IgnoreError();
    Options options;
    options.sync_commits = state.range(0) != 0;
    auto db = Db::Open(dir, options);
    if (!db.ok()) return state.SkipWithError("Open failed");
    shared_db = *std::move(db);
  }
  std::unique_ptr<Appender> appender;
  std::vector<SeriesRef> refs;
  const std::vector<double> values(kBatch, 1.5);
  Timestamp at = 1700000000000;
  bool failed = false;
  // The others begin when the first one has opened it.
  for (auto _ : state) {
    if (appender == nullptr) {
      appender = shared_db->NewAppender();
      for (size_t i = 0; i < kBatch; ++i) {
        auto ref =
            appender->Resolve(Labels{{"__name__", "commits_total"},
                                     {"i", StrCat(i)},
                                     {"thread", StrCat(state.thread_index())}});
        if (ref.ok()) refs.push_back(*ref);
      }
    }
    at = at + Seconds(1);
    failed |=
        !appender->AppendFloats({.refs = refs, .values = values, .at = at}, {})
             .ok() ||
        !appender->Commit().ok();
  }
  if (failed) state.SkipWithError("commit failed");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SyncedCommits)
    ->ArgName("sync")
    ->Arg(0)
    ->Arg(1)
    ->Threads(1)
    ->Threads(4)
    ->Threads(16)
    ->UseRealTime();

}  // namespace
}  // namespace narthex::tsdb
