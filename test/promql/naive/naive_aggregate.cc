// Aggregations in the naive evaluator.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include "narthex/model/labels_builder.h"
#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// The k largest (or smallest) as Go's container/heap leaves them: of equal ones
// it is the heap that decides who goes, then sorted, the best first.
Elements Chosen(const Elements& in, size_t k, bool top) {
  Elements heap;
  auto less = [top](const Element& a, const Element& b) {
    if (std::isnan(a.v)) return true;
    return top ? a.v < b.v : a.v > b.v;
  };
  for (const Element& e : in) {
    if (heap.size() < k) {
      heap.push_back(e);
      for (size_t at = heap.size() - 1; at > 0;) {
        const size_t parent = (at - 1) / 2;
        if (!less(heap[at], heap[parent])) break;
        std::swap(heap[at], heap[parent]);
        at = parent;
      }
      continue;
    }
    const double worst = heap[0].v;
    const bool better = (top ? worst < e.v : worst > e.v) ||
                        (std::isnan(worst) && !std::isnan(e.v));
    if (!better) continue;
    heap[0] = e;
    for (size_t at = 0;;) {
      size_t child = 2 * at + 1;
      if (child >= heap.size()) break;
      if (child + 1 < heap.size() && less(heap[child + 1], heap[child])) {
        ++child;
      }
      if (!less(heap[child], heap[at])) break;
      std::swap(heap[child], heap[at]);
      at = child;
    }
  }
  for (size_t i = 1; i < heap.size(); ++i) {
    for (size_t j = i; j > 0 && less(heap[j - 1], heap[j]); --j) {
      std::swap(heap[j - 1], heap[j]);
    }
  }
  return heap;
}

Labels GroupOf(const Aggregate& a, const Labels& labels) {
  if (!a.without) return Only(labels, a.grouping);
  std::vector<std::string> without = a.grouping;
  without.push_back("__name__");
  return Without(labels, without);
}

double Variance(const std::vector<double>& v) {
  double mean = v[0];
  double squares = std::isfinite(v[0]) ? 0 : std::nan("");
  for (size_t i = 1; i < v.size(); ++i) {
    const double delta = v[i] - mean;
    mean += delta / static_cast<double>(i + 1);
    squares += delta * (v[i] - mean);
  }
  return squares / static_cast<double>(v.size());
}

double Extreme(const std::vector<double>& v, bool least) {
  double result = v[0];
  for (double x : v) {
    if ((least ? x < result : x > result) || std::isnan(result)) result = x;
  }
  return result;
}

}  // namespace

double Quantile(double q, std::vector<double> values) {
  if (values.empty() || std::isnan(q)) return std::nan("");
  if (q < 0) return -kInf;
  if (q > 1) return kInf;
  std::stable_sort(values.begin(), values.end(), [](double a, double b) {
    if (std::isnan(b)) return false;
    return std::isnan(a) || a < b;
  });
  const double n = static_cast<double>(values.size());
  const double rank = q * (n - 1);
  const double low = std::max(0.0, std::floor(rank));
  const double high = std::min(n - 1, low + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<size_t>(low)] * (1 - weight) +
         values[static_cast<size_t>(high)] * weight;
}

double SumOf(const std::vector<double>& values, bool from_zero) {
  Compensated sum = {from_zero ? 0 : values[0], 0};
  for (size_t i = from_zero ? 0 : 1; i < values.size(); ++i) sum.Add(values[i]);
  return from_zero && std::isinf(sum.s) ? sum.s : sum.s + sum.c;
}

double AverageOf(const std::vector<double>& values) {
  Compensated sum = {values[0], 0};
  bool running = false;
  for (size_t i = 1; i < values.size(); ++i) {
    const double n = static_cast<double>(i + 1);
    if (!running) {
      Compensated next = sum;
      next.Add(values[i]);
      if (!std::isinf(next.s)) {
        sum = next;
        continue;
      }
      running = true;
      sum.s /= n - 1;
      sum.c /= n - 1;
    }
    const double q = (n - 1) / n;
    sum = {q * sum.s, q * sum.c};
    sum.Add(values[i] / n);
  }
  const double n = static_cast<double>(values.size());
  return running ? sum.s + sum.c : sum.s / n + sum.c / n;
}

HistPtr SumOf(const std::vector<HistPtr>& values, bool& reconciled) {
  Hist sum = *values[0];
  std::optional<Hist> lost;
  for (size_t i = 1; i < values.size(); ++i) {
    const Meeting met = AddCompensated(sum, *values[i], lost);
    if (met.incompatible) return nullptr;
    reconciled |= met.reconciled;
  }
  if (lost.has_value()) Add(sum, *lost);
  return std::make_shared<const Hist>(std::move(sum));
}

HistPtr AverageOf(const std::vector<HistPtr>& values, bool& reconciled) {
  Hist sum = *values[0];
  std::optional<Hist> lost;
  bool running = false;
  for (size_t i = 1; i < values.size(); ++i) {
    const double n = static_cast<double>(i + 1);
    if (!running) {
      Hist next = sum;
      std::optional<Hist> next_lost = lost;
      const Meeting met = AddCompensated(next, *values[i], next_lost);
      if (met.incompatible) return nullptr;
      reconciled |= met.reconciled;
      if (!next.HasInfinity()) {
        sum = std::move(next);
        lost = std::move(next_lost);
        continue;
      }
      running = true;
      sum.Divide(n - 1);
      if (lost.has_value()) lost->Divide(n - 1);
    }
    const double q = (n - 1) / n;
    if (lost.has_value()) lost->Scale(q);
    sum.Scale(q);
    Hist part = *values[i];
    part.Divide(n);
    const Meeting met = AddCompensated(sum, part, lost);
    if (met.incompatible) return nullptr;
    reconciled |= met.reconciled;
  }
  const double n = static_cast<double>(values.size());
  if (!running) {
    sum.Divide(n);
    if (lost.has_value()) lost->Divide(n);
  }
  if (lost.has_value()) Add(sum, *lost);
  return std::make_shared<const Hist>(std::move(sum));
}

bool HintsCollide(const std::vector<HistPtr>& values) {
  auto any = [&values](Hist::Hint hint) {
    return std::any_of(values.begin(), values.end(),
                       [hint](const HistPtr& h) { return h->hint == hint; });
  };
  return any(Hist::Hint::kReset) && any(Hist::Hint::kNotReset);
}

// sum and avg of one group.
std::optional<Element> Evaluator::AddUp(const Aggregate& a,
                                        const Elements& in) {
  const TextRange at = Unwrap(*a.expr).pos;
  std::vector<double> floats;
  std::vector<HistPtr> histograms;
  const bool average = a.op == AggregateOp::kAvg;
  for (const Element& e : in) {
    if (e.h == nullptr) {
      floats.push_back(e.v);
    } else {
      histograms.push_back(e.h);
    }
  }
  Element out;
  if (histograms.empty()) {
    out.v = average ? AverageOf(floats) : SumOf(floats, false);
    return out;
  }
  // Floats among them or not, the histograms are added up from the first
  // element on, until one doesn't fit; what comes after that isn't looked at.
  bool reconciled = false, misfit = false, mixed = false;
  std::vector<HistPtr> tried;
  for (const Element& e : in) {
    mixed |= (e.h == nullptr) != (in.front().h == nullptr);
    if (e.h == nullptr || in.front().h == nullptr) continue;
    misfit = e.h->custom() != in.front().h->custom();
    if (misfit) {
      notes_.Warn(MixedSchemas(std::string(e.labels.Get(kMetricName))), at);
      break;
    }
    tried.push_back(e.h);
  }
  if (mixed) {
    notes_.Warn("encountered a mix of histograms and floats for aggregation",
                at);
  }
  if (!tried.empty()) {
    out.h = average ? AverageOf(tried, reconciled) : SumOf(tried, reconciled);
  }
  if (reconciled) notes_.Info(Reconciled("aggregation"), at);
  if (misfit || mixed) return std::nullopt;
  if (HintsCollide(histograms)) notes_.Warn(Conflicting("aggregation"), at);
  Hist h = *out.h;
  h.Compact();
  out.h = std::make_shared<const Hist>(std::move(h));
  return out;
}

Elements Evaluator::Aggregation(const Aggregate& a, int64_t t) {
  if (a.op == AggregateOp::kTopK || a.op == AggregateOp::kBottomK ||
      a.op == AggregateOp::kLimitK || a.op == AggregateOp::kLimitRatio) {
    return Choose(a, t);
  }
  double param = 0;
  if (a.op == AggregateOp::kQuantile) {
    param = Scalar(*a.param, t);
    const Extremes all = ExtremesOf(*a.param);
    const TextRange at = Unwrap(*a.param).pos;
    if (all.nan) notes_.Warn(BadQuantile(std::nan("")), at);
    if (all.largest > 1) notes_.Warn(BadQuantile(all.largest), at);
    if (all.least < 0) notes_.Warn(BadQuantile(all.least), at);
  }
  const Elements in = Vector(*a.expr, t);
  struct Group {
    Labels labels = {};
    Elements all = {};
    std::vector<double> floats = {};
    bool drop_name = false;
  };
  std::vector<Group> groups;
  const bool counts = a.op == AggregateOp::kCount ||
                      a.op == AggregateOp::kGroup ||
                      a.op == AggregateOp::kCountValues;
  const bool adds = a.op == AggregateOp::kSum || a.op == AggregateOp::kAvg;
  for (const Element& e : in) {
    Labels labels = GroupOf(a, e.labels);
    if (a.op == AggregateOp::kCountValues) {
      const std::string& name = As<StringLiteral>(Unwrap(*a.param))->value;
      // without() may take it away again.
      LabelsBuilder builder(a.without ? e.labels : labels);
      builder.Set(
          name, e.h != nullptr ? e.h->ToFloat().ToString() : FormatValue(e.v));
      labels = a.without ? GroupOf(a, builder.Build()) : builder.Build();
    }
    if (e.h != nullptr && !counts && !adds) {
      notes_.Info(StrCat("ignored histogram in ", Text(a.op), " aggregation"),
                  Unwrap(*a.expr).pos);
      continue;
    }
    auto group =
        std::find_if(groups.begin(), groups.end(),
                     [&](const Group& g) { return g.labels == labels; });
    if (group == groups.end()) group = groups.insert(group, Group{labels});
    group->all.push_back(e);
    group->floats.push_back(e.v);
    group->drop_name |= e.drop_name && a.op != AggregateOp::kCountValues;
  }
  Elements out;
  for (const Group& group : groups) {
    const std::vector<double>& v = group.floats;
    Element result;
    switch (a.op) {
      case AggregateOp::kSum:
      case AggregateOp::kAvg: {
        std::optional<Element> sum = AddUp(a, group.all);
        if (!sum.has_value()) continue;
        result = *sum;
        break;
      }
      case AggregateOp::kCount:
      case AggregateOp::kCountValues:
        result.v = static_cast<double>(v.size());
        break;
      case AggregateOp::kGroup:
        result.v = 1;
        break;
      case AggregateOp::kMin:
      case AggregateOp::kMax:
        result.v = Extreme(v, a.op == AggregateOp::kMin);
        break;
      case AggregateOp::kStdvar:
        result.v = Variance(v);
        break;
      case AggregateOp::kStddev:
        result.v = std::sqrt(Variance(v));
        break;
      default:
        result.v = Quantile(param, v);
    }
    result.labels = group.labels;
    result.drop_name = group.drop_name;
    out.push_back(std::move(result));
  }
  return out;
}

// The parameter is looked at over all steps first.
Evaluator::Extremes Evaluator::ExtremesOf(const Expr& param) {
  Extremes out;
  for (int64_t at = grid_.start; at <= grid_.end; at += grid_.step) {
    const double p = Scalar(param, at);
    out.nan |= std::isnan(p);
    out.least = std::min(out.least, p);
    out.largest = std::max(out.largest, p);
  }
  return out;
}

Elements Evaluator::Choose(const Aggregate& a, int64_t t) {
  const TextRange param_at = Unwrap(*a.param).pos;
  const auto [least, largest, nan] = ExtremesOf(*a.param);
  const double param = Scalar(*a.param, t);
  const Elements in = Vector(*a.expr, t);
  const bool ratio = a.op == AggregateOp::kLimitRatio;
  if (ratio ? !nan && least == 0 && largest == 0 : !nan && largest < 1) {
    return {};
  }
  bool failed = false;
  auto fail = [&](std::string text) {
    failed = true;
    Fail(std::move(text));
  };
  if (nan) fail(ratio ? "Ratio value is NaN" : "Parameter value is NaN");
  if (!ratio && least <= -9223372036854775808.0) {
    fail(StrCat("Scalar value ", FormatFloat(least), " underflows int64"));
  }
  if (!ratio && largest >= 9223372036854774784.0) {
    fail(StrCat("Scalar value ", FormatFloat(largest), " overflows int64"));
  }
  for (const double r : {largest, least}) {
    if (!ratio || (r == largest ? r <= 1 : r >= -1)) continue;
    notes_.Warn(StrCat("ratio value should be between -1 and 1, got ",
                       FormatFloat(r), ", capping to ", r > 1 ? 1 : -1),
                param_at);
  }
  const bool instant = grid_.instant();
  if (failed) return {};

  const bool tops = a.op == AggregateOp::kTopK || a.op == AggregateOp::kBottomK;
  if (!ratio && !(param >= 1)) return {};
  std::map<std::string, Elements> groups;
  std::vector<std::string> order;
  for (const Element& e : in) {
    if (tops && e.h != nullptr) {
      notes_.Info(StrCat("ignored histogram in ", Text(a.op), " aggregation"),
                  a.pos);
      continue;
    }
    const std::string key(GroupOf(a, e.labels).packed());
    if (!groups.contains(key)) order.push_back(key);
    groups[key].push_back(e);
  }
  const double r = std::clamp(param, -1.0, 1.0);
  auto sampled = [r](const Element& e) {
    const double h = static_cast<double>(e.labels.Hash()) /
                     static_cast<double>(~uint64_t{0});
    return r >= 0 ? h < r : h >= 1 + r;
  };
  const size_t k = static_cast<size_t>(
      std::clamp(std::trunc(param), 0.0, static_cast<double>(in.size())));
  Elements out;
  for (const std::string& key : order) {
    Elements& group = groups[key];
    if (tops) group = Chosen(group, k, a.op == AggregateOp::kTopK);
    if (ratio) {
      std::erase_if(group, [&](const Element& e) { return !sampled(e); });
    } else if (group.size() > k) {
      group.resize(k);
    }
    out.insert(out.end(), group.begin(), group.end());
  }
  if (instant) return out;
  // What comes next sums in the order of the input, but in instant queries.
  Elements in_order;
  for (const Element& e : in) {
    for (const Element& chosen : out) {
      if (chosen.labels == e.labels) in_order.push_back(e);
    }
  }
  return in_order;
}

}  // namespace narthex::promql::naive
