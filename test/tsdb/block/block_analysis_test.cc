#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "narthex/base/env.h"
#include "narthex/tsdb/block.h"
#include "narthex/tsdb/block_builder.h"

namespace narthex::tsdb {

TEST_CASE("a block is analysed as promtool does") {
  auto env = NewMemEnv();
  FakeClock clock(0);
  auto builder = BlockBuilder::New("d", {.env = env.get(), .clock = &clock});
  REQUIRE(builder.ok());
  // 0 .. 100 s; c only for the first half of it.
  for (int t = 0; t <= 100; ++t) {
    REQUIRE((*builder)->Add({{"__name__", "m"}, {"l", "a"}}, t * 1000, t).ok());
    REQUIRE(
        (*builder)->Add({{"__name__", "m"}, {"l", "bb"}}, t * 1000, t).ok());
    if (t > 50) continue;
    REQUIRE((*builder)->Add({{"__name__", "n"}, {"l", "a"}}, t * 1000, t).ok());
  }
  auto blocks = (*builder)->Finish();
  REQUIRE(blocks.ok());
  const std::string dir = (*blocks)[0].dir;

  using Counts = std::vector<BlockAnalysis::Count>;
  auto all = AnalyzeBlock(*env, dir, {.chunks = true});
  REQUIRE(all.ok());
  REQUIRE(all->series == 3);
  REQUIRE(all->label_names == 2);
  REQUIRE(all->postings_unique_pairs == 4);
  REQUIRE(all->postings_total == 6);
  // The block ends one millisecond behind its last sample.
  REQUIRE(all->uncovered_pairs == Counts{{"l=a", 50002},
                                         {"__name__=n", 50001},
                                         {"__name__=m", 2},
                                         {"l=bb", 1}});
  REQUIRE(
      all->frequent_pairs ==
      Counts{{"__name__=m", 2}, {"l=a", 2}, {"__name__=n", 1}, {"l=bb", 1}});
  REQUIRE(all->name_bytes == Counts{{"l", 3}, {"__name__", 2}});
  REQUIRE(all->name_cardinality == Counts{{"__name__", 2}, {"l", 2}});
  REQUIRE(all->metric_series == Counts{{"m", 2}, {"n", 1}});
  REQUIRE(all->chunks.chunks == 3);
  REQUIRE(all->chunks.samples == std::vector<uint32_t>{101, 101, 51});

  auto some = AnalyzeBlock(
      *env, dir,
      {.limit = 1,
       .matchers = {*Matcher::Make(Matcher::Type::kEqual, "l", "a")}});
  REQUIRE(some.ok());
  REQUIRE(some->series == 2);
  REQUIRE(some->metric_series == Counts{{"m", 1}});
  REQUIRE(some->postings_unique_pairs == 3);
}

}  // namespace narthex::tsdb
