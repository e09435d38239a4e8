#include "libpromql/func/quantile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace narthex::promql {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
// Relative difference of cumulative counts that is rounding, not a decrease.
constexpr double kSmallDelta = 1e-12;

// NaN as the lowest rank makes this a strict weak order.
bool Before(double a, double b) {
  if (std::isnan(a)) return !std::isnan(b);
  return a < b;
}

bool AlmostEqual(double a, double b, double epsilon) {
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double sum = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  if (a == 0 || b == 0 || sum < kMinNormal) {
    return difference < epsilon * kMinNormal;
  }
  return difference / std::fmin(sum, std::numeric_limits<double>::max()) <
         epsilon;
}

// Buckets of equal bounds become one.
void Coalesce(std::vector<ClassicBucket>& buckets) {
  size_t last = 0;
  for (size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper_bound == buckets[last].upper_bound) {
      buckets[last].count += buckets[i].count;
    } else {
      buckets[++last] = buckets[i];
    }
  }
  buckets.resize(last + 1);
}

// Cumulative counts that go down (scrapes in the middle of an update, recording
// rules over different times) are lifted to what came before.
void RepairMonotonicity(std::vector<ClassicBucket>& buckets,
                        ClassicQuantile& out) {
  out.min_bucket = kInf;
  out.max_bucket = -kInf;
  double previous = buckets[0].count;
  for (size_t i = 1; i < buckets.size(); ++i) {
    ClassicBucket& bucket = buckets[i];
    if (bucket.count == previous) continue;
    if (AlmostEqual(previous, bucket.count, kSmallDelta)) {
      bucket.count = previous;
      continue;
    }
    if (bucket.count < previous) {
      out.forced_monotonic = true;
      out.min_bucket = std::min(out.min_bucket, bucket.upper_bound);
      out.max_bucket = std::max(out.max_bucket, bucket.upper_bound);
      out.max_diff = std::max(out.max_diff, previous - bucket.count);
      bucket.count = previous;
      continue;
    }
    previous = bucket.count;
  }
}

}  // namespace

void SortForQuantile(std::vector<double>& values) {
  std::stable_sort(values.begin(), values.end(), Before);
}

double QuantileOfSorted(double q, std::span<const double> sorted) {
  if (sorted.empty() || std::isnan(q)) return kNaN;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  const double n = static_cast<double>(sorted.size());
  const double rank = q * (n - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(n - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return sorted[static_cast<size_t>(lower)] * (1 - weight) +
         sorted[static_cast<size_t>(upper)] * weight;
}

ClassicQuantile QuantileOfBuckets(double q,
                                  std::vector<ClassicBucket>& buckets) {
  ClassicQuantile out;
  out.value = kNaN;
  if (std::isnan(q)) return out;
  if (q < 0 || q > 1) {
    out.value = q < 0 ? -kInf : kInf;
    return out;
  }
  if (buckets.empty() || buckets.back().upper_bound != kInf) return out;
  Coalesce(buckets);
  RepairMonotonicity(buckets, out);
  if (buckets.size() < 2) return out;
  const double total = buckets.back().count;
  if (total == 0) return out;
  double rank = q * total;
  // The first bucket but the last that reaches the rank; written so that a NaN
  // count is "not yet", as everywhere in PromQL.
  size_t b = 0, end = buckets.size() - 1;
  while (b < end) {
    const size_t middle = b + (end - b) / 2;
    if (buckets[middle].count >= rank) {
      end = middle;
    } else {
      b = middle + 1;
    }
  }
  if (b == buckets.size() - 1) {
    out.value = buckets[buckets.size() - 2].upper_bound;
  } else if (b == 0 && buckets[0].upper_bound <= 0) {
    out.value = buckets[0].upper_bound;
  } else {
    double start = 0, count = buckets[b].count;
    const double stop = buckets[b].upper_bound;
    if (b > 0) {
      start = buckets[b - 1].upper_bound;
      count -= buckets[b - 1].count;
      rank -= buckets[b - 1].count;
    }
    out.value = start + (stop - start) * (rank / count);
  }
  return out;
}

double FractionOfBuckets(double lower, double upper,
                         std::vector<ClassicBucket>& buckets) {
  if (buckets.empty() || buckets.back().upper_bound != kInf) return kNaN;
  Coalesce(buckets);
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(lower) || std::isnan(upper)) return kNaN;
  if (lower >= upper) return 0;
  // Observations at most `x`: linear inside a bucket, but none of a bucket
  // without a finite width beyond what its bound says.
  auto rank_of = [&](double x) {
    double begin = buckets[0].upper_bound <= 0 ? -kInf : 0;
    double below = 0;
    for (const ClassicBucket& bucket : buckets) {
      if (begin >= x) return below;
      if (bucket.upper_bound > x) {
        if (begin == -kInf) return bucket.count;
        return below + (bucket.count - below) * (x - begin) /
                           (bucket.upper_bound - begin);
      }
      below = bucket.count;
      begin = bucket.upper_bound;
    }
    return total;
  };
  double lower_rank = rank_of(lower), upper_rank = rank_of(upper);
  if (lower_rank > total) lower_rank = total;
  if (upper_rank > total) upper_rank = total;
  return (upper_rank - lower_rank) / total;
}

}  // namespace narthex::promql
