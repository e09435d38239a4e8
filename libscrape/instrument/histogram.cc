#include <algorithm>
#include <cmath>
#include <limits>

#include "libscrape/instrument/native_buckets.h"
#include "narthex/base/status.h"
#include "narthex/instrument/metrics.h"

namespace narthex::instrument {
namespace {

constexpr size_t kNativeExemplars = 10;

Histogram::Shape Cleaned(Histogram::Shape shape) {
  // What is no bound is left out; +Inf is always there.
  std::erase_if(shape.bounds, [](double b) { return !std::isfinite(b); });
  std::sort(shape.bounds.begin(), shape.bounds.end());
  shape.bounds.erase(std::unique(shape.bounds.begin(), shape.bounds.end()),
                     shape.bounds.end());
  if (!(shape.native_factor > 1) || !std::isfinite(shape.native_factor)) {
    shape.native_factor = 0;
  }
  if (!(shape.native_zero_threshold >= 0)) shape.native_zero_threshold = 0;
  shape.native_max_buckets = std::max<size_t>(shape.native_max_buckets, 4);
  return shape;
}

}  // namespace

// The observations of some of the threads.
struct alignas(64) Histogram::Shard {
  Shard(size_t bounds, int schema)
      : counts(bounds + 1), exemplars(bounds + 1), native(schema) {}

  mutable absl::Mutex mu;
  uint64_t count ABSL_GUARDED_BY(mu) = 0;
  double sum ABSL_GUARDED_BY(mu) = 0;
  uint64_t zero ABSL_GUARDED_BY(mu) = 0;
  // Of each classic bucket alone; the last is +Inf.
  std::vector<uint64_t> counts ABSL_GUARDED_BY(mu);
  std::vector<std::optional<Exemplar>> exemplars ABSL_GUARDED_BY(mu);
  NativeBuckets native ABSL_GUARDED_BY(mu);
};

Histogram::Histogram(Clock* clock, const Shape& shape, size_t shards)
    : MetricBase(clock),
      shape_(Cleaned(shape)),
      native_schema_(shape_.native_factor > 0
                         ? NativeBuckets::SchemaFor(shape_.native_factor)
                         : 0) {
  for (size_t i = 0; i < shards; ++i) {
    shards_.push_back(
        std::make_unique<Shard>(shape_.bounds.size(), native_schema_));
  }
}

Histogram::~Histogram() = default;

void Histogram::Observe(double v) { Add(v, nullptr); }
void Histogram::Observe(double v, const Labels& exemplar) { Add(v, &exemplar); }

void Histogram::Add(double v, const Labels* exemplar) {
  std::optional<Exemplar> made;
  if (exemplar != nullptr) made = MakeExemplar(*exemplar, v);
  const auto bound =
      std::lower_bound(shape_.bounds.begin(), shape_.bounds.end(), v);
  // NaN is in no bucket but that of +Inf.
  const size_t bucket =
      std::isnan(v) ? shape_.bounds.size()
                    : static_cast<size_t>(bound - shape_.bounds.begin());
  Shard& shard = *shards_[ShardOfThread(shards_.size())];
  {
    absl::MutexLock lock(&shard.mu);
    ++shard.count;
    shard.sum += v;
    ++shard.counts[bucket];
    if (made) shard.exemplars[bucket] = std::move(made);
    if (shape_.native_factor > 0 && !std::isnan(v)) {
      if (std::fabs(v) <= shape_.native_zero_threshold) {
        ++shard.zero;
      } else {
        shard.native.Add(v, shape_.native_max_buckets);
      }
    }
  }
  Touch();
}

void Histogram::Fill(Metric& out) const {
  const size_t bounds = shape_.bounds.size();
  std::vector<uint64_t> counts(bounds + 1);
  std::vector<std::optional<Exemplar>> exemplars(bounds + 1);
  NativeBuckets native(native_schema_);
  uint64_t zero = 0;
  for (const auto& shard : shards_) {
    absl::MutexLock lock(&shard->mu);
    out.count += shard->count;
    out.sum += shard->sum;
    zero += shard->zero;
    for (size_t i = 0; i <= bounds; ++i) {
      counts[i] += shard->counts[i];
      const auto& exemplar = shard->exemplars[i];
      if (exemplar && (!exemplars[i] || exemplars[i]->t < exemplar->t)) {
        exemplars[i] = exemplar;
      }
    }
    native.Merge(shard->native);
  }
  out.created = created();
  if (bounds > 0) {
    uint64_t cumulative = 0;
    for (size_t i = 0; i <= bounds; ++i) {
      cumulative += counts[i];
      const double bound = i < bounds ? shape_.bounds[i]
                                      : std::numeric_limits<double>::infinity();
      out.buckets.push_back({bound, cumulative, exemplars[i]});
    }
  }
  if (shape_.native_factor > 0) {
    narthex::Histogram& histogram = out.native.emplace();
    native.Fill(histogram);
    histogram.zero_threshold = shape_.native_zero_threshold;
    histogram.zero_count = zero;
    histogram.count = out.count;
    histogram.sum = out.sum;
    for (auto& exemplar : exemplars) {
      if (exemplar && out.native_exemplars.size() < kNativeExemplars) {
        out.native_exemplars.push_back(*exemplar);
      }
    }
    std::sort(out.native_exemplars.begin(), out.native_exemplars.end(),
              [](const Exemplar& a, const Exemplar& b) { return a.t < b.t; });
  }
}

}  // namespace narthex::instrument
