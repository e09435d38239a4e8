// The functions of the naive evaluator.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "narthex/model/labels_builder.h"
#include "narthex/model/matcher.h"
#include "test/promql/naive/naive_evaluator.h"

namespace narthex::promql::naive {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kPi = 3.14159265358979323846;
const double kNan = std::nan("");

// Go's math.Max and math.Min: an infinity wins over NaN.
double Larger(double a, double b) {
  if (a == kInf || b == kInf) return kInf;
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}
double Smaller(double a, double b) {
  if (a == -kInf || b == -kInf) return -kInf;
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

double Round(double v, double to) {
  const double inverse = 1 / to;
  return std::floor(v * inverse + 0.5) / inverse;
}

int64_t WholeSeconds(double v) {
  if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0)) {
    return std::numeric_limits<int64_t>::min();
  }
  return static_cast<int64_t>(v);
}

struct Day {
  int64_t year = 0, month = 0, day = 0, of_year = 0;
};
bool IsLeap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
int64_t DaysIn(int64_t year, int64_t month) {
  static constexpr int64_t kDays[] = {31, 28, 31, 30, 31, 30,
                                      31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}
int64_t FloorDiv(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

// A day's date, year by year from the last 400-year mark.
Day DateOf(int64_t days) {
  const int64_t eras = FloorDiv(days, 146097);
  int64_t rest = days - eras * 146097;
  Day out;
  out.year = 1970 + eras * 400;
  while (rest >= (IsLeap(out.year) ? 366 : 365)) {
    rest -= IsLeap(out.year) ? 366 : 365;
    ++out.year;
  }
  out.of_year = rest + 1;
  out.month = 1;
  while (rest >= DaysIn(out.year, out.month)) {
    rest -= DaysIn(out.year, out.month);
    ++out.month;
  }
  out.day = rest + 1;
  return out;
}

// False: `name` is no function of the calendar.
bool Calendar(std::string_view name, double v, double& out) {
  const int64_t seconds = WholeSeconds(v);
  const int64_t days = FloorDiv(seconds, 86400);
  const int64_t of_day = (seconds % 86400 + 86400) % 86400;
  int64_t n = 0;
  if (name == "minute") {
    n = of_day / 60 % 60;
  } else if (name == "hour") {
    n = of_day / 3600;
  } else if (name == "day_of_week") {
    n = ((days + 4) % 7 + 7) % 7;
  } else if (name == "day_of_month") {
    n = DateOf(days).day;
  } else if (name == "day_of_year") {
    n = DateOf(days).of_year;
  } else if (name == "days_in_month") {
    n = DaysIn(DateOf(days).year, DateOf(days).month);
  } else if (name == "month") {
    n = DateOf(days).month;
  } else if (name == "year") {
    n = DateOf(days).year;
  } else {
    return false;
  }
  out = static_cast<double>(n);
  return true;
}

using Map = double (*)(double);
Map MapOf(std::string_view name) {
  static const std::pair<std::string_view, Map> kMaps[] = {
      {"abs", [](double v) { return std::abs(v); }},
      {"ceil", [](double v) { return std::ceil(v); }},
      {"floor", [](double v) { return std::floor(v); }},
      {"exp", [](double v) { return std::exp(v); }},
      {"ln", [](double v) { return std::log(v); }},
      {"log2", [](double v) { return std::log2(v); }},
      {"log10", [](double v) { return std::log10(v); }},
      {"sqrt", [](double v) { return std::sqrt(v); }},
      {"sgn", [](double v) { return v < 0   ? -1.0
                                    : v > 0 ? 1.0
                                            : v; }},
      {"sin", [](double v) { return std::sin(v); }},
      {"cos", [](double v) { return std::cos(v); }},
      {"tan", [](double v) { return std::tan(v); }},
      {"asin", [](double v) { return std::asin(v); }},
      {"acos", [](double v) { return std::acos(v); }},
      {"atan", [](double v) { return std::atan(v); }},
      {"sinh", [](double v) { return std::sinh(v); }},
      {"cosh", [](double v) { return std::cosh(v); }},
      {"tanh", [](double v) { return std::tanh(v); }},
      {"asinh", [](double v) { return std::asinh(v); }},
      {"acosh", [](double v) { return std::acosh(v); }},
      {"atanh", [](double v) { return std::atanh(v); }},
      {"deg", [](double v) { return v * 180 / kPi; }},
      {"rad", [](double v) { return v * kPi / 180; }},
  };
  for (const auto& [known, map] : kMaps) {
    if (known == name) return map;
  }
  return nullptr;
}

bool Rate(std::string_view name, const std::vector<Point>& p, int64_t end,
          int64_t range, double& out) {
  if (p.size() < 2) return false;
  const bool counter = name != "delta";
  double d = p.back().v - p.front().v;
  for (size_t i = 1; counter && i < p.size(); ++i) {
    if (p[i].v < p[i - 1].v) d += p[i - 1].v;
  }
  auto seconds = [](int64_t ms) { return static_cast<double>(ms) / 1000; };
  double to_start = seconds(p.front().t - (end - range));
  double to_end = seconds(end - p.back().t);
  const double sampled = seconds(p.back().t - p.front().t);
  const double average = sampled / static_cast<double>(p.size() - 1);
  const double threshold = average * 1.1;
  if (to_start >= threshold) to_start = average / 2;
  if (counter) {
    double to_zero = to_start;
    if (d > 0 && p.front().v >= 0) to_zero = sampled * (p.front().v / d);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= threshold) to_end = average / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (name == "rate") factor /= seconds(range);
  out = d * factor;
  return true;
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

double Average(const std::vector<Point>& p) {
  Compensated sum{p[0].v, 0};
  bool running = false;
  for (size_t i = 1; i < p.size(); ++i) {
    const double n = static_cast<double>(i + 1);
    if (!running) {
      Compensated next = sum;
      next.Add(p[i].v);
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
    sum.Add(p[i].v / n);
  }
  const double n = static_cast<double>(p.size());
  return running ? sum.s + sum.c : sum.s / n + sum.c / n;
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
  std::vector<double> values;
  for (const Point& point : p) {
    if (std::isnan(point.v)) return kNan;
    values.push_back(point.v);
  }
  const double median = Quantile(0.5, values);
  for (double& v : values) v = std::abs(v - median);
  return Quantile(0.5, values);
}

bool Smoothing(const std::vector<Point>& p, double sf, double tf, double& out) {
  if (p.size() < 2) return false;
  double before = 0, now = p[0].v, trend = p[1].v - p[0].v;
  for (size_t i = 1; i < p.size(); ++i) {
    const double x = sf * p[i].v;
    if (i > 1) trend = tf * (now - before) + (1 - tf) * trend;
    const double y = (1 - sf) * (now + trend);
    before = now;
    now = x + y;
  }
  out = now;
  return true;
}

}  // namespace

bool WindowValue(std::string_view name, const std::vector<Point>& p,
                 int64_t end, int64_t range, const std::vector<double>& params,
                 double& out) {
  auto seconds = [](int64_t ms) { return static_cast<double>(ms) / 1000; };
  if (name == "rate" || name == "increase" || name == "delta") {
    return Rate(name, p, end, range, out);
  }
  if (name == "irate" || name == "idelta") {
    if (p.size() < 2) return false;
    const Point &last = p.back(), &before = p[p.size() - 2];
    out = name == "irate" && last.v < before.v ? last.v : last.v - before.v;
    if (last.t == before.t) return false;
    if (name == "irate") out /= seconds(last.t - before.t);
    return true;
  }
  if (name == "resets" || name == "changes") {
    out = 0;
    for (size_t i = 1; i < p.size(); ++i) {
      const double a = p[i - 1].v, b = p[i].v;
      out += name == "resets" ? b < a
                              : a != b && !(std::isnan(a) && std::isnan(b));
    }
    return true;
  }
  if (name == "deriv") {
    if (p.size() < 2) return false;
    out = Line(p, p[0].t).first;
    return true;
  }
  if (name == "predict_linear") {
    if (p.size() < 2) return false;
    const auto [slope, value] = Line(p, static_cast<int64_t>(params[1]));
    out = slope * params[0] + value;
    return true;
  }
  if (name == "double_exponential_smoothing") {
    return Smoothing(p, params[0], params[1], out);
  }
  if (name == "quantile_over_time") {
    std::vector<double> values;
    for (const Point& point : p) values.push_back(point.v);
    out = Quantile(params[0], values);
    return true;
  }
  if (name == "sum_over_time") {
    Compensated sum;
    for (const Point& point : p) sum.Add(point.v);
    out = std::isinf(sum.s) ? sum.s : sum.s + sum.c;
  } else if (name == "avg_over_time") {
    out = Average(p);
  } else if (name == "count_over_time") {
    out = static_cast<double>(p.size());
  } else if (name == "stdvar_over_time") {
    out = Variance(p);
  } else if (name == "stddev_over_time") {
    out = std::sqrt(Variance(p));
  } else if (name == "present_over_time") {
    out = 1;
  } else if (name == "last_over_time") {
    out = p.back().v;
  } else if (name == "first_over_time") {
    out = p.front().v;
  } else if (name == "mad_over_time") {
    out = MedianDeviation(p);
  } else if (name == "ts_of_last_over_time") {
    out = seconds(p.back().t);
  } else if (name == "ts_of_first_over_time") {
    out = seconds(p.front().t);
  } else {
    // min, max, and when they were last.
    const bool least = name.find("min") != std::string_view::npos;
    Point best = p[0];
    for (const Point& x : p) {
      if ((least ? x.v <= best.v : x.v >= best.v) || std::isnan(best.v)) {
        best = x;
      }
    }
    out = best.v;
    if (name.starts_with("ts_of")) out = seconds(best.t);
  }
  return true;
}

Elements Evaluator::OverTime(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  std::vector<double> params;
  const Expr* matrix = nullptr;
  for (const ExprPtr& arg : call.args) {
    if (arg->type == ValueType::kMatrix) {
      matrix = arg.get();
    } else {
      params.push_back(Scalar(*arg, t));
    }
  }
  const Windows in = Matrix(*matrix, t);
  if (name == "predict_linear") params.push_back(static_cast<double>(t));
  Elements out;
  if (name == "absent_over_time") {
    if (in.windows.empty()) out.push_back({{}, 1});
    return out;
  }
  for (const WindowOf& window : in.windows) {
    double v = 0;
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
    if (!WindowValue(name, window.points, in.end, in.range, params, v)) {
      continue;
    }
    const bool keeps = name == "last_over_time" || name == "first_over_time";
    const Labels labels = keeps ? window.labels : WithoutName(window.labels);
    // Two series that become one are refused, at different steps too.
    const std::string from(window.labels.packed());
    const auto [seen, fresh] =
        came_from_.try_emplace({&call, std::string(labels.packed())}, from);
    if (!fresh && seen->second != from) {
      Fail("vector cannot contain metrics with the same labelset");
    }
    out.push_back({labels, v});
  }
  CheckUnique(out);
  return out;
}

Elements Evaluator::Mapped(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  const Expr& arg = Unwrap(*call.args[0]);
  const auto* selector = As<VectorSelector>(arg);
  Elements out = name == "timestamp" && selector != nullptr
                     ? Newest(*selector, t, true)
                     : Vector(arg, t);
  std::vector<double> params;
  for (size_t i = 1; i < call.args.size(); ++i) {
    params.push_back(Scalar(*call.args[i], t));
  }
  if (name == "clamp" && params[1] < params[0]) return {};
  const Map map = MapOf(name);
  for (Element& e : out) {
    e.labels = WithoutName(e.labels);
    if (map != nullptr) {
      e.v = map(e.v);
    } else if (name == "clamp") {
      e.v = Larger(params[0], Smaller(params[1], e.v));
    } else if (name == "clamp_min") {
      e.v = Larger(params[0], e.v);
    } else if (name == "clamp_max") {
      e.v = Smaller(params[0], e.v);
    } else if (name == "round") {
      e.v = Round(e.v, params.empty() ? 1 : params[0]);
    } else if (name == "timestamp") {
      if (selector == nullptr) e.v = static_cast<double>(t) / 1000;
    } else {
      Calendar(name, e.v, e.v);
    }
  }
  CheckUnique(out);
  return out;
}

Elements Evaluator::Relabeled(const Call& call, int64_t t) {
  Elements out = Vector(*call.args[0], t);
  std::vector<std::string> texts;
  for (size_t i = 1; i < call.args.size(); ++i) {
    texts.push_back(As<StringLiteral>(Unwrap(*call.args[i]))->value);
  }
  if (call.function->name == "label_join") {
    for (Element& e : out) {
      std::string joined;
      for (size_t i = 2; i < texts.size(); ++i) {
        if (i > 2) joined += texts[1];
        joined += e.labels.Get(texts[i]);
      }
      LabelsBuilder builder(e.labels);
      builder.Set(texts[0], joined);
      e.labels = builder.Build();
    }
  } else {
    const auto regex = Regex::Make(texts[3]);
    for (Element& e : out) {
      std::string value;
      if (!(*regex)->Expand(e.labels.Get(texts[2]), texts[1], value)) continue;
      LabelsBuilder builder(e.labels);
      builder.Set(texts[0], value);
      e.labels = builder.Build();
    }
  }
  CheckUnique(out);
  return out;
}

Elements Evaluator::Function(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  for (const ExprPtr& arg : call.args) {
    if (arg->type == ValueType::kMatrix) {
      Elements out = OverTime(call, t);
      if (name != "absent_over_time" || out.empty()) return out;
      const auto* matrix = As<MatrixSelector>(Unwrap(*arg));
      if (matrix != nullptr) {
        out[0].labels = AbsentLabels(*matrix->selector);
      }
      return out;
    }
  }
  if (name == "vector") return {{{}, Scalar(*call.args[0], t)}};
  if (name == "absent") {
    if (!Vector(*call.args[0], t).empty()) return {};
    const auto* selector = As<VectorSelector>(Unwrap(*call.args[0]));
    return {{selector == nullptr ? Labels() : AbsentLabels(*selector), 1}};
  }
  double now = 0;
  if (call.args.empty()) {
    Calendar(name, std::floor(static_cast<double>(t) / 1000), now);
    return {{{}, now}};
  }
  if (name == "label_replace" || name == "label_join") {
    return Relabeled(call, t);
  }
  if (name.starts_with("sort")) {
    Elements out = Vector(*call.args[0], t);
    // By label: the order is the engine's tests' business.
    if (name.starts_with("sort_by") || times_.start != times_.end) return out;
    const bool down = name == "sort_desc";
    std::stable_sort(out.begin(), out.end(),
                     [down](const Element& a, const Element& b) {
                       if (std::isnan(a.v)) return false;
                       if (std::isnan(b.v)) return true;
                       return down ? a.v > b.v : a.v < b.v;
                     });
    return out;
  }
  if (name == "histogram_quantile" || name == "histogram_fraction") {
    return Classic(call, t);
  }
  return Mapped(call, t);
}

Labels AbsentLabels(const VectorSelector& selector) {
  LabelsBuilder builder;
  std::set<std::string> seen;
  for (const MatcherPtr& matcher : selector.matchers) {
    if (matcher->name() == kMetricName) continue;
    const bool first = seen.insert(matcher->name()).second;
    const bool equal = matcher->type() == Matcher::Type::kEqual;
    builder.Set(matcher->name(), first && equal ? matcher->value() : "");
  }
  return builder.Build();
}

}  // namespace narthex::promql::naive
