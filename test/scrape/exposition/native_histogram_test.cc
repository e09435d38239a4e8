#include "libscrape/exposition/native_histogram.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

Histogram Make(std::vector<Span> spans, std::vector<int64_t> deltas,
               int32_t schema = 3) {
  Histogram h;
  h.schema = schema;
  h.positive_spans = std::move(spans);
  h.positive_deltas = std::move(deltas);
  return h;
}

TEST_CASE("empty buckets go, but for few between full ones",
          "[scrape][exposition]") {
  // Counts 0 1 0 0 2 0, then 3 further up.
  Histogram h = Make({{-1, 6}, {2, 1}}, {0, 1, -1, 0, 2, -2, 3});
  Histogram kept = h;
  CompactHistogram(h, 0);
  REQUIRE(h.positive_spans == std::vector<Span>{{0, 1}, {2, 1}, {3, 1}});
  REQUIRE(h.positive_deltas == std::vector<int64_t>{1, 1, 1});
  CompactHistogram(kept, 2);
  REQUIRE(kept.positive_spans == std::vector<Span>{{0, 4}, {3, 1}});
  REQUIRE(kept.positive_deltas == std::vector<int64_t>{1, -1, 0, 2, 1});

  Histogram none = Make({{5, 2}, {0, 0}}, {0, 0});
  CompactHistogram(none, 2);
  REQUIRE(none.positive_spans.empty());
  REQUIRE(none.positive_deltas.empty());

  // Spans that go backwards are Validate()'s to refuse.
  Histogram bad = Make({{5, 1}, {-3, 1}}, {0, 0});
  CompactHistogram(bad, 0);
  REQUIRE(bad.positive_spans.size() == 2);
}

TEST_CASE("one schema down, two buckets become one", "[scrape][exposition]") {
  // Buckets -1 0 1 2 and 5, counts 1 2 3 4 5; bounds are inclusive above.
  Histogram h = Make({{-1, 4}, {2, 1}}, {1, 1, 1, 1, 1});
  REQUIRE(ReduceResolution(h, 2).ok());
  REQUIRE(h.schema == 2);
  REQUIRE(h.positive_spans == std::vector<Span>{{0, 2}, {1, 1}});
  REQUIRE(h.positive_deltas == std::vector<int64_t>{3, 4, -2});
  REQUIRE_FALSE(ReduceResolution(h, 3).ok());

  FloatHistogram f = h.ToFloat();
  REQUIRE(LimitBuckets(f, 1).ok() == false);
  REQUIRE(f.schema == kMinSchema);
  Histogram limited = h;
  REQUIRE(LimitBuckets(limited, 2).ok());
  REQUIRE(limited.schema == 0);
  Histogram custom = Make({{0, 3}}, {1, 0, 0}, kCustomBucketsSchema);
  REQUIRE(Message(LimitBuckets(custom, 2)) ==
          "histogram bucket limit exceeded");
  REQUIRE(LimitBuckets(custom, 3).ok());
}

TEST_CASE("a least factor picks the schema", "[scrape][exposition]") {
  REQUIRE(SchemaForFactor(0) == 8);
  REQUIRE(SchemaForFactor(1) == 8);
  REQUIRE(SchemaForFactor(1.1) == 2);
  REQUIRE(SchemaForFactor(1.5) == 0);
  REQUIRE(SchemaForFactor(2) == 0);
  REQUIRE(SchemaForFactor(65536) == -4);
  REQUIRE(SchemaForFactor(1e300) == -4);
  REQUIRE(SchemaForFactor(std::nan("")) == 8);
}

}  // namespace
}  // namespace narthex::scrape
