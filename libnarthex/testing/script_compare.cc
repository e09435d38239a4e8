#include "libnarthex/testing/script_compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::testing {
namespace {

using promql::Matrix;
using promql::MatrixSeries;
using promql::SeriesValue;
using promql::Vector;
using promql::VectorElement;

bool SameSpans(std::vector<Span> a, std::vector<Span> b) {
  // An empty span only moves what comes after it.
  auto join = [](std::vector<Span>& spans) {
    std::vector<Span> joined;
    int32_t gap = 0;
    for (const Span& span : spans) {
      gap += span.offset;
      if (span.length == 0) continue;
      joined.push_back({gap, span.length});
      gap = 0;
    }
    spans = std::move(joined);
  };
  join(a);
  join(b);
  return a == b;
}

bool SameBuckets(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), AlmostEqual);
}

bool SameHistogram(FloatHistogram a, FloatHistogram b, bool check_hint) {
  a.Compact();
  b.Compact();
  return a.schema == b.schema && AlmostEqual(a.count, b.count) &&
         AlmostEqual(a.sum, b.sum) && AlmostEqual(a.zero_count, b.zero_count) &&
         a.zero_threshold == b.zero_threshold &&
         (!a.uses_custom_buckets() || a.custom_values == b.custom_values) &&
         SameSpans(a.positive_spans, b.positive_spans) &&
         SameSpans(a.negative_spans, b.negative_spans) &&
         SameBuckets(a.positive_buckets, b.positive_buckets) &&
         SameBuckets(a.negative_buckets, b.negative_buckets) &&
         (!check_hint || a.hint == b.hint);
}

bool SameValue(const SeriesValue& expected, double v,
               const promql::HistogramPtr& histogram) {
  if ((expected.histogram == nullptr) != (histogram == nullptr)) return false;
  if (histogram == nullptr) return AlmostEqual(expected.value, v);
  return SameHistogram(*expected.histogram, *histogram, expected.hint_set);
}

std::string Text(double v, const FloatHistogram* histogram) {
  if (histogram != nullptr) return histogram->ToTestString();
  return IsStale(v) ? "stale" : FormatFloat(v);
}

std::string Text(const std::vector<SeriesValue>& values) {
  std::string out;
  for (const SeriesValue& v : values) {
    StrAppend(&out, " ", v.omitted ? "_" : Text(v.value, v.histogram.get()));
  }
  return out;
}

// A series that came, as text.
struct GotSeries {
  Labels labels = {};
  std::string points = {};
  bool as_expected = false;
};

// What is wrong, then a line for every series that is not as it should be: `-`
// what was expected, `+` what came.
std::string Differs(const EvalCommand& eval, std::string_view what,
                    const std::vector<GotSeries>& got) {
  std::string out(what);
  std::vector<bool> told(got.size(), false);
  size_t fine = 0;
  const auto came = [&](size_t i) {
    StrAppend(&out, "\n  + ", got[i].labels.ToMetricString(), got[i].points);
    told[i] = true;
  };
  for (const ExpectedSeries& expected : eval.series) {
    const auto it = std::find_if(got.begin(), got.end(), [&](const auto& g) {
      return g.labels == expected.labels;
    });
    const auto i = static_cast<size_t>(it - got.begin());
    // The order of a vector is seen as a whole.
    if (it != got.end() && it->as_expected && !eval.ordered) {
      told[i] = true;
      ++fine;
      continue;
    }
    StrAppend(&out, "\n  - ", expected.labels.ToMetricString(),
              Text(expected.values));
    if (it != got.end() && !eval.ordered) came(i);
  }
  for (size_t i = 0; i < got.size(); ++i) {
    if (!told[i]) came(i);
  }
  if (fine > 0) StrAppend(&out, "\n  (", fine, " more as expected)");
  if (got.empty()) out += "\n  nothing came";
  return out;
}

const ExpectedSeries* Find(const EvalCommand& eval, const Labels& labels,
                           size_t& position) {
  for (size_t i = eval.series.size(); i-- > 0;) {  // the last line counts
    if (!(eval.series[i].labels == labels)) continue;
    position = i;
    return &eval.series[i];
  }
  return nullptr;
}

std::string NotFound(const EvalCommand& eval,
                     const std::vector<GotSeries>& got) {
  for (const ExpectedSeries& series : eval.series) {
    if (std::none_of(got.begin(), got.end(), [&](const GotSeries& g) {
          return g.labels == series.labels;
        })) {
      return StrCat("expected metric ", series.labels.ToMetricString(),
                    " not found");
    }
  }
  return {};
}

std::string CompareVector(const EvalCommand& eval, const Vector& vector) {
  std::string what;
  std::vector<GotSeries> got;
  for (size_t i = 0; i < vector.size(); ++i) {
    const VectorElement& element = vector[i];
    const std::string name = element.labels.ToMetricString();
    size_t position = 0;
    const ExpectedSeries* expected = Find(eval, element.labels, position);
    got.push_back(
        {element.labels, StrCat(" ", Text(element.v, element.histogram.get())),
         expected != nullptr && !expected->values.empty() &&
             SameValue(expected->values[0], element.v, element.histogram)});
    if (!what.empty()) continue;
    if (expected == nullptr) {
      what = StrCat("unexpected metric ", name, " in result");
    } else if (eval.ordered && position != i) {
      what = StrCat("expected metric ", name, " at position ", position + 1,
                    " but was at ", i + 1);
    } else if (!got.back().as_expected) {
      what = StrCat("expected", Text(expected->values), " for ", name,
                    " but got ", Text(element.v, element.histogram.get()));
    }
  }
  if (what.empty()) what = NotFound(eval, got);
  return what.empty() ? what : Differs(eval, what, got);
}

// A point of the grid as it came; nothing: there is none.
struct Point {
  bool present = false;
  double v = 0;
  promql::HistogramPtr histogram = nullptr;
};

// The series on the grid of the script; false: it has points off the grid.
bool OnGrid(const EvalCommand& eval, const MatrixSeries& series,
            std::vector<Point>& out) {
  const int64_t step = std::max<int64_t>(eval.step.ms, 1);
  auto place = [&](Timestamp t) -> Point* {
    const int64_t after = SaturatingSub(t.ms, eval.start.ms);
    if (after < 0 || t > eval.end || after % step != 0) return nullptr;
    const auto i = static_cast<size_t>(after / step);
    if (i >= promql::kMaxSeriesValues) return nullptr;
    if (out.size() <= i) out.resize(i + 1);
    return &out[i];
  };
  for (const Sample& sample : series.floats) {
    Point* point = place(sample.t);
    if (point == nullptr) return false;
    *point = {true, sample.v, nullptr};
  }
  for (const promql::HistogramSample& sample : series.histograms) {
    Point* point = place(sample.t);
    if (point == nullptr) return false;
    *point = {true, 0, sample.histogram};
  }
  return true;
}

std::string Text(const std::vector<Point>& points) {
  std::string out;
  for (const Point& p : points) {
    StrAppend(&out, " ", p.present ? Text(p.v, p.histogram.get()) : "_");
  }
  return out;
}

bool SamePoints(const std::vector<SeriesValue>& expected,
                const std::vector<Point>& points) {
  const size_t n = std::max(expected.size(), points.size());
  for (size_t i = 0; i < n; ++i) {
    const bool wanted = i < expected.size() && !expected[i].omitted;
    const bool present = i < points.size() && points[i].present;
    if (wanted != present) return false;
    if (present && !SameValue(expected[i], points[i].v, points[i].histogram)) {
      return false;
    }
  }
  return true;
}

std::string CompareMatrix(const EvalCommand& eval, const Matrix& matrix) {
  if (eval.ordered) {
    return "expected ordered result, but query returned a matrix";
  }
  std::string what;
  std::vector<GotSeries> got;
  for (size_t i = 0; i < matrix.size(); ++i) {
    const MatrixSeries& series = matrix[i];
    const std::string name = series.labels.ToMetricString();
    std::vector<Point> points;
    const bool on_grid = OnGrid(eval, series, points);
    size_t position = 0;
    const ExpectedSeries* expected = Find(eval, series.labels, position);
    got.push_back(
        {series.labels,
         StrCat(Text(points), on_grid ? "" : " and points between the steps"),
         on_grid && expected != nullptr &&
             SamePoints(expected->values, points)});
    if (!what.empty()) continue;
    if (i > 0 && !(matrix[i - 1].labels < series.labels)) {
      what = StrCat("matrix is not sorted: ", name, " comes too late");
    } else if (expected == nullptr) {
      what = StrCat("unexpected metric ", name, " in result");
    } else if (eval.start +
                   eval.step *
                       (static_cast<int64_t>(expected->values.size()) - 1) >
               eval.end) {
      what = StrCat("expected ", expected->values.size(), " points for ", name,
                    ", but query time range cannot return this many points");
    } else if (!got.back().as_expected) {
      what = StrCat("points of ", name, " differ");
    }
  }
  if (what.empty()) what = NotFound(eval, got);
  return what.empty() ? what : Differs(eval, what, got);
}

std::string CompareTexts(std::string_view kind,
                         const std::vector<ExpectedText>& expected,
                         const std::vector<std::string>& actual) {
  if (expected.empty()) return {};
  std::string got;
  for (const std::string& text : actual) StrAppend(&got, "\n    ", text);
  auto differs = [&](std::string_view what) {
    return StrCat(what, "\n  got:", got.empty() ? " none" : got);
  };
  for (const ExpectedText& e : expected) {
    const bool found =
        std::any_of(actual.begin(), actual.end(),
                    [&](const std::string& text) { return e.Matches(text); });
    if (found) continue;
    return differs(StrCat("expected ", kind, " not found: ",
                          e.text               ? *e.text
                          : e.regex != nullptr ? e.regex->pattern()
                                               : "any"));
  }
  for (const std::string& text : actual) {
    const bool known =
        std::any_of(expected.begin(), expected.end(),
                    [&](const ExpectedText& e) { return e.Matches(text); });
    if (!known) return differs(StrCat("unexpected ", kind, ": ", text));
  }
  return {};
}

}  // namespace

bool AlmostEqual(double a, double b) {
  constexpr double kEpsilon = 1e-6;
  constexpr double kLeastNormal = std::numeric_limits<double>::min();
  if (IsStale(a) || IsStale(b)) return IsStale(a) && IsStale(b);
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double size = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || size < kLeastNormal) {
    return difference < kEpsilon * kLeastNormal;
  }
  return difference / std::min(size, std::numeric_limits<double>::max()) <
         kEpsilon;
}

std::string CompareValue(const EvalCommand& eval, const promql::Value& value) {
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) {
    if (!eval.scalar) {
      return StrCat("expected vector or matrix result, but got scalar ",
                    FormatFloat(scalar->v));
    }
    if (AlmostEqual(*eval.scalar, scalar->v)) return {};
    return StrCat("expected scalar ", FormatFloat(*eval.scalar), " but got ",
                  FormatFloat(scalar->v));
  }
  if (const auto* string = std::get_if<promql::StringValue>(&value)) {
    if (string->v == eval.string) return {};
    return StrCat("expected string ", GoQuote(eval.string), " but got ",
                  GoQuote(string->v));
  }
  if (eval.scalar) {
    return StrCat("expected scalar result, but got ",
                  promql::ResultType(value));
  }
  if (const auto* vector = std::get_if<Vector>(&value)) {
    return CompareVector(eval, *vector);
  }
  return CompareMatrix(eval, std::get<Matrix>(value));
}

std::string CompareAnnotations(const EvalCommand& eval,
                               const promql::QueryResult& result) {
  const std::vector<std::string> warnings =
      result.annotations.Render(Annotation::Kind::kWarning, result.query);
  const std::vector<std::string> infos =
      result.annotations.Render(Annotation::Kind::kInfo, result.query);
  if (eval.any_warning && warnings.empty()) {
    return "expected warnings but got none";
  }
  if (eval.any_info && infos.empty()) {
    return "expected info annotations but got none";
  }
  if (eval.no_warnings && !warnings.empty()) {
    return StrCat("unexpected warning: ", warnings[0]);
  }
  if (eval.no_infos && !infos.empty()) {
    return StrCat("unexpected info: ", infos[0]);
  }
  std::string what = CompareTexts("warning", eval.warnings, warnings);
  return what.empty() ? CompareTexts("info", eval.infos, infos) : what;
}

std::string CompareFailure(const EvalCommand& eval,
                           const absl::Status& status) {
  const std::string_view message = Message(status);
  if (!eval.fail) return StrCat("error: ", message);
  if (eval.failure.empty() || eval.failure[0].Matches(message)) return {};
  const ExpectedText& expected = eval.failure[0];
  return StrCat("expected error ",
                expected.text ? *expected.text
                              : StrCat("matching ", expected.regex->pattern()),
                "\n  got: ", message);
}

}  // namespace narthex::testing
