#include "narthex/scrape/scraper.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "libscrape/loop/scrape_append.h"
#include "libscrape/loop/scrape_context.h"
#include "libscrape/loop/target_pool.h"
#include "narthex/base/status.h"

namespace narthex::scrape {

struct Scraper::Impl {
  using Pools = std::map<std::string, std::shared_ptr<TargetPool>, std::less<>>;

  explicit Impl(std::shared_ptr<ScrapeContext> shared)
      : context(std::move(shared)) {}

  // The pools to show: one, or all.
  std::vector<std::shared_ptr<TargetPool>> Select(std::string_view pool) const {
    absl::MutexLock lock(&mu);
    std::vector<std::shared_ptr<TargetPool>> selected;
    for (const auto& [name, p] : pools) {
      if (pool.empty() || name == pool) selected.push_back(p);
    }
    return selected;
  }

  const std::shared_ptr<ScrapeContext> context;
  // Held through a change of jobs; taken before mu.
  absl::Mutex change_mu;
  bool stopped ABSL_GUARDED_BY(change_mu) = false;
  // Jobs that are gone, whose targets may still write stale markers.
  std::vector<std::shared_ptr<TargetPool>> gone ABSL_GUARDED_BY(change_mu);
  mutable absl::Mutex mu;
  Pools pools ABSL_GUARDED_BY(mu);
};

absl::StatusOr<std::unique_ptr<Scraper>> Scraper::Make(Appendable& storage,
                                                       ScraperOptions options) {
  if (options.clock == nullptr || options.executor == nullptr ||
      options.http == nullptr || options.env == nullptr) {
    return InvalidArgument(
        "a scraper needs a clock, an executor, an HTTP client and an Env");
  }
  auto context = std::make_shared<ScrapeContext>(storage, std::move(options));
  return std::unique_ptr<Scraper>(
      new Scraper(std::make_unique<Impl>(std::move(context))));
}

Scraper::Scraper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scraper::~Scraper() { Stop(); }

absl::Status Scraper::SetJobs(std::vector<Job> jobs) {
  // All of it must be right before anything changes.
  std::map<std::string, std::shared_ptr<const JobSettings>, std::less<>> wanted;
  for (Job& job : jobs) {
    const std::string name = job.name;
    NARTHEX_ASSIGN_OR_RETURN(auto settings, JobSettings::Make(std::move(job)));
    if (!wanted.emplace(name, std::move(settings)).second) {
      return InvalidArgument(StrCat(
          "found multiple scrape configs with job name ", GoQuote(name)));
    }
  }
  absl::MutexLock change(&impl_->change_mu);
  if (impl_->stopped) return FailedPrecondition("the scraper was stopped");
  Impl::Pools pools;
  Impl::Pools before;
  {
    absl::MutexLock lock(&impl_->mu);
    before = impl_->pools;
  }
  std::vector<std::shared_ptr<TargetPool>> fresh;
  bool failed = false;
  for (const auto& [name, settings] : wanted) {
    const auto old = before.find(name);
    const bool known = old != before.end();
    // A job that nobody can speak for does not keep the others from working.
    if (const absl::Status status = CheckSecrets(settings->job.http);
        !status.ok()) {
      Log(impl_->context->logger(), LogLevel::kError,
          known ? "error reloading scrape pool"
                : "error creating new scrape pool",
          {{"err", StrCat("error creating HTTP client: ", Message(status))},
           {"scrape_pool", name}});
      failed = failed || known;
      if (known) pools.insert(*old);
      continue;
    }
    if (!known) {
      auto pool = std::make_shared<TargetPool>(impl_->context, settings);
      fresh.push_back(pool);
      pools.emplace(name, std::move(pool));
      continue;
    }
    if (old->second->settings()->job != settings->job) {
      old->second->Reload(settings);
    }
    pools.insert(*old);
  }
  {
    absl::MutexLock lock(&impl_->mu);
    impl_->pools = pools;
  }
  std::erase_if(impl_->gone, [](const auto& pool) { return pool->ended(); });
  for (const auto& [name, pool] : before) {
    if (pools.contains(name)) continue;
    pool->Stop(ScrapeLoop::Ending::kMarkStale);
    impl_->gone.push_back(pool);
  }
  for (const auto& pool : fresh) pool->Start();
  if (!failed) return absl::OkStatus();
  return FailedPrecondition("failed to apply the new configuration");
}

std::vector<TargetStatus> Scraper::Targets(std::string_view pool) const {
  std::vector<TargetStatus> targets;
  for (const auto& p : impl_->Select(pool)) {
    for (const auto& loop : p->loops()) targets.push_back(loop->status());
  }
  return targets;
}

std::vector<DroppedTarget> Scraper::DroppedTargets(
    std::string_view pool) const {
  std::vector<DroppedTarget> dropped;
  for (const auto& p : impl_->Select(pool)) {
    for (DroppedTarget& target : p->dropped()) {
      dropped.push_back(std::move(target));
    }
  }
  return dropped;
}

std::vector<std::pair<std::string, size_t>> Scraper::DroppedTargetCounts()
    const {
  std::vector<std::pair<std::string, size_t>> counts;
  for (const auto& p : impl_->Select({})) {
    counts.emplace_back(p->settings()->job.name, p->dropped_count());
  }
  return counts;
}

std::vector<std::string> Scraper::Pools() const {
  absl::MutexLock lock(&impl_->mu);
  std::vector<std::string> names;
  for (const auto& [name, pool] : impl_->pools) names.push_back(name);
  return names;
}

std::optional<Job> Scraper::PoolJob(std::string_view pool) const {
  absl::MutexLock lock(&impl_->mu);
  const auto found = impl_->pools.find(pool);
  if (found == impl_->pools.end()) return std::nullopt;
  return found->second->settings()->job;
}

std::vector<TargetMetadata> Scraper::TargetsMetadata(
    std::string_view metric) const {
  std::vector<TargetMetadata> all;
  for (const auto& p : impl_->Select({})) {
    for (const auto& loop : p->loops()) {
      for (auto& [name, metadata] : loop->ListMetadata()) {
        if (!metric.empty() && name != metric) continue;
        all.push_back({loop->public_labels(), name, std::move(metadata)});
      }
    }
  }
  std::sort(all.begin(), all.end(),
            [](const TargetMetadata& a, const TargetMetadata& b) {
              if (const auto order = a.target <=> b.target; order != 0) {
                return order < 0;
              }
              return a.metric < b.metric;
            });
  return all;
}

void Scraper::Stop() {
  absl::MutexLock change(&impl_->change_mu);
  impl_->stopped = true;
  impl_->context->Close();
  for (const auto& pool : impl_->Select({})) {
    pool->Stop(ScrapeLoop::Ending::kSilent);
  }
  for (const auto& pool : impl_->gone) pool->Stop(ScrapeLoop::Ending::kSilent);
  impl_->context->WaitUntilIdle();
}

absl::StatusOr<size_t> AppendPage(Appender& appender, std::string_view page,
                                  std::string_view content_type, Timestamp at) {
  NARTHEX_ASSIGN_OR_RETURN(const PageFormat format,
                           NegotiateFormat(content_type));
  const SampleRules rules;
  ScrapeCache cache;
  AppendBuffers buffers;
  PageAppender page_appender(rules, cache, appender, buffers);
  if (absl::Status status =
          page_appender.Append(page, format, at, /*latest=*/kMaxTime);
      !status.ok()) {
    (void)appender.Rollback();
    return status;
  }
  NARTHEX_RETURN_IF_ERROR(appender.Commit());
  return page_appender.counts().stored;
}

}  // namespace narthex::scrape
