#include "test/support/query_generator.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "narthex/promql/ast.h"
#include "narthex/promql/parser.h"

namespace narthex::test {
namespace {

struct Metric {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>>
      labels;
};

const std::vector<Metric>& FloatMetrics() {
  static const std::vector<Metric> kMetrics = {
      {"requests_total",
       {{"code", {"200", "500"}},
        {"instance", {"0", "1", "2"}},
        {"job", {"api", "web"}}}},
      {"errors_total",
       {{"instance", {"0", "1", "2"}}, {"job", {"api", "web"}}}},
      {"load", {{"instance", {"0", "1", "2"}}, {"job", {"api", "web"}}}},
      {"temp", {{"instance", {"0", "1", "2"}}, {"room", {"hall", "attic"}}}},
      {"odd", {{"kind", {"nan", "inf", "huge", "tiny", "sparse", "signs"}}}},
      {"up", {{"instance", {"0", "1", "2"}}, {"job", {"api", "web"}}}},
      {"build_info",
       {{"instance", {"0", "1", "2"}},
        {"job", {"api", "web"}},
        {"version", {"1.9", "1.10"}}}},
      {"target_info",
       {{"instance", {"0", "1", "2"}},
        {"job", {"api", "web"}},
        {"zone", {"east", "west"}}}},
      {"latency_bucket",
       {{"job", {"api", "web"}}, {"le", {"0.1", "0.5", "1", "+Inf"}}}},
  };
  return kMetrics;
}

const std::vector<Metric>& HistogramMetrics() {
  static const std::vector<Metric> kMetrics = {
      {"size", {{"instance", {"0", "1"}}, {"job", {"api", "web"}}}},
      {"custom", {{"job", {"api", "web"}}}},
      {"mixed", {{"instance", {"0", "1"}}}},
      {"strange",
       {{"kind",
         {"gauge", "hints", "nan", "schemas", "huge", "stale", "empty"}}}},
  };
  return kMetrics;
}

}  // namespace

std::string QueryGenerator::Pick(Texts texts) {
  return std::string(texts.begin()[Below(texts.size())]);
}

std::string QueryGenerator::Next() {
  const int depth = static_cast<int>(Below(options_.depth + 1));
  return Chance(8) ? Scalar(depth) : Vector(std::max(depth, 1));
}

std::string QueryGenerator::Operand(std::string text) {
  const bool simple = std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
           c == '.';
  });
  return simple ? text : "(" + std::move(text) + ")";
}

std::string QueryGenerator::Number() {
  return Pick({"0",    "1",   "2",   "3",    "5",    "0.5",   "0.1",
               "0.9",  "1.5", "100", "1e3",  "-1",   "-0.5",  "-2",
               "7.25", "NaN", "Inf", "-Inf", "1e-9", "1e300", "1m"});
}

std::string QueryGenerator::Duration() {
  return Pick({"15s", "30s", "45s", "1m", "90s", "2m", "3m", "5m", "7m", "10m",
               "1s", "20s500ms"});
}

std::string QueryGenerator::Times() {
  std::string out;
  if (options_.newest && Chance(4)) {
    out += " offset " + Pick({"-step()", "(1m - 20s)", "min_of(step(), 1m)",
                              "(range() / 10)"});
  } else if (Chance(15)) {
    out += " offset " + Pick({"", "-"}) + Duration();
  }
  if (Chance(10)) {
    switch (Below(3)) {
      case 0:
        out += " @ start()";
        break;
      case 1:
        out += " @ end()";
        break;
      default: {
        const int64_t span = options_.last_second - options_.first_second;
        out += " @ " + std::to_string(options_.first_second +
                                      static_cast<int64_t>(
                                          Below(static_cast<uint64_t>(span))));
      }
    }
  }
  return out;
}

std::string QueryGenerator::Selector() {
  const bool native = options_.native_histograms && Chance(40);
  const auto& metrics = native ? HistogramMetrics() : FloatMetrics();
  const bool strange = !native || options_.strange_histograms;
  const Metric& metric = metrics[Below(metrics.size() - (strange ? 0 : 1))];
  std::vector<std::string> matchers;
  for (const auto& [name, values] : metric.labels) {
    if (!Chance(25)) continue;
    const std::string a(values[Below(values.size())]);
    const std::string b(values[Below(values.size())]);
    std::string matcher(name);
    switch (Below(5)) {
      case 0:
      case 1:
        matcher += "=\"" + a + "\"";
        break;
      case 2:
        matcher += "!=\"" + a + "\"";
        break;
      case 3:
        // A plus sign in a value would be one of the expression's.
        matcher += "=~\"" + (a[0] == '+' ? ".*" : a) + "|" +
                   (b[0] == '+' ? "x" : b) + "\"";
        break;
      default:
        matcher += "!~\"" + (a[0] == '+' ? ".+f" : a) + "\"";
    }
    matchers.push_back(std::move(matcher));
  }
  if (Chance(3)) matchers.push_back("absent=\"\"");
  std::string out(metric.name);
  if (Chance(4)) {
    out.clear();
    matchers.push_back("__name__=~\"" + std::string(metric.name) + "|up\"");
  }
  if (!matchers.empty() || out.empty()) {
    out += "{";
    for (size_t i = 0; i < matchers.size(); ++i) {
      out += (i > 0 ? "," : "") + matchers[i];
    }
    out += "}";
  }
  return out;
}

std::string QueryGenerator::Scalar(int depth) {
  if (depth <= 0 || Chance(40)) {
    if (options_.newest && Chance(10)) {
      return Pick({"step()", "range()", "start()", "end()"});
    }
    return Chance(15) ? Pick({"time()", "pi()"}) : Number();
  }
  switch (Below(4)) {
    case 0:
    case 1:
      return "scalar(" + Vector(depth - 1) + ")";
    case 2: {
      const bool compare = Chance(30);
      const std::string op =
          compare ? Pick({"==", "!=", "<", "<=", ">", ">="}) + " bool"
                  : Pick({"+", "-", "*", "/", "%", "^", "atan2"});
      return Operand(Scalar(depth - 1)) + " " + op + " " +
             Operand(Scalar(depth - 1));
    }
    default:
      if (options_.newest && Chance(50)) {
        return Pick({"min_of", "max_of"}) + "(" + Scalar(depth - 1) + ", " +
               Scalar(depth - 1) + ")";
      }
      return "-" + Operand(Scalar(depth - 1));
  }
}

std::string QueryGenerator::Matrix(int depth) {
  if (depth > 0 && Chance(35)) {
    const std::string step =
        Chance(40) ? "" : Pick({"15s", "30s", "1m", "7s", "2m"});
    return Operand(Vector(depth - 1)) + "[" + Duration() + ":" + step + "]" +
           Times();
  }
  std::string range = Duration();
  if (options_.newest && Chance(5)) {
    range =
        Pick({"1m * 2", "max_of(step(), 1m)", "2m - 15s", "min_of(5m, 7m)"});
  }
  std::string out = Selector() + "[" + range + "]";
  if (options_.newest && Chance(6)) out += Pick({" anchored", " smoothed"});
  return out + Times();
}

std::string QueryGenerator::Vector(int depth) {
  if (options_.newest && Chance(3)) {
    return Selector() + Pick({" smoothed", " anchored"}) + Times();
  }
  if (depth <= 0) return Selector() + Times();
  switch (Below(options_.native_histograms ? 22 : 20)) {
    case 0:
      return Selector() + Times();
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return OverTime(depth);
    case 6:
    case 7:
    case 8:
    case 9:
      return Aggregation(depth);
    case 10:
    case 11:
      return WithScalar(depth);
    case 12:
    case 13:
      return VectorBinary(depth);
    case 14:
      return SetOperation(depth);
    case 15:
      return ClassicHistogram(depth);
    case 16:
      return OfLabels(depth);
    case 17:
    case 18:
      return Elementwise(depth);
    case 19:
      return options_.newest && Chance(25) ? Newest(depth) : Other(depth);
    default:
      return NativeHistogram(depth);
  }
}

std::string QueryGenerator::OverTime(int depth) {
  const std::string matrix = Matrix(depth - 1);
  switch (Below(10)) {
    case 0:
    case 1:
    case 2:
      return Pick({"rate", "increase", "delta", "irate", "idelta"}) + "(" +
             matrix + ")";
    case 3:
      return "quantile_over_time(" + Scalar(depth - 2) + ", " + matrix + ")";
    case 4:
      return "predict_linear(" + matrix + ", " + Scalar(depth - 2) + ")";
    case 5:
      if (!options_.experimental) break;
      if (Chance(30)) {
        return "double_exponential_smoothing(" + matrix + ", " +
               Pick({"0.5", "0.1", "0.9", "1.5"}) + ", " +
               Pick({"0.3", "0.6", "0.2"}) + ")";
      }
      return Pick({"mad_over_time", "ts_of_min_over_time",
                   "ts_of_max_over_time", "ts_of_last_over_time"}) +
             "(" + matrix + ")";
    case 6:
      if (options_.newest && Chance(50)) {
        return Pick({"first_over_time", "ts_of_first_over_time"}) + "(" +
               matrix + ")";
      }
      break;
    default:
      break;
  }
  return Pick({"avg_over_time", "min_over_time", "max_over_time",
               "sum_over_time", "count_over_time", "stddev_over_time",
               "stdvar_over_time", "last_over_time", "present_over_time",
               "absent_over_time", "changes", "resets", "deriv"}) +
         "(" + matrix + ")";
}

std::string QueryGenerator::LabelList() {
  std::string out = "(";
  for (const char* name :
       {"job", "instance", "code", "le", "room", "zone", "nothing"}) {
    if (!Chance(*name == 'j' || *name == 'i' ? 45 : 12)) continue;
    if (out.size() > 1) out += ", ";
    out += name;
  }
  return out + ")";
}

std::string QueryGenerator::Aggregation(int depth) {
  std::string clause;
  if (Chance(65)) clause = Pick({" by ", " without "}) + LabelList() + " ";
  const std::string input = Vector(depth - 1);
  const uint64_t kind = Below(20);
  if (kind < 3) {
    const std::string k =
        Chance(75) ? Pick({"1", "2", "3", "5", "0", "1.9"}) : Scalar(depth - 2);
    return Pick({"topk", "bottomk"}) + clause + "(" + k + ", " + input + ")";
  }
  if (kind < 5) {
    return "quantile" + clause + "(" + Scalar(depth - 2) + ", " + input + ")";
  }
  if (kind == 5) return "count_values" + clause + "(\"v\", " + input + ")";
  if (kind == 6 && options_.experimental) {
    return Chance(50) ? "limitk" + clause + "(" + Pick({"1", "2", "4"}) + ", " +
                            input + ")"
                      : "limit_ratio" + clause + "(" +
                            Pick({"0.5", "-0.5", "0.1", "1", "-1", "1.5"}) +
                            ", " + input + ")";
  }
  return Pick({"sum", "sum", "avg", "avg", "count", "min", "max", "group",
               "stddev", "stdvar"}) +
         clause + "(" + input + ")";
}

std::string QueryGenerator::Matching(bool set_operator) {
  std::string out;
  if (Chance(70)) {
    out = Chance(60) ? " on " + Pick({"(instance, job)", "(instance)", "(job)",
                                      "(job, instance, code)", "()"})
                     : " ignoring " + LabelList();
    if (!set_operator && Chance(40)) {
      out += Pick({" group_left ", " group_right "}) +
             Pick({"()", "(zone)", "(version)", "(job)"});
    }
  }
  if (options_.newest && !set_operator && Chance(15)) {
    out += Chance(40) ? " fill (0)"
                      : Pick({" fill_left (1)", " fill_right (-2)",
                              " fill_left (0) fill_right (3)"});
  }
  return out;
}

std::string QueryGenerator::VectorBinary(int depth) {
  std::string op;
  if (Chance(60)) {
    op = Pick({"+", "-", "*", "/", "%", "^", "atan2"});
  } else {
    op = Pick({"==", "!=", "<", "<=", ">", ">="}) + Pick({"", " bool"});
  }
  return Operand(Vector(depth - 1)) + " " + op + Matching(false) + " " +
         Operand(Vector(depth - 1));
}

std::string QueryGenerator::SetOperation(int depth) {
  return Operand(Vector(depth - 1)) + " " + Pick({"and", "or", "unless"}) +
         Matching(true) + " " + Operand(Vector(depth - 1));
}

std::string QueryGenerator::WithScalar(int depth) {
  std::string op;
  if (options_.newest && options_.native_histograms && Chance(15)) {
    op = Pick({"</", ">/"});
  } else if (Chance(60)) {
    op = Pick({"+", "-", "*", "/", "%", "^", "atan2"});
  } else {
    op = Pick({"==", "!=", "<", "<=", ">", ">="}) + Pick({"", " bool"});
  }
  std::string left = Operand(Vector(depth - 1));
  std::string right = Operand(Scalar(depth - 1));
  if (Chance(35)) std::swap(left, right);
  return left + " " + op + " " + right;
}

std::string QueryGenerator::ClassicHistogram(int depth) {
  std::string buckets;
  switch (Below(4)) {
    case 0:
      buckets = "latency_bucket";
      break;
    case 1:
      buckets = "rate(latency_bucket[" + Duration() + "])";
      break;
    case 2:
      buckets = "sum by (le" + Pick({"", ", job"}) +
                ") (increase(latency_bucket[" + Duration() + "]))";
      break;
    default:
      buckets = Vector(depth - 1);
  }
  if (options_.newest && options_.experimental && Chance(15)) {
    return "histogram_quantiles(" + buckets + ", \"q\", 0.5, " + Number() + ")";
  }
  if (Chance(30)) {
    return "histogram_fraction(" + Number() + ", " + Number() + ", " + buckets +
           ")";
  }
  return "histogram_quantile(" + Scalar(depth - 2) + ", " + buckets + ")";
}

std::string QueryGenerator::NativeHistogram(int depth) {
  const std::string name = options_.strange_histograms && Chance(30)
                               ? "strange"
                               : Pick({"size", "size", "custom", "mixed"});
  std::string input;
  switch (Below(5)) {
    case 0:
      input = name;
      break;
    case 1:
      input = "rate(" + name + "[" + Duration() + "])";
      break;
    case 2:
      input = "sum " + Pick({"", "by (job) "}) + "(" + name + ")";
      break;
    case 3:
      input = Pick({"avg", "sum"}) + " (increase(" + name + "[" + Duration() +
              "]))";
      break;
    default:
      input = Vector(depth - 1);
  }
  switch (Below(4)) {
    case 0:
      return "histogram_quantile(" + Scalar(depth - 2) + ", " + input + ")";
    case 1:
      return "histogram_fraction(" + Number() + ", " + Number() + ", " + input +
             ")";
    default:
      return Pick({"histogram_count", "histogram_sum", "histogram_avg",
                   "histogram_stddev", "histogram_stdvar"}) +
             "(" + input + ")";
  }
}

std::string QueryGenerator::OfLabels(int depth) {
  const std::string input = Vector(depth - 1);
  switch (Below(5)) {
    case 0:
      return "label_join(" + input + ", " + Pick({"\"new\"", "\"job\""}) +
             ", \"-\", \"job\", \"instance\")";
    case 1:
      return "label_replace(" + input +
             ", \"__name__\", \"renamed\", \"\", \"\")";
    case 2:
      return "label_replace(" + input +
             ", \"instance\", \"\", \"instance\", \"0\")";
    default:
      return "label_replace(" + input + ", \"" +
             Pick({"new", "job", "instance"}) + "\", \"" +
             Pick({"$1", "x-$1", "${1}y", "const"}) + "\", \"" +
             Pick({"job", "instance", "code"}) + "\", \"" +
             Pick({"(.*)", "(.).*", "api|(w)eb", "0"}) + "\")";
  }
}

std::string QueryGenerator::Elementwise(int depth) {
  const std::string input = Vector(depth - 1);
  switch (Below(8)) {
    case 0:
      return "clamp(" + input + ", " + Scalar(depth - 2) + ", " +
             Scalar(depth - 2) + ")";
    case 1:
      return Pick({"clamp_min", "clamp_max", "round"}) + "(" + input + ", " +
             Scalar(depth - 2) + ")";
    case 2:
      return Pick({"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
                   "tanh", "asinh", "acosh", "atanh", "deg", "rad"}) +
             "(" + input + ")";
    case 3:
      return Pick({"minute", "hour", "day_of_week", "day_of_month",
                   "day_of_year", "days_in_month", "month", "year"}) +
             "(" + input + ")";
    default:
      return Pick({"abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt",
                   "sgn", "round", "timestamp"}) +
             "(" + input + ")";
  }
}

// info() and start_timestamp().
std::string QueryGenerator::Newest(int depth) {
  if (Chance(25)) return "start_timestamp(" + Vector(depth - 1) + ")";
  return "info(" + Vector(depth - 1) +
         Pick({"", "", ", {zone=~\".+\"}", ", {version=\"1.9\"}",
               ", {__name__=\"build_info\"}", ", {__name__=~\".+_info\"}",
               ", {__name__!=\"target_info\"}", ", {nothing=\"\"}"}) +
         ")";
}

std::string QueryGenerator::Other(int depth) {
  switch (Below(6)) {
    case 0:
      return "absent(" + Vector(depth - 1) + ")";
    case 1:
      return "vector(" + Scalar(depth - 1) + ")";
    case 2:
      return Pick({"sort", "sort_desc"}) + "(" + Vector(depth - 1) + ")";
    case 3:
      if (options_.experimental) {
        return Pick({"sort_by_label", "sort_by_label_desc"}) + "(" +
               Vector(depth - 1) + ", " +
               Pick({"\"version\"", "\"instance\", \"job\"", "\"nothing\""}) +
               ")";
      }
      [[fallthrough]];
    case 4:
      return Pick({"minute", "hour", "day_of_week", "year", "month"}) + "()";
    default:
      return Pick({"-", "+"}) + Operand(Vector(depth - 1));
  }
}

std::string MinimiseQuery(
    const std::string& query,
    const std::function<bool(const std::string&)>& fails) {
  std::string best = query;
  for (bool shrunk = true; shrunk;) {
    shrunk = false;
    auto expr = promql::ParseExpr(best, promql::ParserOptions::Everything());
    if (!expr.ok()) return best;
    // Every node's text, and in its place that of any node below it.
    std::vector<std::string> candidates;
    promql::Walk(**expr, [&](const promql::Expr& node, auto path) {
      const std::string text =
          best.substr(node.pos.begin, node.pos.end - node.pos.begin);
      candidates.push_back(text);
      for (const promql::Expr* above : path) {
        std::string shorter = best;
        shorter.replace(above->pos.begin, above->pos.end - above->pos.begin,
                        text);
        candidates.push_back(std::move(shorter));
      }
      if (node.type == promql::ValueType::kScalar) {
        std::string shorter = best;
        shorter.replace(node.pos.begin, text.size(), "1");
        candidates.push_back(std::move(shorter));
      }
      return true;
    });
    std::sort(candidates.begin(), candidates.end(),
              [](const std::string& a, const std::string& b) {
                return a.size() != b.size() ? a.size() < b.size() : a < b;
              });
    for (const std::string& candidate : candidates) {
      if (candidate.size() >= best.size()) break;
      auto parsed =
          promql::ParseExpr(candidate, promql::ParserOptions::Everything());
      if (parsed.ok() &&
          ((*parsed)->type == promql::ValueType::kVector ||
           (*parsed)->type == promql::ValueType::kScalar) &&
          fails(candidate)) {
        best = candidate;
        shrunk = true;
        break;
      }
    }
  }
  return best;
}

}  // namespace narthex::test
