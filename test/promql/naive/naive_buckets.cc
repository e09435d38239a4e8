// Quantiles and fractions of histograms in the naive evaluator, of classic and
// of native ones.

#include <algorithm>
#include <cmath>
#include <limits>

#include "narthex/model/labels_builder.h"
#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

// Cumulative, as `le` counts.
struct Classic {
  double bound = 0, count = 0;
};

bool AlmostSame(double a, double b) {
  constexpr double kTolerance = 1e-12;
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double sum = std::abs(a) + std::abs(b);
  const double difference = std::abs(a - b);
  constexpr double kNormal = std::numeric_limits<double>::min();
  if (a == 0 || b == 0 || sum < kNormal) {
    return difference < kTolerance * kNormal;
  }
  return difference / std::min(sum, std::numeric_limits<double>::max()) <
         kTolerance;
}

// Sorted, equal bounds as one.
std::vector<Classic> Merged(std::vector<Classic> in) {
  std::stable_sort(
      in.begin(), in.end(),
      [](const Classic& a, const Classic& b) { return a.bound < b.bound; });
  std::vector<Classic> out;
  for (const Classic& b : in) {
    if (!out.empty() && out.back().bound == b.bound) {
      out.back().count += b.count;
    } else {
      out.push_back(b);
    }
  }
  return out;
}

double QuantileOf(double q, const std::vector<Classic>& in,
                  std::optional<Notes::Repairs>& repairs) {
  if (std::isnan(q)) return kNan;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  std::vector<Classic> b = Merged(in);
  if (b.back().bound != kInf) return kNan;
  double before = b[0].count;
  for (size_t i = 1; i < b.size(); ++i) {
    if (b[i].count == before) continue;
    if (AlmostSame(before, b[i].count)) {
      b[i].count = before;
    } else if (b[i].count < before) {
      if (!repairs.has_value()) repairs = Notes::Repairs{kInf, -kInf, 0, 1};
      repairs->from = std::min(repairs->from, b[i].bound);
      repairs->to = std::max(repairs->to, b[i].bound);
      repairs->difference = std::max(repairs->difference, before - b[i].count);
      b[i].count = before;
    } else {
      before = b[i].count;
    }
  }
  if (b.size() < 2) return kNan;
  if (b.back().count == 0) return kNan;
  double rank = q * b.back().count;
  size_t i = 0;
  while (i < b.size() - 1 && !(b[i].count >= rank)) ++i;
  if (i == b.size() - 1) return b[b.size() - 2].bound;
  if (i == 0 && b[0].bound <= 0) return b[0].bound;
  double start = 0, count = b[i].count;
  if (i > 0) {
    start = b[i - 1].bound;
    count -= b[i - 1].count;
    rank -= b[i - 1].count;
  }
  return start + (b[i].bound - start) * (rank / count);
}

// How many lie below `v`.
double RankOf(double v, const std::vector<Classic>& b) {
  double rank = 0, lower = b[0].bound <= 0 ? -kInf : 0.0;
  for (size_t i = 0; i < b.size(); ++i) {
    if (i > 0) lower = b[i - 1].bound;
    if (lower >= v) return rank;
    if (lower < v && b[i].bound > v) {
      if (lower == -kInf) return b[i].count;
      return rank + (b[i].count - rank) * (v - lower) / (b[i].bound - lower);
    }
    rank = b[i].count;
  }
  return b.back().count;
}

double FractionOf(double low, double high, const std::vector<Classic>& in) {
  const std::vector<Classic> b = Merged(in);
  if (b.back().bound != kInf) return kNan;
  const double count = b.back().count;
  if (count == 0 || std::isnan(low) || std::isnan(high)) return kNan;
  if (low >= high) return 0;
  // Buckets may shrink as their bounds grow.
  return (std::min(RankOf(high, b), count) - std::min(RankOf(low, b), count)) /
         count;
}

// With one sign only, zero is a border of the zero bucket.
Bucket WithZeroBorder(Bucket b, const Hist& h) {
  if (h.negative.empty() && !h.positive.empty()) b.lower = 0;
  if (h.positive.empty() && !h.negative.empty()) b.upper = 0;
  return b;
}

// How much of a bucket lies below `v`, which is inside of it.
double Below(const Bucket& b, double v, bool linear) {
  if (linear) return (v - b.lower) / (b.upper - b.lower);
  const double low = std::log2(std::abs(b.lower));
  const double high = std::log2(std::abs(b.upper));
  const double at = std::log2(std::abs(v));
  return v > 0 ? (at - low) / (high - low) : 1 - ((at - high) / (low - high));
}

std::string QuantileLabel(double q) {
  std::string text = FormatFloat(q);
  const bool whole =
      std::isfinite(q) && text.find_first_of(".e") == std::string::npos;
  return whole ? text + ".0" : text;
}

}  // namespace

double Evaluator::NativeQuantile(double q, const Hist& h,
                                 const std::string& name, TextRange at) {
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  if (h.count == 0 || std::isnan(q)) return kNan;
  std::vector<Bucket> all = h.Ascending();
  const bool upwards = std::isnan(h.sum) || q < 0.5;
  if (!upwards) std::reverse(all.begin(), all.end());
  double rank = upwards ? q * h.count : (1 - q) * h.count;
  double count = 0;
  Bucket b;
  size_t next = 0;
  while (next < all.size()) {
    b = all[next++];
    count += b.count;
    if (b.count != 0 && count >= rank) break;
  }
  if (h.custom()) {
    if (b.lower == -kInf) {
      if (b.upper <= 0) return b.upper;
      b.lower = 0;
    } else if (b.upper == kInf) {
      return b.lower;
    }
  } else if (b.lower < 0 && b.upper > 0) {
    b = WithZeroBorder(b, h);
  }
  count = count > h.count ? h.count : count;
  if (count < rank) {
    if (!std::isnan(h.sum)) return b.upper;
    notes_.Info(StrCat("input to histogram_quantile has NaN observations, "
                       "result is NaN",
                       IfNamed(name)),
                at);
    return kNan;
  }
  if (upwards) {
    rank -= count - b.count;
  } else {
    rank = count - rank;
  }
  if (std::isnan(h.sum)) {
    // As Prometheus has it: the bucket is then the last one.
    while (next < all.size()) {
      b = all[next++];
      count += b.count;
    }
    if (count < h.count) {
      notes_.Info(StrCat("input to histogram_quantile has NaN observations, "
                         "result is skewed higher",
                         IfNamed(name)),
                  at);
    }
  }
  const double fraction = rank / b.count;
  if (h.custom() || (b.lower <= 0 && b.upper >= 0)) {
    return b.lower + (b.upper - b.lower) * fraction;
  }
  const double low = std::log2(std::abs(b.lower));
  const double high = std::log2(std::abs(b.upper));
  if (b.lower > 0) return std::exp2(low + (high - low) * fraction);
  return -std::exp2(high + (low - high) * (1 - fraction));
}

double Evaluator::NativeFraction(double low, double high, const Hist& h,
                                 const std::string& name, TextRange at) {
  if (h.count == 0 || std::isnan(low) || std::isnan(high)) return kNan;
  if (low >= high) return 0;
  double all = 0;
  for (const Bucket& b : h.Ascending()) all += b.count;
  if (std::isnan(h.sum)) {
    if (all < h.count) {
      notes_.Info(StrCat("input to histogram_fraction has NaN observations, "
                         "which are excluded from all fractions",
                         IfNamed(name)),
                  at);
    }
  } else {
    all = h.count;
  }
  auto rank_of = [&](double v) {
    double rank = 0;
    for (Bucket b : h.Ascending()) {
      const bool zero = b.lower <= 0 && b.upper >= 0;
      if (zero) b = WithZeroBorder(b, h);
      if (b.lower >= v) return rank;
      if (b.upper > v) {
        if (b.lower == -kInf) return b.count;
        return rank + b.count * Below(b, v, h.custom() || zero);
      }
      rank += b.count;
    }
    return kInf;
  };
  const double from = rank_of(low), to = rank_of(high);
  return ((to > all ? all : to) - (from > all ? all : from)) / h.count;
}

Elements Evaluator::Buckets(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  const bool fraction = name == "histogram_fraction";
  const bool several = name == "histogram_quantiles";
  const Expr& vector = Unwrap(several ? *call.args[0] : *call.args.back());
  std::vector<double> params;
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (call.args[i]->type != ValueType::kScalar) continue;
    params.push_back(Scalar(*call.args[i], t));
    if (!fraction && !(params.back() >= 0 && params.back() <= 1)) {
      notes_.Warn(BadQuantile(params.back()), Unwrap(*call.args[i]).pos);
    }
  }
  struct Group {
    Labels labels = {};  // with the name, without le
    std::vector<Classic> buckets = {};
    HistPtr native = nullptr;
  };
  std::vector<Group> natives, groups;
  for (const Element& e : Vector(vector, t)) {
    if (e.h != nullptr) {
      natives.push_back({e.labels, {}, e.h});
      continue;
    }
    double bound = 0;
    const std::string le(e.labels.Get("le"));
    if (!ParseGoFloat(le, bound)) {
      const std::string metric =
          delayed() ? std::string(e.labels.Get(kMetricName)) : std::string();
      notes_.Warn(StrCat("bucket label \"le\" is missing or has a malformed "
                         "value of ",
                         GoQuote(le), IfNamed(metric)),
                  vector.pos);
      continue;
    }
    const Labels labels = Without(e.labels, {"le"});
    auto group =
        std::find_if(groups.begin(), groups.end(),
                     [&](const Group& g) { return g.labels == labels; });
    if (group == groups.end()) group = groups.insert(group, Group{labels});
    group->buckets.push_back({bound, e.v});
  }
  // Both under the same labels: neither.
  std::erase_if(natives, [&](const Group& native) {
    const size_t erased = std::erase_if(
        groups, [&](const Group& g) { return g.labels == native.labels; });
    if (erased == 0) return false;
    const std::string metric =
        delayed() ? std::string(native.labels.Get(kMetricName)) : std::string();
    notes_.Warn(StrCat("vector contains a mix of classic and native histograms",
                       IfNamed(metric)),
                vector.pos);
    return true;
  });
  natives.insert(natives.end(), groups.begin(), groups.end());
  Elements out;
  auto one = [&](const Group& g, double q) {
    Element e = {g.labels};
    DropName(e);
    const std::string metric(e.labels.Get(kMetricName));
    if (g.native != nullptr) {
      e.v = fraction ? NativeFraction(params[0], params[1], *g.native, metric,
                                      vector.pos)
                     : NativeQuantile(q, *g.native, metric, vector.pos);
    } else if (fraction) {
      e.v = FractionOf(params[0], params[1], g.buckets);
    } else {
      std::optional<Notes::Repairs> repairs;
      e.v = QuantileOf(q, g.buckets, repairs);
      if (repairs.has_value()) {
        repairs->first = repairs->last = t;
        repairs->at.insert(vector.pos.begin);
        notes_.Repaired(metric, *repairs);
      }
    }
    return e;
  };
  for (const Group& g : natives) {
    if (!several) {
      out.push_back(one(g, params[0]));
      continue;
    }
    for (const double q : params) {
      Element e = one(g, q);
      LabelsBuilder builder(e.labels);
      builder.Set(As<StringLiteral>(Unwrap(*call.args[1]))->value,
                  QuantileLabel(q));
      e.labels = builder.Build();
      out.push_back(std::move(e));
    }
  }
  CheckUnique(out);
  return out;
}

}  // namespace narthex::promql::naive
