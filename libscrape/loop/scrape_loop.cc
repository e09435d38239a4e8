#include "libscrape/loop/scrape_loop.h"

#include <algorithm>

#include "libscrape/exposition/native_histogram.h"
#include "libscrape/loop/scrape_append.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

// A page from within, as if it had come over the network.
absl::StatusOr<HttpResponse> AskSource(Source& source, std::string_view accept,
                                       uint64_t body_limit) {
  NARTHEX_ASSIGN_OR_RETURN(SourcePage page, source.Read(accept));
  if (body_limit != 0 && page.body.size() >= body_limit) {
    return ResourceExhausted("body size limit exceeded");
  }
  HttpResponse response;
  response.status = 200;
  response.content_type = std::move(page.content_type);
  response.body = std::move(page.body);
  return response;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const JobSettings>> JobSettings::Make(Job job) {
  NARTHEX_RETURN_IF_ERROR(ValidateJob(job));
  auto settings = std::make_shared<JobSettings>();
  NARTHEX_ASSIGN_OR_RETURN(settings->target_rules,
                           Relabeler::Make(job.relabel, job.name_validation));
  NARTHEX_ASSIGN_OR_RETURN(
      settings->metric_rules,
      Relabeler::Make(job.metric_relabel, job.name_validation));
  settings->http = std::make_shared<const HttpOptions>(job.http);
  const NameEscaping usual = job.name_validation == NameValidation::kUtf8
                                 ? NameEscaping::kAllowUtf8
                                 : NameEscaping::kUnderscores;
  settings->accept =
      AcceptHeader(job.protocols, job.name_escaping.value_or(usual));
  settings->job = std::move(job);
  return settings;
}

bool JobSettings::SameSeries(const JobSettings& other) const {
  const Job& a = job;
  const Job& b = other.job;
  return a.metric_relabel == b.metric_relabel &&
         a.honor_labels == b.honor_labels &&
         a.name_validation == b.name_validation &&
         a.label_limit == b.label_limit &&
         a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit &&
         a.track_timestamps_staleness == b.track_timestamps_staleness &&
         a.honor_timestamps == b.honor_timestamps &&
         a.scrape_native_histograms == b.scrape_native_histograms &&
         a.convert_classic_histograms_to_nhcb ==
             b.convert_classic_histograms_to_nhcb &&
         a.always_scrape_classic_histograms ==
             b.always_scrape_classic_histograms;
}

struct ScrapeLoop::Scrape {
  std::shared_ptr<const JobSettings> settings = {};
  Timestamp due = 0;
  Timestamp at = 0;       // of the samples
  Timestamp started = 0;  // by the clock
  int64_t started_nanos = 0;
  double body_bytes = 0;
  AppendCounts counts = {};
  std::unique_ptr<Appender> appender = {};
};

ScrapeLoop::ScrapeLoop(std::shared_ptr<ScrapeContext> context, Target target,
                       std::shared_ptr<const JobSettings> settings)
    : context_(std::move(context)),
      target_(std::move(target)),
      public_labels_(target_.PublicLabels()),
      reporter_(public_labels_, settings->job.extra_scrape_metrics ||
                                    context_->options().extra_scrape_metrics),
      cache_settings_(settings),
      settings_(std::move(settings)),
      discovered_(target_.discovered) {}

ScrapeLoop::~ScrapeLoop() = default;

void ScrapeLoop::Start() {
  absl::MutexLock lock(&mu_);
  next_ = FirstTick();
  RunAt(next_, &ScrapeLoop::Tick);
}

// The target's own moment within the interval, the same after every restart.
Timestamp ScrapeLoop::FirstTick() const {
  constexpr int64_t kNanos = 1'000'000;
  const int64_t interval = SaturatingMul(target_.interval.ms, kNanos);
  const int64_t now = SaturatingMul(context_->clock().Now().ms, kNanos);
  const int64_t base = interval - now % interval;
  const auto offset =
      static_cast<int64_t>((target_.Hash() ^ context_->offset_seed()) %
                           static_cast<uint64_t>(interval));
  int64_t wait = SaturatingAdd(base, offset);
  if (wait > interval) wait -= interval;
  return SaturatingAdd(now, wait) / kNanos;
}

void ScrapeLoop::RunAt(Timestamp at, void (ScrapeLoop::*work)()) {
  timer_ = context_->clock().RunAt(at, [self = shared_from_this(), work] {
    if (!self->context_->Begin()) return;
    self->context_->executor().Run([self, work] { ((*self).*work)(); });
  });
}

void ScrapeLoop::Tick() {
  auto scrape = std::make_unique<Scrape>();
  absl::Status forced;
  bool begin = false;
  {
    absl::MutexLock lock(&mu_);
    begin = !stopped_ && !scraping_;
    if (begin) {
      scraping_ = true;
      scrape->settings = settings_;
      scrape->due = next_;
      forced = forced_error_;
    }
  }
  if (!begin) return context_->End();
  scrape->started = context_->clock().Now();
  scrape->started_nanos = context_->clock().MonotonicNanos();
  const Duration tolerance =
      std::min(context_->options().timestamp_tolerance, target_.interval / 100);
  const bool punctual = scrape->started - scrape->due <= tolerance;
  scrape->at = punctual ? scrape->due : scrape->started;
  if (!forced.ok()) {
    return Finish(std::move(scrape), forced, {}, PageFormat::kText);
  }
  scrape_ = std::move(scrape);
  Ask(*scrape_);
}

void ScrapeLoop::Ask(Scrape& scrape) {
  const Job& job = scrape.settings->job;
  if (job.source != nullptr) {
    return Answer(
        AskSource(*job.source, scrape.settings->accept, job.body_size_limit));
  }
  const std::string& agent = context_->options().user_agent;
  HttpRequest request;
  request.url = target_.url;
  request.timeout = target_.timeout;
  request.body_limit = job.body_size_limit;
  request.accept_gzip = job.enable_compression;
  request.unix_socket = std::string(target_.labels.Get("__unix_socket__"));
  request.options = scrape.settings->http;
  request.headers = {{"Accept", scrape.settings->accept},
                     {"User-Agent", agent.empty() ? "narthex" : agent},
                     {"X-Prometheus-Scrape-Timeout-Seconds",
                      FormatFloat(target_.timeout.seconds(), 'f')}};
  request.buffer = context_->TakePage();
  request.buffer.reserve(cache_.last_page_size() +
                         cache_.last_page_size() / 16);
  const HttpClient::RequestId id = context_->http().Send(
      std::move(request),
      [self = shared_from_this()](absl::StatusOr<HttpResponse> answer) {
        self->context_->executor().Run(
            [self, answer = std::move(answer)]() mutable {
              self->Answer(std::move(answer));
            });
      });
  bool cancel = false;
  {
    absl::MutexLock lock(&mu_);
    if (scraping_) request_ = id;  // else it was answered at once
    cancel = scraping_ && silent_;
  }
  if (cancel) context_->http().Cancel(id);
}

void ScrapeLoop::Answer(absl::StatusOr<HttpResponse> answer) {
  std::unique_ptr<Scrape> scrape = std::move(scrape_);
  absl::Status error;
  std::string page;
  PageFormat format = PageFormat::kText;
  if (!answer.ok()) {
    error = answer.status();
    if (absl::IsResourceExhausted(error)) {
      scrape->body_bytes = -1;
      context_->counters().over_body_limit.Inc();
    }
  } else if (answer->status != 200) {
    error = Unavailable(
        StrCat("server returned HTTP status ", answer->StatusLine()));
    context_->GivePage(std::move(answer->body));
  } else {
    page = std::move(answer->body);
    scrape->body_bytes = static_cast<double>(page.size());
    const auto negotiated = NegotiateFormat(
        answer->content_type, scrape->settings->job.fallback_protocol);
    // An empty page needs no format.
    if (negotiated.ok()) {
      format = *negotiated;
    } else if (!page.empty()) {
      error = negotiated.status();
    }
  }
  Finish(std::move(scrape), std::move(error), std::move(page), format);
}

void ScrapeLoop::Finish(std::unique_ptr<Scrape> scrape, absl::Status error,
                        std::string page, PageFormat format) {
  // What a shutdown cut short says nothing about the target.
  bool cut_short = false;
  {
    absl::MutexLock lock(&mu_);
    cut_short = silent_;
  }
  if (!cut_short) {
    if (!scrape->settings->SameSeries(*cache_settings_)) cache_.Clear();
    cache_settings_ = scrape->settings;
    scrape->appender = context_->storage().NewAppender();
    if (error.ok() && !page.empty()) {
      error = AppendPage(*scrape, page, format);
    } else {
      AppendBuffers buffers;
      const SampleRules rules = RulesOf(*scrape->settings);
      PageAppender page_appender(rules, cache_, *scrape->appender, buffers);
      const absl::Status stale = page_appender.AppendStaleMarkers(scrape->at);
      cache_.EndBad();
      if (!stale.ok()) {
        (void)scrape->appender->Rollback();
        Note(LogLevel::kWarn, "Append failed", Message(stale));
      }
    }
    AppendReport(*scrape, error);
  }
  if (page.capacity() != 0) context_->GivePage(std::move(page));
  ScheduleNext(scrape->due);
  scrape.reset();
  context_->End();
}

absl::Status ScrapeLoop::AppendPage(Scrape& scrape, std::string& page,
                                    PageFormat format) {
  // Pages are kept until the next one: without much air.
  if (page.capacity() > page.size() + page.size() / 2) page.shrink_to_fit();
  std::unique_ptr<AppendBuffers> buffers = context_->TakeBuffers();
  const SampleRules rules = RulesOf(*scrape.settings);
  absl::Status error;
  {
    PageAppender appender(rules, cache_, *scrape.appender, *buffers);
    error = appender.Append(page, format, scrape.at,
                            scrape.started + context_->options().max_ahead);
    scrape.counts = appender.counts();
    Count(scrape.counts);
    if (error.ok()) {
      std::string kept = appender.TakeKept(page);
      kept = cache_.EndGood(std::move(kept));
      if (page.capacity() < kept.capacity()) page = std::move(kept);
    } else {
      ScrapeCounters& counters = context_->counters();
      if (scrape.counts.over_sample_limit) counters.over_sample_limit.Inc();
      if (scrape.counts.over_bucket_limit) counters.over_bucket_limit.Inc();
      if (scrape.counts.over_label_limit) counters.over_label_limits.Inc();
      // As if nothing had come: everything goes stale.
      (void)scrape.appender->Rollback();
      const absl::Status stale = appender.AppendStaleMarkers(scrape.at);
      cache_.EndBad();
      if (!stale.ok()) {
        (void)scrape.appender->Rollback();
        Note(LogLevel::kWarn, "Append failed", Message(stale));
      }
    }
  }
  context_->GiveBuffers(std::move(buffers));
  return error;
}

void ScrapeLoop::AppendReport(const Scrape& scrape, const absl::Status& error) {
  const double duration =
      static_cast<double>(context_->clock().MonotonicNanos() -
                          scrape.started_nanos) /
      1e9;
  {
    absl::MutexLock lock(&mu_);
    health_ = error.ok() ? TargetHealth::kUp : TargetHealth::kDown;
    last_error_ = std::string(Message(error));
    last_scrape_ = scrape.started;
    last_duration_ = duration;
  }
  if (!error.ok()) {
    Note(LogLevel::kDebug, "Scrape failed", Message(error));
    const Job& job = scrape.settings->job;
    if (!job.scrape_failure_log_file.empty()) {
      context_->LogFailure(job.scrape_failure_log_file, job.name, target_.url,
                           Message(error));
    }
  }
  ScrapeReport report;
  report.up = error.ok();
  report.duration = duration;
  report.scraped = scrape.counts.total;
  report.post_relabeling = scrape.counts.added;
  report.series_added = scrape.counts.series_added;
  report.timeout = target_.timeout.seconds();
  report.sample_limit = scrape.settings->job.sample_limit;
  report.body_bytes = scrape.body_bytes;
  absl::Status status = reporter_.Append(*scrape.appender, report, scrape.at);
  if (!status.ok()) {
    Note(LogLevel::kWarn, "Appending scrape report failed", Message(status));
    (void)scrape.appender->Rollback();
    return;
  }
  status = scrape.appender->Commit();
  if (!status.ok()) {
    Note(LogLevel::kError, "Scrape commit failed", Message(status));
  }
}

void ScrapeLoop::Count(const AppendCounts& counts) {
  ScrapeCounters& counters = context_->counters();
  const auto note = [&](size_t n, Counter& counter, std::string_view what) {
    if (n == 0) return;
    counter.Inc(n);
    Log(context_->logger(), LogLevel::kWarn, what,
        {{"target", target_.url}, {"num_dropped", std::to_string(n)}});
  };
  note(counts.out_of_order, counters.out_of_order,
       "Error on ingesting out-of-order samples");
  note(counts.duplicates, counters.duplicates,
       "Error on ingesting samples with different value but same timestamp");
  note(counts.out_of_bounds, counters.out_of_bounds,
       "Error on ingesting samples that are too old or are too far into the "
       "future");
  note(counts.exemplars_out_of_order, counters.exemplars_out_of_order,
       "Error on ingesting out-of-order exemplars");
}

void ScrapeLoop::ScheduleNext(Timestamp due) {
  const Timestamp now = context_->clock().Now();
  Timestamp next = due + target_.interval;
  if (next + target_.interval <= now) {
    // Ticks were missed: the last of them runs now, on the same grid.
    next = now - Duration((now - due).ms % target_.interval.ms);
  }
  absl::MutexLock lock(&mu_);
  scraping_ = false;
  request_ = HttpClient::RequestId::kNone;
  next_ = next;
  if (silent_) return;
  if (stopped_) {
    SetEndTimer();
  } else {
    RunAt(next, &ScrapeLoop::Tick);
  }
}

void ScrapeLoop::Stop(Ending ending) {
  HttpClient::RequestId running = HttpClient::RequestId::kNone;
  {
    absl::MutexLock lock(&mu_);
    if (silent_ || (stopped_ && ending == Ending::kMarkStale)) return;
    stopped_ = true;
    silent_ = ending == Ending::kSilent;
    if (scraping_) {
      // Its end sees stopped_.
      if (silent_) running = request_;
    } else {
      context_->clock().Cancel(timer_);
      if (!silent_) SetEndTimer();
    }
  }
  if (running != HttpClient::RequestId::kNone) context_->http().Cancel(running);
}

// The target may come back under another loop.  So the markers bear the time of
// the first scrape that did not happen, and are written when the second did not
// either: if the series went on, they are too late and refused.
void ScrapeLoop::SetEndTimer() {
  if (last_scrape_ == Timestamp(0)) return;  // there is nothing to mark
  RunAt(next_ + target_.interval + target_.interval / 10,
        &ScrapeLoop::WriteEnd);
}

void ScrapeLoop::WriteEnd() {
  bool silent = false;
  Timestamp at;
  {
    absl::MutexLock lock(&mu_);
    silent = silent_;
    at = next_;
  }
  if (!silent) {
    const std::unique_ptr<Appender> appender =
        context_->storage().NewAppender();
    AppendBuffers buffers;
    const SampleRules rules = RulesOf(*cache_settings_);
    PageAppender page_appender(rules, cache_, *appender, buffers);
    absl::Status status = page_appender.AppendStaleMarkers(at);
    cache_.EndBad();
    if (status.ok()) status = reporter_.AppendStaleMarkers(*appender, at);
    if (status.ok()) status = appender->Commit();
    if (!status.ok()) {
      Note(LogLevel::kWarn, "Stale append failed", Message(status));
    }
  }
  context_->End();
}

SampleRules ScrapeLoop::RulesOf(const JobSettings& settings) const {
  const Job& job = settings.job;
  const ScraperOptions& options = context_->options();
  const bool starts = options.start_time_zero_ingestion || options.start_times;
  return SampleRules{
      .target_labels = public_labels_,
      .relabel = &settings.metric_rules,
      .validation = job.name_validation,
      .honor_labels = job.honor_labels,
      .honor_timestamps = job.honor_timestamps,
      .track_timestamps_staleness = job.track_timestamps_staleness,
      .parser = {.ignore_native_histograms =
                     !target_.Switch(kScrapeNativeHistogramsLabel,
                                     job.scrape_native_histograms),
                 .convert_classic_histograms_to_nhcb =
                     target_.Switch(kConvertClassicHistogramsLabel,
                                    job.convert_classic_histograms_to_nhcb),
                 .keep_classic_histograms =
                     target_.Switch(kAlwaysScrapeClassicHistogramsLabel,
                                    job.always_scrape_classic_histograms),
                 .start_times = starts},
      .max_schema = SchemaForFactor(job.native_histogram_min_bucket_factor),
      .bucket_limit = job.native_histogram_bucket_limit,
      .start_zeros = options.start_time_zero_ingestion,
      .start_times = options.start_times,
      .append_metadata = options.append_metadata,
      .sample_limit = job.sample_limit,
      .label_limit = job.label_limit,
      .label_name_length_limit = job.label_name_length_limit,
      .label_value_length_limit = job.label_value_length_limit,
  };
}

void ScrapeLoop::SetSettings(std::shared_ptr<const JobSettings> settings) {
  absl::MutexLock lock(&mu_);
  settings_ = std::move(settings);
}

void ScrapeLoop::SetDiscovered(Labels discovered) {
  absl::MutexLock lock(&mu_);
  discovered_ = std::move(discovered);
}

void ScrapeLoop::SetForcedError(absl::Status error) {
  absl::MutexLock lock(&mu_);
  forced_error_ = std::move(error);
}

TargetStatus ScrapeLoop::status() const {
  TargetStatus status;
  const ScraperOptions& options = context_->options();
  status.labels = public_labels_;
  status.scrape_url = target_.url;
  status.global_url = GlobalUrl(
      target_.url,
      {options.global_host, options.global_scheme, options.listen_port});
  status.scrape_interval = target_.interval;
  status.scrape_timeout = target_.timeout;
  absl::MutexLock lock(&mu_);
  status.discovered_labels = discovered_;
  status.scrape_pool = settings_->job.name;
  status.last_error = last_error_;
  status.last_scrape = last_scrape_;
  status.last_scrape_duration = last_duration_;
  status.health = health_;
  return status;
}

void ScrapeLoop::Note(LogLevel level, std::string_view message,
                      std::string_view err) {
  Log(context_->logger(), level, message,
      {{"target", target_.url}, {"err", err}});
}

}  // namespace narthex::scrape
