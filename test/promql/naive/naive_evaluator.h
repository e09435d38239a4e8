// PromQL as slowly and plainly as can be: every step on its own, every window
// read again, vectors of label sets, no plan.  What the engine is measured
// against, bit for bit; so it shares nothing with the engine but the parser's
// tree, labels and matchers.
//
// Errors are texts, all that there are: which one an engine meets first is its
// own business.  What is returned after one means nothing.  One thread.

#pragma once

#include <cmath>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "narthex/model/labels.h"
#include "narthex/model/series.h"
#include "narthex/promql/ast.h"
#include "test/promql/naive/naive_histogram.h"
#include "test/promql/naive/naive_notes.h"

namespace narthex::promql::naive {

struct Element {
  Labels labels = {};
  double v = 0;            // says nothing if there is a histogram
  HistPtr h = nullptr;     // null: a float
  bool drop_name = false;  // at the end, if names are removed then
};
using Elements = std::vector<Element>;

struct Point {
  int64_t t = 0;
  double v = 0;
  HistPtr h = nullptr;
  int64_t start = 0;  // 0: unknown
};

// What a function over a range vector sees of one series: (end - range, end],
// and what `anchored` and `smoothed` see around it.
struct Window {
  Labels labels = {};
  bool drop_name = false;
  int64_t end = 0, range = 0;
  bool anchored = false, smoothed = false;
  std::vector<Point> points = {};

  int64_t begin() const { return end - range; }
  std::string name() const { return std::string(labels.Get(kMetricName)); }
};

// A series of the store: floats and histograms by time, stale ones too.
struct Series {
  Labels labels = {};
  std::vector<Point> points = {};
};
std::vector<Series> SeriesOf(const std::vector<SeriesData>& rows);

// The result of a query: per label set its points.
struct Answer {
  std::set<std::string> errors = {};  // the engine says one of them
  std::vector<std::pair<Labels, std::vector<Point>>> series = {};
  std::map<Notes::Key, std::set<uint32_t>> notes = {};
};

double Quantile(double q, std::vector<double> values);
Labels WithoutName(const Labels& labels);
Labels Only(const Labels& labels, const std::vector<std::string>& names);
Labels Without(const Labels& labels, std::vector<std::string> names);
// Of comparisons 1 or 0.
double Apply(BinaryOp op, double a, double b);
// The average and the sum as aggregations and functions over time take them;
// not of nothing.
double AverageOf(const std::vector<double>& values);
double SumOf(const std::vector<double>& values, bool from_zero);
// The same of histograms; null: the schemas don't go together.
HistPtr AverageOf(const std::vector<HistPtr>& values, bool& reconciled);
HistPtr SumOf(const std::vector<HistPtr>& values, bool& reconciled);
bool HintsCollide(const std::vector<HistPtr>& values);

struct EvaluatorOptions {
  bool delayed_name_removal = false;
  bool start_timestamps = false;
};

class Evaluator {
 public:
  // `series` sorted by labels; borrowed.
  Evaluator(const std::vector<Series>& series, QueryTimes times,
            EvaluatorOptions options)
      : series_(series), times_(times), options_(options) {}

  Answer Run(const Expr& expr);

 private:
  // The steps that the expression at hand is evaluated at: the query's, or a
  // subquery's.  The end need not be a step.
  struct Grid {
    int64_t start = 0, end = 0, step = 1;
    auto operator<=>(const Grid&) const = default;
    bool instant() const { return start == end; }
  };
  template <typename F>
  auto Within(Grid grid, F&& f);

  void Fail(std::string text) { errors_.insert(std::move(text)); }
  bool delayed() const { return options_.delayed_name_removal; }
  // The element without its name, now or at the end.
  void DropName(Element& e) const;

  // Marks the largest parts that are the same at every step.
  struct Invariance {
    bool invariant = false, worth_it = false;
  };
  Invariance FindFixed(const Expr& expr);

  Elements Vector(const Expr& expr, int64_t t);
  double Scalar(const Expr& expr, int64_t t);
  Elements VectorHere(const Expr& expr, int64_t t);
  double ScalarHere(const Expr& expr, int64_t t);

  int64_t Shifted(const AtModifier& at, const DurationSpec& offset, int64_t t);
  std::vector<const Series*> Selected(const VectorSelector& selector,
                                      int64_t from);
  std::vector<const Series*> Selected(const Matchers& matchers) const;
  // Marks selectors of which only counts and sums of histograms are read.
  void FindStatistics(const Expr& root);
  static std::vector<Point> Between(const Series& series, int64_t after,
                                    int64_t until);
  enum class What : uint8_t { kValue, kTime, kStartTime };
  Elements Newest(const VectorSelector& selector, int64_t t, What what);
  Elements Smoothed(const VectorSelector& selector, int64_t t);
  std::vector<Window> Matrix(const Expr& expr, int64_t t);
  std::vector<Window> Subqueried(const Subquery& sub, int64_t t);

  Elements Aggregation(const Aggregate& aggregate, int64_t t);
  Elements Choose(const Aggregate& aggregate, int64_t t);
  struct Extremes {
    double least = HUGE_VAL, largest = -HUGE_VAL;
    bool nan = false;
  };
  Extremes ExtremesOf(const Expr& param);
  std::optional<Element> AddUp(const Aggregate& aggregate, const Elements& in);

  Elements BinaryOf(const Binary& binary, int64_t t);
  Elements Join(const Binary& binary, const Elements& lhs, const Elements& rhs);
  // One element's worth; nothing: it is dropped, and `note` may say why.
  struct Met {
    Element value = {};
    bool keep = true;
  };
  std::optional<Met> Meet(const Binary& binary, const Element& l,
                          const Element& r, std::optional<Note>& note);

  Elements Function(const Call& call, int64_t t);
  Elements OverTime(const Call& call, int64_t t);
  std::optional<Element> OfWindow(const Call& call, const Window& window,
                                  const std::vector<double>& params,
                                  TextRange at);
  std::optional<Element> HistogramOverTime(std::string_view name,
                                           const Window& window, TextRange at);
  // rate, increase, delta, irate, idelta, and the walks through a window.
  std::optional<Element> Rate(std::string_view name, const Window& window,
                              TextRange at);
  std::optional<Element> ExtendedRate(std::string_view name,
                                      const Window& window, TextRange at);
  HistPtr HistogramDifference(const Window& window, bool counter, TextRange at);
  HistPtr ExtendedDifference(const Window& window, bool counter, TextRange at);
  std::optional<Element> LastTwo(bool rate, const Window& window, TextRange at);
  std::optional<double> Walk(bool resets, const Window& window);
  HistPtr Interpolated(const Point& a, const Point& b, int64_t t, bool counter,
                       const std::string& name, TextRange at);
  bool AddNoted(bool subtract, Hist& to, const Hist& other,
                const std::string& name, TextRange at);

  Elements Mapped(const Call& call, int64_t t);
  Elements OfHistograms(const Call& call, int64_t t);
  Elements Relabeled(const Call& call, int64_t t);
  Elements Sorted(const Call& call, int64_t t);
  Elements Buckets(const Call& call, int64_t t);
  double NativeQuantile(double q, const Hist& h, const std::string& name,
                        TextRange at);
  double NativeFraction(double low, double high, const Hist& h,
                        const std::string& name, TextRange at);
  Elements Info(const Call& call, int64_t t);
  void CheckUnique(const Elements& elements);

  const std::vector<Series>& series_;
  const QueryTimes times_;
  const EvaluatorOptions options_;
  Grid grid_ = {};
  std::set<const Expr*> fixed_ = {}, statistics_ = {};
  std::map<std::pair<const Series*, int64_t>, Series> bare_ = {};
  std::map<std::pair<const Expr*, Grid>, Elements> fixed_values_ = {};
  std::map<std::pair<const Expr*, Grid>, double> fixed_scalars_ = {};
  // A subquery's inner steps, and info()'s bases, per grid.
  std::map<std::pair<const Expr*, Grid>,
           std::vector<std::pair<int64_t, Elements>>>
      inner_ = {};
  // Which series a window function's label set came from, query-wide.
  std::map<std::pair<const Call*, std::string>, std::string> came_from_ = {};
  // Of what set operators give, by labels.
  std::map<std::tuple<const Binary*, Grid, std::string>, bool> drops_name_ = {};
  std::set<std::string> errors_ = {};
  Notes notes_ = {};
};

// What absent() knows of a selector: its equality matchers.
Labels AbsentLabels(const VectorSelector& selector);

}  // namespace narthex::promql::naive
