// Functions over range vectors in the naive evaluator, but for the rates.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

const double kNan = std::nan("");

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

std::vector<Point> Floats(const Window& window) {
  std::vector<Point> out = window.points;
  std::erase_if(out, [](const Point& p) { return p.h != nullptr; });
  return out;
}

std::vector<double> Values(const std::vector<Point>& points) {
  std::vector<double> out;
  for (const Point& p : points) out.push_back(p.v);
  return out;
}

// Slope and value at `origin` of the least squares' line.
std::pair<double, double> Line(const std::vector<Point>& points,
                               int64_t origin) {
  bool constant = true;
  double n = 0;
  Compensated x, y, xy, xx;
  for (const Point& p : points) {
    constant = constant && p.v == points[0].v;
    n += 1;
    const double at = static_cast<double>(p.t - origin) / 1e3;
    x.Add(at);
    y.Add(p.v);
    xy.Add(at * p.v);
    xx.Add(at * at);
  }
  if (constant) {
    if (std::isinf(points[0].v)) return {kNan, kNan};
    return {0, points[0].v};
  }
  const double sx = x.s + x.c, sy = y.s + y.c;
  const double covariance = (xy.s + xy.c) - sx * sy / n;
  const double variance = (xx.s + xx.c) - sx * sx / n;
  const double slope = covariance / variance;
  return {slope, sy / n - slope * sx / n};
}

double Variance(const std::vector<Point>& p) {
  double n = 0;
  Compensated mean, squares;
  for (const Point& point : p) {
    n += 1;
    const double delta = point.v - (mean.s + mean.c);
    mean.Add(delta / n);
    squares.Add(delta * (point.v - (mean.s + mean.c)));
  }
  return (squares.s + squares.c) / n;
}

double MedianDeviation(const std::vector<Point>& p) {
  std::vector<double> values = Values(p);
  for (double v : values) {
    if (std::isnan(v)) return kNan;
  }
  const double median = Quantile(0.5, values);
  for (double& v : values) v = std::abs(v - median);
  return Quantile(0.5, values);
}

double Smoothing(const std::vector<Point>& p, double sf, double tf) {
  double before = 0, now = p[0].v, trend = p[1].v - p[0].v;
  for (size_t i = 1; i < p.size(); ++i) {
    const double x = sf * p[i].v;
    if (i > 1) trend = tf * (now - before) + (1 - tf) * trend;
    const double y = (1 - sf) * (now + trend);
    before = now;
    now = x + y;
  }
  return now;
}

// The least or largest, the first of equal ones, or the last.
Point Extreme(const std::vector<Point>& p, bool least, bool last) {
  Point best = p[0];
  for (const Point& x : p) {
    const bool better = least ? x.v < best.v : x.v > best.v;
    if (better || (last && x.v == best.v) || std::isnan(best.v)) best = x;
  }
  return best;
}

// Functions of floats that say so if there are histograms beside them.
std::optional<double> OfFloats(std::string_view name,
                               const std::vector<Point>& p,
                               const std::vector<double>& params) {
  if (name == "deriv" || name == "predict_linear" ||
      name == "double_exponential_smoothing") {
    if (p.size() < 2) return std::nullopt;
    if (name == "deriv") return Line(p, p[0].t).first;
    if (name == "double_exponential_smoothing") {
      return Smoothing(p, params[0], params[1]);
    }
    const auto [slope, value] = Line(p, static_cast<int64_t>(params[1]));
    return slope * params[0] + value;
  }
  if (name == "quantile_over_time") return Quantile(params[0], Values(p));
  if (name == "stdvar_over_time") return Variance(p);
  if (name == "stddev_over_time") return std::sqrt(Variance(p));
  if (name == "mad_over_time") return MedianDeviation(p);
  if (name == "min_over_time") return Extreme(p, true, false).v;
  if (name == "max_over_time") return Extreme(p, false, false).v;
  if (name == "ts_of_min_over_time") return Seconds(Extreme(p, true, true).t);
  return Seconds(Extreme(p, false, true).t);  // ts_of_max_over_time
}

// Of a subquery Prometheus has forgotten the place when it comes to notes.
TextRange PlaceOf(const Expr& arg) {
  const Expr& bare = Unwrap(arg);
  return bare.kind == ExprKind::kSubquery ? TextRange() : bare.pos;
}

bool TakesModifier(std::string_view function, bool smoothed) {
  if (function == "rate" || function == "increase" || function == "delta") {
    return true;
  }
  return !smoothed && (function == "changes" || function == "resets");
}

}  // namespace

std::optional<Element> Evaluator::HistogramOverTime(std::string_view name,
                                                    const Window& window,
                                                    TextRange at) {
  std::vector<HistPtr> all;
  for (const Point& p : window.points) all.push_back(p.h);
  bool reconciled = false;
  Element out;
  out.h = name == "avg_over_time" ? AverageOf(all, reconciled)
                                  : SumOf(all, reconciled);
  // A misfit is all that is told then.
  if (out.h == nullptr) {
    notes_.Warn(MixedSchemas(window.name()), at);
    return std::nullopt;
  }
  if (HintsCollide(all)) notes_.Warn(Conflicting("aggregation"), at);
  if (reconciled) notes_.Info(Reconciled("aggregation"), at);
  return out;
}

std::optional<Element> Evaluator::OfWindow(const Call& call,
                                           const Window& window,
                                           const std::vector<double>& params,
                                           TextRange at) {
  const std::string_view name = call.function->name;
  const std::vector<Point>& all = window.points;
  Element out;
  if (name == "rate" || name == "increase" || name == "delta") {
    return Rate(name, window, at);
  }
  if (name == "irate" || name == "idelta") {
    return LastTwo(name == "irate", window, at);
  }
  if (name == "resets" || name == "changes") {
    const std::optional<double> n = Walk(name == "resets", window);
    if (!n.has_value()) return std::nullopt;
    out.v = *n;
    return out;
  }
  if (name == "count_over_time" || name == "present_over_time") {
    out.v = name == "count_over_time" ? static_cast<double>(all.size()) : 1;
    return out;
  }
  if (name == "last_over_time" || name == "first_over_time") {
    const Point& p = name == "last_over_time" ? all.back() : all.front();
    out.v = p.v;
    out.h = p.h;
    return out;
  }
  if (name == "ts_of_last_over_time" || name == "ts_of_first_over_time") {
    out.v =
        Seconds((name == "ts_of_last_over_time" ? all.back() : all.front()).t);
    return out;
  }
  const std::vector<Point> floats = Floats(window);
  const bool mixed = floats.size() < all.size();
  if (name == "sum_over_time" || name == "avg_over_time") {
    if (mixed && !floats.empty()) {
      notes_.Warn(MixedFloats(window.name()), at);
      return std::nullopt;
    }
    if (floats.empty()) return HistogramOverTime(name, window, at);
    out.v = name == "avg_over_time" ? AverageOf(Values(floats))
                                    : SumOf(Values(floats), true);
    return out;
  }
  if (floats.empty()) return std::nullopt;
  if (name == "quantile_over_time" && !(params[0] >= 0 && params[0] <= 1)) {
    notes_.Warn(BadQuantile(params[0]), PlaceOf(*call.args[0]));
  }
  // Where the range vector isn't the first argument the position is that of the
  // first all the same.
  if (mixed) notes_.Info(IgnoredInRange(window.name()), PlaceOf(*call.args[0]));
  const std::optional<double> v = OfFloats(name, floats, params);
  if (!v.has_value()) return std::nullopt;
  out.v = *v;
  return out;
}

Elements Evaluator::OverTime(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  std::vector<double> params;
  const Expr* matrix = nullptr;
  for (const ExprPtr& arg : call.args) {
    if (arg->type == ValueType::kMatrix) {
      matrix = &Unwrap(*arg);
    } else {
      params.push_back(Scalar(*arg, t));
    }
  }
  if (const auto* m = As<MatrixSelector>(*matrix)) {
    const bool anchored = m->selector->anchored,
               smoothed = m->selector->smoothed;
    if ((anchored || smoothed) && !TakesModifier(name, smoothed)) {
      Fail(StrCat(anchored
                      ? "anchored modifier can only be used with: changes, "
                        "delta, increase, rate, resets - not with "
                      : "smoothed modifier can only be used with: delta, "
                        "increase, rate - not with ",
                  name));
    }
  }
  if (name == "predict_linear") params.push_back(static_cast<double>(t));
  const TextRange at = PlaceOf(*matrix);
  const std::vector<Window> in = Matrix(*matrix, t);
  Elements out;
  if (name == "absent_over_time") {
    if (!in.empty()) return out;
    const auto* m = As<MatrixSelector>(*matrix);
    out.push_back({m == nullptr ? Labels() : AbsentLabels(*m->selector), 1});
    return out;
  }
  const bool keeps = name == "last_over_time" || name == "first_over_time";
  for (const Window& window : in) {
    if (name == "double_exponential_smoothing") {
      for (size_t i = 0; i < 2; ++i) {
        if (params[i] > 0 && params[i] < 1) continue;
        char text[400];
        std::snprintf(text, sizeof text,
                      i == 0
                          ? "invalid smoothing factor. Expected: 0 < sf < 1, "
                            "got: %f"
                          : "invalid trend factor. Expected: 0 < tf < 1, "
                            "got: %f",
                      params[i]);
        Fail(text);
      }
    }
    std::optional<Element> e = OfWindow(call, window, params, at);
    if (!e.has_value()) continue;
    const std::string metric = window.name();
    if ((name == "rate" || name == "increase") && e->h == nullptr &&
        !metric.empty() && !metric.ends_with("_total") &&
        !metric.ends_with("_sum") && !metric.ends_with("_count") &&
        !metric.ends_with("_bucket")) {
      notes_.Info(StrCat("metric might not be a counter, name does not end in "
                         "_total/_sum/_count/_bucket: ",
                         GoQuote(metric)),
                  at);
    }
    e->labels = window.labels;
    e->drop_name = window.drop_name;
    if (!keeps || (window.drop_name && !delayed())) DropName(*e);
    // Two series that become one are refused, at different steps too.
    if (!delayed()) {
      const std::string from(window.labels.packed());
      const auto [seen, fresh] = came_from_.try_emplace(
          {&call, std::string(e->labels.packed())}, from);
      if (!fresh && seen->second != from) {
        Fail("vector cannot contain metrics with the same labelset");
      }
    }
    out.push_back(std::move(*e));
  }
  return out;
}

}  // namespace narthex::promql::naive
