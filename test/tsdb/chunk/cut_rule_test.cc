#include <catch2/catch.hpp>

#include "libtsdb/chunk/cut_rule.h"

namespace narthex::tsdb {

TEST_CASE("a chunk range ends where Go's division says") {
  REQUIRE(ChunkRangeEnd(0, 100) == 100);
  REQUIRE(ChunkRangeEnd(99, 100) == 100);
  REQUIRE(ChunkRangeEnd(100, 100) == 200);
  REQUIRE(ChunkRangeEnd(-1, 100) == 100);
  REQUIRE(ChunkRangeEnd(-100, 100) == 0);
}

TEST_CASE("a chunk's end is predicted so that the range is cut evenly") {
  REQUIRE(PredictChunkEnd(0, 0, 1000) == 1000 / 250);
  REQUIRE(PredictChunkEnd(100, 200, 1000) == 550);
  REQUIRE(PredictChunkEnd(150, 209, 1000) == 433);
  REQUIRE(PredictChunkEnd(200, 250, 1000) == 466);
  REQUIRE(PredictChunkEnd(500, 600, 1000) == 1000);
}

TEST_CASE("a chunk is cut when it is full, long or over its time") {
  OpenChunkEnds ends = {.start = 0, .last = 29 * 15, .next_at = 7200};
  REQUIRE_FALSE(CutsFloatChunk(ends, 29, 100, 30 * 15));
  REQUIRE(ends.next_at == 7200);
  // A quarter full: the end is predicted.
  REQUIRE_FALSE(CutsFloatChunk(ends, 30, 100, 30 * 15));
  REQUIRE(ends.next_at == 1800);
  REQUIRE_FALSE(CutsFloatChunk(ends, 119, 100, 1799));
  REQUIRE(CutsFloatChunk(ends, 119, 100, 1800));
  REQUIRE_FALSE(CutsFloatChunk(ends, 50, 1005, 1000));
  REQUIRE(CutsFloatChunk(ends, 50, 1006, 1000));
  REQUIRE_FALSE(CutsFloatChunk(ends, 239, 100, 1000));
  REQUIRE(CutsFloatChunk(ends, 240, 100, 1000));
}

}  // namespace narthex::tsdb
