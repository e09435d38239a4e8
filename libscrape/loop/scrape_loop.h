// One target, again and again: the tick, the page, the report.  The spine of
// scraping.
//
// Kept alive by its timers and by the work under way (shared_ptr); Start, Stop,
// SetSettings, SetForcedError and the getters from any thread.  There is never
// more than one scrape at a time.

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/loop/sample_rules.h"
#include "libscrape/loop/scrape_cache.h"
#include "libscrape/loop/scrape_context.h"
#include "libscrape/loop/scrape_report.h"
#include "narthex/scrape/job.h"
#include "narthex/scrape/relabel.h"
#include "narthex/scrape/target.h"

namespace narthex::scrape {

// A job, made ready.  Immutable.
struct JobSettings {
  static absl::StatusOr<std::shared_ptr<const JobSettings>> Make(Job job);

  Job job = {};
  Relabeler target_rules = {};
  Relabeler metric_rules = {};
  std::shared_ptr<const HttpOptions> http = {};
  std::string accept = {};

  // Whether a page means the same series under both.
  bool SameSeries(const JobSettings& other) const;
};

class ScrapeLoop : public std::enable_shared_from_this<ScrapeLoop> {
 public:
  enum class Ending : uint8_t {
    kMarkStale,  // the target is gone: stale markers, when they are due
    kSilent      // we are going
  };

  ScrapeLoop(std::shared_ptr<ScrapeContext> context, Target target,
             std::shared_ptr<const JobSettings> settings);
  ~ScrapeLoop();

  void Start();
  // No scrape begins after it has returned.  kSilent also cancels the one under
  // way, and the markers of an earlier kMarkStale.
  void Stop(Ending ending);
  // Hold from the next scrape on.
  void SetSettings(std::shared_ptr<const JobSettings> settings);
  void SetDiscovered(Labels discovered);
  // Not OK: every scrape fails with it, without asking the target.
  void SetForcedError(absl::Status error);

  TargetStatus status() const;
  std::vector<std::pair<std::string, Metadata>> ListMetadata() const {
    return cache_.ListMetadata();
  }
  const Labels& public_labels() const { return public_labels_; }

 private:
  struct Scrape;  // one scrape under way

  Timestamp FirstTick() const;
  // Hands `work` to the Executor when `at` comes, unless all is closed then.
  // It must end with context_->End().
  void RunAt(Timestamp at, void (ScrapeLoop::*work)())
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tick();
  void Ask(Scrape& scrape);
  void Answer(absl::StatusOr<HttpResponse> answer);
  void Finish(std::unique_ptr<Scrape> scrape, absl::Status error,
              std::string page, PageFormat format);
  absl::Status AppendPage(Scrape& scrape, std::string& page, PageFormat format);
  void AppendReport(const Scrape& scrape, const absl::Status& error);
  void Count(const AppendCounts& counts);
  void ScheduleNext(Timestamp due);
  void SetEndTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteEnd();
  SampleRules RulesOf(const JobSettings& settings) const;
  void Note(LogLevel level, std::string_view message, std::string_view err);

  const std::shared_ptr<ScrapeContext> context_;
  const Target target_;
  const Labels public_labels_;

  // Only the scrape under way touches these.
  ScrapeCache cache_;
  ScrapeReporter reporter_;
  std::shared_ptr<const JobSettings> cache_settings_;
  std::unique_ptr<Scrape> scrape_;

  mutable absl::Mutex mu_;
  std::shared_ptr<const JobSettings> settings_ ABSL_GUARDED_BY(mu_);
  Labels discovered_ ABSL_GUARDED_BY(mu_);
  absl::Status forced_error_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool silent_ ABSL_GUARDED_BY(mu_) = false;
  bool scraping_ ABSL_GUARDED_BY(mu_) = false;
  Clock::TimerId timer_ ABSL_GUARDED_BY(mu_) = {};
  HttpClient::RequestId request_ ABSL_GUARDED_BY(mu_) =
      HttpClient::RequestId::kNone;
  Timestamp next_ ABSL_GUARDED_BY(mu_);  // the tick that is due next
  std::string last_error_ ABSL_GUARDED_BY(mu_);
  Timestamp last_scrape_ ABSL_GUARDED_BY(mu_) = 0;
  double last_duration_ ABSL_GUARDED_BY(mu_) = 0;
  TargetHealth health_ ABSL_GUARDED_BY(mu_) = TargetHealth::kUnknown;
};

}  // namespace narthex::scrape
