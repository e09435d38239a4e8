#include "narthex/instrument/registry.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/status.h"

namespace narthex::instrument {
namespace {

constexpr size_t kMaxShards = 64;

template <typename M>
constexpr MetricType TypeOf() {
  if constexpr (std::is_same_v<M, Counter>) return MetricType::kCounter;
  if constexpr (std::is_same_v<M, Gauge>) return MetricType::kGauge;
  if constexpr (std::is_same_v<M, Histogram>) return MetricType::kHistogram;
  return MetricType::kSummary;
}

bool IsLegalName(std::string_view name) {
  return !name.empty() && IsValidUtf8(name);
}

bool IsReservedLabel(std::string_view name, MetricType type) {
  return name.starts_with("__") ||
         (type == MetricType::kHistogram && name == "le") ||
         (type == MetricType::kSummary && name == "quantile");
}

// A power of two.
size_t CleanShards(size_t wanted) {
  size_t shards = 1;
  while (shards < wanted && shards < kMaxShards) shards *= 2;
  return shards;
}

void SortMetrics(MetricFamily& family) {
  std::sort(
      family.metrics.begin(), family.metrics.end(),
      [](const Metric& a, const Metric& b) { return a.labels < b.labels; });
}

// Where the first mistake is kept.  Outlives the registry with its families'
// handles.
class Mistakes {
 public:
  void Add(std::string_view what) {
    absl::MutexLock lock(&mu_);
    if (first_.ok()) first_ = InvalidArgument(what);
  }
  absl::Status first() const {
    absl::MutexLock lock(&mu_);
    return first_;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Status first_ ABSL_GUARDED_BY(mu_);
};

// Whatever Gather asks.
class Gatherable {
 public:
  virtual ~Gatherable() = default;
  virtual void Gather(Timestamp now, MetricFamily& out) = 0;
  MetricType type = MetricType::kUnknown;
};

}  // namespace

template <typename M>
struct Family<M>::Impl final : Gatherable {
  struct Series {
    Labels labels = {};
    std::shared_ptr<M> metric = {};
    Timestamp touched = 0;
    bool hidden = false;  // expired, but somebody holds it
  };

  std::shared_ptr<M> Make() const {
    return std::make_shared<M>(clock, shape, shards);
  }

  // Values behind their lengths, so that none runs into the next.
  static std::string KeyOf(std::span<const std::string_view> values) {
    std::string key;
    for (const std::string_view value : values) {
      const auto size = static_cast<uint32_t>(value.size());
      key.append(reinterpret_cast<const char*>(&size), sizeof(size));
      key += value;
    }
    return key;
  }

  std::shared_ptr<M> Find(std::span<const std::string_view> values) {
    if (values.size() != options.labels.size()) {
      mistakes->Add(StrCat(options.name, ": ", values.size(),
                           " label values for ", options.labels.size(),
                           " labels"));
      return Make();
    }
    const std::string key = KeyOf(values);
    {
      absl::ReaderMutexLock lock(&mu);
      const auto found = series.find(key);
      if (found != series.end()) return found->second.metric;
    }
    std::vector<Label> labels;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!IsValidUtf8(values[i])) {
        mistakes->Add(StrCat(options.name, ": a label value is not UTF-8"));
        return Make();
      }
      labels.push_back({options.labels[i], values[i]});
    }
    absl::WriterMutexLock lock(&mu);
    Series& one = series[key];
    if (one.metric == nullptr) {
      one = {Labels::FromPairs(labels), Make(), clock->Now(), false};
    }
    return one.metric;
  }

  void Gather(Timestamp now, MetricFamily& out) override {
    out.name = options.name;
    out.help = options.help;
    out.unit = options.unit;
    out.type = type;
    absl::WriterMutexLock lock(&mu);
    for (auto it = series.begin(); it != series.end();) {
      const auto here = it++;
      Series& one = here->second;
      if (one.metric->TakeTouched()) {
        one.touched = now;
        one.hidden = false;
      } else if (options.expire_after.ms > 0 &&
                 now - one.touched >= options.expire_after) {
        one.hidden = true;
        // Nobody else can get at it: With() waits for the lock.
        if (one.metric.use_count() == 1) {
          series.erase(here);
          continue;
        }
      }
      if (one.hidden) continue;
      Metric& metric = out.metrics.emplace_back();
      metric.labels = one.labels;
      one.metric->Fill(metric);
    }
  }

  Clock* clock = nullptr;
  FamilyOptions options = {};
  typename M::Shape shape = {};
  size_t shards = 1;
  std::shared_ptr<Mistakes> mistakes = {};
  absl::Mutex mu;
  absl::flat_hash_map<std::string, Series> series ABSL_GUARDED_BY(mu);
};

template <typename M>
std::shared_ptr<M> Family<M>::With(std::span<const std::string_view> values) {
  return impl_->Find(values);
}

template <typename M>
bool Family<M>::Remove(std::initializer_list<std::string_view> values) {
  const std::string key = Impl::KeyOf(std::span(values.begin(), values.size()));
  absl::WriterMutexLock lock(&impl_->mu);
  return impl_->series.erase(key) != 0;
}

namespace {

// Series that functions or labels alone make.
class Fixed final : public Gatherable {
 public:
  Fixed(std::string_view name, std::string_view help, MetricType kind)
      : name_(name), help_(help) {
    type = kind;
  }
  void Add(Labels labels, std::function<double()> read) {
    absl::MutexLock lock(&mu_);
    series_.emplace_back(std::move(labels), std::move(read));
  }
  void Gather(Timestamp, MetricFamily& out) override {
    out.name = name_;
    out.help = help_;
    out.type = type;
    absl::MutexLock lock(&mu_);
    for (const auto& [labels, read] : series_) {
      Metric& metric = out.metrics.emplace_back();
      metric.labels = labels;
      metric.value = read ? read() : 1;
    }
  }

 private:
  const std::string name_;
  const std::string help_;
  absl::Mutex mu_;
  std::vector<std::pair<Labels, std::function<double()>>> series_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace

struct Registry::Impl {
  explicit Impl(Clock* c) : clock(c) {}

  // The family of this name, made if it is new; if it can't be, one that is
  // shown nowhere.
  template <typename M>
  Family<M>& Add(FamilyOptions options, const typename M::Shape& shape) {
    const MetricType type = TypeOf<M>();
    absl::Status status = Check(options, type);
    absl::MutexLock lock(&mu);
    if (const auto known = families.find(options.name);
        status.ok() && known != families.end()) {
      auto* same = dynamic_cast<typename Family<M>::Impl*>(known->second.get());
      if (same != nullptr && same->options.labels == options.labels) {
        return Keep<M>(
            std::static_pointer_cast<typename Family<M>::Impl>(known->second));
      }
      status = InvalidArgument(
          StrCat(options.name, ": there with another type or other labels"));
    }
    auto impl = std::make_shared<typename Family<M>::Impl>();
    impl->type = type;
    impl->clock = clock;
    impl->shape = shape;
    impl->shards = CleanShards(options.shards);
    impl->mistakes = mistakes;
    impl->options = std::move(options);
    if (status.ok()) {
      families.emplace(impl->options.name, impl);
    } else {
      mistakes->Add(Message(status));
    }
    return Keep<M>(std::move(impl));
  }

  template <typename M>
  Family<M>& Keep(std::shared_ptr<typename Family<M>::Impl> impl)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    auto family = std::make_shared<Family<M>>(std::move(impl));
    handles.push_back(family);
    return *family;
  }

  static absl::Status Check(const FamilyOptions& options, MetricType type) {
    if (!IsLegalName(options.name)) {
      return InvalidArgument(
          StrCat(GoQuote(options.name), " is not a valid metric name"));
    }
    std::vector<std::string> sorted = options.labels;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i) {
      if (!IsLegalName(sorted[i]) || IsReservedLabel(sorted[i], type) ||
          (i > 0 && sorted[i] == sorted[i - 1])) {
        return InvalidArgument(StrCat(options.name, ": ", GoQuote(sorted[i]),
                                      " is no label name, or it is reserved "
                                      "or there twice"));
      }
    }
    return absl::OkStatus();
  }

  void AddFixed(std::string_view name, std::string_view help, MetricType type,
                Labels labels, std::function<double()> read) {
    FamilyOptions options;
    options.name = std::string(name);
    for (const Label& label : labels) options.labels.emplace_back(label.name);
    if (absl::Status status = Check(options, type); !status.ok()) {
      return mistakes->Add(Message(status));
    }
    absl::MutexLock lock(&mu);
    auto& slot = families[options.name];
    if (slot == nullptr) slot = std::make_shared<Fixed>(name, help, type);
    auto* fixed = dynamic_cast<Fixed*>(slot.get());
    if (fixed == nullptr || fixed->type != type) {
      return mistakes->Add(StrCat(name, ": there with another type"));
    }
    fixed->Add(std::move(labels), std::move(read));
  }

  Clock* const clock;
  const std::shared_ptr<Mistakes> mistakes = std::make_shared<Mistakes>();
  absl::Mutex mu;
  std::map<std::string, std::shared_ptr<Gatherable>, std::less<>> families
      ABSL_GUARDED_BY(mu);
  std::vector<std::shared_ptr<void>> handles ABSL_GUARDED_BY(mu);
  std::vector<std::shared_ptr<Collector>> collectors ABSL_GUARDED_BY(mu);
};

Registry::Registry(Clock* clock) : impl_(std::make_unique<Impl>(clock)) {}
Registry::~Registry() = default;

Family<Counter>& Registry::AddCounter(FamilyOptions options) {
  return impl_->Add<Counter>(std::move(options), {});
}
Family<Gauge>& Registry::AddGauge(FamilyOptions options) {
  return impl_->Add<Gauge>(std::move(options), {});
}
Family<Histogram>& Registry::AddHistogram(HistogramOptions options) {
  HistogramShape shape;
  shape.bounds = std::move(options.bounds);
  shape.native_factor = options.native_factor;
  shape.native_zero_threshold = options.native_zero_threshold;
  shape.native_max_buckets = options.native_max_buckets;
  if (shape.bounds.empty() && shape.native_factor == 0) {
    shape.bounds = DefaultBounds();
  }
  return impl_->Add<Histogram>(
      {std::move(options.name), std::move(options.help),
       std::move(options.unit), std::move(options.labels), options.expire_after,
       options.shards},
      shape);
}
Family<Summary>& Registry::AddSummary(SummaryOptions options) {
  const SummaryShape shape{std::move(options.objectives), options.max_age,
                           options.age_buckets};
  return impl_->Add<Summary>(
      {std::move(options.name), std::move(options.help),
       std::move(options.unit), std::move(options.labels), options.expire_after,
       /*shards=*/1},
      shape);
}

void Registry::AddInfo(std::string_view name, std::string_view help,
                       const Labels& labels) {
  if (!name.ends_with("_info")) {
    return impl_->mistakes->Add(
        StrCat(name, ": the name of an info must end in \"_info\""));
  }
  impl_->AddFixed(name, help, MetricType::kInfo, labels, nullptr);
}

void Registry::AddGaugeFunction(std::string_view name, std::string_view help,
                                std::function<double()> read, Labels labels) {
  impl_->AddFixed(name, help, MetricType::kGauge, std::move(labels),
                  std::move(read));
}

void Registry::AddCounterFunction(std::string_view name, std::string_view help,
                                  std::function<double()> read, Labels labels) {
  impl_->AddFixed(name, help, MetricType::kCounter, std::move(labels),
                  std::move(read));
}

void Registry::AddCollector(std::shared_ptr<Collector> collector) {
  if (collector == nullptr) return;
  absl::MutexLock lock(&impl_->mu);
  impl_->collectors.push_back(std::move(collector));
}

absl::Status Registry::status() const { return impl_->mistakes->first(); }

std::vector<MetricFamily> Registry::Gather() const {
  std::vector<std::shared_ptr<Gatherable>> own;
  std::vector<std::shared_ptr<Collector>> collectors;
  {
    absl::MutexLock lock(&impl_->mu);
    for (const auto& [name, family] : impl_->families) own.push_back(family);
    collectors = impl_->collectors;
  }
  const Timestamp now = impl_->clock->Now();
  std::map<std::string, MetricFamily> gathered;
  const auto add = [&](MetricFamily family) {
    if (family.metrics.empty()) return;
    const auto [slot, fresh] = gathered.try_emplace(family.name);
    if (fresh) {
      slot->second = std::move(family);
    } else if (slot->second.type == family.type) {
      for (Metric& metric : family.metrics) {
        slot->second.metrics.push_back(std::move(metric));
      }
    } else {
      impl_->mistakes->Add(StrCat(family.name, ": collected with two types"));
    }
  };
  for (const auto& family : own) {
    MetricFamily out;
    family->Gather(now, out);
    add(std::move(out));
  }
  for (const auto& collector : collectors) {
    std::vector<MetricFamily> out;
    collector->Collect(out);
    for (MetricFamily& family : out) {
      if (IsLegalName(family.name)) {
        add(std::move(family));
      } else {
        impl_->mistakes->Add(
            StrCat(GoQuote(family.name), " is not a valid metric name"));
      }
    }
  }
  std::vector<MetricFamily> families;
  families.reserve(gathered.size());
  for (auto& [name, family] : gathered) {
    SortMetrics(family);
    families.push_back(std::move(family));
  }
  return families;
}

scrape::SourcePage Registry::Expose(std::string_view accept) const {
  const Format format = ChooseFormat(accept);
  const std::vector<MetricFamily> families = Gather();
  scrape::SourcePage page;
  page.content_type = std::string(ContentType(format));
  switch (format) {
    case Format::kText:
      page.body = WriteText(families);
      break;
    case Format::kOpenMetrics:
      page.body = WriteOpenMetrics(families);
      break;
    case Format::kProtobuf:
      page.body = WriteProtobuf(families);
      break;
  }
  return page;
}

std::shared_ptr<scrape::Source> Registry::NewSource() const {
  return scrape::MakeSource(
      [this](std::string_view accept) -> absl::StatusOr<scrape::SourcePage> {
        return Expose(accept);
      });
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;
template class Family<Summary>;

}  // namespace narthex::instrument
