// The engine against the naive evaluator, on random queries: the same labels,
// the same bits, the same warnings and infos, errors where there are errors.
//
// NARTHEX_RANDOM_QUERIES=1000000 asks for so many (20,000 without),
// NARTHEX_RANDOM_SEED=7 begins elsewhere.

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/series.h"
#include "narthex/promql/engine.h"
#include "narthex/promql/parser.h"
#include "test/promql/naive/naive_evaluator.h"
#include "test/promql/naive/naive_store.h"
#include "test/support/query_generator.h"

namespace narthex::promql::naive {
namespace {

bool SameNumber(double a, double b) {
  return std::isnan(a)
             ? std::isnan(b)
             : std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

bool SameSide(const Hist::Side& a, const Hist::Side& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.first == y.first && SameNumber(x.second, y.second);
      });
}

bool SamePoint(const Point& a, const Point& b) {
  if (a.t != b.t || (a.h == nullptr) != (b.h == nullptr)) return false;
  if (a.h == nullptr) return SameNumber(a.v, b.v);
  return a.h->hint == b.h->hint && a.h->schema == b.h->schema &&
         a.h->bounds == b.h->bounds && SameNumber(a.h->count, b.h->count) &&
         SameNumber(a.h->sum, b.h->sum) &&
         SameNumber(a.h->zero_threshold, b.h->zero_threshold) &&
         // Custom buckets have none; of it PromQL may negate the sign.
         (a.h->custom() || SameNumber(a.h->zero_count, b.h->zero_count)) &&
         SameSide(a.h->positive, b.h->positive) &&
         SameSide(a.h->negative, b.h->negative);
}

bool SameNotes(const Answer& engine, const Answer& naive) {
  // The engine tells one of the places, the naive evaluator knows all.
  return std::equal(engine.notes.begin(), engine.notes.end(),
                    naive.notes.begin(), naive.notes.end(),
                    [](const auto& one, const auto& all) {
                      return one.first == all.first &&
                             all.second.contains(*one.second.begin());
                    });
}

// But for the order in which floats were added.
bool SameNearly(const Point& a, const Point& b) {
  if (a.h != nullptr || b.h != nullptr) return SamePoint(a, b);
  return a.t == b.t &&
         (SameNumber(a.v, b.v) || std::abs(a.v - b.v) <= 1e-12 * std::abs(a.v));
}

bool Same(const Answer& engine, const Answer& naive,
          bool (*same_point)(const Point&, const Point&) = SamePoint) {
  if (!engine.errors.empty() || !naive.errors.empty()) {
    return !engine.errors.empty() &&
           naive.errors.contains(*engine.errors.begin());
  }
  return SameNotes(engine, naive) &&
         std::equal(
             engine.series.begin(), engine.series.end(), naive.series.begin(),
             naive.series.end(), [same_point](const auto& x, const auto& y) {
               return x.first == y.first &&
                      std::equal(x.second.begin(), x.second.end(),
                                 y.second.begin(), y.second.end(), same_point);
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
      out += StrCat(
          " ",
          p.h != nullptr ? p.h->ToFloat().ToTestString() : FormatFloat(p.v),
          "@", p.t / 1000);
    }
    out += '\n';
  }
  for (const auto& [key, at] : answer.notes) {
    out += StrCat(key.second, " at");
    for (uint32_t position : at) StrAppend(&out, " ", position);
    out += '\n';
  }
  return out;
}

// Its series without their names, as one where they are alike.
Answer WithoutNames(const Answer& answer) {
  Answer out = answer;
  out.series.clear();
  for (const auto& [labels, points] : answer.series) {
    const Labels bare = WithoutName(labels);
    auto known = std::find_if(out.series.begin(), out.series.end(),
                              [&](const auto& s) { return s.first == bare; });
    if (known == out.series.end()) {
      known = out.series.insert(known, {bare, {}});
    }
    known->second.insert(known->second.end(), points.begin(), points.end());
  }
  for (auto& [labels, points] : out.series) {
    std::stable_sort(points.begin(), points.end(),
                     [](const Point& a, const Point& b) { return a.t < b.t; });
  }
  std::sort(out.series.begin(), out.series.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

// How a query is asked.
struct Mode {
  QueryTimes times = {};
  bool delayed = false;  // removal of names
  bool start_times = false;

  std::string Name() const {
    return StrCat(times.step.ms == 0 ? "instant" : "range",
                  delayed ? ", delayed name removal" : "",
                  start_times ? ", start timestamps" : "");
  }
};

// What PromQL leaves open, and the naive way doesn't do.
bool Excused(const std::string& query, const Mode& mode, const Answer& engine,
             const Answer& naive) {
  // Late removal of names, and `or` with the same labels on both sides: of a
  // series that loses its name on one of them only, Prometheus goes by its
  // first sample, narthex by the left side (docs/guide/differences.md).
  const bool joins = query.find(" or ") != std::string::npos ||
                     query.find(" fill") != std::string::npos;
  constexpr const char* kTwice =
      "vector cannot contain metrics with the same labelset";
  if (mode.delayed && joins &&
      (naive.errors.contains(kTwice) || engine.errors.contains(kTwice) ||
       Same(WithoutNames(engine), WithoutNames(naive)))) {
    return true;
  }
  // What one side lacks comes last or in its place, and is added up so.
  if (joins && Same(engine, naive, SameNearly)) return true;
  // count_values() gives no order (Prometheus's is that of a Go map), so which
  // duplicate is named first is open.
  auto is_duplicate = [](const std::string& error) {
    return error.starts_with("found duplicate series for the match group");
  };
  if (query.find("count_values") != std::string::npos &&
      std::any_of(engine.errors.begin(), engine.errors.end(), is_duplicate) &&
      std::any_of(naive.errors.begin(), naive.errors.end(), is_duplicate)) {
    return true;
  }
  // Which of equal elements topk keeps hangs on the order as well, and sorting
  // has one that the naive way knows only at the top.
  static const std::regex kUnordered(
      "(topk|bottomk|limitk).*count_values|.sort|sort_by_label");
  return std::regex_search(query, kUnordered);
}

class Duel {
 public:
  Duel() : series_(SeriesOf(rows_)), store_(NewMemoryQueryable(rows_)) {
    for (int i = 0; i < 4; ++i) {
      EngineOptions options;
      options.experimental_functions = true;
      options.extended_range_selectors = true;
      options.binop_fill_modifiers = true;
      options.delayed_name_removal = i % 2 == 1;
      options.start_timestamps = i / 2 == 1;
      engines_.push_back(std::make_unique<Engine>(options));
    }
  }

  Answer OfEngine(const std::string& query, const Mode& mode) const {
    const QueryTimes& times = mode.times;
    const Engine& engine =
        *engines_[(mode.delayed ? 1 : 0) + (mode.start_times ? 2 : 0)];
    auto result =
        times.step.ms > 0
            ? engine.Range(*store_, query, {times.start, times.end}, times.step)
            : engine.Instant(*store_, query, times.start);
    Answer out;
    if (!result.ok()) {
      out.errors.insert(std::string(Message(result.status())));
      return out;
    }
    for (const Annotation& a : result->annotations.all()) {
      out.notes[{a.kind == Annotation::Kind::kWarning, a.text}].insert(
          a.at.begin);
    }
    auto histogram = [](const HistogramPtr& h) {
      return std::make_shared<const Hist>(Hist::Of(*h));
    };
    if (const auto* scalar = std::get_if<ScalarValue>(&result->value)) {
      out.series.push_back({{}, {{scalar->t.ms, scalar->v}}});
    } else if (const auto* vector = std::get_if<Vector>(&result->value)) {
      for (const VectorElement& e : *vector) {
        out.series.push_back(
            {e.labels,
             {{e.t.ms, e.v,
               e.histogram == nullptr ? nullptr : histogram(e.histogram)}}});
      }
    } else if (const auto* matrix = std::get_if<Matrix>(&result->value)) {
      for (const MatrixSeries& s : *matrix) {
        std::vector<Point> points;
        for (const Sample& p : s.floats) points.push_back({p.t.ms, p.v});
        for (const HistogramSample& p : s.histograms) {
          points.push_back({p.t.ms, 0, histogram(p.histogram)});
        }
        std::sort(points.begin(), points.end(),
                  [](const Point& a, const Point& b) { return a.t < b.t; });
        out.series.push_back({s.labels, std::move(points)});
      }
    }
    SortUnlessOrdered(query, times, out);
    return out;
  }

  Answer OfNaive(const std::string& query, const Mode& mode) const {
    auto expr = ParseExpr(query, ParserOptions::Everything());
    if (!expr.ok()) return {{std::string(Message(expr.status()))}, {}, {}};
    Evaluator evaluator(series_, mode.times, {mode.delayed, mode.start_times});
    Answer out = evaluator.Run(**expr);
    SortUnlessOrdered(query, mode.times, out);
    return out;
  }

  bool Agree(const std::string& query, const Mode& mode) const {
    const Answer engine = OfEngine(query, mode);
    const Answer naive = OfNaive(query, mode);
    return Same(engine, naive) || Excused(query, mode, engine, naive);
  }

 private:
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

  const std::vector<SeriesData> rows_ = Vocabulary();
  const std::vector<Series> series_;
  const std::unique_ptr<Queryable> store_;
  std::vector<std::unique_ptr<Engine>> engines_;
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
  options.newest = true;
  options.native_histograms = true;
  options.strange_histograms = true;
  narthex::test::QueryGenerator generator(seed, options);
  const QueryTimes instant = {Timestamp(407'300), Timestamp(407'300), {}};
  const QueryTimes range = {Timestamp(95'000), Timestamp(590'000), Seconds(71)};
  uint64_t answered = 0;
  uint64_t excused = 0;
  uint64_t noted = 0;
  int failures = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string query = generator.Next();
    const Mode mode = {i % 2 == 0 ? instant : range, i / 2 % 2 == 1,
                       i / 4 % 2 == 1};
    const Answer theirs = duel.OfEngine(query, mode);
    if (theirs.errors.empty() && !theirs.series.empty()) ++answered;
    if (!theirs.notes.empty()) ++noted;
    const Answer naive = duel.OfNaive(query, mode);
    if (Same(theirs, naive)) continue;
    if (Excused(query, mode, theirs, naive)) {
      ++excused;
      continue;
    }
    const std::string least = narthex::test::MinimiseQuery(
        query, [&](const std::string& q) { return !duel.Agree(q, mode); });
    UNSCOPED_INFO("seed " << seed << ", query " << i << ", " << mode.Name()
                          << ": " << query << "\nleast: " << least
                          << "\nengine:\n"
                          << Tell(duel.OfEngine(least, mode)) << "naive:\n"
                          << Tell(duel.OfNaive(least, mode)));
    CHECK(least.empty());
    if (++failures == 20) break;
  }
  CHECK(answered > count / 2);
  CHECK(noted > count / 10);
  CHECK(excused < count / 200);
}

// What a million random queries have found, in short.
TEST_CASE("engine and naive evaluator agree where they once did not",
          "[promql][naive]") {
  const Duel duel;
  const QueryTimes instant = {Timestamp(407'300), Timestamp(407'300), {}};
  const QueryTimes range = {Timestamp(95'000), Timestamp(590'000), Seconds(71)};
  for (const char* query :
       {"start_timestamp(+build_info @ 595)",
        "start_timestamp(+mixed)",
        "load ^ on (instance, job) fill (0) count_values by (room) (\"v\", "
        "temp)",
        "(mixed <= bool on () group_left () bottomk by () (5, build_info)) / "
        "scalar(quantile_over_time(1, load[10m] anchored))",
        "1 >/ 1",
        "count_values without (v) (\"v\", temp)",
        "count_values without (room) (\"room\", temp)",
        "custom </ 1 >/ 0.1 >/ -1 </ 3",
        "strange </ -0.3",
        "strange >/ -0.3",
        "strange </ (0 / 0)",
        "strange >/ Inf",
        "strange >/ -Inf",
        "strange </ Inf",
        "strange </ -Inf",
        "custom </ Inf",
        "custom >/ -Inf",
        "(-Inf * size) >/ 0",
        "scalar(rate(requests_total{job=\"web\"}[5m] @ 175))",
        "sort(info(size @ end(), {__name__!=\"target_info\"}))",
        "label_replace(topk(1, mixed), \"instance\", \"$1\", \"code\", "
        "\"(.*)\")",
        "increase((mixed / fill_right (-2) size)[45s:30s])"}) {
    for (int i = 0; i < 8; ++i) {
      const Mode mode = {i % 2 == 0 ? instant : range, i / 2 % 2 == 1,
                         i / 4 % 2 == 1};
      CAPTURE(query, mode.Name());
      CHECK(duel.Agree(query, mode));
    }
  }
}

}  // namespace
}  // namespace narthex::promql::naive
