#include "test/promql/naive/naive_evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace narthex::promql::naive {
namespace {

constexpr int64_t kLookback = 300'000;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A sub-tree with one of these changes with the step though all its selectors
// are pinned.  start() and its like are literals before anybody looks.
bool ChangesWithTime(std::string_view function) {
  static const std::set<std::string_view> kNames = {
      "days_in_month", "day_of_month", "day_of_week",   "day_of_year",
      "hour",          "minute",       "month",         "year",
      "time",          "timestamp",    "predict_linear"};
  return kNames.contains(function);
}

std::string TextOf(const std::string& metric, const Notes::Repairs& r) {
  char difference[64];
  std::snprintf(difference, sizeof difference, "%.2g", r.difference);
  return StrCat(
      "input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/"
      "#histogram_quantile)",
      IfNamed(metric), ", from buckets ", FormatFloat(r.from), " to ",
      FormatFloat(r.to), ", with a max diff of ", difference, ", over ",
      r.samples, " samples from ",
      FormatRfc3339(Timestamp(r.first / 1000 * 1000)), " to ",
      FormatRfc3339(Timestamp(r.last / 1000 * 1000)));
}

}  // namespace

Labels Only(const Labels& labels, const std::vector<std::string>& names) {
  std::vector<Label> pairs;
  for (const Label& label : labels) {
    if (std::find(names.begin(), names.end(), label.name) != names.end()) {
      pairs.push_back(label);
    }
  }
  return Labels::FromPairs(pairs);
}

Labels Without(const Labels& labels, std::vector<std::string> names) {
  std::vector<Label> pairs;
  for (const Label& label : labels) {
    if (std::find(names.begin(), names.end(), label.name) == names.end()) {
      pairs.push_back(label);
    }
  }
  return Labels::FromPairs(pairs);
}

Labels WithoutName(const Labels& labels) {
  return Without(labels, {"__name__", "__type__", "__unit__"});
}

void Evaluator::DropName(Element& e) const {
  if (!delayed()) e.labels = WithoutName(e.labels);
  e.drop_name = true;
}

void Evaluator::CheckUnique(const Elements& elements) {
  std::set<std::string> seen;
  for (const Element& e : elements) {
    if (!seen.insert(std::string(e.labels.packed())).second) {
      Fail("vector cannot contain metrics with the same labelset");
    }
  }
}

template <typename F>
auto Evaluator::Within(Grid grid, F&& f) {
  const Grid outer = std::exchange(grid_, grid);
  auto out = f();
  grid_ = outer;
  return out;
}

Answer Evaluator::Run(const Expr& expr) {
  grid_ = {times_.start.ms, times_.end.ms,
           std::max<int64_t>(times_.step.ms, 1)};
  if (FindFixed(expr).worth_it) fixed_.insert(&expr);
  FindStatistics(expr);
  Answer out;
  std::map<std::string, size_t> index;
  for (int64_t t = grid_.start; t <= grid_.end; t += grid_.step) {
    Elements elements;
    if (expr.type == ValueType::kScalar) {
      elements.push_back({{}, Scalar(expr, t)});
    } else {
      elements = Vector(expr, t);
    }
    for (Element& e : elements) {
      if (delayed() && e.drop_name) e.labels = WithoutName(e.labels);
    }
    CheckUnique(elements);
    for (const Element& e : elements) {
      const auto [at, fresh] =
          index.try_emplace(std::string(e.labels.packed()), out.series.size());
      if (fresh) out.series.push_back({e.labels, {}});
      out.series[at->second].second.push_back({t, e.v, e.h});
    }
  }
  out.errors = errors_;
  for (const auto& [key, at] : notes_.all()) {
    out.notes[{key.first,
               StrCat(key.first ? "PromQL warning: " : "PromQL info: ",
                      key.second)}] = at;
  }
  for (const auto& [metric, repairs] : notes_.repairs()) {
    out.notes[{false, StrCat("PromQL info: ", TextOf(metric, repairs))}] =
        repairs.at;
  }
  for (const auto& [metric, overlap] : notes_.overlaps()) {
    std::string text = StrCat(
        "PromQL warning: sample has start time that overlaps with previous "
        "sample timestamp for metric ",
        GoQuote(metric));
    if (overlap.first > 1) {
      StrAppend(&text, " (", overlap.first, " occurrences)");
    }
    out.notes[{true, text}] = overlap.second;
  }
  return out;
}

Evaluator::Invariance Evaluator::FindFixed(const Expr& expr) {
  if (const auto* selector = As<VectorSelector>(expr)) {
    const bool pinned = selector->at.present();
    return {pinned, pinned};
  }
  if (const auto* matrix = As<MatrixSelector>(expr)) {
    return {matrix->selector->at.present(), false};
  }
  if (const auto* sub = As<Subquery>(expr)) {
    if (FindFixed(*sub->expr).invariant) fixed_.insert(sub->expr.get());
    return {sub->at.present(), false};
  }
  if (const auto* paren = As<Paren>(expr)) return FindFixed(*paren->expr);
  if (const auto* unary = As<Unary>(expr)) return FindFixed(*unary->expr);
  // Of an aggregation only the operand counts, as Prometheus has it.
  if (const auto* aggregate = As<Aggregate>(expr)) {
    return FindFixed(*aggregate->expr);
  }
  if (const auto* binary = As<Binary>(expr)) {
    const Invariance l = FindFixed(*binary->lhs), r = FindFixed(*binary->rhs);
    if (l.invariant && r.invariant) return {true, true};
    if (l.worth_it) fixed_.insert(binary->lhs.get());
    if (r.worth_it) fixed_.insert(binary->rhs.get());
    return {};
  }
  if (const auto* call = As<Call>(expr)) {
    bool all = !ChangesWithTime(call->function->name);
    bool stamped = call->function->name == "timestamp";
    std::vector<const Expr*> worth_it;
    for (const ExprPtr& arg : call->args) {
      const Invariance of = FindFixed(*arg);
      all = all && of.invariant;
      stamped =
          stamped && of.invariant && Unwrap(*arg).kind == ExprKind::kVector;
      if (of.worth_it) worth_it.push_back(arg.get());
    }
    if (all || stamped) return {true, true};
    fixed_.insert(worth_it.begin(), worth_it.end());
    return {};
  }
  return {true, false};
}

// From a selector up: a count, a sum or an average wants no buckets, unless
// something between, or further up, does.
void Evaluator::FindStatistics(const Expr& root) {
  promql::Walk(root, [&](const Expr& node, auto path) {
    if (node.kind != ExprKind::kVector) return true;
    bool bare = false;
    for (size_t i = path.size(); i > 0; --i) {
      const Expr& above = *path[i - 1];
      const auto* call = As<Call>(above);
      const auto* binary = As<Binary>(above);
      const std::string_view name =
          call == nullptr ? std::string_view() : call->function->name;
      bare |= name == "histogram_count" || name == "histogram_sum" ||
              name == "histogram_avg";
      if (above.kind == ExprKind::kSubquery ||
          name.starts_with("histogram_quantile") ||
          name == "histogram_fraction" ||
          (binary != nullptr && (binary->op == BinaryOp::kTrimUpper ||
                                 binary->op == BinaryOp::kTrimLower))) {
        bare = false;
        break;
      }
    }
    if (bare) statistics_.insert(&node);
    return true;
  });
}

// --- Expressions.

Elements Evaluator::Vector(const Expr& expr, int64_t t) {
  if (!fixed_.contains(&expr)) return VectorHere(expr, t);
  const Grid once = {grid_.start, grid_.start, grid_.step};
  const auto known = fixed_values_.find({&expr, once});
  if (known != fixed_values_.end()) return known->second;
  Elements out = Within(once, [&] { return VectorHere(expr, once.start); });
  fixed_values_[{&expr, once}] = out;
  return out;
}

double Evaluator::Scalar(const Expr& expr, int64_t t) {
  if (!fixed_.contains(&expr)) return ScalarHere(expr, t);
  const Grid once = {grid_.start, grid_.start, grid_.step};
  const auto known = fixed_scalars_.find({&expr, once});
  if (known != fixed_scalars_.end()) return known->second;
  const double v = Within(once, [&] { return ScalarHere(expr, once.start); });
  fixed_scalars_[{&expr, once}] = v;
  return v;
}

double Evaluator::ScalarHere(const Expr& expr, int64_t t) {
  if (const auto* number = As<NumberLiteral>(expr)) return number->value;
  if (const auto* paren = As<Paren>(expr)) return Scalar(*paren->expr, t);
  if (const auto* unary = As<Unary>(expr)) {
    const double v = Scalar(*unary->expr, t);
    return unary->op == UnaryOp::kMinus ? -v : v;
  }
  if (const auto* binary = As<Binary>(expr)) {
    if (binary->op == BinaryOp::kTrimUpper ||
        binary->op == BinaryOp::kTrimLower) {
      Fail(StrCat("operator ", GoQuote(Text(binary->op)),
                  " not allowed for Scalar operations"));
    }
    const double l = Scalar(*binary->lhs, t);
    return Apply(binary->op, l, Scalar(*binary->rhs, t));
  }
  const auto& call = *As<Call>(expr);
  const std::string_view name = call.function->name;
  if (name == "time") return static_cast<double>(t) / 1000;
  if (name == "pi") return 3.14159265358979323846;
  // Of the query, in subqueries too.
  if (name == "start") return static_cast<double>(times_.start.ms) / 1000;
  if (name == "end") return static_cast<double>(times_.end.ms) / 1000;
  if (name == "step") return static_cast<double>(times_.step.ms) / 1000;
  if (name == "range") {
    return static_cast<double>(times_.end.ms - times_.start.ms) / 1000;
  }
  if (name == "min_of" || name == "max_of") {
    const double a = Scalar(*call.args[0], t), b = Scalar(*call.args[1], t);
    const double winner = name == "min_of" ? -HUGE_VAL : HUGE_VAL;
    if (a == winner || b == winner) return winner;
    if (std::isnan(a) || std::isnan(b)) return kNan;
    if (a == 0 && b == 0) {
      return std::signbit(a) == (name == "min_of") ? a : b;
    }
    return (name == "min_of") == (a < b) ? a : b;
  }
  const Elements in = Vector(*call.args[0], t);
  double found = 0;
  int floats = 0;
  for (const Element& e : in) {
    if (e.h != nullptr) continue;
    found = e.v;
    ++floats;
  }
  return floats == 1 ? found : kNan;
}

Elements Evaluator::VectorHere(const Expr& expr, int64_t t) {
  if (const auto* selector = As<VectorSelector>(expr)) {
    return selector->smoothed ? Smoothed(*selector, t)
                              : Newest(*selector, t, What::kValue);
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
  for (Element& e : out) {
    DropName(e);
    e.v = -e.v;
    if (e.h == nullptr) continue;
    Hist h = *e.h;
    h.Scale(-1);
    e.h = std::make_shared<const Hist>(std::move(h));
  }
  CheckUnique(out);
  return out;
}

// --- Selectors.

int64_t Evaluator::Shifted(const AtModifier& at, const DurationSpec& offset,
                           int64_t t) {
  if (at.present()) t = at.Resolve(times_).ms;
  auto by = offset.Resolve(times_, false);
  if (!by.ok()) Fail(std::string(Message(by.status())));
  return by.ok() ? t - by->ms : t;
}

std::vector<const Series*> Evaluator::Selected(const Matchers& matchers) const {
  std::vector<const Series*> out;
  for (const Series& series : series_) {
    bool all = true;
    for (const MatcherPtr& matcher : matchers) {
      all = all && matcher->Matches(series.labels.Get(matcher->name()));
    }
    if (all) out.push_back(&series);
  }
  return out;
}

// Without buckets resets are found while reading, from `from` on (open).
std::vector<const Series*> Evaluator::Selected(const VectorSelector& selector,
                                               int64_t from) {
  std::vector<const Series*> out = Selected(selector.matchers);
  if (!statistics_.contains(&selector)) return out;
  for (const Series*& series : out) {
    const auto [known, fresh] = bare_.try_emplace({series, from});
    Series& bare = known->second;
    if (fresh) {
      bare.labels = series->labels;
      const Hist* last = nullptr;
      for (Point p : series->points) {
        if (p.t <= from) continue;
        if (p.h != nullptr) {
          Hist h;
          h.hint = p.h->hint;
          h.schema = p.h->schema;
          h.count = p.h->count;
          h.sum = p.h->sum;
          if (!IsStale(p.v)) {
            if (h.hint == Hist::Hint::kUnknown && last != nullptr) {
              h.hint = p.h->ResetSince(*last) ? Hist::Hint::kReset
                                              : Hist::Hint::kNotReset;
            }
            last = p.h.get();
          }
          p.h = std::make_shared<const Hist>(std::move(h));
        }
        bare.points.push_back(std::move(p));
      }
    }
    series = &bare;
  }
  return out;
}

std::vector<Series> SeriesOf(const std::vector<SeriesData>& rows) {
  std::vector<Series> out;
  for (const SeriesData& row : rows) {
    Series series = {row.labels, {}};
    const auto &starts = row.start_times, &h_starts = row.histogram_start_times;
    for (size_t i = 0; i < row.floats.size(); ++i) {
      const Sample& s = row.floats[i];
      series.points.push_back(
          {s.t.ms, s.v, nullptr, starts.empty() ? 0 : starts[i].ms});
    }
    for (size_t i = 0; i < row.histograms.size(); ++i) {
      const auto& [t, h] = row.histograms[i];
      series.points.push_back({t.ms, h.sum,
                               std::make_shared<const Hist>(Hist::Of(h)),
                               h_starts.empty() ? 0 : h_starts[i].ms});
    }
    std::stable_sort(series.points.begin(), series.points.end(),
                     [](const Point& a, const Point& b) { return a.t < b.t; });
    out.push_back(std::move(series));
  }
  std::sort(out.begin(), out.end(), [](const Series& a, const Series& b) {
    return a.labels < b.labels;
  });
  return out;
}

std::vector<Point> Evaluator::Between(const Series& series, int64_t after,
                                      int64_t until) {
  std::vector<Point> out;
  for (const Point& p : series.points) {
    if (p.t > after && p.t <= until) out.push_back(p);
  }
  return out;
}

Elements Evaluator::Newest(const VectorSelector& selector, int64_t t,
                           What what) {
  t = Shifted(selector.at, selector.offset, t);
  const int64_t from =
      Shifted(selector.at, selector.offset, grid_.start) - kLookback;
  Elements out;
  for (const Series* series : Selected(selector, from)) {
    const std::vector<Point> points = Between(*series, t - kLookback, t);
    if (points.empty() || IsStale(points.back().v)) continue;
    const Point& newest = points.back();
    if (what == What::kValue) {
      out.push_back({series->labels, newest.v, newest.h});
    } else {
      const int64_t ms = what == What::kTime ? newest.t : newest.start;
      out.push_back({series->labels, static_cast<double>(ms) / 1000});
    }
  }
  return out;
}

Elements Evaluator::Smoothed(const VectorSelector& selector, int64_t t) {
  t = Shifted(selector.at, selector.offset, t);
  const int64_t from =
      Shifted(selector.at, selector.offset, grid_.start) - kLookback;
  Elements out;
  for (const Series* series : Selected(selector, from)) {
    std::vector<Point> points = Between(*series, t - kLookback, t + kLookback);
    std::erase_if(points, [](const Point& p) { return IsStale(p.v); });
    const std::string name(series->labels.Get(kMetricName));
    const size_t histograms = static_cast<size_t>(
        std::count_if(points.begin(), points.end(),
                      [](const Point& p) { return p.h != nullptr; }));
    if (histograms > 0 && histograms < points.size()) {
      notes_.Warn(MixedFloats(name), selector.pos);
      continue;
    }
    const Point *before = nullptr, *next = nullptr;
    for (const Point& p : points) {
      if (p.t < t) before = &p;
      if (p.t >= t && next == nullptr) next = &p;
    }
    if (next != nullptr && next->t == t) {
      out.push_back({series->labels, next->v, next->h});
    } else if (before == nullptr) {
      continue;
    } else if (next == nullptr) {
      Element e = {series->labels, before->v, before->h};
      if (e.h != nullptr) {
        Hist h = *e.h;
        h.hint = Hist::Hint::kUnknown;
        e.h = std::make_shared<const Hist>(std::move(h));
      }
      out.push_back(std::move(e));
    } else if (before->h == nullptr) {
      out.push_back({series->labels,
                     before->v + (next->v - before->v) *
                                     static_cast<double>(t - before->t) /
                                     static_cast<double>(next->t - before->t)});
    } else if (before->h->custom() != next->h->custom()) {
      notes_.Warn(MixedSchemas(name), selector.pos);
    } else {
      const bool counter = before->h->hint != Hist::Hint::kGauge ||
                           next->h->hint != Hist::Hint::kGauge;
      HistPtr h = Interpolated(*before, *next, t, counter, name, selector.pos);
      if (h != nullptr) out.push_back({series->labels, 0, std::move(h)});
    }
  }
  return out;
}

std::vector<Window> Evaluator::Matrix(const Expr& expr, int64_t t) {
  const Expr& bare = Unwrap(expr);
  const auto* m = As<MatrixSelector>(bare);
  if (m == nullptr) return Subqueried(*As<Subquery>(bare), t);
  std::vector<Window> out;
  auto range = m->range.Resolve(times_, true);
  if (!range.ok()) {
    Fail(std::string(Message(range.status())));
    return out;
  }
  const VectorSelector& selector = *m->selector;
  Window window;
  window.anchored = selector.anchored;
  window.smoothed = selector.smoothed;
  window.end = Shifted(selector.at, selector.offset, t);
  window.range = range->ms;
  const bool wide = window.anchored || window.smoothed;
  const int64_t from = Shifted(selector.at, selector.offset, grid_.start) -
                       window.range - (wide ? kLookback : 0);
  for (const Series* series : Selected(selector, from)) {
    window.labels = series->labels;
    window.points = Between(*series, window.begin() - (wide ? kLookback : 0),
                            window.end + (window.smoothed ? kLookback : 0));
    std::erase_if(window.points, [](const Point& p) { return IsStale(p.v); });
    if (!window.points.empty()) out.push_back(window);
  }
  return out;
}

std::vector<Window> Evaluator::Subqueried(const Subquery& sub, int64_t t) {
  auto range = sub.range.Resolve(times_, true);
  if (!range.ok()) Fail(std::string(Message(range.status())));
  const int64_t width = range.ok() ? range->ms : 1;
  int64_t step = 60'000;
  if (sub.step.present()) {
    auto own = sub.step.Resolve(times_, true);
    if (!own.ok()) Fail(std::string(Message(own.status())));
    if (own.ok()) step = own->ms;
  }
  // All inner steps that any of the outer ones may ask for, whether one does or
  // not: multiples of the step since the epoch.
  const int64_t outer_steps = (grid_.end - grid_.start) / grid_.step;
  const int64_t first = Shifted(sub.at, sub.offset, grid_.start) - width;
  Grid inner = {first / step * step, 0, step};
  if (inner.start <= first) inner.start += step;
  inner.end =
      Shifted(sub.at, sub.offset, grid_.start + outer_steps * grid_.step);
  auto& steps = inner_[{&sub, inner}];
  if (steps.empty()) {
    steps = Within(inner, [&] {
      std::vector<std::pair<int64_t, Elements>> all;
      for (int64_t at = inner.start; at <= inner.end; at += step) {
        if (sub.expr->type == ValueType::kScalar) {
          all.push_back({at, {{{}, Scalar(*sub.expr, at)}}});
        } else {
          all.push_back({at, Vector(*sub.expr, at)});
        }
      }
      return all;
    });
  }
  std::vector<Window> out;
  const int64_t end = Shifted(sub.at, sub.offset, t);
  for (const auto& [at, elements] : steps) {
    if (at <= end - width || at > end) continue;
    for (const Element& e : elements) {
      auto window = std::find_if(out.begin(), out.end(), [&](const Window& w) {
        return w.labels == e.labels;
      });
      if (window == out.end()) {
        window = out.insert(window, Window{e.labels, e.drop_name, end, width});
      }
      Point p = {at, e.v, e.h};
      if (e.h != nullptr && (e.h->hint == Hist::Hint::kReset ||
                             e.h->hint == Hist::Hint::kNotReset)) {
        Hist h = *e.h;
        h.hint = Hist::Hint::kUnknown;
        p.h = std::make_shared<const Hist>(std::move(h));
      }
      window->points.push_back(std::move(p));
    }
  }
  std::sort(out.begin(), out.end(), [](const Window& a, const Window& b) {
    return a.labels < b.labels;
  });
  return out;
}

}  // namespace narthex::promql::naive
