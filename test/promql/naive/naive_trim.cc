// `</` and `>/` in the naive evaluator, from what a bucket is thought to be:
// its observations lie evenly from one end to the other, on the scale of the
// numbers or on that of their logarithms.  A cut keeps the share of the scale
// on its side, and what it keeps counts in the sum as if it all lay half-way.

#include <cmath>
#include <vector>

#include "test/promql/naive/naive_histogram.h"

namespace narthex::promql::naive {
namespace {

// Where the observations of a bucket are thought to lie.
struct Spread {
  enum class Scale : uint8_t {
    kLogarithms,  // exponential buckets
    kNumbers,     // custom ones
    kFromZero,    // the first custom one, of which nobody knows the lower end
    kAroundZero,  // the zero bucket, or the half of it that is used
  };
  double from = 0, to = 0;
  Scale scale = Scale::kNumbers;
  // No end on that side: then all is at the other end, but for kFromZero.
  bool endless_below = false, endless_above = false;
  double* count = nullptr;

  double HalfWay(double a, double b) const {
    if (a == b) return a;
    if (scale != Scale::kLogarithms) return (a + b) / 2;
    return std::copysign(std::sqrt(a * b), a);
  }

  // How much of the way from `from` to `to` lies below `at`.
  double Share(double at) const {
    if (scale != Scale::kLogarithms) return (at - from) / (to - from);
    // Negative buckets are mirrored: what lies below here lies beyond there.
    const double start = std::log2(to > 0 ? from : -to);
    const double end = std::log2(to > 0 ? to : -from);
    const double way = (std::log2(std::abs(at)) - start) / (end - start);
    return to > 0 ? way : 1 - way;
  }

  // What is kept of all, `at` lying between the ends.  Four ways to say nearly
  // the same: they round differently, and so they are Prometheus's.
  double KeptBelow(double at) const {
    return scale == Scale::kFromZero ? *count * at / to : *count * Share(at);
  }
  double KeptAbove(double at) const {
    if (scale == Scale::kFromZero) return *count * (1 - Share(at));
    if (scale == Scale::kAroundZero) {
      return *count * ((to - at) / (to - from));
    }
    return *count - *count * Share(at);
  }
};

Spread SpreadOf(Bucket b, bool custom, double* count) {
  Spread s = {b.lower, b.upper,
              custom ? Spread::Scale::kNumbers : Spread::Scale::kLogarithms};
  s.count = count;
  s.endless_below = std::isinf(b.lower);
  s.endless_above = std::isinf(b.upper);
  if (s.endless_below && s.endless_above) {
    s.from = s.to = 0;
  } else if (s.endless_above) {
    s.to = s.from;
  } else if (s.endless_below && s.to > 0) {
    s.from = 0;
    s.scale = Spread::Scale::kFromZero;
  } else if (s.endless_below) {
    s.from = s.to;
  }
  return s;
}

// Observations, and where they are thought to be.
struct Part {
  double count = 0, place = 0;
  bool whole = false;  // nothing was cut off
};

Part Below(const Spread& s, double at) {
  if (at == -HUGE_VAL) return {};
  const Part all = {*s.count, s.HalfWay(s.from, s.to), true};
  if (at >= (s.endless_above ? HUGE_VAL : s.to) &&
      (s.scale != Spread::Scale::kAroundZero || at > s.from)) {
    return all;
  }
  // Nobody knows how many there are up to a finite number.
  if (s.endless_above) return {};
  if (s.endless_below && s.to <= 0) return {*s.count, at};
  if (at <= s.from) return {};
  return {s.KeptBelow(at), s.HalfWay(s.from, at)};
}

Part Above(const Spread& s, double at) {
  if (at == HUGE_VAL) return {};
  const Part all = {*s.count, s.HalfWay(s.from, s.to), true};
  if (at <= (s.endless_below ? -HUGE_VAL : s.from)) return all;
  if (s.endless_below && s.endless_above) return {};
  if (s.endless_above) return {*s.count, at};
  if (at >= s.to || (s.endless_below && at < s.from)) return {};
  return {s.KeptAbove(at), s.HalfWay(at, s.to)};
}

}  // namespace

void Hist::Trim(double at, bool upper) {
  // In the order in which they are added up.
  std::vector<Spread> spreads;
  bool any_positive = false, any_negative = false;
  for (auto& [index, n] : positive) {
    if (n == 0) continue;
    spreads.push_back(SpreadOf(Positive(index), custom(), &n));
    any_positive = true;
  }
  for (auto& [index, n] : negative) {
    if (n == 0) continue;
    spreads.push_back(SpreadOf(Negative(index), custom(), &n));
    any_negative = true;
  }
  if (zero_count > 0) {
    // Where all others are positive there are no negative zeros, so to say.
    spreads.push_back({any_positive && !any_negative ? 0 : -zero_threshold,
                       any_negative && !any_positive ? 0 : zero_threshold,
                       Spread::Scale::kAroundZero});
    spreads.back().count = &zero_count;
  }
  double kept_count = 0, kept_sum = 0;
  bool trimmed = false;
  for (const Spread& s : spreads) {
    Part part = upper ? Below(s, at) : Above(s, at);
    // Nothing is on any side of NaN; but of the zero bucket the share is NaN.
    if (std::isnan(at)) {
      part = {s.scale == Spread::Scale::kAroundZero ? at : 0};
    }
    kept_count += part.count;
    kept_sum += part.place * part.count;
    trimmed |= !part.whole && part.count != *s.count;
    *s.count = part.count;
  }
  if (!trimmed) return;
  count = kept_count;
  sum = kept_sum;
  Compact();
}

}  // namespace narthex::promql::naive
