#include "narthex/model/histogram_view.h"
#include "test/support/small_histogram.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace narthex {
namespace {

bool Reset(const FloatHistogram& before, const FloatHistogram& now) {
  HistogramColumn both;
  AppendHistogram(0, before, both);
  AppendHistogram(1, now, both);
  return DetectReset(ViewOf(both, 1), ViewOf(both, 0));
}

TEST_CASE("a histogram comes back from a column as it went in", "[model]") {
  FloatHistogram h = SmallHistogram({1, 0, 3}, -2);
  h.negative_spans = {{3, 2}};
  h.negative_buckets = {4, 5};
  h.zero_threshold = 0.5;
  h.zero_count = 7;
  h.hint = CounterResetHint::kGauge;
  HistogramColumn column;
  AppendHistogram(5, h, column);
  AppendHistogram(6, h, column);
  AppendHistogram(7, SmallHistogram({2}), column);
  CHECK(column.layouts.size() == 2);  // equal neighbours share theirs
  FloatHistogram out = SmallHistogram({9, 9, 9, 9});
  Assign(ViewOf(column, 1), out);
  CHECK(out.SameAs(h));
  CHECK(out.hint == h.hint);
  CHECK(ToFloatHistogram(column, 1).SameAs(h));
  CHECK(SameHistogram(ViewOf(column, 0), ViewOf(column, 1)));
  CHECK_FALSE(SameHistogram(ViewOf(column, 0), ViewOf(column, 2)));
}

TEST_CASE("a hint says whether a counter was reset", "[model]") {
  FloatHistogram now = SmallHistogram({1, 2});
  now.hint = CounterResetHint::kReset;
  CHECK(Reset(SmallHistogram({1, 1}), now));
  now.hint = CounterResetHint::kNotReset;
  CHECK_FALSE(Reset(SmallHistogram({5, 5}), now));
  now.hint = CounterResetHint::kGauge;  // as if nothing was said
  CHECK(Reset(SmallHistogram({5, 5}), now));
}

TEST_CASE("numbers that fall tell a reset", "[model]") {
  CHECK_FALSE(Reset(SmallHistogram({1, 2, 3}), SmallHistogram({1, 2, 3})));
  CHECK_FALSE(Reset(SmallHistogram({1, 2, 3}), SmallHistogram({1, 2, 4})));
  CHECK(Reset(SmallHistogram({1, 2, 3}), SmallHistogram({1, 2, 2})));
  CHECK(Reset(SmallHistogram({1, 2, 3}),
              SmallHistogram({9, 1, 3})));  // the count rose
  FloatHistogram before = SmallHistogram({1}), now = SmallHistogram({2});
  before.zero_count = 2;
  now.zero_count = 1;
  CHECK(Reset(before, now));
}

TEST_CASE("a full bucket that is gone tells a reset", "[model]") {
  CHECK(Reset(SmallHistogram({1, 2}, 1), SmallHistogram({5}, 1)));
  CHECK(Reset(SmallHistogram({1}, 1), SmallHistogram({5}, 2)));
  CHECK_FALSE(Reset(SmallHistogram({1, 0}, 1), SmallHistogram({5}, 1)));
  CHECK_FALSE(Reset(SmallHistogram({1}, 1), SmallHistogram({1, 4}, 1)));
}

TEST_CASE("a finer schema or a narrower zero bucket tells a reset", "[model]") {
  FloatHistogram before = SmallHistogram({1, 1}), now = SmallHistogram({5, 5});
  now.schema = 1;
  CHECK(Reset(before, now));
  before.schema = 1;
  now.schema = 0;
  CHECK_FALSE(Reset(before, now));
  before = SmallHistogram({1}, 3);
  now = SmallHistogram({5}, 3);
  before.zero_threshold = 0.5;
  CHECK(Reset(before, now));
  // (4,8] is where they are: a zero bucket up to 2 cuts nothing, up to 5 does.
  now.zero_threshold = 2;
  CHECK_FALSE(Reset(before, now));
  now.zero_threshold = 5;
  CHECK(Reset(before, now));
}

TEST_CASE("a wider zero bucket counts what it swallows", "[model]") {
  FloatHistogram before = SmallHistogram({3, 1}, 1);  // (1,2] and (2,4]
  FloatHistogram now = SmallHistogram({2}, 2);
  now.zero_threshold = 2;
  now.count = 10;
  now.zero_count = 3;
  CHECK_FALSE(Reset(before, now));
  now.zero_count = 2;
  CHECK(Reset(before, now));
}

TEST_CASE("custom bounds are compared where both have them", "[model]") {
  const FloatHistogram before = SmallCustomHistogram({1, 2, 4}, {1, 1, 1});
  CHECK_FALSE(Reset(before, SmallCustomHistogram({2, 4}, {2, 1, 5})));
  CHECK(Reset(before, SmallCustomHistogram({2, 4}, {1, 9})));
  CHECK_FALSE(Reset(before, SmallCustomHistogram({3}, {9})));
  CHECK(Reset(before, SmallHistogram({9})));
  CHECK(Reset(SmallHistogram({1}), before));
}

}  // namespace
}  // namespace narthex
