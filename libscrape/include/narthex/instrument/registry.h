// Metrics of a host program: counters, gauges, histograms (classic, native or
// both), summaries and infos; labels, exemplars, series that expire.
//
//   instrument::Registry registry;
//   auto& requests = registry.AddCounter({.name = "http_requests_total",
//                                         .help = "Requests.",
//                                         .labels = {"method", "code"}});
//   requests.With({"GET", "200"})->Inc();
//
// Every method is safe from any thread.  Nothing throws or aborts: a metric
// that can't be (a bad name, a name that is taken by another type, the wrong
// number of label values) works and is shown nowhere, and status() says why.

#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "narthex/base/clock.h"
#include "narthex/base/time.h"
#include "narthex/instrument/metric_family.h"
#include "narthex/instrument/metrics.h"
#include "narthex/scrape/source.h"

namespace narthex::instrument {

struct FamilyOptions {
  std::string name = {};
  std::string help = {};
  std::string unit = {};
  std::vector<std::string> labels = {};  // names; values come with With()
  // A series that is not touched for so long is shown no more, and forgotten
  // when nobody holds it either.  0: never.
  Duration expire_after = {};
  // Cells that threads spread over, of a metric that many threads write all the
  // time: 64 bytes each for a counter, a whole histogram each for a histogram.
  size_t shards = 1;
};
struct HistogramOptions {
  std::string name = {};
  std::string help = {};
  std::string unit = {};
  std::vector<std::string> labels = {};
  // See HistogramShape.  Neither bounds nor a native_factor: DefaultBounds().
  std::vector<double> bounds = {};
  double native_factor = 0;
  double native_zero_threshold = HistogramShape().native_zero_threshold;
  size_t native_max_buckets = HistogramShape().native_max_buckets;
  Duration expire_after = {};
  size_t shards = 1;
};
struct SummaryOptions {
  std::string name = {};
  std::string help = {};
  std::string unit = {};
  std::vector<std::string> labels = {};
  // See SummaryShape.  No objectives: sum and count alone.
  std::vector<SummaryShape::Objective> objectives = {};
  Duration max_age = Minutes(10);
  size_t age_buckets = 5;
  Duration expire_after = {};
};

// The series of one name.  Lives as long as its Registry.
template <typename M>
class Family {
 public:
  // The series with these label values, made if it is new.  A table is looked
  // up: hot code keeps what this returns.
  std::shared_ptr<M> With(std::span<const std::string_view> values = {});
  std::shared_ptr<M> With(std::initializer_list<std::string_view> values) {
    return With(
        std::span<const std::string_view>(values.begin(), values.size()));
  }
  // Shown no more, from now on.  false: there is none.
  bool Remove(std::initializer_list<std::string_view> values);

  struct Impl;
  explicit Family(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

 private:
  const std::shared_ptr<Impl> impl_;
};

// Whoever has metrics of his own making: asked at every exposition, from the
// exposing thread.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual void Collect(std::vector<MetricFamily>& out) = 0;
};

class Registry {
 public:
  // `clock` dates series and exemplars, and outlives the Registry.
  explicit Registry(Clock* clock = Clock::System());
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The same name, labels and type again give the same family.
  Family<Counter>& AddCounter(FamilyOptions options);
  Family<Gauge>& AddGauge(FamilyOptions options);
  Family<Histogram>& AddHistogram(HistogramOptions options);
  Family<Summary>& AddSummary(SummaryOptions options);

  // A series of value 1 that says something by its labels; `name` ends in
  // `_info`.
  void AddInfo(std::string_view name, std::string_view help,
               const Labels& labels);
  // Asked at every exposition.
  void AddGaugeFunction(std::string_view name, std::string_view help,
                        std::function<double()> read, Labels labels = {});
  void AddCounterFunction(std::string_view name, std::string_view help,
                          std::function<double()> read, Labels labels = {});
  void AddCollector(std::shared_ptr<Collector> collector);

  // The first thing that was wrong.
  absl::Status status() const;

  // Everything, sorted by name, then labels.  What Collectors give in vain (bad
  // names, a family twice of different types) is left out.
  std::vector<MetricFamily> Gather() const;
  // A page in the best format that `accept` asks for.
  scrape::SourcePage Expose(std::string_view accept = {}) const;
  // For Job::source.  The Registry must outlive it.
  std::shared_ptr<scrape::Source> NewSource() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

extern template class Family<Counter>;
extern template class Family<Gauge>;
extern template class Family<Histogram>;
extern template class Family<Summary>;

}  // namespace narthex::instrument
