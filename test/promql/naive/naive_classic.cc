// Classic histograms in the naive evaluator.

#include <algorithm>
#include <cmath>
#include <limits>

#include "narthex/model/labels_builder.h"
#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

struct Bucket {
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
std::vector<Bucket> Merged(std::vector<Bucket> in) {
  std::stable_sort(in.begin(), in.end(), [](const Bucket& a, const Bucket& b) {
    return a.bound < b.bound;
  });
  std::vector<Bucket> out;
  for (const Bucket& b : in) {
    if (!out.empty() && out.back().bound == b.bound) {
      out.back().count += b.count;
    } else {
      out.push_back(b);
    }
  }
  return out;
}

double QuantileOf(double q, const std::vector<Bucket>& in) {
  if (std::isnan(q)) return kNan;
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  std::vector<Bucket> b = Merged(in);
  if (b.back().bound != kInf) return kNan;
  double before = b[0].count;
  for (size_t i = 1; i < b.size(); ++i) {
    if (b[i].count == before) continue;
    if (AlmostSame(before, b[i].count) || b[i].count < before) {
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
double RankOf(double v, const std::vector<Bucket>& b) {
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

double FractionOf(double low, double high, const std::vector<Bucket>& in) {
  const std::vector<Bucket> b = Merged(in);
  if (b.back().bound != kInf) return kNan;
  const double count = b.back().count;
  if (count == 0 || std::isnan(low) || std::isnan(high)) return kNan;
  if (low >= high) return 0;
  // Buckets may shrink as their bounds grow.
  return (std::min(RankOf(high, b), count) - std::min(RankOf(low, b), count)) /
         count;
}

}  // namespace

Elements Evaluator::Classic(const Call& call, int64_t t) {
  const bool fraction = call.args.size() == 3;
  std::vector<double> params;
  for (size_t i = 0; i + 1 < call.args.size(); ++i) {
    params.push_back(Scalar(*call.args[i], t));
  }
  struct Group {
    Labels labels;
    std::vector<Bucket> buckets;
  };
  std::vector<Group> groups;
  for (const Element& e : Vector(*call.args.back(), t)) {
    double bound = 0;
    if (!ParseGoFloat(e.labels.Get("le"), bound)) continue;
    LabelsBuilder builder(e.labels);
    builder.Del("le");
    const Labels labels = builder.Build();
    auto group =
        std::find_if(groups.begin(), groups.end(),
                     [&](const Group& g) { return g.labels == labels; });
    if (group == groups.end()) group = groups.insert(group, Group{labels, {}});
    group->buckets.push_back({bound, e.v});
  }
  Elements out;
  for (const Group& g : groups) {
    out.push_back({WithoutName(g.labels),
                   fraction ? FractionOf(params[0], params[1], g.buckets)
                            : QuantileOf(params[0], g.buckets)});
  }
  CheckUnique(out);
  return out;
}

}  // namespace narthex::promql::naive
