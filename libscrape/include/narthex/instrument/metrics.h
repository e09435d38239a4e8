// The kinds of metrics that a Registry hands out.
//
// Inc, Set, Observe: any thread.  Counters and gauges without a lock (an
// exemplar takes one); histograms and summaries with one lock for each shard,
// held for some dozens of nanoseconds.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "narthex/base/clock.h"
#include "narthex/base/time.h"
#include "narthex/instrument/metric_family.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/labels.h"

namespace narthex::instrument {

// What all kinds have: when they began, and whether somebody has used them.
class MetricBase {
 public:
  MetricBase(Clock* clock) : clock_(clock), created_(clock->Now()) {}
  MetricBase(const MetricBase&) = delete;
  MetricBase& operator=(const MetricBase&) = delete;

  // Whether it was written since the last call.
  bool TakeTouched() {
    return touched_.load(std::memory_order_relaxed) &&
           touched_.exchange(false, std::memory_order_relaxed);
  }
  Timestamp created() const { return created_; }

 protected:
  // Written only if need be: the cache line stays shared.
  void Touch() {
    if (!touched_.load(std::memory_order_relaxed)) {
      touched_.store(true, std::memory_order_relaxed);
    }
  }
  Exemplar MakeExemplar(const Labels& labels, double value) const;

  Clock* const clock_;

 private:
  const Timestamp created_;
  std::atomic<bool> touched_{true};
};

// Which of `shards` (a power of two) the calling thread uses.
size_t ShardOfThread(size_t shards);

class Counter : public MetricBase {
 public:
  struct Shape {};
  Counter(Clock* clock, const Shape&, size_t shards)
      : MetricBase(clock), cells_(shards) {}

  // Less than 0 and NaN change nothing.
  void Inc(double by = 1);
  // OpenMetrics allows 128 characters of labels in all; more are dropped.
  void Inc(double by, const Labels& exemplar);
  double value() const;
  void Fill(Metric& out) const;

 private:
  // Whole numbers, which most are, need no loop.
  struct alignas(64) Cell {
    std::atomic<uint64_t> whole{0};
    std::atomic<double> rest{0};
  };
  std::vector<Cell> cells_;
  mutable absl::Mutex mu_;
  std::optional<Exemplar> exemplar_ ABSL_GUARDED_BY(mu_);
};

class Gauge : public MetricBase {
 public:
  struct Shape {};
  Gauge(Clock* clock, const Shape&, size_t) : MetricBase(clock) {}

  void Set(double v) {
    value_.store(v, std::memory_order_relaxed);
    Touch();
  }
  void Inc(double by = 1);
  void Dec(double by = 1) { Inc(-by); }
  void SetToCurrentTime();  // seconds since the epoch
  double value() const { return value_.load(std::memory_order_relaxed); }
  void Fill(Metric& out) const;

 private:
  std::atomic<double> value_{0};
};

struct HistogramShape {
  // Upper bounds of classic buckets, ascending, without +Inf.  Empty: none.
  std::vector<double> bounds = {};
  // Above 1: a native histogram too, whose buckets grow by no more than this
  // factor (1.1: 8 buckets for each doubling).
  double native_factor = 0;
  // Values no further from 0 are in the bucket of zero.
  double native_zero_threshold = 2.938735877055719e-39;  // 2^-128
  // Of both signs together; more, and resolution is halved.
  size_t native_max_buckets = 160;
};

// .005 to 10: seconds of a request.
std::vector<double> DefaultBounds();
std::vector<double> LinearBounds(double start, double width, size_t count);
std::vector<double> ExponentialBounds(double start, double factor,
                                      size_t count);

class Histogram : public MetricBase {
 public:
  using Shape = HistogramShape;
  Histogram(Clock* clock, const Shape& shape, size_t shards);
  ~Histogram();

  void Observe(double v);
  void Observe(double v, const Labels& exemplar);
  void Fill(Metric& out) const;

 private:
  struct Shard;
  void Add(double v, const Labels* exemplar);

  const Shape shape_;
  const int native_schema_;  // the finest
  std::vector<std::unique_ptr<Shard>> shards_;
};

struct SummaryShape {
  struct Objective {
    double quantile = 0.5;
    double error = 0.05;  // of the rank, 0 to 1
  };
  std::vector<Objective> objectives = {};
  // Quantiles are of the observations of this long, in so many steps.
  Duration max_age = Minutes(10);
  size_t age_buckets = 5;
};

class Summary : public MetricBase {
 public:
  using Shape = SummaryShape;
  Summary(Clock* clock, const Shape& shape, size_t);
  ~Summary();

  void Observe(double v);
  // A quantile of no observations is NaN.
  void Fill(Metric& out) const;

 private:
  struct Window;

  const Shape shape_;
  mutable absl::Mutex mu_;
  uint64_t count_ ABSL_GUARDED_BY(mu_) = 0;
  double sum_ ABSL_GUARDED_BY(mu_) = 0;
  const std::unique_ptr<Window> window_ ABSL_PT_GUARDED_BY(mu_);
};

}  // namespace narthex::instrument
