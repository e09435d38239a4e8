#include "libscrape/loop/scrape_context.h"

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr size_t kIdleBuffers = 8;
constexpr size_t kIdlePages = 16;

std::string JsonText(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

uint64_t OffsetSeed(const ScraperOptions& options) {
  uint64_t hash = 14695981039346656037u;
  for (char c : StrCat(options.host_name, options.external_labels.ToString())) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return hash;
}

}  // namespace

ScrapeCounters::ScrapeCounters(MetricRegistry& registry)
    : out_of_order(registry.NewCounter(
          "prometheus_target_scrapes_sample_out_of_order_total",
          "Total number of samples rejected due to not being out of the "
          "expected order.")),
      duplicates(registry.NewCounter(
          "prometheus_target_scrapes_sample_duplicate_timestamp_total",
          "Total number of samples rejected due to duplicate timestamps but "
          "different values.")),
      out_of_bounds(registry.NewCounter(
          "prometheus_target_scrapes_sample_out_of_bounds_total",
          "Total number of samples rejected due to timestamp falling outside "
          "of the time bounds.")),
      exemplars_out_of_order(registry.NewCounter(
          "prometheus_target_scrapes_exemplar_out_of_order_total",
          "Total number of exemplar rejected due to not being out of the "
          "expected order.")),
      over_sample_limit(registry.NewCounter(
          "prometheus_target_scrapes_exceeded_sample_limit_total",
          "Total number of scrapes that hit the sample limit and were "
          "rejected.")),
      over_bucket_limit(registry.NewCounter(
          "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_"
          "total",
          "Total number of scrapes that hit the native histogram bucket limit "
          "and were rejected.")),
      over_label_limits(registry.NewCounter(
          "prometheus_target_scrape_pool_exceeded_label_limits_total",
          "Total number of times scrape pools hit the label limits, during "
          "sync or config reload.")),
      over_body_limit(registry.NewCounter(
          "prometheus_target_scrapes_exceeded_body_size_limit_total",
          "Total number of scrapes that hit the body size limit.")),
      over_target_limit(registry.NewCounter(
          "prometheus_target_scrape_pool_exceeded_target_limit_total",
          "Total number of times scrape pools hit the target limit, during "
          "sync or config reload.")),
      bad_targets(registry.NewCounter("prometheus_target_sync_failed_total",
                                      "Total number of target sync failures.")),
      pool_reloads(
          registry.NewCounter("prometheus_target_scrape_pool_reloads_total",
                              "Total number of scrape pool reloads.")) {}

ScrapeContext::ScrapeContext(Appendable& storage, ScraperOptions options)
    : storage_(storage),
      options_(std::move(options)),
      own_registry_(options_.metrics == nullptr
                        ? std::make_unique<MetricRegistry>()
                        : nullptr),
      own_dns_(options_.dns == nullptr ? NewAresResolver() : nullptr),
      registry_(options_.metrics != nullptr ? *options_.metrics
                                            : *own_registry_),
      counters_(registry_),
      offset_seed_(OffsetSeed(options_)) {}

bool ScrapeContext::Begin() {
  absl::MutexLock lock(&mu_);
  if (closed_) return false;
  ++working_;
  return true;
}

void ScrapeContext::End() {
  absl::MutexLock lock(&mu_);
  --working_;
}

void ScrapeContext::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

void ScrapeContext::WaitUntilIdle() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &ScrapeContext::Idle));
}

void ScrapeContext::LogFailure(const std::string& path, std::string_view job,
                               std::string_view target,
                               std::string_view error) {
  std::string line = StrCat(
      "{\"time\":", JsonText(FormatRfc3339(clock().Now())),
      ",\"level\":\"ERROR\",\"msg\":", JsonText(error),
      ",\"job_name\":", JsonText(job), ",\"target\":", JsonText(target), "}\n");
  absl::MutexLock lock(&log_mu_);
  std::unique_ptr<WritableFile>& file = failure_logs_[path];
  absl::Status status;
  if (file == nullptr) {
    auto opened = options_.env->OpenWritable(path, Env::WriteMode::kAppend);
    status = opened.status();
    if (opened.ok()) file = *std::move(opened);
  }
  if (file != nullptr) status = file->Append(line);
  if (status.ok()) return;
  file.reset();
  Log(logger(), LogLevel::kError, "Writing the scrape failure log failed",
      {{"file", path}, {"err", std::string(Message(status))}});
}

std::unique_ptr<AppendBuffers> ScrapeContext::TakeBuffers() {
  absl::MutexLock lock(&mu_);
  if (buffers_.empty()) return std::make_unique<AppendBuffers>();
  auto buffers = std::move(buffers_.back());
  buffers_.pop_back();
  return buffers;
}

void ScrapeContext::GiveBuffers(std::unique_ptr<AppendBuffers> buffers) {
  absl::MutexLock lock(&mu_);
  if (buffers_.size() < kIdleBuffers) buffers_.push_back(std::move(buffers));
}

std::string ScrapeContext::TakePage() {
  absl::MutexLock lock(&mu_);
  if (pages_.empty()) return {};
  std::string page = std::move(pages_.back());
  pages_.pop_back();
  return page;
}

void ScrapeContext::GivePage(std::string page) {
  page.clear();
  absl::MutexLock lock(&mu_);
  if (pages_.size() < kIdlePages) pages_.push_back(std::move(page));
}

}  // namespace narthex::scrape
