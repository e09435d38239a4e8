// PromQL on floats, as slowly and plainly as can be: every step on its own,
// every window read again, vectors of label sets, no plan.  What the engine is
// measured against, bit for bit; so it shares nothing with the engine but the
// parser's tree and Labels.  Names are dropped at once, not delayed.
//
// Errors are texts, all that there are: which one an engine meets first is its
// own business.  What is returned after one means nothing.  One thread.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "narthex/model/labels.h"
#include "narthex/model/series.h"
#include "narthex/promql/ast.h"

namespace narthex::promql::naive {

struct Element {
  Labels labels = {};
  double v = 0;
};
using Elements = std::vector<Element>;

struct Point {
  int64_t t = 0;
  double v = 0;
};
struct WindowOf {
  Labels labels = {};
  std::vector<Point> points = {};
};

// The sum of Neumaier, as Prometheus has it.
struct Compensated {
  double s = 0, c = 0;
  void Add(double x);
};

double Quantile(double q, std::vector<double> values);
Labels WithoutName(const Labels& labels);

class Evaluator {
 public:
  Evaluator(const std::vector<SeriesData>& series, QueryTimes times)
      : series_(series), times_(times) {}

  // At one instant, milliseconds.
  Elements Vector(const Expr& expr, int64_t t);
  double Scalar(const Expr& expr, int64_t t);
  const std::set<std::string>& errors() const { return errors_; }
  void Fail(std::string text) { errors_.insert(std::move(text)); }

 private:
  // The matrix argument's windows (from, t] and where they end.
  struct Windows {
    int64_t end = 0;
    int64_t range = 0;
    std::vector<WindowOf> windows = {};
  };

  int64_t Shifted(const AtModifier& at, const DurationSpec& offset, int64_t t);
  std::vector<const SeriesData*> Selected(const VectorSelector& selector) const;
  // `times`: the samples' own times instead of their values.
  Elements Newest(const VectorSelector& selector, int64_t t, bool times);
  Windows Matrix(const Expr& expr, int64_t t);
  Elements Aggregation(const Aggregate& aggregate, int64_t t);
  Elements Choose(const Aggregate& aggregate, const Elements& in, int64_t t);
  Elements BinaryOf(const Binary& binary, int64_t t);
  Elements Join(const Binary& binary, const Elements& lhs, const Elements& rhs);
  Elements Function(const Call& call, int64_t t);
  Elements OverTime(const Call& call, int64_t t);
  Elements Mapped(const Call& call, int64_t t);
  Elements Relabeled(const Call& call, int64_t t);
  Elements Classic(const Call& call, int64_t t);
  void CheckUnique(const Elements& elements);

  const std::vector<SeriesData>& series_;
  const QueryTimes times_;
  // Which series a window function's label set came from, query-wide.
  std::map<std::pair<const Call*, std::string>, std::string> came_from_;
  std::set<std::string> errors_;
};

// What absent() knows of a selector: its equality matchers.
Labels AbsentLabels(const VectorSelector& selector);
// Of comparisons 1 or 0.
double Apply(BinaryOp op, double a, double b);
// A window's value; false: none.
bool WindowValue(std::string_view function, const std::vector<Point>& points,
                 int64_t end, int64_t range, const std::vector<double>& params,
                 double& out);

}  // namespace narthex::promql::naive
