#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "libpromql/exec/window.h"
#include "libpromql/func/column_scan.h"
#include "libpromql/func/function.h"
#include "libpromql/func/kahan.h"
#include "libpromql/func/quantile.h"
#include "narthex/model/sample.h"

namespace narthex::promql {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

using Values = std::vector<double>;

struct Series {
  std::vector<Timestamp> t;
  Values v;
};

// Ordinary values, integers, or a zoo with NaN, infinities and zeros of both
// signs, at irregular times.
Series MakeSeries(std::mt19937& random, int kind) {
  Series s;
  int64_t t = static_cast<int64_t>(random() % 50000);
  double counter = 0;
  const size_t n = random() % 120;
  for (size_t i = 0; i < n; ++i) {
    t += 1 + static_cast<int64_t>(random() % 20000);
    s.t.push_back(t);
    const double unit = static_cast<double>(random()) / 4294967296.0;
    if (kind == 0) {
      s.v.push_back((unit - 0.5) * std::pow(10, random() % 12));
    } else if (kind == 1) {
      counter =
          random() % 12 == 0 ? 0 : counter + static_cast<double>(random() % 9);
      s.v.push_back(counter);
    } else {
      const Values zoo = {0.0, -0.0, kNaN, kInf, -kInf, 1, -1, 1.7e308, unit};
      s.v.push_back(zoo[random() % zoo.size()]);
    }
  }
  return s;
}

// The obvious way: every window by itself, from its first sample to its last.
using Naive =
    std::function<double(const Values& v, const std::vector<int64_t>& t,
                         int64_t end, int64_t range, double param)>;

double NaiveRate(const Values& v, const std::vector<int64_t>& t, int64_t end,
                 int64_t range, bool counter, bool per_second) {
  double d = v.back() - v.front();
  if (counter) {
    for (size_t i = 1; i < v.size(); ++i) {
      if (v[i] < v[i - 1]) d += v[i - 1];
    }
  }
  double ds = static_cast<double>(t.front() - (end - range)) / 1000;
  double de = static_cast<double>(end - t.back()) / 1000;
  const double interval = static_cast<double>(t.back() - t.front()) / 1000;
  const double average = interval / static_cast<double>(v.size() - 1);
  if (ds >= average * 1.1) ds = average / 2;
  if (counter && d > 0 && v.front() >= 0) {
    ds = std::min(ds, interval * (v.front() / d));
  }
  if (de >= average * 1.1) de = average / 2;
  double factor = (interval + ds + de) / interval;
  if (per_second) factor /= static_cast<double>(range) / 1000;
  return d * factor;
}

struct Case {
  FunctionId id;
  size_t least;  // samples
  Naive naive;
};

std::vector<Case> Cases() {
  using T = const std::vector<int64_t>&;
  auto extreme = [](bool max, bool time) -> Naive {
    return [=](const Values& v, T t, int64_t, int64_t, double) {
      double best = v[0];
      int64_t at = t[0];
      for (size_t i = 0; i < v.size(); ++i) {
        const bool better = time ? (max ? v[i] >= best : v[i] <= best)
                                 : (max ? v[i] > best : v[i] < best);
        if (better || std::isnan(best)) {
          best = v[i];
          at = t[i];
        }
      }
      return time ? static_cast<double>(at) / 1000 : best;
    };
  };
  auto variance = [](bool root) -> Naive {
    return [=](const Values& v, T, int64_t, int64_t, double) {
      double n = 0;
      KahanSum mean, m2;
      for (double x : v) {
        ++n;
        const double delta = x - (mean.sum + mean.c);
        mean.Add(delta / n);
        m2.Add(delta * (x - (mean.sum + mean.c)));
      }
      const double out = (m2.sum + m2.c) / n;
      return root ? std::sqrt(out) : out;
    };
  };
  auto rate = [](bool counter, bool per_second) -> Naive {
    return [=](const Values& v, T t, int64_t end, int64_t range, double) {
      return NaiveRate(v, t, end, range, counter, per_second);
    };
  };
  auto line = [](bool predict) -> Naive {
    return [=](const Values& v, T t, int64_t end, int64_t, double p) {
      const int64_t origin = predict ? end : t[0];
      bool constant = true;
      KahanSum sx, sy, sxy, sxx;
      for (size_t i = 0; i < v.size(); ++i) {
        if (i > 0 && v[i] != v[0]) constant = false;
        const double x = static_cast<double>(t[i] - origin) / 1e3;
        sx.Add(x);
        sy.Add(v[i]);
        sxy.Add(x * v[i]);
        sxx.Add(x * x);
      }
      const double n = static_cast<double>(v.size());
      double slope = 0, intercept = v[0];
      if (!constant) {
        const double x = sx.sum + sx.c, y = sy.sum + sy.c;
        slope = (sxy.sum + sxy.c - x * y / n) / (sxx.sum + sxx.c - x * x / n);
        intercept = y / n - slope * x / n;
      } else if (std::isinf(v[0])) {
        slope = intercept = kNaN;
      }
      return predict ? slope * p + intercept : slope;
    };
  };
  return {
      {FunctionId::kSumOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double) {
         KahanSum s;
         for (double x : v) s.Add(x);
         return std::isinf(s.sum) ? s.sum : s.sum + s.c;
       }},
      {FunctionId::kAvgOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double) {
         KahanMean m;
         for (double x : v) m.Add(x);
         return m.Mean();
       }},
      {FunctionId::kCountOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double) {
         return static_cast<double>(v.size());
       }},
      {FunctionId::kLastOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double) { return v.back(); }},
      {FunctionId::kFirstOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double) { return v[0]; }},
      {FunctionId::kMinOverTime, 1, extreme(false, false)},
      {FunctionId::kMaxOverTime, 1, extreme(true, false)},
      {FunctionId::kTsOfMinOverTime, 1, extreme(false, true)},
      {FunctionId::kTsOfMaxOverTime, 1, extreme(true, true)},
      {FunctionId::kStddevOverTime, 1, variance(true)},
      {FunctionId::kStdvarOverTime, 1, variance(false)},
      {FunctionId::kQuantileOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double q) {
         Values sorted = v;
         SortForQuantile(sorted);
         return QuantileOfSorted(q, sorted);
       }},
      {FunctionId::kMadOverTime, 1,
       [](const Values& v, T, int64_t, int64_t, double) {
         Values sorted = v;
         for (double x : v) {
           if (std::isnan(x)) return kNaN;
         }
         SortForQuantile(sorted);
         const double median = QuantileOfSorted(0.5, sorted);
         for (double& x : sorted) x = std::fabs(x - median);
         SortForQuantile(sorted);
         return QuantileOfSorted(0.5, sorted);
       }},
      {FunctionId::kChanges, 1,
       [](const Values& v, T, int64_t, int64_t, double) {
         double n = 0;
         for (size_t i = 1; i < v.size(); ++i) {
           if (v[i] != v[i - 1] &&
               !(std::isnan(v[i]) && std::isnan(v[i - 1]))) {
             ++n;
           }
         }
         return n;
       }},
      {FunctionId::kResets, 1,
       [](const Values& v, T, int64_t, int64_t, double) {
         double n = 0;
         for (size_t i = 1; i < v.size(); ++i) n += v[i] < v[i - 1] ? 1 : 0;
         return n;
       }},
      {FunctionId::kIdelta, 2,
       [](const Values& v, T, int64_t, int64_t, double) {
         return v.back() - v[v.size() - 2];
       }},
      {FunctionId::kIrate, 2,
       [](const Values& v, T t, int64_t, int64_t, double) {
         const double before = v[v.size() - 2];
         const double d = v.back() < before ? v.back() : v.back() - before;
         return d / (static_cast<double>(t.back() - t[t.size() - 2]) / 1000);
       }},
      {FunctionId::kRate, 2, rate(true, true)},
      {FunctionId::kIncrease, 2, rate(true, false)},
      {FunctionId::kDelta, 2, rate(false, false)},
      {FunctionId::kDeriv, 2, line(false)},
      {FunctionId::kPredictLinear, 2, line(true)},
      {FunctionId::kDoubleExponentialSmoothing, 2,
       [](const Values& v, T, int64_t, int64_t, double sf) {
         double s0 = 0, s1 = v[0], b = v[1] - v[0];
         for (size_t i = 1; i < v.size(); ++i) {
           if (i > 1) b = 0.7 * (s1 - s0) + (1 - 0.7) * b;
           const double next = sf * v[i] + (1 - sf) * (s1 + b);
           s0 = s1;
           s1 = next;
         }
         return s1;
       }},
  };
}

bool Same(double a, double b) {
  if (std::isnan(a) && std::isnan(b)) return true;
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

TEST_CASE("every window function gives the bits of the obvious way",
          "[promql][func]") {
  const std::vector<Case> cases = Cases();
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    const Series series = MakeSeries(random, seed % 3);
    const StepGrid grid = {static_cast<int64_t>(random() % 90000),
                           1 + static_cast<int64_t>(random() % 30000),
                           1 + random() % 90};
    const TimeShift shift = {.offset =
                                 static_cast<int64_t>(random() % 3) * 5000};
    const int64_t range = 1 + static_cast<int64_t>(random() % 400000);
    const double param = static_cast<double>(1 + random() % 99) / 100;
    const WindowEnds ends(grid, shift);
    std::vector<uint32_t> lo, hi;
    FindWindows(
        series.t.size(), [&](size_t i) { return series.t[i].ms; }, ends, range,
        grid.steps, lo, hi);
    const Values params(grid.steps, param), params2(grid.steps, 0.7);
    SeriesWindows in;
    in.t = series.t;
    in.v = series.v;
    in.lo = lo.data();
    in.hi = hi.data();
    in.grid = grid;
    in.first_end = ends.first;
    in.end_step = ends.step;
    in.range = range;
    in.param = params.data();
    in.param2 = params2.data();
    for (const Case& c : cases) {
      Values out(grid.words() * 64);
      std::vector<uint64_t> present(grid.words());
      HistogramRow histograms;
      WindowScratch scratch;
      WindowOutput output{out.data(), present.data(), &histograms, 0,
                          0,          grid.steps};
      FindWindowFunction(c.id)(in, scratch, output);
      for (size_t k = 0; k < grid.steps; ++k) {
        const int64_t end = grid.At(k) - shift.offset;
        Values v;
        std::vector<int64_t> t;
        for (size_t i = 0; i < series.t.size(); ++i) {
          if (series.t[i].ms > end - range && series.t[i].ms <= end) {
            v.push_back(series.v[i]);
            t.push_back(series.t[i].ms);
          }
        }
        INFO("seed " << seed << ", " << GetFunction(c.id).name << ", step " << k
                     << " of " << grid.steps << ", " << v.size() << " samples");
        REQUIRE(TestBit(present.data(), k) == (v.size() >= c.least));
        if (v.size() < c.least) continue;
        const int64_t at =
            c.id == FunctionId::kPredictLinear ? grid.At(k) : end;
        const double want = c.naive(v, t, at, range, param);
        REQUIRE(Same(out[k], want));
      }
    }
  }
}

// As Prometheus walks a window.
double SmoothedTheObviousWay(const Values& v, size_t lo, size_t hi, double sf,
                             double tf) {
  double s0 = 0, s1 = v[lo], b = v[lo + 1] - v[lo];
  for (size_t i = lo + 1; i < hi; ++i) {
    if (i > lo + 1) b = tf * (s1 - s0) + (1 - tf) * b;
    const double next = sf * v[i] + (1 - sf) * (s1 + b);
    s0 = s1;
    s1 = next;
  }
  return s1;
}

TEST_CASE("smoothing long windows that share a walk gives the bits of each",
          "[promql][func]") {
  std::mt19937 random(7);
  const auto uniform = [&random] {
    return std::uniform_real_distribution<double>(0, 100)(random);
  };
  for (int kind = 0; kind < 6; ++kind) {
    Series s;
    double counter = 0;
    for (int i = 0; i < 7000; ++i) {
      s.t.push_back(i * 10000);
      counter += uniform();
      const double late = i < 3000 ? uniform() : 7.25;
      s.v.push_back(kind == 0   ? i + 37 / 1443.0
                    : kind == 1 ? counter
                    : kind == 2 ? late
                    : kind == 3 ? (i == 5500 ? kInf : uniform())
                    : kind == 4 ? (i == 2600 ? std::nan("") : uniform())
                                : uniform());
    }
    for (const auto& [sf, tf] : {std::pair(0.3, 0.3), std::pair(0.02, 0.9)}) {
      for (const int64_t step : {10000, 130000}) {
        const StepGrid grid = {int64_t{4500} * 10000, step, 150};
        const WindowEnds ends(grid, {});
        std::vector<uint32_t> lo, hi;
        FindWindows(
            s.t.size(), [&](size_t i) { return s.t[i].ms; }, ends, 43'200'000,
            grid.steps, lo, hi);
        REQUIRE(hi[0] - lo[0] == 4320);
        const Values params(grid.steps, sf), params2(grid.steps, tf);
        SeriesWindows in;
        in.t = s.t;
        in.v = s.v;
        in.lo = lo.data();
        in.hi = hi.data();
        in.grid = grid;
        in.param = params.data();
        in.param2 = params2.data();
        Values out(grid.words() * 64);
        std::vector<uint64_t> present(grid.words());
        HistogramRow histograms;
        WindowScratch scratch;
        WindowOutput output{out.data(), present.data(), &histograms, 0,
                            0,          grid.steps};
        FindWindowFunction(FunctionId::kDoubleExponentialSmoothing)(in, scratch,
                                                                    output);
        size_t different = 0;
        for (size_t k = 0; k < grid.steps; ++k) {
          const double want = SmoothedTheObviousWay(s.v, lo[k], hi[k], sf, tf);
          if (!TestBit(present.data(), k) || !Same(out[k], want)) ++different;
        }
        INFO("kind " << kind << ", factors " << sf << " and " << tf);
        CHECK(different == 0);
      }
    }
  }
}

TEST_CASE("windows are found far apart as well as close", "[promql][func]") {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<int64_t> t;
    int64_t at = 0;
    const auto n = random() % 400;
    for (size_t i = 0; i < n; ++i) {
      t.push_back(at += 1 + static_cast<int64_t>(random() % 50));
    }
    const StepGrid grid = {static_cast<int64_t>(random() % 3000),
                           1 + static_cast<int64_t>(random() % 900),
                           1 + random() % 40};
    const WindowEnds ends(grid, {});
    const auto range = static_cast<int64_t>(1 + random() % 5000);
    std::vector<uint32_t> lo, hi;
    FindWindows(
        t.size(), [&](size_t i) { return t[i]; }, ends, range, grid.steps, lo,
        hi);
    for (size_t k = 0; k < grid.steps; ++k) {
      const auto after = [&t](int64_t x) {
        return static_cast<uint32_t>(std::upper_bound(t.begin(), t.end(), x) -
                                     t.begin());
      };
      REQUIRE(hi[k] == after(grid.At(k)));
      REQUIRE(lo[k] == after(grid.At(k) - range));
    }
  }
}

TEST_CASE("what is rare in a column is found wherever it is",
          "[promql][func]") {
  for (size_t n : {1u, 5u, 31u, 32u, 33u, 64u, 65u, 100u}) {
    const Values flat(n, 1.5);
    CHECK(!AnyStale(flat));
    for (size_t i = 0; i < n; ++i) {
      Values v = flat;
      v[i] = NormalNaN();
      CHECK(!AnyStale(v));
      v[n / 2] = StaleNaN();
      CHECK(AnyStale(v));
      v = flat;
      v[i] = 1;
      std::vector<size_t> drops;
      ForEachDrop(v, [&drops](size_t at) { drops.push_back(at); });
      CHECK(drops == (i == 0 ? std::vector<size_t>{} : std::vector{i}));
    }
  }
}

TEST_CASE("a sum that is exact as integers is exact by prefix sums too",
          "[promql][func]") {
  Series s;
  for (int i = 0; i < 1000; ++i) {
    s.t.push_back(i * 1000);
    s.v.push_back(i % 7 == 0 ? -0.0 : 4503599627370.0 + i);
  }
  const StepGrid grid = {500'000, 1000, 400};
  const WindowEnds ends(grid, {});
  std::vector<uint32_t> lo, hi;
  FindWindows(
      s.t.size(), [&](size_t i) { return s.t[i].ms; }, ends, 300'000,
      grid.steps, lo, hi);
  SeriesWindows in;
  in.t = s.t;
  in.v = s.v;
  in.lo = lo.data();
  in.hi = hi.data();
  in.grid = grid;
  Values out(grid.words() * 64);
  std::vector<uint64_t> present(grid.words());
  HistogramRow histograms;
  WindowScratch scratch;
  WindowOutput output{out.data(), present.data(), &histograms, 0,
                      0,          grid.steps};
  FindWindowFunction(FunctionId::kSumOverTime)(in, scratch, output);
  for (size_t k = 0; k < grid.steps; ++k) {
    KahanSum want;
    for (uint32_t i = lo[k]; i < hi[k]; ++i) want.Add(s.v[i]);
    REQUIRE(Same(out[k], want.sum + want.c));
  }
}

TEST_CASE("quantiles of classic buckets repair what is not monotonic",
          "[promql][func]") {
  std::vector<ClassicBucket> buckets = {{1, 10}, {2, 8}, {kInf, 20}};
  const ClassicQuantile q = QuantileOfBuckets(0.5, buckets);
  REQUIRE(q.forced_monotonic);
  REQUIRE(q.min_bucket == 2);
  REQUIRE(q.max_bucket == 2);
  REQUIRE(q.max_diff == 2);
  REQUIRE(q.value == 1);
  SECTION("no +Inf bucket, no answer") {
    std::vector<ClassicBucket> open = {{1, 10}, {2, 20}};
    REQUIRE(std::isnan(QuantileOfBuckets(0.5, open).value));
  }
  SECTION("outside 0..1 the answer is infinite") {
    REQUIRE(QuantileOfBuckets(-1, buckets).value == -kInf);
    REQUIRE(QuantileOfBuckets(2, buckets).value == kInf);
  }
}

}  // namespace
}  // namespace narthex::promql
