// The targets of one job: they appear, stay, vanish.
//
// Start, Reload and Stop from one thread at a time (the Scraper's lock); the
// getters from any thread; discovery reports from the Executor.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/discovery/strand.h"
#include "libscrape/loop/scrape_context.h"
#include "libscrape/loop/scrape_loop.h"
#include "narthex/scrape/discovery.h"
#include "narthex/scrape/discovery_kinds.h"
#include "narthex/scrape/target.h"

namespace narthex::scrape {

class TargetPool {
 public:
  TargetPool(std::shared_ptr<ScrapeContext> context,
             std::shared_ptr<const JobSettings> settings);
  ~TargetPool();
  TargetPool(const TargetPool&) = delete;
  TargetPool& operator=(const TargetPool&) = delete;

  void Start();
  // The same job, with other settings.  Targets that stay keep their caches.
  void Reload(std::shared_ptr<const JobSettings> settings);
  void Stop(ScrapeLoop::Ending ending);

  std::shared_ptr<const JobSettings> settings() const;
  std::vector<std::shared_ptr<ScrapeLoop>> loops() const;  // sorted by URL
  std::vector<DroppedTarget> dropped() const;
  size_t dropped_count() const;
  // Stopped, and no vanished target has markers to write any more.
  bool ended() const;

 private:
  // One way in which the job finds targets.
  struct Source {
    DiscoveryConfig config = {};
    std::unique_ptr<Discoverer> discoverer = {};  // null: it can't be had
    size_t number = 0;
  };

  void StartSources(const Job& job);
  void StartSource(Source& source);
  void TakeGroups(size_t source, std::vector<TargetGroup> groups);
  // Syncs at once after a quiet time, else a little later, together with what
  // comes until then: every sync goes over all targets of the job.
  void SyncSoon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Sync() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CheckTargetLimit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<ScrapeContext> context_;
  std::vector<Source> sources_;
  size_t last_source_ = 0;
  Gauge& targets_gauge_;
  Gauge& discovered_gauge_;
  Counter& updates_received_;
  Counter& updates_delayed_;
  Counter& updates_;
  const std::shared_ptr<Strand> later_;  // for syncs that wait

  mutable absl::Mutex mu_;
  Timestamp last_update_ ABSL_GUARDED_BY(mu_) = kMinTime;
  Duration pause_ ABSL_GUARDED_BY(mu_) = {};  // until the next update
  bool update_waits_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<const JobSettings> settings_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<size_t, std::string>, TargetGroup> groups_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, std::shared_ptr<ScrapeLoop>> loops_
      ABSL_GUARDED_BY(mu_);
  // Vanished ones that may still write stale markers.
  std::vector<std::weak_ptr<ScrapeLoop>> ending_ ABSL_GUARDED_BY(mu_);
  std::vector<DroppedTarget> dropped_ ABSL_GUARDED_BY(mu_);
  size_t dropped_count_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace narthex::scrape
