// Configurations come and go: read completely and checked before anything is
// touched, then taken over by the scraper all at once.

#include <utility>

#include "libnarthex/narthex_impl.h"
#include "narthex/base/status.h"

namespace narthex {

absl::StatusOr<std::unique_ptr<Narthex>> Narthex::OpenFromConfig(
    const std::string& yaml_path, Options options) {
  NARTHEX_ASSIGN_OR_RETURN(Config config, LoadConfig(*options.env, yaml_path));
  if (options.external_labels.empty()) {
    options.external_labels = config.global.external_labels;
  }
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Narthex> narthex,
                           Open(std::move(options)));
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
  NARTHEX_RETURN_IF_ERROR(impl_->scraper->SetJobs(jobs));
  absl::MutexLock lock(&impl_->mu);
  impl_->config.jobs = std::move(jobs);
  return absl::OkStatus();
}

absl::Status Narthex::Reload(const std::string& yaml_path) {
  absl::Status status;
  auto config = LoadConfig(*impl_->options.env, yaml_path);
  status = config.ok() ? SetJobs(config->jobs) : config.status();

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
