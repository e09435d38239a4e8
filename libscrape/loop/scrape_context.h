// What all scrape loops of a Scraper share: the borrowed services, counters,
// buffers, and the gate that Stop() closes.
//
// Any thread.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/loop/scrape_append.h"
#include "narthex/base/metrics.h"
#include "narthex/model/appender.h"
#include "narthex/scrape/dns.h"
#include "narthex/scrape/scraper.h"

namespace narthex::scrape {

struct ScrapeCounters {
  explicit ScrapeCounters(MetricRegistry& registry);

  Counter& out_of_order;
  Counter& duplicates;
  Counter& out_of_bounds;
  Counter& exemplars_out_of_order;
  Counter& over_sample_limit;
  Counter& over_bucket_limit;
  Counter& over_label_limits;
  Counter& over_body_limit;
  Counter& over_target_limit;
  Counter& bad_targets;
  Counter& pool_reloads;
};

class ScrapeContext {
 public:
  ScrapeContext(Appendable& storage, ScraperOptions options);
  ScrapeContext(const ScrapeContext&) = delete;
  ScrapeContext& operator=(const ScrapeContext&) = delete;

  const ScraperOptions& options() const { return options_; }
  Clock& clock() const { return *options_.clock; }
  Executor& executor() const { return *options_.executor; }
  HttpClient& http() const { return *options_.http; }
  DnsResolver& dns() const {
    return options_.dns != nullptr ? *options_.dns : *own_dns_;
  }
  Logger* logger() const { return options_.logger; }
  Appendable& storage() const { return storage_; }
  ScrapeCounters& counters() { return counters_; }
  MetricRegistry& registry() { return registry_; }
  // Sets this process's scrapes apart from those of its twins.
  uint64_t offset_seed() const { return offset_seed_; }

  // --- Work under way.

  // false: closed, don't begin.  Else call End() once.
  [[nodiscard]] bool Begin();
  void End();
  // No Begin() succeeds any more.
  void Close();
  void WaitUntilIdle();

  // --- scrape_failure_log_file.

  // Appends a line to the file, which is opened at the first one.
  void LogFailure(const std::string& path, std::string_view job,
                  std::string_view target, std::string_view error);

  // --- Memory to use again.

  std::unique_ptr<AppendBuffers> TakeBuffers();
  void GiveBuffers(std::unique_ptr<AppendBuffers> buffers);
  std::string TakePage();
  void GivePage(std::string page);

 private:
  bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return working_ == 0; }

  Appendable& storage_;
  const ScraperOptions options_;
  const std::unique_ptr<MetricRegistry> own_registry_;  // if none is lent
  const std::unique_ptr<DnsResolver> own_dns_;          // likewise
  MetricRegistry& registry_;
  ScrapeCounters counters_;
  const uint64_t offset_seed_;

  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  size_t working_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::unique_ptr<AppendBuffers>> buffers_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> pages_ ABSL_GUARDED_BY(mu_);

  absl::Mutex log_mu_;
  std::map<std::string, std::unique_ptr<WritableFile>> failure_logs_
      ABSL_GUARDED_BY(log_mu_);
};

}  // namespace narthex::scrape
