// Functions over instant vectors in the naive evaluator.

#include <algorithm>
#include <cmath>
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

}  // namespace

Elements Evaluator::Mapped(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  const Expr& arg = Unwrap(*call.args[0]);
  const auto* selector = As<VectorSelector>(arg);
  const bool times = name == "timestamp" || name == "start_timestamp";
  // Of a selector the samples' own times, else the step's or none.
  if (name == "start_timestamp" &&
      (selector == nullptr || !options_.start_timestamps)) {
    if (selector == nullptr) Vector(arg, t);
    return {};
  }
  Elements in =
      times && selector != nullptr
          ? Newest(*selector, t,
                   name == "timestamp" ? What::kTime : What::kStartTime)
          : Vector(arg, t);
  std::vector<double> params;
  for (size_t i = 1; i < call.args.size(); ++i) {
    params.push_back(Scalar(*call.args[i], t));
  }
  if (name == "clamp" && params[1] < params[0]) return {};
  const Map map = MapOf(name);
  Elements out;
  for (Element& e : in) {
    if (e.h != nullptr && !times) continue;
    e.h = nullptr;
    DropName(e);
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
    } else if (times) {
      if (selector == nullptr) e.v = static_cast<double>(t) / 1000;
    } else {
      Calendar(name, e.v, e.v);
    }
    out.push_back(std::move(e));
  }
  CheckUnique(out);
  return out;
}

// histogram_count and its like: native ones only.
Elements Evaluator::OfHistograms(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  Elements out;
  for (const Element& e : Vector(*call.args[0], t)) {
    if (e.h == nullptr) continue;
    const Hist& h = *e.h;
    const double mean = h.sum / h.count;
    double v = mean;
    if (name == "histogram_count") {
      v = h.count;
    } else if (name == "histogram_sum") {
      v = h.sum;
    } else if (name != "histogram_avg") {
      Compensated variance;
      for (const Bucket& b : h.Ascending()) {
        if (b.count == 0) continue;
        double middle = 0;
        if (h.custom()) {
          middle = (b.upper + b.lower) / 2;
        } else if (b.lower > 0 || b.upper < 0) {
          middle = std::sqrt(b.upper * b.lower);
          if (b.upper < 0) middle = -middle;
        }
        const double delta = middle - mean;
        variance.Add(b.count * delta * delta);
      }
      v = (variance.s + variance.c) / h.count;
      if (name == "histogram_stddev") v = std::sqrt(v);
    }
    // These leave the type and the unit.
    Element result = {delayed() ? e.labels : Without(e.labels, {"__name__"}), v,
                      nullptr, true};
    out.push_back(std::move(result));
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
  const bool join = call.function->name == "label_join";
  const auto regex = Regex::Make(join ? "" : texts[3]);
  for (Element& e : out) {
    std::string value;
    if (join) {
      for (size_t i = 2; i < texts.size(); ++i) {
        if (i > 2) value += texts[1];
        value += e.labels.Get(texts[i]);
      }
    } else if (!(*regex)->Expand(e.labels.Get(texts[2]), texts[1], value)) {
      continue;
    }
    LabelsBuilder builder(e.labels);
    builder.Set(texts[0], value);
    e.labels = builder.Build();
    if (texts[0] == kMetricName) e.drop_name = false;
  }
  CheckUnique(out);
  return out;
}

Elements Evaluator::Sorted(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  Elements out = Vector(*call.args[0], t);
  if (!grid_.instant()) {
    notes_.Warn(
        "sort is ineffective for range queries since results are always "
        "ordered by labels",
        call.pos);
  }
  // By label: the order is the engine's tests' business.
  if (name.starts_with("sort_by")) return out;
  std::erase_if(out, [](const Element& e) { return e.h != nullptr; });
  if (!grid_.instant()) return out;
  const bool down = name == "sort_desc";
  std::stable_sort(out.begin(), out.end(),
                   [down](const Element& a, const Element& b) {
                     if (std::isnan(a.v)) return false;
                     if (std::isnan(b.v)) return true;
                     return down ? a.v > b.v : a.v < b.v;
                   });
  return out;
}

Elements Evaluator::Function(const Call& call, int64_t t) {
  const std::string_view name = call.function->name;
  for (const ExprPtr& arg : call.args) {
    if (arg->type == ValueType::kMatrix) return OverTime(call, t);
  }
  if (name == "vector") return {{{}, Scalar(*call.args[0], t)}};
  if (name == "absent") {
    if (!Vector(*call.args[0], t).empty()) return {};
    const auto* selector = As<VectorSelector>(Unwrap(*call.args[0]));
    return {{selector == nullptr ? Labels() : AbsentLabels(*selector), 1}};
  }
  if (call.args.empty()) {
    double now = 0;
    Calendar(name, std::floor(static_cast<double>(t) / 1000), now);
    return {{{}, now}};
  }
  if (name == "info") return Info(call, t);
  if (name == "label_replace" || name == "label_join") {
    return Relabeled(call, t);
  }
  if (name.starts_with("sort")) return Sorted(call, t);
  if (name.starts_with("histogram_quantile") || name == "histogram_fraction") {
    return Buckets(call, t);
  }
  if (name.starts_with("histogram_")) return OfHistograms(call, t);
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
