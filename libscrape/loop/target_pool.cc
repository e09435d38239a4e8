#include "libscrape/loop/target_pool.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

// Between updates while they keep coming: longer and longer.
constexpr Duration kFirstPause = Milliseconds(100);
constexpr Duration kLongestPause = Seconds(5);

constexpr std::string_view kManager = "scrape";

}  // namespace

TargetPool::TargetPool(std::shared_ptr<ScrapeContext> context,
                       std::shared_ptr<const JobSettings> settings)
    : context_(std::move(context)),
      targets_gauge_(context_->registry().NewGauge(
          "prometheus_target_scrape_pool_targets",
          "Current number of targets in this scrape pool.",
          {{"scrape_job", settings->job.name}})),
      discovered_gauge_(context_->registry().NewGauge(
          "prometheus_sd_discovered_targets",
          "Current number of discovered targets.",
          {{"name", kManager}, {"config", settings->job.name}})),
      updates_received_(context_->registry().NewCounter(
          "prometheus_sd_received_updates_total",
          "Total number of update events received from the SD providers.",
          {{"name", kManager}})),
      updates_delayed_(context_->registry().NewCounter(
          "prometheus_sd_updates_delayed_total",
          "Total number of update events that couldn't be sent immediately.",
          {{"name", kManager}})),
      updates_(context_->registry().NewCounter(
          "prometheus_sd_updates_total",
          "Total number of update events sent to the SD consumers.",
          {{"name", kManager}})),
      later_(Strand::Make(&context_->clock(), &context_->executor())),
      settings_(std::move(settings)) {}

TargetPool::~TargetPool() { Stop(ScrapeLoop::Ending::kSilent); }

void TargetPool::Start() { StartSources(settings()->job); }

void TargetPool::StartSources(const Job& job) {
  // Those that the job still names stay; the others stop, and their groups go.
  std::vector<Source> wanted;
  for (DiscoveryConfig& config : DiscoveryConfigs(job)) {
    const auto old = std::find_if(
        sources_.begin(), sources_.end(), [&](const Source& source) {
          return source.discoverer != nullptr && source.config == config;
        });
    if (old != sources_.end()) {
      wanted.push_back(std::move(*old));
    } else {
      wanted.push_back({std::move(config), nullptr, ++last_source_});
    }
  }
  sources_.swap(wanted);
  for (Source& old : wanted) {
    if (old.discoverer != nullptr) old.discoverer->Stop();
  }
  {
    absl::MutexLock lock(&mu_);
    std::erase_if(groups_, [&](const auto& group) {
      return std::none_of(sources_.begin(), sources_.end(),
                          [&](const Source& source) {
                            return source.number == group.first.first;
                          });
    });
  }
  for (Source& source : sources_) {
    if (source.discoverer == nullptr) StartSource(source);
  }
  absl::MutexLock lock(&mu_);
  Sync();
}

void TargetPool::StartSource(Source& source) {
  const ScraperOptions& options = context_->options();
  DiscoveryContext discovery;
  discovery.clock = &context_->clock();
  discovery.executor = &context_->executor();
  discovery.env = options.env;
  discovery.logger = context_->logger();
  discovery.yaml = options.yaml;
  discovery.http = &context_->http();
  discovery.dns = &context_->dns();
  discovery.kubeconfig = options.kubeconfig;
  discovery.user_agent = options.user_agent;
  discovery.metrics = &context_->registry();
  discovery.set_name = settings()->job.name;
  // What is known at once is there when this returns.
  static InlineExecutor* const here = new InlineExecutor;
  if (std::holds_alternative<std::vector<TargetGroup>>(source.config)) {
    discovery.executor = here;
  }
  auto made = NewDiscoverer(source.config, discovery);
  if (!made.ok()) {
    Log(context_->logger(), LogLevel::kError, "Cannot create service discovery",
        {{"scrape_pool", settings()->job.name},
         {"type", DiscoveryName(source.config)},
         {"err", Message(made.status())}});
    return;
  }
  source.discoverer = *std::move(made);
  source.discoverer->Start(
      [this, number = source.number](std::vector<TargetGroup> groups) {
        TakeGroups(number, std::move(groups));
      });
}

void TargetPool::TakeGroups(size_t source, std::vector<TargetGroup> groups) {
  updates_received_.Inc();
  absl::MutexLock lock(&mu_);
  for (TargetGroup& group : groups) {
    auto key = std::make_pair(source, group.source);
    if (group.targets.empty()) {
      groups_.erase(key);
    } else {
      groups_.insert_or_assign(std::move(key), std::move(group));
    }
  }
  SyncSoon();
}

void TargetPool::SyncSoon() {
  if (update_waits_ || stopped_) return;
  const Timestamp now = context_->clock().Now();
  if (now < last_update_ || now >= last_update_ + kLongestPause) {
    pause_ = kFirstPause;
    last_update_ = now;
    updates_.Inc();
    return Sync();
  }
  updates_delayed_.Inc();
  update_waits_ = true;
  later_->PostAt(last_update_ + pause_, [this] {
    absl::MutexLock lock(&mu_);
    update_waits_ = false;
    last_update_ = context_->clock().Now();
    updates_.Inc();
    Sync();
  });
  pause_ = std::min(Duration(pause_.ms * 3 / 2), kLongestPause);
}

void TargetPool::Sync() {
  if (stopped_) return;
  const Job& job = settings_->job;
  dropped_.clear();
  dropped_count_ = 0;
  size_t discovered = 0;
  absl::flat_hash_set<uint64_t> wanted;
  std::vector<std::shared_ptr<ScrapeLoop>> fresh;
  for (const auto& [key, group] : groups_) {
    discovered += group.targets.size();
    for (size_t i = 0; i < group.targets.size(); ++i) {
      auto made = MakeTarget(job, settings_->target_rules, group.targets[i],
                             group.labels);
      if (!made.ok()) {
        context_->counters().bad_targets.Inc();
        Log(context_->logger(), LogLevel::kError, "Creating target failed",
            {{"scrape_pool", job.name},
             {"err", StrCat("instance ", i, " in group ", group.source, ": ",
                            Message(made.status()))}});
        continue;
      }
      if (made->dropped) {
        ++dropped_count_;
        if (job.keep_dropped_targets == 0 ||
            dropped_.size() < job.keep_dropped_targets) {
          dropped_.push_back({std::move(made->target.discovered), job.name});
        }
        continue;
      }
      const uint64_t hash = made->target.Hash();
      wanted.insert(hash);
      auto [loop, is_new] = loops_.try_emplace(hash);
      if (is_new) {
        loop->second = std::make_shared<ScrapeLoop>(
            context_, std::move(made->target), settings_);
        fresh.push_back(loop->second);
      } else {
        loop->second->SetDiscovered(std::move(made->target.discovered));
      }
    }
  }
  std::erase_if(ending_, [](const auto& loop) { return loop.expired(); });
  for (auto it = loops_.begin(); it != loops_.end();) {
    const auto loop = it++;
    if (wanted.contains(loop->first)) continue;
    loop->second->Stop(ScrapeLoop::Ending::kMarkStale);
    ending_.push_back(loop->second);
    loops_.erase(loop);
  }
  targets_gauge_.Set(static_cast<double>(loops_.size()));
  discovered_gauge_.Set(static_cast<double>(discovered));
  CheckTargetLimit();
  for (const auto& loop : fresh) loop->Start();
}

void TargetPool::CheckTargetLimit() {
  const size_t limit = settings_->job.target_limit;
  absl::Status error;
  if (limit != 0 && loops_.size() > limit) {
    context_->counters().over_target_limit.Inc();
    error = ResourceExhausted(
        StrCat("target_limit exceeded (number of targets: ", loops_.size(),
               ", limit: ", limit, ")"));
  }
  for (const auto& [hash, loop] : loops_) loop->SetForcedError(error);
}

void TargetPool::Reload(std::shared_ptr<const JobSettings> settings) {
  context_->counters().pool_reloads.Inc();
  {
    absl::MutexLock lock(&mu_);
    settings_ = settings;
    for (const auto& [hash, loop] : loops_) loop->SetSettings(settings);
  }
  StartSources(settings->job);
}

void TargetPool::Stop(ScrapeLoop::Ending ending) {
  // A Discoverer's Stop waits for its report, which takes the lock.
  for (Source& source : sources_) {
    if (source.discoverer != nullptr) source.discoverer->Stop();
  }
  later_->Close();
  std::vector<std::shared_ptr<ScrapeLoop>> stopping;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    for (const auto& [hash, loop] : loops_) stopping.push_back(loop);
    for (const auto& weak : ending_) {
      if (auto loop = weak.lock(); loop != nullptr) {
        stopping.push_back(std::move(loop));
      }
    }
    if (ending == ScrapeLoop::Ending::kSilent) ending_.clear();
    loops_.clear();
  }
  for (const auto& loop : stopping) loop->Stop(ending);
  absl::MutexLock lock(&mu_);
  targets_gauge_.Set(0);
  discovered_gauge_.Set(0);
  if (ending == ScrapeLoop::Ending::kMarkStale) {
    ending_.assign(stopping.begin(), stopping.end());
  }
}

std::shared_ptr<const JobSettings> TargetPool::settings() const {
  absl::MutexLock lock(&mu_);
  return settings_;
}

std::vector<std::shared_ptr<ScrapeLoop>> TargetPool::loops() const {
  std::vector<std::pair<std::string, std::shared_ptr<ScrapeLoop>>> sorted;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [hash, loop] : loops_) {
      sorted.emplace_back(std::string(), loop);
    }
  }
  for (auto& [url, loop] : sorted) url = loop->status().scrape_url;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::shared_ptr<ScrapeLoop>> loops;
  loops.reserve(sorted.size());
  for (auto& [url, loop] : sorted) loops.push_back(std::move(loop));
  return loops;
}

std::vector<DroppedTarget> TargetPool::dropped() const {
  absl::MutexLock lock(&mu_);
  return dropped_;
}

bool TargetPool::ended() const {
  absl::MutexLock lock(&mu_);
  return stopped_ &&
         std::all_of(ending_.begin(), ending_.end(),
                     [](const auto& loop) { return loop.expired(); });
}

size_t TargetPool::dropped_count() const {
  absl::MutexLock lock(&mu_);
  return dropped_count_;
}

}  // namespace narthex::scrape
