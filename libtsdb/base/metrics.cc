#include "narthex/base/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace narthex {

MetricHistogram::MetricHistogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      buckets_(new std::atomic<uint64_t>[bounds_.size() + 1]()) {}

void MetricHistogram::Observe(double v) {
  const auto it = std::lower_bound(bounds_.begin(), bounds_.end(), v);
  // NaN belongs to no bound: lower_bound has it before the first one.
  const size_t i = std::isnan(v) ? bounds_.size()
                                 : static_cast<size_t>(it - bounds_.begin());
  buckets_[i].fetch_add(1, std::memory_order_relaxed);
  sum_.Add(v);
}

namespace {

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

struct Series {
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<MetricHistogram> histogram;
  std::function<double()> read;
};

struct Family {
  std::string help;
  Kind kind = Kind::kCounter;
  std::map<std::string, Series> series;  // by the text between the braces
};

void AppendEscaped(std::string_view text, bool quotes, std::string& out) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string LabelText(MetricLabels labels) {
  std::vector<std::pair<std::string_view, std::string_view>> sorted(labels);
  std::sort(sorted.begin(), sorted.end());
  std::string out;
  for (const auto& [name, value] : sorted) {
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    AppendEscaped(value, /*quotes=*/true, out);
    out += '"';
  }
  return out;
}

void AppendNumber(double v, std::string& out) {
  if (std::isnan(v)) {
    out += "NaN";
  } else if (std::isinf(v)) {
    out += v > 0 ? "+Inf" : "-Inf";
  } else {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), v).ptr;
    out.append(buffer, static_cast<size_t>(end - buffer));
  }
}

void AppendLine(std::string_view name, std::string_view suffix,
                std::string_view labels, std::string_view le, double v,
                std::string& out) {
  out += name;
  out += suffix;
  if (!labels.empty() || !le.empty()) {
    out += '{';
    out += labels;
    if (!labels.empty() && !le.empty()) out += ',';
    if (!le.empty()) {
      out += "le=\"";
      out += le;
      out += '"';
    }
    out += '}';
  }
  out += ' ';
  AppendNumber(v, out);
  out += '\n';
}

void AppendHistogram(std::string_view name, std::string_view labels,
                     const MetricHistogram& h, std::string& out) {
  // Read once: the buckets must add up to the count that is shown.
  uint64_t total = 0;
  for (size_t i = 0; i <= h.bounds().size(); ++i) {
    total += h.bucket(i);
    std::string le = "+Inf";
    if (i < h.bounds().size()) {
      le.clear();
      AppendNumber(h.bounds()[i], le);
    }
    AppendLine(name, "_bucket", labels, le, static_cast<double>(total), out);
  }
  AppendLine(name, "_sum", labels, {}, h.sum(), out);
  AppendLine(name, "_count", labels, {}, static_cast<double>(total), out);
}

}  // namespace

struct MetricRegistry::Impl {
  mutable absl::Mutex mu;
  std::map<std::string, Family, std::less<>> families ABSL_GUARDED_BY(mu);

  Series& Find(std::string_view name, std::string_view help, Kind kind,
               MetricLabels labels) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    Family& family = families[std::string(name)];
    if (family.series.empty()) {
      family.help = help;
      family.kind = kind;
    }
    return family.series[LabelText(labels)];
  }
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::NewCounter(std::string_view name,
                                    std::string_view help,
                                    MetricLabels labels) {
  absl::MutexLock lock(&impl_->mu);
  Series& s = impl_->Find(name, help, Kind::kCounter, labels);
  if (s.counter == nullptr) s.counter = std::make_unique<Counter>();
  return *s.counter;
}

Gauge& MetricRegistry::NewGauge(std::string_view name, std::string_view help,
                                MetricLabels labels) {
  absl::MutexLock lock(&impl_->mu);
  Series& s = impl_->Find(name, help, Kind::kGauge, labels);
  if (s.gauge == nullptr) s.gauge = std::make_unique<Gauge>();
  return *s.gauge;
}

MetricHistogram& MetricRegistry::NewHistogram(std::string_view name,
                                              std::string_view help,
                                              std::vector<double> bounds,
                                              MetricLabels labels) {
  absl::MutexLock lock(&impl_->mu);
  Series& s = impl_->Find(name, help, Kind::kHistogram, labels);
  if (s.histogram == nullptr) {
    s.histogram = std::make_unique<MetricHistogram>(std::move(bounds));
  }
  return *s.histogram;
}

void MetricRegistry::NewGaugeFunc(std::string_view name, std::string_view help,
                                  std::function<double()> read,
                                  MetricLabels labels) {
  absl::MutexLock lock(&impl_->mu);
  impl_->Find(name, help, Kind::kGauge, labels).read = std::move(read);
}

std::string MetricRegistry::Expose() const {
  std::string out;
  absl::MutexLock lock(&impl_->mu);
  for (const auto& [name, family] : impl_->families) {
    out += "# HELP ";
    out += name;
    out += ' ';
    AppendEscaped(family.help, /*quotes=*/false, out);
    out += "\n# TYPE ";
    out += name;
    out += ' ';
    out += KindName(family.kind);
    out += '\n';
    for (const auto& [labels, s] : family.series) {
      if (s.read != nullptr) {
        AppendLine(name, {}, labels, {}, s.read(), out);
      } else if (s.counter != nullptr) {
        AppendLine(name, {}, labels, {},
                   static_cast<double>(s.counter->value()), out);
      } else if (s.gauge != nullptr) {
        AppendLine(name, {}, labels, {}, s.gauge->value(), out);
      } else if (s.histogram != nullptr) {
        AppendHistogram(name, labels, *s.histogram, out);
      }
    }
  }
  return out;
}

}  // namespace narthex
