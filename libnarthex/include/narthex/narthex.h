// narthex: Prometheus inside your process.
//
//   auto nx = narthex::Narthex::Open({.data_dir = "/var/lib/app/metrics"});
//   (*nx)->SetJobs({{.name = "self", .targets = {"localhost:9100"}}});
//   auto up = (*nx)->Query("up == 0", now);
//
// This is the only header most programs include.  It composes three libraries
// that can also be used alone: tsdb (storage), promql (queries) and scrape
// (targets).  Nothing here throws.  Every method is safe to call from many
// threads, except Close() and the destructor, which must be last.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
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
#include "narthex/base/time.h"
#include "narthex/config.h"
#include "narthex/model/appender.h"
#include "narthex/model/labels.h"
#include "narthex/model/querier.h"
#include "narthex/promql/engine.h"
#include "narthex/scrape/scraper.h"
#include "narthex/scrape/source.h"
#include "narthex/tsdb/db.h"

namespace narthex {

// How a Narthex is built.  The defaults are those of Prometheus.
struct Options {
  // Where blocks and the WAL live; made if missing, locked while open.
  // Empty: keep everything in memory.
  std::string data_dir = {};

  // Open without lock and write nothing, whatever else is writing there.
  // Nothing can be scraped or ingested then.
  bool read_only = false;

  // Of these three, what they borrow is set by Open from the fields below.
  tsdb::Options storage = {};  // retention, block ranges, WAL compression
  promql::EngineOptions engine = {};  // lookback, limits, timeout
  scrape::ScraperOptions scrape = {};

  // Labels added to what leaves this process.
  Labels external_labels = {};

  // Borrowed; must outlive the Narthex.  Tests pass their own.
  Env* env = Env::Posix();
  Clock* clock = Clock::System();
  Executor* executor = nullptr;        // null: a ThreadPool of its own
  Logger* logger = nullptr;            // null: say nothing
  MetricRegistry* metrics = nullptr;   // null: one of its own
  scrape::HttpClient* http = nullptr;  // null: libcurl, from the first job on
};

// How the last attempt to load a configuration went.
struct ReloadState {
  bool success = true;
  Timestamp at = 0;
};

class Narthex {
 public:
  // Opens or creates; replays the WAL before it returns.  Fails with
  // kFailedPrecondition if another process holds data_dir, with kDataLoss if a
  // block is damaged.
  static absl::StatusOr<std::unique_ptr<Narthex>> Open(Options options);

  // Opens, then does what a prometheus.yml describes.
  static absl::StatusOr<std::unique_ptr<Narthex>> OpenFromConfig(
      const std::string& yaml_path, Options options);

  Narthex(const Narthex&) = delete;
  Narthex& operator=(const Narthex&) = delete;
  ~Narthex();  // Close(), its status dropped

  // --- Write -----------------------------------------------------------------

  std::unique_ptr<Appender> NewAppender();

  // Parses one exposition page (text or OpenMetrics, by content type) and
  // stores it at `at`, as a scrape of it would.  Returns samples stored.
  absl::StatusOr<size_t> Ingest(std::string_view page,
                                std::string_view content_type, Timestamp at);

  // --- Read ------------------------------------------------------------------

  // A query that can't be right is kInvalidArgument, its message begins with
  // "line:column: ".
  absl::StatusOr<promql::QueryResult> Query(std::string_view promql,
                                            Timestamp at) const;
  absl::StatusOr<promql::QueryResult> QueryRange(std::string_view promql,
                                                 TimeRange range,
                                                 Duration step) const;

  // Label sets of the series that match any of the selectors and have samples
  // in `range`, sorted.  `limit` 0: all.
  absl::StatusOr<std::vector<Labels>> FindSeries(
      std::span<const std::string> selectors, TimeRange range,
      size_t limit = 0) const;
  // Sorted.  With selectors: of series that match any of them.
  absl::StatusOr<std::vector<std::string>> LabelNames(
      TimeRange range, std::span<const std::string> selectors = {}) const;
  absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, TimeRange range,
      std::span<const std::string> selectors = {}) const;

  // The raw door: series and samples without PromQL.
  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(TimeRange range) const;

  // --- Scrape ----------------------------------------------------------------

  // Replaces the whole set; all of it, or none.
  absl::Status SetJobs(std::vector<scrape::Job> jobs);
  // Scrapes metrics of this process itself, without a socket: a job beside those
  // of SetJobs and of the configuration, which stays when they change.  Samples
  // get `job` and `instance="in-process"`.  kAlreadyExists: the name is taken.
  absl::Status AddSource(std::string_view job,
                         std::shared_ptr<scrape::Source> source,
                         Duration interval = Seconds(15));
  std::vector<scrape::TargetStatus> Targets() const;

  // --- Care ------------------------------------------------------------------

  absl::Status Reload(const std::string& yaml_path);  // all of it, or none
  ReloadState last_reload() const;
  // What is in force: the last Reload's, with the last SetJobs' jobs.
  Config config() const;

  tsdb::Stats stats() const;
  // narthex's own metrics and the process's, in the text format 0.0.4.
  std::string Metrics() const;

  // Stops scraping, flushes, unlocks.  Idempotent.
  absl::Status Close();

  // The rooms behind the hall, for what the facade does not offer.
  tsdb::Db& storage() const;
  const promql::Engine& engine() const;
  scrape::Scraper* scraper() const;  // null if read_only
  MetricRegistry& metrics() const;
  Executor& executor() const;
  Clock& clock() const;

 private:
  struct Impl;
  absl::Status SetStorage(const StorageConfig& storage);
  explicit Narthex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex
