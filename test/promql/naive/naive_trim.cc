// `</` and `>/` in the naive evaluator.

#include <cmath>
#include <limits>

#include "test/promql/naive/naive_histogram.h"

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

using Side = Hist::Side;

// A trimmed bucket: how many stay, and where they are thought to be.
struct Kept {
  double count = 0, middle = 0;
};

double Middle(double lower, double upper, bool positive, bool linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double geometric = std::sqrt(std::abs(lower * upper));
  return positive ? geometric : -geometric;
}

Kept CutInfinite(const Bucket& b, double at, bool upper) {
  const double edge = std::isinf(b.lower) ? b.upper : b.lower;
  const Kept nothing = {0, std::isinf(edge) ? 0 : edge};
  if (b.lower == -kInf) {
    if (upper) {
      if (at >= b.upper) return {b.count, 0};
      if (at > 0 && b.upper > 0 && b.upper != kInf) {
        return {b.count * at / b.upper, at / 2};
      }
      return b.upper <= 0 ? Kept{b.count, at} : nothing;
    }
    if (at <= b.lower) return {b.count, 0};
    if (at >= 0 && b.upper > at && b.upper != kInf) {
      return {b.count * (1 - at / b.upper), (at + b.upper) / 2};
    }
    return nothing;
  }
  return !upper && at >= b.lower ? Kept{b.count, at} : nothing;
}

Kept Cut(const Bucket& b, double at, bool upper, bool positive, bool linear) {
  if (b.lower == -kInf || b.upper == kInf) return CutInfinite(b, at, upper);
  double below = b.count;
  if (at <= b.lower) {
    below = 0;
  } else if (at < b.upper) {
    double fraction = (at - b.lower) / (b.upper - b.lower);
    if (!linear) {
      const double low = std::log2(std::abs(b.lower));
      const double high = std::log2(std::abs(b.upper));
      const double v = std::log2(std::abs(at));
      fraction =
          at > 0 ? (v - low) / (high - low) : 1 - ((v - high) / (low - high));
    }
    below = b.count * fraction;
  }
  return upper ? Kept{below, Middle(b.lower, at, positive, linear)}
               : Kept{b.count - below, Middle(at, b.upper, positive, linear)};
}

Kept CutZero(double lower, double upper, double count, double at, bool below) {
  const Kept all = {count, (lower + upper) / 2};
  if (at <= lower) return below ? Kept{} : all;
  if (at >= upper) return below ? all : Kept{};
  return below
             ? Kept{count * ((at - lower) / (upper - lower)), (lower + at) / 2}
             : Kept{count * ((upper - at) / (upper - lower)), (at + upper) / 2};
}

}  // namespace

void Hist::Trim(double at, bool upper) {
  double kept_count = 0, kept_sum = 0;
  bool trimmed = false, any_positive = false, any_negative = false;
  auto cut_side = [&](Side& side, bool is_positive, bool& any) {
    for (auto& [index, n] : side) {
      if (n == 0) continue;
      any = true;
      Bucket b = is_positive ? Positive(index) : Negative(index);
      b.count = n;
      Kept kept;
      if (upper ? b.upper <= at : b.lower >= at) {
        kept = {n, Middle(b.lower, b.upper, is_positive, custom())};
      } else if (upper ? b.lower < at : b.upper > at) {
        kept = Cut(b, at, upper, is_positive, custom());
      } else {
        n = 0;
        trimmed = true;
        continue;
      }
      kept_count += kept.count;
      kept_sum += kept.middle * kept.count;
      if (n != kept.count) {
        n = kept.count;
        trimmed = true;
      }
    }
  };
  cut_side(positive, true, any_positive);
  cut_side(negative, false, any_negative);
  if (zero_count > 0) {
    const Kept kept =
        CutZero(any_positive && !any_negative ? 0 : -zero_threshold,
                any_negative && !any_positive ? 0 : zero_threshold, zero_count,
                at, upper);
    if (zero_count != kept.count) {
      zero_count = kept.count;
      trimmed = true;
    }
    kept_sum += kept.middle * kept.count;
    kept_count += kept.count;
  }
  if (!trimmed) return;
  count = kept_count;
  sum = kept_sum;
  Compact();
}

}  // namespace narthex::promql::naive
