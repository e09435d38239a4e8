#include "narthex/model/histogram.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "narthex/base/status.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/sample.h"

namespace narthex {
namespace {

Histogram Sample1() {  // as Prometheus's test generator makes number 0
  Histogram h;
  h.schema = 1;
  h.zero_threshold = 0.001;
  h.zero_count = 2;
  h.count = 12;
  h.sum = 18.4;
  h.positive_spans = h.negative_spans = {{0, 2}, {1, 2}};
  h.positive_deltas = h.negative_deltas = {1, 1, -1, 0};
  return h;
}

TEST_CASE("a histogram is valid if its parts add up") {
  CHECK(Sample1().Validate().ok());
  Histogram h = Sample1();
  h.count = 13;
  CHECK(Message(h.Validate()) ==
        "12 observations found in buckets, but the Count field is 13: "
        "histogram's observation count should equal the number of observations "
        "found in the buckets (in absence of NaN)");
  h.sum = NAN;
  CHECK(h.Validate().ok());
  h = Sample1();
  h.positive_deltas[2] = -3;
  CHECK(Message(h.Validate()) ==
        "positive side: bucket number 3 has observation count of -1: histogram "
        "has a bucket whose observation count is negative");
  h = Sample1();
  h.negative_spans[1].offset = -1;
  CHECK(Message(h.Validate()) ==
        "negative side: span number 2 with offset -1: histogram has a span "
        "whose offset is negative");
  h = Sample1();
  h.schema = 9;
  CHECK(Message(h.Validate()) ==
        "histogram has an invalid schema, which must be between -4 and 8 for "
        "exponential buckets, or -53 for custom buckets, got schema 9");
  h.schema = kCustomBucketsSchema;
  CHECK(!h.Validate().ok());
}

TEST_CASE("a float histogram says what the integer one says") {
  const FloatHistogram h = Sample1().ToFloat();
  CHECK(h.positive_buckets == std::vector<double>{1, 2, 1, 1});
  CHECK(h.Validate().ok());
  CHECK(h.ToString() ==
        "{count:12, sum:18.4, [-4,-2.82842712474619):1, "
        "[-2.82842712474619,-2):1, [-1.414213562373095,-1):2, "
        "[-1,-0.7071067811865475):1, [-0.001,0.001]:2, "
        "(0.7071067811865475,1]:1, (1,1.414213562373095]:2, "
        "(2,2.82842712474619]:1, (2.82842712474619,4]:1}");
  CHECK(h.ToTestString() ==
        "{{schema:1 count:12 sum:18.4 z_bucket:2 z_bucket_w:0.001 "
        "buckets:[1 2 0 1 1] n_buckets:[1 2 0 1 1]}}");
}

TEST_CASE("bucket bounds are the published ones, bit for bit") {
  CHECK(BucketBound(0, 0, {}) == 1);
  CHECK(BucketBound(1, 0, {}) == 2);
  CHECK(BucketBound(-1, 0, {}) == 0.5);
  CHECK(BucketBound(1, 1, {}) == 1.414213562373095);
  CHECK(BucketBound(3, 2, {}) == 1.6817928305074288);
  CHECK(BucketBound(1, -4, {}) == 65536);
  CHECK(BucketBound(1024, 0, {}) == std::numeric_limits<double>::max());
  CHECK(BucketBound(1025, 0, {}) == INFINITY);
  CHECK(BucketBound(64, -4, {}) == std::numeric_limits<double>::max());
  CHECK(BucketBound(std::numeric_limits<int32_t>::max(), -4, {}) == INFINITY);
  CHECK(BucketBound(1, kCustomBucketsSchema, {1, 5}) == 5);
  CHECK(BucketBound(2, kCustomBucketsSchema, {1, 5}) == INFINITY);
  CHECK(BucketBound(-1, kCustomBucketsSchema, {1, 5}) == -INFINITY);
}

TEST_CASE("empty buckets go, few of them between full ones may stay") {
  FloatHistogram h;
  h.positive_spans = {{0, 3}, {0, 0}, {2, 4}};
  h.positive_buckets = {0, 1, 0, 0, 2, 0, 3};
  FloatHistogram compact = h;
  compact.Compact();
  CHECK(compact.positive_spans == std::vector<Span>{{1, 1}, {4, 1}, {1, 1}});
  CHECK(compact.positive_buckets == std::vector<double>{1, 2, 3});
  compact = h;
  compact.Compact(1);
  CHECK(compact.positive_spans == std::vector<Span>{{1, 1}, {4, 3}});
  CHECK(compact.positive_buckets == std::vector<double>{1, 2, 0, 3});
  compact.Compact(4);
  CHECK(compact.positive_spans == std::vector<Span>{{1, 8}});
  compact = h;
  compact.positive_buckets.assign(7, 0);
  compact.Compact();
  CHECK(compact.positive_spans.empty());
  // A layout that claims two thousand million empty buckets.
  h.positive_spans = {{0, 1}, {2000000000, 1}};
  h.positive_buckets = {1, 1};
  h.Compact(std::numeric_limits<int>::max());
  CHECK(h.positive_buckets.size() == 2);
}

TEST_CASE("histograms are the same bit for bit, whatever their empty spans") {
  FloatHistogram a = Sample1().ToFloat(), b = a;
  CHECK(a.SameAs(b));
  b.hint = CounterResetHint::kGauge;
  b.positive_spans = {{0, 2}, {1, 0}, {0, 2}};
  CHECK(a.SameAs(b));
  b.sum = -0.0;
  a.sum = 0.0;
  CHECK(!a.SameAs(b));
  a.sum = b.sum = StaleNaN();
  CHECK(a.SameAs(b));
}

TEST_CASE("texts of a negated histogram have its zero bucket") {
  FloatHistogram h;
  h.zero_threshold = 0.5;
  h.zero_count = -2;
  h.count = -4;
  h.positive_spans = h.negative_spans = {{1, 1}};
  h.positive_buckets = h.negative_buckets = {-1};
  CHECK(h.ToString() ==
        "{count:-4, sum:0, [-2,-1):-1, [-0.5,0.5]:-2, (1,2]:-1}");
}

TEST_CASE("the zero bucket cuts its neighbours, but not in texts") {
  FloatHistogram h;
  h.zero_threshold = 0.75;
  h.zero_count = 1;
  h.count = 3;
  h.positive_spans = h.negative_spans = {{0, 1}};
  h.positive_buckets = h.negative_buckets = {1};
  const auto buckets = h.AllBuckets();
  REQUIRE(buckets.size() == 3);
  CHECK(buckets[0].upper == -0.75);
  CHECK(buckets[2].lower == 0.75);
  CHECK(h.ToString() ==
        "{count:3, sum:0, [-1,-0.5):1, [-0.75,0.75]:1, (0.5,1]:1}");
}

TEST_CASE("a gap of billions of buckets takes no memory to print") {
  FloatHistogram h;
  h.count = 3;
  h.positive_spans = {{-2147483600, 1}, {2147483647, 1}, {2147483000, 1}};
  h.positive_buckets = {1, 1, 1};
  CHECK(h.ToTestString() == h.ToString());
  h.positive_spans = {{0, 1}, {1000, 1}, {0, 1}};
  CHECK(h.ToTestString().size() > 2000);
  CHECK(h.ToTestString().starts_with("{{count:3 buckets:[1 0 0 "));
}

TEST_CASE("custom buckets have the bounds that they name") {
  FloatHistogram h;
  h.schema = kCustomBucketsSchema;
  h.custom_values = {1, 5};
  h.positive_spans = {{0, 3}};
  h.positive_buckets = {1, 2, 3};
  h.count = 6;
  CHECK(h.Validate().ok());
  CHECK(h.ToString() == "{count:6, sum:0, [-Inf,1]:1, (1,5]:2, (5,+Inf]:3}");
  CHECK(h.ToTestString() ==
        "{{schema:-53 count:6 custom_values:[1 5] buckets:[1 2 3]}}");
  h.custom_values = {5, 5};
  CHECK(Message(h.Validate()) ==
        "custom buckets: previous bound is 5.000000 and current is 5.000000: "
        "histogram custom bounds must be in strictly increasing order");
  h.custom_values = {5};
  CHECK(Message(h.Validate()) ==
        "custom buckets: only 1 custom bounds defined which is insufficient to "
        "cover total span length of 3: histogram custom bounds are too few");
}

}  // namespace
}  // namespace narthex
