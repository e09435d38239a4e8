#include "test/promql/naive/naive_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

using Side = Hist::Side;
using Hint = Hist::Hint;

Side SideOf(const std::vector<Span>& spans, const std::vector<double>& counts) {
  Side out;
  int32_t index = 0;
  size_t at = 0;
  for (const Span& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i) out[index++] = counts[at++];
  }
  return out;
}

void SpansOf(const Side& side, std::vector<Span>& spans,
             std::vector<double>& counts) {
  int32_t next = 0;
  for (const auto& [index, count] : side) {
    if (spans.empty() || index != next) {
      spans.push_back({index - (spans.empty() ? 0 : next), 0});
    }
    ++spans.back().length;
    next = index + 1;
    counts.push_back(count);
  }
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

bool SameSide(const Side& a, const Side& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && SameBits(x.second, y.second);
                    });
}

int32_t CoarserIndex(int32_t index, int32_t from, int32_t to) {
  return ((index - 1) >> (from - to)) + 1;
}

Side CoarserSide(const Side& side, int32_t from, int32_t to) {
  Side out;
  for (const auto& [index, count] : side) {
    const auto [at, fresh] =
        out.try_emplace(CoarserIndex(index, from, to), count);
    if (!fresh) at->second += count;
  }
  return out;
}

// The same of a side and what it has lost.
void CoarserPair(Side& side, Side& lost, int32_t from, int32_t to) {
  std::map<int32_t, Compensated> sums;
  for (const auto& [index, count] : side) {
    const Compensated own = {count, lost[index]};
    const auto [at, fresh] =
        sums.try_emplace(CoarserIndex(index, from, to), own);
    if (fresh) continue;
    at->second.Add(own.s);
    at->second.Add(own.c);
  }
  side.clear();
  lost.clear();
  for (const auto& [index, sum] : sums) {
    side[index] = sum.s;
    lost[index] = sum.c;
  }
}

// The zero bucket as wide as `threshold`, or wider if that lies in a populated
// bucket.
struct Widened {
  double threshold = 0;
  Compensated count = {};
};
Widened Widen(const Hist& h, double threshold, const Hist* lost) {
  Widened out;
  out.count.c = lost == nullptr ? 0 : lost->zero_count;
  for (bool again = true; again;) {
    again = false;
    out.threshold = threshold;
    out.count.s = h.zero_count;  // what was lost stays from try to try
    auto take = [&](const Side& side, const Side* side_lost) {
      for (const auto& [index, count] : side) {
        const Bucket b = h.Positive(index);  // of the negative ones the mirror
        if (b.lower >= out.threshold) return false;
        out.count.Add(count);
        if (side_lost != nullptr) out.count.Add(side_lost->at(index));
        if (b.upper > out.threshold) {
          if (count == 0) return false;
          out.threshold = b.upper;
          return true;
        }
      }
      return false;
    };
    take(h.positive, lost == nullptr ? nullptr : &lost->positive);
    if (take(h.negative, lost == nullptr ? nullptr : &lost->negative)) {
      threshold = out.threshold;
      again = true;
    }
  }
  return out;
}

void DropBelow(const Hist& h, Side& side, Side* lost) {
  for (auto& [index, count] : side) {
    if (h.Positive(index).lower >= h.zero_threshold) continue;
    count = 0;
    if (lost != nullptr) (*lost)[index] = 0;
  }
  for (auto at = side.begin(); at != side.end();) {
    const bool empty =
        at->second == 0 && (lost == nullptr || (*lost)[at->first] == 0);
    if (empty && lost != nullptr) lost->erase(at->first);
    at = empty ? side.erase(at) : std::next(at);
  }
}

// Widens the zero buckets of both until they are the same; `other` only in what
// is returned.
Compensated Reconcile(Hist& h, const Hist& other, Hist* lost) {
  Compensated count = {other.zero_count, 0};
  double threshold = other.zero_threshold;
  while (threshold != h.zero_threshold) {
    if (h.zero_threshold > threshold) {
      const Widened wide = Widen(other, h.zero_threshold, nullptr);
      count = wide.count;
      threshold = wide.threshold;
    }
    if (threshold > h.zero_threshold) {
      const Widened wide = Widen(h, threshold, lost);
      h.zero_count = wide.count.s;
      h.zero_threshold = wide.threshold;
      if (lost != nullptr) lost->zero_count = wide.count.c;
      DropBelow(h, h.positive, lost == nullptr ? nullptr : &lost->positive);
      DropBelow(h, h.negative, lost == nullptr ? nullptr : &lost->negative);
    }
  }
  return count;
}

bool HintsCollide(Hint& own, Hint other) {
  if (own == other || own == Hint::kGauge) return false;
  if (other == Hint::kGauge) {
    own = Hint::kGauge;
    return false;
  }
  const bool collide = own != Hint::kUnknown && other != Hint::kUnknown;
  own = Hint::kUnknown;
  return collide;
}

std::vector<double> Common(const std::vector<double>& a,
                           const std::vector<double>& b) {
  std::vector<double> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(out));
  return out;
}

int32_t TargetOf(int32_t index, const std::vector<double>& from,
                 const std::vector<double>& to) {
  if (index >= static_cast<int32_t>(from.size())) {
    return static_cast<int32_t>(to.size());
  }
  return static_cast<int32_t>(
      std::lower_bound(to.begin(), to.end(), from[static_cast<size_t>(index)]) -
      to.begin());
}

// Both onto the bounds that they share.
void AddMismatched(Hist& h, const Hist& other, bool negative, Hist* lost) {
  const std::vector<double> shared = Common(h.bounds, other.bounds);
  std::map<int32_t, Compensated> sums;
  for (const auto& [index, count] : h.positive) {
    Compensated& sum = sums[TargetOf(index, h.bounds, shared)];
    sum.Add(count);
    if (lost != nullptr) sum.Add(lost->positive[index]);
  }
  for (const auto& [index, count] : other.positive) {
    sums[TargetOf(index, other.bounds, shared)].Add(negative ? -count : count);
  }
  h.positive.clear();
  if (lost != nullptr) lost->positive.clear();
  for (const auto& [index, sum] : sums) {
    if (sum.s == 0 && sum.c == 0) continue;
    h.positive[index] = sum.s;
    if (lost != nullptr) lost->positive[index] = sum.c;
  }
  h.bounds = shared;
  if (lost != nullptr) lost->bounds = shared;
}

void AddSide(const Hist& h, Side& side, const Side& other, double sign) {
  for (const auto& [index, count] : other) {
    if (!h.custom() && h.Bound(index) <= h.zero_threshold) continue;
    const auto [at, fresh] = side.try_emplace(index, sign * count);
    if (!fresh) at->second += sign * count;
  }
}

Meeting Combine(Hist& h, const Hist& other, double sign) {
  Meeting out;
  out.incompatible = h.custom() != other.custom();
  if (out.incompatible) return out;
  out.collision = HintsCollide(h.hint, other.hint);
  if (!h.custom()) h.zero_count += sign * Reconcile(h, other, nullptr).s;
  h.count += sign * other.count;
  h.sum += sign * other.sum;
  if (h.custom() && h.bounds != other.bounds) {
    out.reconciled = true;
    AddMismatched(h, other, sign < 0, nullptr);
    return out;
  }
  const Hist fitting =
      other.schema > h.schema ? other.Coarser(h.schema) : other;
  if (other.schema < h.schema) {
    const Hint hint = h.hint;
    h = h.Coarser(other.schema);
    h.hint = hint;
  }
  AddSide(h, h.positive, fitting.positive, sign);
  AddSide(h, h.negative, fitting.negative, sign);
  return out;
}

void AddSideCompensated(const Hist& h, Side& side, Side& lost,
                        const Side& other, const Side& other_lost) {
  for (const auto& [index, count] : other) {
    if (!h.custom() && h.Bound(index) <= h.zero_threshold) continue;
    const auto found = other_lost.find(index);
    const double c = found == other_lost.end() ? 0 : found->second;
    if (!side.contains(index)) {
      side[index] = count;
      lost[index] = c;
      continue;
    }
    Compensated sum = {side[index], lost[index]};
    sum.Add(count);
    if (c != 0) sum.Add(c);
    side[index] = sum.s;
    lost[index] = sum.c;
  }
}

}  // namespace

void Compensated::Add(double x) {
  const double t = s + x;
  if (std::isinf(t)) {
    c = 0;
  } else if (std::abs(s) >= std::abs(x)) {
    c += (s - t) + x;
  } else {
    c += (x - t) + s;
  }
  s = t;
}

Hist Hist::Of(const FloatHistogram& from) {
  Hist out;
  out.hint = from.hint;
  out.schema = from.schema;
  out.zero_threshold = from.zero_threshold;
  out.zero_count = from.zero_count;
  out.count = from.count;
  out.sum = from.sum;
  out.positive = SideOf(from.positive_spans, from.positive_buckets);
  out.negative = SideOf(from.negative_spans, from.negative_buckets);
  out.bounds = from.custom_values;
  return out;
}

FloatHistogram Hist::ToFloat() const {
  FloatHistogram out;
  out.hint = hint;
  out.schema = schema;
  out.zero_threshold = zero_threshold;
  out.zero_count = zero_count;
  out.count = count;
  out.sum = sum;
  SpansOf(positive, out.positive_spans, out.positive_buckets);
  SpansOf(negative, out.negative_spans, out.negative_buckets);
  out.custom_values = bounds;
  return out;
}

double Hist::Bound(int32_t index) const {
  if (!custom()) return BucketBound(index, schema, bounds);
  if (index < 0) return -kInf;
  return index < static_cast<int32_t>(bounds.size())
             ? bounds[static_cast<size_t>(index)]
             : kInf;
}

Bucket Hist::Positive(int32_t index) const {
  return {Bound(index - 1), Bound(index), 0};
}

Bucket Hist::Negative(int32_t index) const {
  return {-Bound(index), -Bound(index - 1), 0};
}

std::vector<Bucket> Hist::Ascending() const {
  std::vector<Bucket> out;
  for (auto at = negative.rbegin(); at != negative.rend(); ++at) {
    Bucket b = Negative(at->first);
    if (b.upper < 0 && b.upper > -zero_threshold) b.upper = -zero_threshold;
    b.count = at->second;
    out.push_back(b);
  }
  if (zero_count > 0) {
    out.push_back({-zero_threshold, zero_threshold, zero_count});
  }
  for (const auto& [index, count_of] : positive) {
    Bucket b = Positive(index);
    if (b.lower > 0 && b.lower < zero_threshold) b.lower = zero_threshold;
    b.count = count_of;
    out.push_back(b);
  }
  return out;
}

void Hist::Scale(double factor) {
  zero_count *= factor;
  count *= factor;
  sum *= factor;
  for (auto& [index, n] : positive) n *= factor;
  for (auto& [index, n] : negative) n *= factor;
  if (factor < 0) hint = Hint::kGauge;
}

void Hist::Divide(double by) {
  zero_count /= by;
  count /= by;
  sum /= by;
  if (by == 0) {
    positive.clear();
    negative.clear();
    return;
  }
  for (auto& [index, n] : positive) n /= by;
  for (auto& [index, n] : negative) n /= by;
  if (by < 0) hint = Hint::kGauge;
}

void Hist::Compact() {
  std::erase_if(positive,
                [](const auto& bucket) { return bucket.second == 0; });
  std::erase_if(negative,
                [](const auto& bucket) { return bucket.second == 0; });
}

bool Hist::HasInfinity() const {
  auto infinite = [](const auto& bucket) { return std::isinf(bucket.second); };
  return std::isinf(zero_count) || std::isinf(count) || std::isinf(sum) ||
         std::any_of(positive.begin(), positive.end(), infinite) ||
         std::any_of(negative.begin(), negative.end(), infinite);
}

Hist Hist::Coarser(int32_t to) const {
  Hist out = *this;
  if (to == schema) return out;
  out.hint = Hint::kUnknown;
  out.schema = to;
  out.positive = CoarserSide(positive, schema, to);
  out.negative = CoarserSide(negative, schema, to);
  return out;
}

bool Hist::ResetSince(const Hist& before) const {
  if (hint == Hint::kReset) return true;
  if (hint == Hint::kNotReset) return false;
  if (count < before.count) return true;
  if (custom()) {
    if (!before.custom()) return true;
    if (bounds != before.bounds) {
      // Each bucket between bounds that both have.
      const std::vector<double> shared = Common(bounds, before.bounds);
      Side now, then;
      for (const auto& [index, n] : positive) {
        now[TargetOf(index, bounds, shared)] += n;
      }
      for (const auto& [index, n] : before.positive) {
        then[TargetOf(index, before.bounds, shared)] += n;
      }
      for (int32_t i = 0; i <= static_cast<int32_t>(shared.size()); ++i) {
        if (now[i] < then[i]) return true;
      }
      return false;
    }
  }
  if (schema > before.schema || zero_threshold < before.zero_threshold) {
    return true;
  }
  const Widened wide = zero_threshold == before.zero_threshold
                           ? Widened{zero_threshold, {before.zero_count, 0}}
                           : Widen(before, zero_threshold, nullptr);
  if (wide.threshold != zero_threshold || zero_count < wide.count.s) {
    return true;
  }
  auto side_reset = [&](const Side& now, const Side& then) {
    for (const auto& [index, n] :
         custom() ? then : CoarserSide(then, before.schema, schema)) {
      if (!custom() && Bound(index) <= zero_threshold) continue;
      const auto found = now.find(index);
      if (found == now.end() ? n != 0 : found->second < n) return true;
    }
    return false;
  };
  return side_reset(positive, before.positive) ||
         side_reset(negative, before.negative);
}

Meeting Add(Hist& to, const Hist& other) { return Combine(to, other, 1); }

Meeting Subtract(Hist& from, const Hist& other) {
  return Combine(from, other, -1);
}

Meeting AddCompensated(Hist& h, const Hist& other, std::optional<Hist>& lost) {
  Meeting out;
  out.incompatible = h.custom() != other.custom();
  if (out.incompatible) return out;
  out.collision = HintsCollide(h.hint, other.hint);
  if (!lost.has_value()) {
    lost.emplace();
    lost->hint = h.hint;
    lost->schema = h.schema;
    lost->zero_threshold = h.zero_threshold;
    lost->bounds = h.bounds;
    for (const auto& [index, n] : h.positive) lost->positive[index] = 0;
    for (const auto& [index, n] : h.negative) lost->negative[index] = 0;
  }
  Hist& c = *lost;
  auto add = [](double x, double& s, double& rest) {
    Compensated sum = {s, rest};
    sum.Add(x);
    s = sum.s;
    rest = sum.c;
  };
  if (!h.custom()) {
    const Compensated zero = Reconcile(h, other, &c);
    add(zero.s, h.zero_count, c.zero_count);
    add(zero.c, h.zero_count, c.zero_count);
  }
  add(other.count, h.count, c.count);
  add(other.sum, h.sum, c.sum);
  if (h.custom() && h.bounds != other.bounds) {
    out.reconciled = true;
    AddMismatched(h, other, false, &c);
    return out;
  }
  Side positive = other.positive, negative = other.negative;
  Side positive_lost, negative_lost;
  if (other.schema < h.schema) {
    CoarserPair(h.positive, c.positive, h.schema, other.schema);
    CoarserPair(h.negative, c.negative, h.schema, other.schema);
    h.schema = other.schema;
  } else if (other.schema > h.schema) {
    CoarserPair(positive, positive_lost, other.schema, h.schema);
    CoarserPair(negative, negative_lost, other.schema, h.schema);
  }
  AddSideCompensated(h, h.positive, c.positive, positive, positive_lost);
  AddSideCompensated(h, h.negative, c.negative, negative, negative_lost);
  c.schema = h.schema;
  c.zero_threshold = h.zero_threshold;
  return out;
}

bool SameHist(const Hist& a, const Hist& b) {
  return a.schema == b.schema && SameBits(a.count, b.count) &&
         SameBits(a.sum, b.sum) && a.bounds == b.bounds &&
         (a.custom() || (a.zero_threshold == b.zero_threshold &&
                         SameBits(a.zero_count, b.zero_count))) &&
         SameSide(a.positive, b.positive) && SameSide(a.negative, b.negative);
}

}  // namespace narthex::promql::naive
