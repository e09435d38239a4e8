#include "test/promql/naive/naive_evaluator.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"

namespace narthex::promql::naive {
namespace {

constexpr uint64_t kStale = 0x7ff0000000000002;
constexpr int64_t kLookback = 300'000;
constexpr double kInf = std::numeric_limits<double>::infinity();

Labels Only(const Labels& labels, const std::vector<std::string>& names) {
  std::vector<Label> pairs;
  for (const Label& label : labels) {
    if (std::find(names.begin(), names.end(), label.name) != names.end()) {
      pairs.push_back(label);
    }
  }
  return Labels::FromPairs(pairs);
}

Labels Without(const Labels& labels, const std::vector<std::string>& names) {
  std::vector<Label> pairs;
  for (const Label& label : labels) {
    if (std::find(names.begin(), names.end(), label.name) == names.end()) {
      pairs.push_back(label);
    }
  }
  return Labels::FromPairs(pairs);
}

// The text of a number as Go's %v of a float64 writes it.
std::string GoText(double v) { return FormatFloat(v); }

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

}  // namespace

Labels WithoutName(const Labels& labels) {
  return Without(labels, {"__name__", "__type__", "__unit__"});
}

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

double Apply(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::fmod(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kAtan2:
      return std::atan2(a, b);
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    default:
      return 0;
  }
}

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

void Evaluator::CheckUnique(const Elements& elements) {
  std::set<std::string> seen;
  for (const Element& e : elements) {
    if (!seen.insert(std::string(e.labels.packed())).second) {
      Fail("vector cannot contain metrics with the same labelset");
    }
  }
}

// --- Selectors.

int64_t Evaluator::Shifted(const AtModifier& at, const DurationSpec& offset,
                           int64_t t) {
  if (at.present()) t = at.Resolve(times_).ms;
  auto by = offset.Resolve(times_, false);
  if (!by.ok()) Fail(std::string(Message(by.status())));
  return by.ok() ? t - by->ms : t;
}

std::vector<const SeriesData*> Evaluator::Selected(
    const VectorSelector& selector) const {
  std::vector<const SeriesData*> out;
  for (const SeriesData& series : series_) {
    bool all = true;
    for (const MatcherPtr& matcher : selector.matchers) {
      all = all && matcher->Matches(series.labels.Get(matcher->name()));
    }
    if (all) out.push_back(&series);
  }
  std::sort(out.begin(), out.end(),
            [](const auto* a, const auto* b) { return a->labels < b->labels; });
  return out;
}

Elements Evaluator::Newest(const VectorSelector& selector, int64_t t,
                           bool times) {
  t = Shifted(selector.at, selector.offset, t);
  Elements out;
  for (const SeriesData* series : Selected(selector)) {
    const Sample* newest = nullptr;
    for (const Sample& sample : series->floats) {
      if (sample.t.ms > t - kLookback && sample.t.ms <= t) newest = &sample;
    }
    if (newest == nullptr) continue;
    if (std::bit_cast<uint64_t>(newest->v) == kStale) continue;
    out.push_back(
        {series->labels,
         times ? static_cast<double>(newest->t.ms) / 1000 : newest->v});
  }
  return out;
}

Evaluator::Windows Evaluator::Matrix(const Expr& expr, int64_t t) {
  Windows out;
  const Expr& bare = Unwrap(expr);
  if (const auto* m = As<MatrixSelector>(bare)) {
    out.end = Shifted(m->selector->at, m->selector->offset, t);
    auto range = m->range.Resolve(times_, true);
    if (!range.ok()) {
      Fail(std::string(Message(range.status())));
      return out;
    }
    out.range = range->ms;
    for (const SeriesData* series : Selected(*m->selector)) {
      WindowOf window{series->labels, {}};
      for (const Sample& s : series->floats) {
        if (s.t.ms > out.end - out.range && s.t.ms <= out.end &&
            std::bit_cast<uint64_t>(s.v) != kStale) {
          window.points.push_back({s.t.ms, s.v});
        }
      }
      if (!window.points.empty()) out.windows.push_back(std::move(window));
    }
    return out;
  }
  const auto& sub = *As<Subquery>(bare);
  out.end = Shifted(sub.at, sub.offset, t);
  auto range = sub.range.Resolve(times_, true);
  int64_t step = 60'000;
  if (sub.step.present()) {
    auto own = sub.step.Resolve(times_, true);
    if (own.ok()) step = own->ms;
  }
  out.range = range.ok() ? range->ms : 0;
  // Multiples of the step since the epoch, the left end left out.
  int64_t at = (out.end - out.range) / step * step;
  while (at <= out.end - out.range) at += step;
  for (; at <= out.end; at += step) {
    Elements elements;
    if (sub.expr->type == ValueType::kScalar) {
      elements.push_back({{}, Scalar(*sub.expr, at)});
    } else {
      elements = Vector(*sub.expr, at);
    }
    for (const Element& e : elements) {
      auto window =
          std::find_if(out.windows.begin(), out.windows.end(),
                       [&](const WindowOf& w) { return w.labels == e.labels; });
      if (window == out.windows.end()) {
        window = out.windows.insert(window, WindowOf{e.labels, {}});
      }
      window->points.push_back({at, e.v});
    }
  }
  std::sort(
      out.windows.begin(), out.windows.end(),
      [](const WindowOf& a, const WindowOf& b) { return a.labels < b.labels; });
  return out;
}

// --- Expressions.

double Evaluator::Scalar(const Expr& expr, int64_t t) {
  if (const auto* number = As<NumberLiteral>(expr)) return number->value;
  if (const auto* paren = As<Paren>(expr)) return Scalar(*paren->expr, t);
  if (const auto* unary = As<Unary>(expr)) {
    const double v = Scalar(*unary->expr, t);
    return unary->op == UnaryOp::kMinus ? -v : v;
  }
  if (const auto* binary = As<Binary>(expr)) {
    return Apply(binary->op, Scalar(*binary->lhs, t), Scalar(*binary->rhs, t));
  }
  const auto& call = *As<Call>(expr);
  const std::string_view name = call.function->name;
  if (name == "time") return static_cast<double>(t) / 1000;
  if (name == "pi") return 3.14159265358979323846;
  const Elements in = Vector(*call.args[0], t);
  return in.size() == 1 ? in[0].v : std::nan("");
}

Elements Evaluator::Vector(const Expr& expr, int64_t t) {
  if (const auto* selector = As<VectorSelector>(expr)) {
    return Newest(*selector, t, false);
  }
  if (const auto* paren = As<Paren>(expr)) return Vector(*paren->expr, t);
  if (const auto* aggregate = As<Aggregate>(expr)) {
    return Aggregation(*aggregate, t);
  }
  if (const auto* binary = As<Binary>(expr)) return BinaryOf(*binary, t);
  if (const auto* call = As<Call>(expr)) return Function(*call, t);
  const auto& unary = *As<Unary>(expr);
  Elements out = Vector(*unary.expr, t);
  if (unary.op == UnaryOp::kPlus) return out;
  for (Element& e : out) e = {WithoutName(e.labels), -e.v};
  CheckUnique(out);
  return out;
}

// --- Aggregations.

Elements Evaluator::Aggregation(const Aggregate& a, int64_t t) {
  const Elements in = Vector(*a.expr, t);
  if (a.op == AggregateOp::kTopK || a.op == AggregateOp::kBottomK ||
      a.op == AggregateOp::kLimitK || a.op == AggregateOp::kLimitRatio) {
    return Choose(a, in, t);
  }
  const double param = a.op == AggregateOp::kQuantile ? Scalar(*a.param, t) : 0;
  struct Group {
    Labels labels;
    std::vector<double> values;
  };
  std::vector<Group> groups;
  std::vector<std::string> without = a.grouping;
  without.push_back("__name__");
  for (const Element& e : in) {
    Labels labels =
        a.without ? Without(e.labels, without) : Only(e.labels, a.grouping);
    if (a.op == AggregateOp::kCountValues) {
      LabelsBuilder builder(labels);
      builder.Set(As<StringLiteral>(Unwrap(*a.param))->value, FormatValue(e.v));
      labels = builder.Build();
    }
    auto group =
        std::find_if(groups.begin(), groups.end(),
                     [&](const Group& g) { return g.labels == labels; });
    if (group == groups.end()) group = groups.insert(group, Group{labels, {}});
    group->values.push_back(e.v);
  }
  Elements out;
  for (const Group& group : groups) {
    const std::vector<double>& v = group.values;
    const double n = static_cast<double>(v.size());
    double result = 0;
    switch (a.op) {
      case AggregateOp::kSum: {
        Compensated sum{v[0], 0};
        for (size_t i = 1; i < v.size(); ++i) sum.Add(v[i]);
        result = sum.s + sum.c;
        break;
      }
      case AggregateOp::kAvg: {
        std::vector<Point> points;
        for (double x : v) points.push_back({0, x});
        WindowValue("avg_over_time", points, 0, 0, {}, result);
        break;
      }
      case AggregateOp::kCount:
      case AggregateOp::kCountValues:
        result = n;
        break;
      case AggregateOp::kGroup:
        result = 1;
        break;
      case AggregateOp::kMin:
      case AggregateOp::kMax:
        result = v[0];
        for (double x : v) {
          const bool better =
              a.op == AggregateOp::kMin ? x < result : x > result;
          if (better || std::isnan(result)) result = x;
        }
        break;
      case AggregateOp::kStddev:
      case AggregateOp::kStdvar: {
        double mean = v[0], squares = std::isfinite(v[0]) ? 0 : std::nan("");
        for (size_t i = 1; i < v.size(); ++i) {
          const double delta = v[i] - mean;
          mean += delta / static_cast<double>(i + 1);
          squares += delta * (v[i] - mean);
        }
        result = squares / n;
        if (a.op == AggregateOp::kStddev) result = std::sqrt(result);
        break;
      }
      default:
        result = Quantile(param, v);
    }
    out.push_back({group.labels, result});
  }
  return out;
}

Elements Evaluator::Choose(const Aggregate& a, const Elements& in, int64_t t) {
  // The parameter is looked at over the whole query first.
  double least = kInf, largest = -kInf;
  bool nan = false;
  const int64_t step = std::max<int64_t>(times_.step.ms, 1);
  const bool constant = Unwrap(*a.param).kind == ExprKind::kNumber;
  for (int64_t at = constant ? t : times_.start.ms;
       at <= (constant ? t : times_.end.ms); at += step) {
    const double p = Scalar(*a.param, at);
    nan |= std::isnan(p);
    least = std::min(least, p);
    largest = std::max(largest, p);
  }
  const double param = Scalar(*a.param, t);
  Elements out;
  std::map<std::string, Elements> groups;
  std::vector<std::string> order;
  std::vector<std::string> without = a.grouping;
  without.push_back("__name__");
  for (const Element& e : in) {
    const Labels labels =
        a.without ? Without(e.labels, without) : Only(e.labels, a.grouping);
    const std::string key(labels.packed());
    if (!groups.contains(key)) order.push_back(key);
    groups[key].push_back(e);
  }
  if (a.op == AggregateOp::kLimitRatio) {
    if (nan) Fail("Ratio value is NaN");
    const double r = std::clamp(param, -1.0, 1.0);
    auto keeps = [r](const Element& e) {
      const double h = static_cast<double>(e.labels.Hash()) /
                       static_cast<double>(~uint64_t{0});
      return r >= 0 ? h < r : h >= 1 + r;
    };
    // Group by group in an instant query, else in the order of the input.
    if (times_.start == times_.end) {
      for (const std::string& key : order) {
        std::copy_if(groups[key].begin(), groups[key].end(),
                     std::back_inserter(out), keeps);
      }
    } else {
      std::copy_if(in.begin(), in.end(), std::back_inserter(out), keeps);
    }
    return out;
  }
  if (!nan && largest < 1) return out;
  if (nan) Fail("Parameter value is NaN");
  if (least <= -9223372036854775808.0) {
    Fail("Scalar value " + GoText(least) + " underflows int64");
  }
  if (largest >= 9223372036854774784.0) {
    Fail("Scalar value " + GoText(largest) + " overflows int64");
  }
  if (nan || largest >= 9e18 || !(param >= 1)) return out;
  const size_t k = static_cast<size_t>(
      std::min(std::trunc(param), static_cast<double>(in.size())));
  for (const std::string& key : order) {
    Elements& group = groups[key];
    if (a.op != AggregateOp::kLimitK) {
      group = Chosen(group, k, a.op == AggregateOp::kTopK);
    }
    if (group.size() > k) group.resize(k);
    out.insert(out.end(), group.begin(), group.end());
  }
  // What comes next sums in the order of the input, but in instant queries.
  if (times_.start != times_.end || a.op == AggregateOp::kLimitK) {
    Elements in_order;
    for (const Element& e : in) {
      for (const Element& chosen : out) {
        if (chosen.labels == e.labels) in_order.push_back(e);
      }
    }
    if (times_.start != times_.end) return in_order;
  }
  return out;
}

// --- Binary operators.

Elements Evaluator::BinaryOf(const Binary& b, int64_t t) {
  const bool left_scalar = b.lhs->type == ValueType::kScalar;
  const bool right_scalar = b.rhs->type == ValueType::kScalar;
  const bool filter = IsComparison(b.op) && !b.return_bool;
  if (left_scalar || right_scalar) {
    const double scalar = Scalar(left_scalar ? *b.lhs : *b.rhs, t);
    Elements out;
    for (Element& e : Vector(left_scalar ? *b.rhs : *b.lhs, t)) {
      const double v =
          left_scalar ? Apply(b.op, scalar, e.v) : Apply(b.op, e.v, scalar);
      if (!filter) {
        out.push_back({WithoutName(e.labels), v});
      } else if (v != 0) {
        out.push_back(e);
      }
    }
    CheckUnique(out);
    return out;
  }
  const Elements lhs = Vector(*b.lhs, t), rhs = Vector(*b.rhs, t);
  if (!IsSetOperator(b.op)) return Join(b, lhs, rhs);
  const VectorMatching& m = *b.matching;
  auto key = [&m](const Element& e) {
    std::vector<std::string> ignored = m.labels;
    ignored.push_back("__name__");
    return std::string(
        (m.on ? Only(e.labels, m.labels) : Without(e.labels, ignored))
            .packed());
  };
  std::set<std::string> left, right;
  for (const Element& e : lhs) left.insert(key(e));
  for (const Element& e : rhs) right.insert(key(e));
  Elements out;
  for (const Element& e : lhs) {
    if (b.op == BinaryOp::kOr ||
        right.contains(key(e)) == (b.op == BinaryOp::kAnd)) {
      out.push_back(e);
    }
  }
  if (b.op == BinaryOp::kOr) {
    for (const Element& e : rhs) {
      if (!left.contains(key(e))) out.push_back(e);
    }
  }
  CheckUnique(out);
  return out;
}

Elements Evaluator::Join(const Binary& b, const Elements& lhs,
                         const Elements& rhs) {
  Elements out;
  if (lhs.empty() || rhs.empty()) return out;
  const VectorMatching& m = *b.matching;
  const bool swapped = m.card == VectorMatching::Card::kOneToMany;
  const bool one_to_one = m.card == VectorMatching::Card::kOneToOne;
  const Elements& many = swapped ? rhs : lhs;
  const Elements& one = swapped ? lhs : rhs;
  std::vector<std::string> ignored = m.labels;
  ignored.push_back("__name__");
  auto matched = [&](const Element& e) {
    return m.on ? Only(e.labels, m.labels) : Without(e.labels, ignored);
  };
  std::map<std::string, const Element*> partner;
  for (const Element& e : one) {
    const Labels labels = matched(e);
    const Element*& slot = partner[std::string(labels.packed())];
    if (slot != nullptr) {
      std::string x = slot->labels.ToString(), y = e.labels.ToString();
      if (y < x) std::swap(x, y);
      Fail("found duplicate series for the match group " + labels.ToString() +
           " on the " + (swapped ? "left" : "right") +
           " hand-side of the operation: [" + x + ", " + y +
           "];many-to-many matching not allowed: matching labels must be "
           "unique on one side");
    }
    slot = &e;
  }
  std::set<std::string> used;
  for (const Element& e : many) {
    const std::string key(matched(e).packed());
    const auto found = partner.find(key);
    if (found == partner.end()) continue;
    const Element& other = *found->second;
    const double left = swapped ? other.v : e.v;
    const double right = swapped ? e.v : other.v;
    double v = Apply(b.op, left, right);
    Labels labels = e.labels;
    if (!IsComparison(b.op) || b.return_bool) labels = WithoutName(labels);
    if (one_to_one) {
      labels = m.on ? Only(labels, m.labels) : Without(labels, m.labels);
    }
    LabelsBuilder builder(labels);
    for (const std::string& name : m.include) {
      builder.Set(name, other.labels.Get(name));
    }
    labels = builder.Build();
    const std::string result =
        one_to_one ? key : key + '\xff' + std::string(labels.packed());
    if (!used.insert(result).second) {
      Fail(one_to_one ? "multiple matches for labels: many-to-one matching "
                        "must be explicit (group_left/group_right)"
                      : "multiple matches for labels: grouping labels must "
                        "ensure unique matches");
    }
    if (IsComparison(b.op) && !b.return_bool) {
      if (v == 0) continue;
      v = left;
    }
    out.push_back({labels, v});
  }
  CheckUnique(out);
  return out;
}

}  // namespace narthex::promql::naive
