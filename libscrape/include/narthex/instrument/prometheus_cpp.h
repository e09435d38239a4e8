// Metrics of a program that uses prometheus-cpp, taken over as they are: a
// Collector around its Registry, or around any other Collectable.
//
//   registry.AddCollector(
//       narthex::instrument::FromPrometheusCpp(prometheus_registry));
//
// Header only, and only where prometheus-cpp's headers are: narthex does not
// link it.  prometheus-cpp's Collect is safe from any thread, and so is this.

#pragma once

#if __has_include(<prometheus/collectable.h>)

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "narthex/instrument/registry.h"

namespace narthex::instrument {

class PrometheusCppCollector final : public Collector {
 public:
  explicit PrometheusCppCollector(
      std::shared_ptr<const ::prometheus::Collectable> collectable)
      : collectable_(std::move(collectable)) {}

  void Collect(std::vector<MetricFamily>& out) override {
    for (const ::prometheus::MetricFamily& family : collectable_->Collect()) {
      MetricFamily taken;
      taken.name = family.name;
      taken.help = family.help;
      taken.type = TypeOf(family.type);
      for (const ::prometheus::ClientMetric& metric : family.metric) {
        taken.metrics.push_back(Take(metric, taken.type));
      }
      out.push_back(std::move(taken));
    }
  }

 private:
  static MetricType TypeOf(::prometheus::MetricType type) {
    switch (type) {
      case ::prometheus::MetricType::Counter:
        return MetricType::kCounter;
      case ::prometheus::MetricType::Gauge:
        return MetricType::kGauge;
      case ::prometheus::MetricType::Summary:
        return MetricType::kSummary;
      case ::prometheus::MetricType::Histogram:
        return MetricType::kHistogram;
      default:  // Untyped, and Info of later versions
        return MetricType::kUnknown;
    }
  }

  static Metric Take(const ::prometheus::ClientMetric& metric,
                     MetricType type) {
    Metric taken;
    std::vector<Label> labels;
    for (const auto& label : metric.label) {
      labels.push_back({label.name, label.value});
    }
    taken.labels = Labels::FromPairs(labels);
    if (metric.timestamp_ms != 0) {
      taken.timestamp = Timestamp(metric.timestamp_ms);
    }
    switch (type) {
      case MetricType::kCounter:
        taken.value = metric.counter.value;
        break;
      case MetricType::kGauge:
        taken.value = metric.gauge.value;
        break;
      case MetricType::kSummary:
        taken.count = metric.summary.sample_count;
        taken.sum = metric.summary.sample_sum;
        for (const auto& quantile : metric.summary.quantile) {
          taken.quantiles.push_back({quantile.quantile, quantile.value});
        }
        break;
      case MetricType::kHistogram:
        taken.count = metric.histogram.sample_count;
        taken.sum = metric.histogram.sample_sum;
        for (const auto& bucket : metric.histogram.bucket) {
          taken.buckets.push_back(
              {bucket.upper_bound, bucket.cumulative_count, {}});
        }
        break;
      default:
        taken.value = metric.untyped.value;
        break;
    }
    return taken;
  }

  const std::shared_ptr<const ::prometheus::Collectable> collectable_;
};

inline std::shared_ptr<Collector> FromPrometheusCpp(
    std::shared_ptr<const ::prometheus::Collectable> collectable) {
  return std::make_shared<PrometheusCppCollector>(std::move(collectable));
}

}  // namespace narthex::instrument

#endif  // __has_include(<prometheus/collectable.h>)
