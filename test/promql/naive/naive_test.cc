// The engine against the naive evaluator, on random queries: the same labels,
// the same bits, errors where there are errors.
//
// NARTHEX_RANDOM_QUERIES=1000000 asks for so many (20,000 without),
// NARTHEX_RANDOM_SEED=7 begins elsewhere.

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/parser.h"
#include "test/promql/naive/naive_evaluator.h"
#include "test/support/query_generator.h"

namespace narthex::promql::naive {
namespace {

constexpr int kScrapes = 40;

// The generator's vocabulary, ten minutes of it.
class Vocabulary {
 public:
  Vocabulary() {
    for (const char* instance : {"0", "1", "2"}) {
      for (const char* job : {"api", "web"}) {
        for (const char* code : {"200", "500"}) {
          double v = 0;
          Add({{"__name__", "requests_total"},
               {"code", code},
               {"instance", instance},
               {"job", job}},
              [&](int) {
                return v = Below(15) == 0 ? 1 : v + Below(50) / 4.0;
              });
        }
        double errors = 0;
        Add(
            {{"__name__", "errors_total"},
             {"instance", instance},
             {"job", job}},
            [&](int i) { return errors += i % 3; }, /*gaps=*/true);
        Add({{"__name__", "load"}, {"instance", instance}, {"job", job}},
            [&](int) { return (Below(2000) - 1000) / 137.0; });
        Add({{"__name__", "up"}, {"instance", instance}, {"job", job}},
            [&](int) { return Below(6) > 0 ? 1 : 0; });
        const bool first = *instance == '0';
        Add({{"__name__", "build_info"},
             {"instance", instance},
             {"job", job},
             {"version", first ? "1.9" : "1.10"}},
            [](int) { return 1; });
        Add({{"__name__", "target_info"},
             {"instance", instance},
             {"job", job},
             {"zone", first ? "east" : "west"}},
            [](int) { return 1; });
      }
      for (const char* room : {"hall", "attic"}) {
        Add({{"__name__", "temp"}, {"instance", instance}, {"room", room}},
            [&](int) { return 18 + Below(4) * 0.75; });
      }
    }
    constexpr double kInf = std::numeric_limits<double>::infinity();
    Odd("nan", [](int i) { return i % 7 < 3 ? std::nan("") : i / 3.0; });
    Odd("inf", [=](int i) {
      return i % 5 == 0 ? kInf : i % 5 == 1 ? -kInf : i;
    });
    Odd("huge",
        [](int i) { return i % 4 == 2 ? -1e308 : 1e300 * (1 + i % 3); });
    Odd("tiny", [](int i) { return i % 3 == 0 ? 5e-324 : -1e-310; });
    Odd("signs", [](int i) { return i % 4 == 0 ? -0.0 : i % 2 - 0.7; });
    Add(
        {{"__name__", "odd"}, {"kind", "sparse"}}, [](int i) { return i; },
        /*gaps=*/true);
    for (const char* job : {"api", "web"}) {
      std::vector<double> counts(4);
      for (size_t k = 0; const char* le : {"0.1", "0.5", "1", "+Inf"}) {
        ++k;
        Add({{"__name__", "latency_bucket"}, {"job", job}, {"le", le}},
            [&](int i) { return i * static_cast<double>(k) + Below(2); });
      }
    }
  }

  const std::vector<SeriesData>& rows() const { return rows_; }

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }

  template <typename F>
  void Odd(std::string_view kind, F&& value) {
    Add({{"__name__", "odd"}, {"kind", kind}}, value);
  }

  template <typename F>
  void Add(Labels labels, F&& value, bool gaps = false) {
    SeriesData row;
    row.labels = std::move(labels);
    for (int i = 0; i < kScrapes; ++i) {
      const double v = value(i);
      const int64_t t = 15'000 * i + Below(3) * 7;
      if (gaps && (i % 5 == 0 || (i > 12 && i < 20))) continue;
      if (gaps && i == 20) {
        row.floats.push_back({Timestamp(t), StaleNaN()});
      } else {
        row.floats.push_back({Timestamp(t), v});
      }
    }
    rows_.push_back(std::move(row));
  }

  std::mt19937 random_{5};
  std::vector<SeriesData> rows_;
};

// A result, comparable: labels and points, or what is wrong.
struct Answer {
  std::set<std::string> errors = {};  // the engine says one of them
  std::vector<std::pair<Labels, std::vector<Point>>> series = {};
};

bool SameNumber(double a, double b) {
  return std::isnan(a)
             ? std::isnan(b)
             : std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

bool Same(const Answer& engine, const Answer& naive) {
  if (!engine.errors.empty() || !naive.errors.empty()) {
    return !engine.errors.empty() &&
           naive.errors.contains(*engine.errors.begin());
  }
  return std::equal(
      engine.series.begin(), engine.series.end(), naive.series.begin(),
      naive.series.end(), [](const auto& x, const auto& y) {
        return x.first == y.first &&
               std::equal(x.second.begin(), x.second.end(), y.second.begin(),
                          y.second.end(), [](const Point& p, const Point& q) {
                            return p.t == q.t && SameNumber(p.v, q.v);
                          });
      });
}

std::string Tell(const Answer& answer) {
  std::string out;
  for (const std::string& error : answer.errors) {
    out += "error: " + error + "\n";
  }
  if (!out.empty()) return out;
  for (const auto& [labels, points] : answer.series) {
    out += labels.ToString();
    for (const Point& p : points) {
      out += StrCat(" ", FormatFloat(p.v), "@", p.t / 1000);
    }
    out += '\n';
  }
  return out;
}

// What PromQL leaves open, and the naive way doesn't do.
bool Excused(const std::string& query, const Answer& engine) {
  // An engine evaluates a subquery at every step between the first window and
  // the last, those between windows too, and may find an error there.
  static const std::regex kSubquery(":[0-9a-z]*\\]");
  if (!engine.errors.empty() && std::regex_search(query, kSubquery))
    return true;
  // Which of equal elements topk keeps, in which order numbers are added, which
  // duplicate is named: all hang on the order of the input.  count_values gives
  // none, and sorting has one that the naive way knows only at the top.
  static const std::regex kUnordered(
      "(topk|bottomk|limitk).*count_values|.sort|sort_by_label");
  if (std::regex_search(query, kUnordered)) return true;
  // Where the operand of an aggregation is pinned by @, its parameter is taken
  // from the first step, as Prometheus does.
  static const std::regex kPinned(
      "(quantile|topk|bottomk|limitk|limit_ratio).*@");
  return std::regex_search(query, kPinned);
}

class Duel {
 public:
  Duel() : store_(NewMemoryQueryable(data_.rows())), engine_(Options()) {}

  Answer OfEngine(const std::string& query, const QueryTimes& times) const {
    const bool range = times.step.ms > 0;
    auto result = range ? engine_.Range(*store_, query,
                                        {times.start, times.end}, times.step)
                        : engine_.Instant(*store_, query, times.start);
    Answer out;
    if (!result.ok()) {
      out.errors.insert(std::string(Message(result.status())));
      return out;
    }
    if (const auto* scalar = std::get_if<ScalarValue>(&result->value)) {
      out.series.push_back({{}, {{scalar->t.ms, scalar->v}}});
    } else if (const auto* vector = std::get_if<Vector>(&result->value)) {
      for (const VectorElement& e : *vector) {
        out.series.push_back({e.labels, {{e.t.ms, e.v}}});
      }
    } else if (const auto* matrix = std::get_if<Matrix>(&result->value)) {
      for (const MatrixSeries& s : *matrix) {
        std::vector<Point> points;
        for (const Sample& p : s.floats) points.push_back({p.t.ms, p.v});
        out.series.push_back({s.labels, std::move(points)});
      }
    }
    SortUnlessOrdered(query, times, out);
    return out;
  }

  Answer OfNaive(const std::string& query, const QueryTimes& times) const {
    Answer out;
    auto expr = ParseExpr(query, Everything());
    if (!expr.ok()) {
      out.errors.insert(std::string(Message(expr.status())));
      return out;
    }
    Evaluator evaluator(data_.rows(), times);
    std::map<std::string, size_t> index;
    const int64_t step = std::max<int64_t>(times.step.ms, 1);
    for (int64_t t = times.start.ms; t <= times.end.ms; t += step) {
      Elements elements;
      if ((*expr)->type == ValueType::kScalar) {
        elements.push_back({{}, evaluator.Scalar(**expr, t)});
      } else {
        elements = evaluator.Vector(**expr, t);
      }
      for (const Element& e : elements) {
        const auto [at, fresh] = index.try_emplace(
            std::string(e.labels.packed()), out.series.size());
        if (fresh) out.series.push_back({e.labels, {}});
        out.series[at->second].second.push_back({t, e.v});
      }
    }
    out.errors = evaluator.errors();
    SortUnlessOrdered(query, times, out);
    return out;
  }

  bool Agree(const std::string& query, const QueryTimes& times) const {
    const Answer engine = OfEngine(query, times);
    return Same(engine, OfNaive(query, times)) || Excused(query, engine);
  }

 private:
  static ParserOptions Everything() {
    ParserOptions options;
    options.experimental_functions = true;
    return options;
  }
  static EngineOptions Options() {
    EngineOptions options;
    options.experimental_functions = true;
    return options;
  }

  // Range queries are in the order of labels, and sort() says its own.
  static void SortUnlessOrdered(const std::string& query,
                                const QueryTimes& times, Answer& answer) {
    if (times.step.ms == 0 &&
        (query.starts_with("sort(") || query.starts_with("sort_desc("))) {
      return;
    }
    std::sort(answer.series.begin(), answer.series.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  const Vocabulary data_;
  const std::unique_ptr<Queryable> store_;
  const Engine engine_;
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST_CASE("engine and naive evaluator agree to the bit", "[promql][naive]") {
  const Duel duel;
  const uint64_t seed = FromEnvironment("NARTHEX_RANDOM_SEED", 20261121);
  const uint64_t count = FromEnvironment("NARTHEX_RANDOM_QUERIES", 20'000);
  narthex::test::QueryGeneratorOptions options;
  options.last_second = 15 * kScrapes;
  narthex::test::QueryGenerator generator(seed, options);
  const QueryTimes instant = {Timestamp(407'300), Timestamp(407'300), {}};
  const QueryTimes range = {Timestamp(95'000), Timestamp(590'000), Seconds(71)};
  uint64_t answered = 0;
  uint64_t excused = 0;
  int failures = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string query = generator.Next();
    const QueryTimes& times = i % 2 == 0 ? instant : range;
    const Answer theirs = duel.OfEngine(query, times);
    if (theirs.errors.empty() && !theirs.series.empty()) ++answered;
    if (Same(theirs, duel.OfNaive(query, times))) continue;
    if (Excused(query, theirs)) {
      ++excused;
      continue;
    }
    const std::string least = narthex::test::MinimiseQuery(
        query, [&](const std::string& q) { return !duel.Agree(q, times); });
    UNSCOPED_INFO("seed " << seed << ", query " << i
                          << (times.step.ms == 0 ? ", instant: " : ", range: ")
                          << query << "\nleast: " << least << "\nengine:\n"
                          << Tell(duel.OfEngine(least, times)) << "naive:\n"
                          << Tell(duel.OfNaive(least, times)));
    CHECK(least.empty());
    if (++failures == 20) break;
  }
  CHECK(answered > count / 2);
  CHECK(excused < count / 200);
}

}  // namespace
}  // namespace narthex::promql::naive
