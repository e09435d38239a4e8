// Native histograms in the functions: sums to the bit, quantiles, trims, and
// the rows in which they travel.

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "libpromql/func/histogram_accumulator.h"
#include "libpromql/func/histogram_functions.h"
#include "libpromql/func/histogram_row.h"
#include "libpromql/func/start_times.h"
#include "test/support/small_histogram.h"

namespace narthex::promql {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A histogram that can be looked at.
class Held {
 public:
  explicit Held(const FloatHistogram& h) { AppendHistogram(0, h, column_); }
  operator HistogramView() const { return ViewOf(column_, 0); }

 private:
  HistogramColumn column_;
};

HistogramAccumulator::Added Add(HistogramAccumulator& sum,
                                const FloatHistogram& h) {
  return sum.Add(Held(h));
}

bool Same(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

TEST_CASE("a row of histograms shares what steps have in common", "[promql]") {
  HistogramRow row;
  CHECK(row.empty());
  CHECK_FALSE(row.Has(3));
  row.Set(1, 4, SmallHistogram({1, 2}));
  row.Share(2, 1);
  row.Set(3, 4, Held(SmallHistogram({3, 4})));
  CHECK_FALSE(row.Has(0));
  CHECK(row.Number(1) == row.Number(2));
  CHECK(row.Number(1) != row.Number(3));
  CHECK(row.View(2).buckets[1] == 2);
  CHECK(row.View(3).buckets[0] == 3);
  row.Remove(2);
  CHECK_FALSE(row.Has(2));
  CHECK(row.Has(1));
  row.Fill(4, Held(SmallHistogram({5})));
  CHECK(row.View(0).count == 5);
  CHECK(row.View(3).count == 5);
}

TEST_CASE("histograms of any layouts are summed as Kahan would", "[promql]") {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(-12, 12);
  const auto number = [&] {
    return (random() % 2 == 0 ? 1 : -1) * std::pow(10, exponent(random));
  };
  for (int round = 0; round < 200; ++round) {
    HistogramAccumulator sum;
    std::map<int, KahanSum> buckets;
    KahanSum count, total;
    const size_t n = 1 + random() % 8;
    const bool one_layout = random() % 3 == 0;
    for (size_t i = 0; i < n; ++i) {
      const auto offset =
          one_layout ? 2 : static_cast<int32_t>(random() % 7) - 3;
      std::vector<double> counts(one_layout ? 4 : random() % 6);
      for (double& c : counts) c = number();
      FloatHistogram h = SmallHistogram(counts, offset);
      h.sum = number();
      for (size_t b = 0; b < counts.size(); ++b) {
        const auto [it, added] =
            buckets.try_emplace(offset + static_cast<int>(b));
        if (added) {
          it->second.sum = counts[b];
        } else {
          it->second.Add(counts[b]);
        }
      }
      if (i == 0) {
        count.sum = h.count;
        total.sum = h.sum;
      } else {
        count.Add(h.count);
        total.Add(h.sum);
      }
      REQUIRE(Add(sum, h) == HistogramAccumulator::Added::kFine);
    }
    FloatHistogram out;
    sum.Sum(out);
    REQUIRE(Same(out.count, count.sum + count.c));
    REQUIRE(Same(out.sum, total.sum + total.c));
    REQUIRE(out.positive_buckets.size() == buckets.size());
    size_t i = 0;
    for (const auto& [index, want] : buckets) {
      REQUIRE(Same(out.positive_buckets[i], want.sum + want.c));
      ++i;
    }
  }
}

TEST_CASE("sums coarsen, widen and reconcile", "[promql]") {
  FloatHistogram out;
  HistogramAccumulator sum;
  FloatHistogram fine = SmallHistogram({1, 2, 3, 4}, 1);
  fine.schema = 1;
  Add(sum, fine);
  CHECK(Add(sum, SmallHistogram({10}, 2)) ==
        HistogramAccumulator::Added::kFine);
  sum.Sum(out);
  CHECK(out.schema == 0);
  CHECK(out.positive_buckets == std::vector<double>{3, 17});

  sum.Clear();
  Add(sum, SmallHistogram({1, 2}, 1));  // (1,2], (2,4]
  FloatHistogram wide = SmallHistogram({5}, 3);
  wide.zero_threshold = 1.5;  // cuts (1,2]
  wide.zero_count = 7;
  Add(sum, wide);
  sum.Sum(out);
  CHECK(out.zero_threshold == 2);
  CHECK(out.zero_count == 8);
  CHECK(out.positive_buckets == std::vector<double>{2, 5});

  sum.Clear();
  Add(sum, SmallCustomHistogram({1, 2, 4}, {1, 1, 1, 1}));
  CHECK(Add(sum, SmallCustomHistogram({2, 8}, {5, 5, 5})) ==
        HistogramAccumulator::Added::kReconciled);
  sum.Sum(out);
  CHECK(out.custom_values == std::vector<double>{2});
  CHECK(out.positive_buckets == std::vector<double>{7, 12});
  CHECK(Add(sum, SmallHistogram({1})) ==
        HistogramAccumulator::Added::kIncompatible);
}

TEST_CASE("a mean doesn't overflow with its sum", "[promql]") {
  HistogramAccumulator mean;
  FloatHistogram h = SmallHistogram({1e308});
  h.sum = 1e308;
  for (int i = 0; i < 3; ++i) {
    Held held(h);
    mean.AddToMean(held);
  }
  FloatHistogram out;
  mean.Mean(out);
  CHECK(out.count == Approx(1e308));
  CHECK(out.positive_buckets[0] == Approx(1e308));
}

TEST_CASE("quantiles of exponential buckets are interpolated on a log scale",
          "[promql]") {
  BucketList list;
  NanNote note{};
  const Held h(SmallHistogram({4}, 1));  // (1,2]
  CHECK(HistogramQuantile(0.5, h, list, note) == Approx(std::sqrt(2.0)));
  CHECK(HistogramQuantile(1, h, list, note) == 2);
  CHECK(HistogramQuantile(-1, h, list, note) == -kInf);
  CHECK(HistogramQuantile(2, h, list, note) == kInf);
  CHECK(std::isnan(HistogramQuantile(kNaN, h, list, note)));
  CHECK(std::isnan(
      HistogramQuantile(0.5, Held(SmallHistogram({0})), list, note)));
  CHECK(HistogramFraction(1, std::sqrt(2.0), h, list, note) == Approx(0.5));
  CHECK(HistogramFraction(-kInf, kInf, h, list, note) == 1);
  CHECK(HistogramFraction(2, 1, h, list, note) == 0);
}

TEST_CASE("observations of NaN are told", "[promql]") {
  BucketList list;
  NanNote note{};
  FloatHistogram h = SmallHistogram({4}, 1);
  h.count = 8;  // four of them NaN
  h.sum = kNaN;
  CHECK(std::isnan(HistogramQuantile(0.9, Held(h), list, note)));
  CHECK(note == NanNote::kResultIsNan);
  CHECK(HistogramQuantile(0.25, Held(h), list, note) == Approx(std::sqrt(2.0)));
  CHECK(note == NanNote::kSkewed);
  CHECK(HistogramFraction(-kInf, kInf, Held(h), list, note) == 0.5);
  CHECK(note == NanNote::kSkewed);
}

TEST_CASE("trims cut buckets and count anew", "[promql]") {
  FloatHistogram h = SmallHistogram({2, 4}, 1);  // (1,2], (2,4]
  TrimHistogram(2, /*keep_below=*/true, h);
  CHECK(h.count == 2);
  CHECK(h.sum == Approx(2 * std::sqrt(2.0)));
  CHECK(h.positive_buckets == std::vector<double>{2});

  h = SmallHistogram({2, 4}, 1);
  TrimHistogram(std::sqrt(8.0), /*keep_below=*/false, h);
  CHECK(h.count == Approx(2));

  h = SmallHistogram({2, 4}, 1);
  TrimHistogram(100, /*keep_below=*/true, h);
  CHECK(h.count == 6);
  CHECK(h.sum == 10);  // nothing was cut

  h = SmallCustomHistogram({5, 10}, {2, 2, 2});
  TrimHistogram(7.5, /*keep_below=*/true, h);
  CHECK(h.positive_buckets == std::vector<double>{2, 1});
  CHECK(h.count == 3);
}

TEST_CASE("start times tell resets and overlaps", "[promql]") {
  // Unknown, impossible, or before the sample before: nothing is told.
  CHECK_FALSE(StartTellsReset({0, 10}, {0, 20}));
  CHECK_FALSE(StartTellsReset({0, 10}, {20, 20}));
  CHECK_FALSE(StartTellsReset({5, 10}, {5, 20}));
  CHECK(StartTellsReset({5, 10}, {15, 20}));
  // Begun where the one before ended: a delta, if that one's start is known.
  CHECK(StartTellsReset({5, 10}, {10, 20}));
  CHECK_FALSE(StartTellsReset({0, 10}, {10, 20}));
  CHECK_FALSE(StartTellsReset({10, 10}, {10, 20}));
  CHECK_FALSE(StartOverlaps({5, 10}, {5, 20}));
  CHECK_FALSE(StartOverlaps({5, 10}, {10, 20}));
  CHECK(StartOverlaps({5, 10}, {7, 20}));
}

}  // namespace
}  // namespace narthex::promql
