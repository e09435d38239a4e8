#include "narthex/narthex.h"

#include <utility>

#include "libnarthex/lookup.h"
#include "libnarthex/narthex_impl.h"
#include "narthex/base/budget.h"
#include "narthex/base/cancel.h"
#include "narthex/base/status.h"
#include "narthex/version.h"

namespace narthex {
namespace {

// What a look-up may use, with the engine's limits.
struct LookupScope {
  explicit LookupScope(const promql::EngineOptions& options)
      : budget(options.max_bytes, options.budget),
        cancel(*options.clock, options.timeout),
        ctx{budget, cancel} {}

  MemoryBudget budget;
  CancelToken cancel;
  ReadContext ctx;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Narthex>> Narthex::Open(Options options) {
  auto impl = std::make_unique<Impl>();
  if (options.metrics == nullptr) {
    impl->own_metrics = std::make_unique<MetricRegistry>();
    options.metrics = impl->own_metrics.get();
  }
  if (options.executor == nullptr) {
    impl->own_pool = std::make_unique<ThreadPool>();
    options.executor = impl->own_pool.get();
  }
  if (options.http == nullptr) {
    impl->own_http = NewLazyHttpClient();
    options.http = impl->own_http.get();
  }

  tsdb::Options& storage = options.storage;
  storage.read_only = storage.read_only || options.read_only;
  options.read_only = storage.read_only;
  storage.env = options.env;
  storage.clock = options.clock;
  storage.executor = options.executor;
  storage.logger = options.logger;
  storage.metrics = options.metrics;
  NARTHEX_ASSIGN_OR_RETURN(impl->db, tsdb::Db::Open(options.data_dir, storage));

  options.engine.executor = options.executor;
  options.engine.clock = options.clock;
  impl->engine = std::make_unique<promql::Engine>(options.engine);

  if (!options.read_only) {
    scrape::ScraperOptions& scrape = options.scrape;
    scrape.clock = options.clock;
    scrape.executor = options.executor;
    scrape.http = options.http;
    scrape.env = options.env;
    scrape.logger = options.logger;
    scrape.metrics = options.metrics;
    scrape.external_labels = options.external_labels;
    if (!scrape.yaml) scrape.yaml = DecodeTargetYaml;
    if (!scrape.kubeconfig) scrape.kubeconfig = DecodeKubeconfig;
    if (scrape.user_agent.empty()) {
      scrape.user_agent = StrCat("narthex/", GetBuildInfo().version);
    }
    NARTHEX_ASSIGN_OR_RETURN(impl->scraper,
                             scrape::Scraper::Make(*impl->db, scrape));
  }

  impl->started = options.clock->Now();
  {
    absl::MutexLock lock(&impl->mu);
    impl->config.global.external_labels = options.external_labels;
    impl->reload.at = impl->started;
  }
  impl->options = std::move(options);
  return std::unique_ptr<Narthex>(new Narthex(std::move(impl)));
}

Narthex::Narthex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Narthex::~Narthex() { Close().IgnoreError(); }

absl::Status Narthex::Close() {
  {
    absl::MutexLock lock(&impl_->mu);
    if (std::exchange(impl_->closed, true)) return absl::OkStatus();
  }
  if (impl_->scraper != nullptr) impl_->scraper->Stop();
  return impl_->db->Close();
}

std::unique_ptr<Appender> Narthex::NewAppender() {
  return impl_->db->NewAppender();
}

absl::StatusOr<size_t> Narthex::Ingest(std::string_view page,
                                       std::string_view content_type,
                                       Timestamp at) {
  if (impl_->options.read_only) {
    return FailedPrecondition("this Narthex is read-only");
  }
  return scrape::AppendPage(*NewAppender(), page, content_type, at);
}

absl::StatusOr<promql::QueryResult> Narthex::Query(std::string_view promql,
                                                   Timestamp at) const {
  return impl_->engine->Instant(*impl_->db, promql, at);
}

absl::StatusOr<promql::QueryResult> Narthex::QueryRange(std::string_view promql,
                                                        TimeRange range,
                                                        Duration step) const {
  if (step.ms <= 0) return InvalidArgument("the step must be positive");
  if (range.max < range.min) {
    return InvalidArgument("end timestamp must not be before start time");
  }
  return impl_->engine->Range(*impl_->db, promql, range, step);
}

absl::StatusOr<std::vector<Labels>> Narthex::FindSeries(
    std::span<const std::string> selectors, TimeRange range,
    size_t limit) const {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<Matchers> parsed,
                           ParseSelectors(selectors));
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Querier> querier, NewQuerier(range));
  LookupScope scope(impl_->options.engine);
  return LookUpSeries(*querier, parsed, range, limit, scope.ctx);
}

absl::StatusOr<std::vector<std::string>> Narthex::LabelNames(
    TimeRange range, std::span<const std::string> selectors) const {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<Matchers> parsed,
                           ParseSelectors(selectors));
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Querier> querier, NewQuerier(range));
  LookupScope scope(impl_->options.engine);
  return LookUpLabelNames(*querier, parsed, /*limit=*/0, scope.ctx);
}

absl::StatusOr<std::vector<std::string>> Narthex::LabelValues(
    std::string_view name, TimeRange range,
    std::span<const std::string> selectors) const {
  NARTHEX_ASSIGN_OR_RETURN(const std::vector<Matchers> parsed,
                           ParseSelectors(selectors));
  NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<Querier> querier, NewQuerier(range));
  LookupScope scope(impl_->options.engine);
  return LookUpLabelValues(*querier, name, parsed, /*limit=*/0, scope.ctx);
}

absl::StatusOr<std::unique_ptr<Querier>> Narthex::NewQuerier(
    TimeRange range) const {
  return impl_->db->NewQuerier(range);
}

std::vector<scrape::TargetStatus> Narthex::Targets() const {
  if (impl_->scraper == nullptr) return {};
  return impl_->scraper->Targets();
}

tsdb::Stats Narthex::stats() const { return impl_->db->stats(); }

std::string Narthex::Metrics() const {
  return ExposeSelf(*this, impl_->started);
}

tsdb::Db& Narthex::storage() const { return *impl_->db; }
const promql::Engine& Narthex::engine() const { return *impl_->engine; }
scrape::Scraper* Narthex::scraper() const { return impl_->scraper.get(); }
MetricRegistry& Narthex::metrics() const { return *impl_->options.metrics; }
Executor& Narthex::executor() const { return *impl_->options.executor; }
Clock& Narthex::clock() const { return *impl_->options.clock; }

}  // namespace narthex
