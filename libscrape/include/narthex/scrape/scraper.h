// The scraper: jobs in, samples out.  Discovers targets, fetches their pages at
// their times, and writes what they say to an Appendable, with `up` and the
// other report series and with stale markers for what vanished.
//
// Every method is safe from any thread.  A target never has two scrapes at
// once. Work runs on the borrowed Executor, at times of the borrowed Clock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/clock.h"
#include "narthex/base/env.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/base/metrics.h"
#include "narthex/model/appender.h"
#include "narthex/model/labels.h"
#include "narthex/model/metadata.h"
#include "narthex/scrape/discovery.h"
#include "narthex/scrape/http.h"
#include "narthex/scrape/job.h"
#include "narthex/scrape/target.h"

namespace narthex::scrape {

struct ScraperOptions {
  // Borrowed; must outlive the Scraper.  Only logger and metrics may be null.
  Clock *clock = Clock::System();
  Executor *executor = nullptr;
  HttpClient *http = nullptr;
  Env *env = Env::Posix();
  Logger *logger = nullptr;
  MetricRegistry *metrics = nullptr;

  // Reads YAML files of file_sd; empty: they are refused.
  TargetFileDecoder yaml = {};
  // Reads kubeconfig files; empty: they are refused.
  KubeconfigDecoder kubeconfig = {};
  // For dns_sd; null: c-ares with the system's configuration.
  DnsResolver *dns = nullptr;
  std::string user_agent = {};  // empty: "narthex"
  // Spread this process's scrapes differently from those of its twins.
  std::string host_name = {};
  Labels external_labels = {};
  // How others reach this process: a target on localhost is shown under it.
  std::string global_host =
      {};  // "host:port"; empty: URLs are shown as they are
  std::string global_scheme = "http";
  std::string listen_port = {};  // a target there on localhost is this process
  // Prometheus's feature flags: extra-scrape-metrics,
  // created-timestamp-zero-ingestion, metadata-wal-records, st-storage.
  bool extra_scrape_metrics = false;
  bool start_time_zero_ingestion = false;
  bool append_metadata = false;
  bool start_times = false;
  // A scrape that comes late by no more than this, and than a hundredth of its
  // interval, is stored at the time it was due: even times compress better.
  // 0: each at its own time.
  Duration timestamp_tolerance = Milliseconds(2);
  // Samples further ahead of the clock than this are refused.
  Duration max_ahead = Minutes(10);
};

struct TargetMetadata {
  Labels target = {};  // public labels
  std::string metric = {};
  Metadata metadata = {};
};

class Scraper {
 public:
  // `storage` is borrowed and must outlive the Scraper.
  static absl::StatusOr<std::unique_ptr<Scraper>> Make(Appendable &storage,
                                                       ScraperOptions options);
  Scraper(const Scraper &) = delete;
  Scraper &operator=(const Scraper &) = delete;
  ~Scraper();  // Stop()

  // Replaces the whole set: jobs that stay keep their targets and caches, those
  // that go end with stale markers.  All or nothing: one that is refused leaves
  // everything as it was.  Except for one that no HTTP client can be made for
  // (CheckSecrets): as in Prometheus it is logged and left out, or, if it has
  // been there, stays as it was while the others change; that is
  // kFailedPrecondition in the end.
  absl::Status SetJobs(std::vector<Job> jobs);

  // Sorted by pool, then by URL.  `pool` empty: all.
  std::vector<TargetStatus> Targets(std::string_view pool = {}) const;
  std::vector<DroppedTarget> DroppedTargets(std::string_view pool = {}) const;
  // Per pool, those not kept (Job::keep_dropped_targets) included.
  std::vector<std::pair<std::string, size_t>> DroppedTargetCounts() const;
  std::vector<std::string> Pools() const;  // sorted
  std::optional<Job> PoolJob(std::string_view pool) const;

  // What active targets say of their metrics: of `metric`, or of all if it is
  // empty.  Sorted by target, then metric.
  std::vector<TargetMetadata> TargetsMetadata(
      std::string_view metric = {}) const;

  // Begins no more scrapes, cancels those under way, waits until none runs.
  // Writes no stale markers, as the targets are still there.  Idempotent.
  void Stop();

 private:
  struct Impl;
  explicit Scraper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Stores one page in `appender`, all of it or nothing, as a scrape of it at
// `at` would, and commits.  Returns how many samples were stored.
absl::StatusOr<size_t> AppendPage(Appender &appender, std::string_view page,
                                  std::string_view content_type, Timestamp at);

}  // namespace narthex::scrape
