// Sums of float histograms with unequal layouts, each worked out by hand.

#include <catch2/catch.hpp>
#include <limits>

#include "narthex/model/histogram_sum.h"

namespace narthex {
namespace {

FloatHistogram Exponential(int32_t schema, int32_t offset,
                           std::vector<double> buckets) {
  FloatHistogram h;
  h.schema = schema;
  h.positive_spans = {{offset, static_cast<uint32_t>(buckets.size())}};
  for (const double n : buckets) h.count += n;
  h.positive_buckets = std::move(buckets);
  return h;
}

FloatHistogram Custom(std::vector<double> bounds, std::vector<double> buckets) {
  FloatHistogram h = Exponential(kCustomBucketsSchema, 0, std::move(buckets));
  h.custom_values = std::move(bounds);
  return h;
}

// The sum as the tests' notation writes it.
std::string Sum(FloatHistogram a, const FloatHistogram& b) {
  const auto combined = AddTo(a, b);
  INFO(combined.status());
  REQUIRE(combined.ok());
  a.Compact();
  return a.ToTestString();
}

TEST_CASE("equal buckets are added, others stand beside them", "[model]") {
  CHECK(Sum(Exponential(0, 1, {1, 2}), Exponential(0, 2, {10, 20})) ==
        "{{count:33 offset:1 buckets:[1 12 20]}}");
  CHECK(Sum(Exponential(0, 4, {1}), Exponential(0, -2, {2})) ==
        "{{count:3 offset:-2 buckets:[2 0 0 0 0 0 1]}}");
  FloatHistogram none;
  CHECK(Sum(none, Exponential(0, 3, {1, 2})) ==
        "{{count:3 offset:3 buckets:[1 2]}}");
}

TEST_CASE("a difference takes away, also what isn't there", "[model]") {
  FloatHistogram a = Exponential(0, 1, {5, 2});
  a.sum = 7;
  FloatHistogram b = Exponential(0, 2, {2, 3});
  b.sum = 10;
  REQUIRE(SubtractFrom(a, b).ok());
  a.Compact();
  CHECK(a.ToTestString() == "{{count:2 sum:-3 offset:1 buckets:[5 0 -3]}}");
}

TEST_CASE("the coarser schema wins", "[model]") {
  // Of schema 1, buckets 1 and 2 are bucket 1 of schema 0.
  CHECK(Sum(Exponential(1, 1, {1, 2, 4}), Exponential(0, 1, {10})) ==
        "{{count:17 offset:1 buckets:[13 4]}}");
  CHECK(Sum(Exponential(0, 1, {10}), Exponential(1, 1, {1, 2, 4})) ==
        "{{count:17 offset:1 buckets:[13 4]}}");
  // -1 and 0 of schema 1 are 0 of schema 0: (0.5, 1].
  CHECK(Sum(Exponential(0, 0, {1}), Exponential(1, -1, {2, 4})) ==
        "{{count:7 buckets:[7]}}");
}

TEST_CASE("the wider zero bucket swallows, and grows over what it cuts",
          "[model]") {
  FloatHistogram wide;
  wide.zero_threshold = 1;  // the end of bucket 0
  wide.zero_count = wide.count = 100;
  CHECK(Sum(wide, Exponential(0, 0, {1, 2})) ==
        "{{count:103 z_bucket:101 z_bucket_w:1 offset:1 buckets:[2]}}");
  CHECK(Sum(Exponential(0, 0, {1, 2}), wide) ==
        "{{count:103 z_bucket:101 z_bucket_w:1 offset:1 buckets:[2]}}");
  wide.zero_threshold = 1.5;  // within bucket 1
  CHECK(Sum(Exponential(0, 0, {1, 2, 4}), wide) ==
        "{{count:107 z_bucket:103 z_bucket_w:2 offset:2 buckets:[4]}}");
}

TEST_CASE("of custom bounds those remain that both have", "[model]") {
  FloatHistogram a = Custom({1, 2, 5}, {1, 2, 4, 8});
  const auto combined = AddTo(a, Custom({1, 3, 5}, {10, 20, 40, 80}));
  REQUIRE(combined.ok());
  CHECK(combined->bounds_reconciled);
  CHECK(a.custom_values == std::vector<double>{1, 5});
  CHECK(a.positive_buckets == std::vector<double>{11, 66, 88});
  FloatHistogram same = Custom({1}, {1, 2});
  const auto equal = AddTo(same, Custom({1}, {3, 4}));
  REQUIRE(equal.ok());
  CHECK_FALSE(equal->bounds_reconciled);
  CHECK(same.positive_buckets == std::vector<double>{4, 6});
}

TEST_CASE("hints are combined carefully", "[model]") {
  using Hint = CounterResetHint;
  auto combine = [](Hint a, Hint b, bool collide = false) {
    FloatHistogram x = Exponential(0, 0, {1}), y = x;
    x.hint = a;
    y.hint = b;
    const auto combined = AddTo(x, y);
    REQUIRE(combined.ok());
    CHECK(combined->hints_collide == collide);
    return x.hint;
  };
  CHECK(combine(Hint::kReset, Hint::kReset) == Hint::kReset);
  CHECK(combine(Hint::kGauge, Hint::kReset) == Hint::kGauge);
  CHECK(combine(Hint::kNotReset, Hint::kGauge) == Hint::kGauge);
  CHECK(combine(Hint::kUnknown, Hint::kReset) == Hint::kUnknown);
  CHECK(combine(Hint::kNotReset, Hint::kReset, true) == Hint::kUnknown);
}

TEST_CASE("what doesn't go together is refused", "[model]") {
  FloatHistogram exponential = Exponential(0, 0, {1});
  CHECK(AddTo(exponential, Custom({1}, {1, 2})).status().message() ==
        "cannot apply this operation on histograms with a mix of exponential "
        "and custom bucket schemas");
  CHECK_FALSE(AddTo(exponential, Exponential(100, 0, {1})).ok());
  FloatHistogram odd;
  odd.zero_threshold = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(AddTo(exponential, odd).ok());
  CHECK(exponential.count == 1);
}

}  // namespace
}  // namespace narthex
