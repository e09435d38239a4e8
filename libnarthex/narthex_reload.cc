// Configurations come and go: read completely and checked before anything is
// touched, then taken over by the scraper all at once.

#include <algorithm>
#include <utility>

#include "libnarthex/narthex_impl.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

// Prometheus's feature flags of the scraper change what holds where the file
// says nothing, and the file may say otherwise.
GlobalConfig TakeDefaults(scrape::ScraperOptions& scrape) {
  GlobalConfig defaults;
  defaults.extra_scrape_metrics =
      std::exchange(scrape.extra_scrape_metrics, false);
  if (scrape.start_time_zero_ingestion || scrape.start_times) {
    defaults.scrape_protocols = scrape::ProtobufFirstScrapeProtocols();
  }
  return defaults;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Narthex>> Narthex::OpenFromConfig(
    const std::string& yaml_path, Options options) {
  const GlobalConfig defaults = TakeDefaults(options.scrape);
  NARTHEX_ASSIGN_OR_RETURN(Config config,
                           LoadConfig(*options.env, yaml_path, defaults));
  if (options.external_labels.empty()) {
    options.external_labels = config.global.external_labels;
  }
  tsdb::Options& storage = options.storage;
  storage.out_of_order_time_window = config.storage.out_of_order_time_window;
  if (storage.max_exemplars != 0) {
    storage.max_exemplars = config.storage.max_exemplars;
  }
  const Duration retention = storage.retention;
  const uint64_t retention_bytes = storage.retention_bytes;
  const double retention_percent = storage.retention_percent;
  storage.retention = config.storage.retention.value_or(retention);
  storage.retention_bytes =
      config.storage.retention_bytes.value_or(retention_bytes);
  const tsdb::FloatChunks float_chunks = storage.float_chunks;
  storage.float_chunks = config.storage.float_chunks.value_or(float_chunks);
  storage.stale_series_compaction_threshold =
      config.storage.stale_series_compaction_threshold;
  storage.retention_percent =
      config.storage.retention_percent.value_or(retention_percent);
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Narthex> narthex,
                           Open(std::move(options)));
  // What holds where the file says nothing, also after it has changed.
  narthex->impl_->options.storage.retention = retention;
  narthex->impl_->options.storage.retention_bytes = retention_bytes;
  narthex->impl_->config_defaults = defaults;
  narthex->impl_->options.storage.float_chunks = float_chunks;
  narthex->impl_->options.storage.retention_percent = retention_percent;
  NARTHEX_RETURN_IF_ERROR(narthex->SetJobs(config.jobs));
  absl::MutexLock lock(&narthex->impl_->mu);
  narthex->impl_->config = std::move(config);
  return narthex;
}

absl::Status Narthex::SetJobs(std::vector<scrape::Job> jobs) {
  absl::MutexLock one_at_a_time(&impl_->reload_mu);
  if (impl_->scraper == nullptr) {
    if (jobs.empty()) return absl::OkStatus();
    return FailedPrecondition("this Narthex is read-only: it can't scrape");
  }
  std::vector<scrape::Job> all = jobs;
  all.insert(all.end(), impl_->sources.begin(), impl_->sources.end());
  NARTHEX_RETURN_IF_ERROR(impl_->scraper->SetJobs(std::move(all)));
  absl::MutexLock lock(&impl_->mu);
  impl_->config.jobs = std::move(jobs);
  impl_->config.jobs_of_files = 0;
  return absl::OkStatus();
}

absl::Status Narthex::SetStorage(const StorageConfig& storage) {
  const tsdb::Options& base = impl_->options.storage;
  NARTHEX_RETURN_IF_ERROR(impl_->db->SetFloatChunks(
      storage.float_chunks.value_or(base.float_chunks)));
  impl_->db->SetStaleSeriesCompactionThreshold(
      storage.stale_series_compaction_threshold);
  if (base.max_exemplars != 0) {
    impl_->db->SetMaxExemplars(storage.max_exemplars);
  }
  impl_->db->SetRetention(
      storage.retention.value_or(base.retention),
      storage.retention_bytes.value_or(base.retention_bytes),
      storage.retention_percent.value_or(base.retention_percent));
  return impl_->db->SetOutOfOrderTimeWindow(storage.out_of_order_time_window);
}

absl::Status Narthex::AddSource(std::string_view job,
                                std::shared_ptr<scrape::Source> source,
                                Duration interval) {
  absl::MutexLock one_at_a_time(&impl_->reload_mu);
  if (impl_->scraper == nullptr) {
    return FailedPrecondition("this Narthex is read-only: it can't scrape");
  }
  if (source == nullptr) return InvalidArgument("the source is null");
  scrape::Job made;
  made.name = std::string(job);
  made.interval = interval;
  made.timeout = std::min(made.timeout, interval);
  made.source = std::move(source);
  std::vector<scrape::Job> all = config().jobs;
  all.insert(all.end(), impl_->sources.begin(), impl_->sources.end());
  for (const scrape::Job& other : all) {
    if (other.name == job) {
      return AlreadyExists(StrCat("there is a job ", GoQuote(job)));
    }
  }
  all.push_back(made);
  NARTHEX_RETURN_IF_ERROR(impl_->scraper->SetJobs(std::move(all)));
  impl_->sources.push_back(std::move(made));
  return absl::OkStatus();
}

absl::Status Narthex::Reload(const std::string& yaml_path) {
  absl::Status status;
  auto config =
      LoadConfig(*impl_->options.env, yaml_path, impl_->config_defaults);
  status = config.ok() ? SetJobs(config->jobs) : config.status();
  if (status.ok()) status = SetStorage(config->storage);

  absl::MutexLock lock(&impl_->mu);
  impl_->reload.success = status.ok();
  if (status.ok()) {
    impl_->reload.at = impl_->options.clock->Now();
    impl_->config = *std::move(config);
  }
  return status;
}

ReloadState Narthex::last_reload() const {
  absl::MutexLock lock(&impl_->mu);
  return impl_->reload;
}

Config Narthex::config() const {
  absl::MutexLock lock(&impl_->mu);
  return impl_->config;
}

}  // namespace narthex
