// narthex's own counters, gauges and histograms.  Everyone counts; the facade
// exposes them.  No global registry: whoever composes the parts owns one.
//
// Inc, Add, Set, Observe: any thread, wait-free.  New* and Expose: any thread.
// What New* returns lives as long as the registry; the same name and labels
// give the same object again.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace narthex {

class Counter {
 public:
  void Inc(uint64_t by = 1) { n_.fetch_add(by, std::memory_order_relaxed); }
  uint64_t value() const { return n_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> n_{0};
};

class Gauge {
 public:
  void Set(double v) { v_.store(v, std::memory_order_relaxed); }
  void Add(double by) {
    double v = v_.load(std::memory_order_relaxed);
    while (!v_.compare_exchange_weak(v, v + by, std::memory_order_relaxed)) {
    }
  }
  double value() const { return v_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> v_{0};
};

class MetricHistogram {
 public:
  // `bounds` ascending, without +Inf.
  explicit MetricHistogram(std::vector<double> bounds);
  void Observe(double v);
  const std::vector<double>& bounds() const { return bounds_; }
  // Observations in bucket i alone (not cumulative); i == bounds().size(): +Inf.
  uint64_t bucket(size_t i) const {
    return buckets_[i].load(std::memory_order_relaxed);
  }
  double sum() const { return sum_.value(); }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> buckets_;
  Gauge sum_;
};

using MetricLabels =
    std::initializer_list<std::pair<std::string_view, std::string_view>>;

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  Counter& NewCounter(std::string_view name, std::string_view help,
                      MetricLabels labels = {});
  Gauge& NewGauge(std::string_view name, std::string_view help,
                  MetricLabels labels = {});
  MetricHistogram& NewHistogram(std::string_view name, std::string_view help,
                                std::vector<double> bounds,
                                MetricLabels labels = {});
  // Asked anew at every exposition, from the exposing thread.
  void NewGaugeFunc(std::string_view name, std::string_view help,
                    std::function<double()> read, MetricLabels labels = {});

  // Text format 0.0.4, families sorted by name.
  std::string Expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex
