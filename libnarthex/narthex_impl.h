// What a Narthex is made of: built in narthex.cc, reconfigured in
// narthex_reload.cc, shown in self_scrape.cc.
//
// The order of the members is the order of dependence: what is below borrows
// what is above.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/narthex.h"

namespace narthex {

struct Narthex::Impl {
  Options options;
  std::unique_ptr<MetricRegistry> own_metrics;   // null if the host gave one
  std::unique_ptr<ThreadPool> own_pool;          // likewise
  std::unique_ptr<scrape::HttpClient> own_http;  // likewise
  std::unique_ptr<tsdb::Db> db;
  std::unique_ptr<promql::Engine> engine;
  std::unique_ptr<scrape::Scraper> scraper;  // null if read-only
  Timestamp started = 0;

  // One reconfiguration at a time; not held while anything else is done.
  absl::Mutex reload_mu;
  std::vector<scrape::Job> sources ABSL_GUARDED_BY(reload_mu);  // AddSource

  mutable absl::Mutex mu;
  // What holds where its file says nothing; OpenFromConfig sets it once.
  GlobalConfig config_defaults = {};
  Config config ABSL_GUARDED_BY(mu);
  ReloadState reload ABSL_GUARDED_BY(mu);
  bool closed ABSL_GUARDED_BY(mu) = false;
};

// A client that starts libcurl's thread with the first request.
std::unique_ptr<scrape::HttpClient> NewLazyHttpClient();

// The text format of what is read when it is shown rather than counted: the
// process, the store, the targets.
std::string ExposeSelf(const Narthex& narthex, Timestamp started);

}  // namespace narthex
