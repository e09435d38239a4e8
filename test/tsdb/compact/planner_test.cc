#include <catch2/catch.hpp>

#include <vector>

#include "libtsdb/compact/planner.h"
#include "libtsdb/compact/retention.h"

namespace narthex::tsdb {
namespace {

const std::vector<Duration> kRanges = {
    Duration(20), Duration(60), Duration(180), Duration(540), Duration(1620)};

BlockMeta Block(int64_t min, int64_t max) {
  BlockMeta meta;
  meta.min_time = min;
  meta.max_time = max;
  meta.stats.series = 100;
  return meta;
}

std::vector<size_t> Plan(const std::vector<BlockMeta>& blocks) {
  return PlanCompaction(kRanges, blocks);
}

using Indices = std::vector<size_t>;

}  // namespace

TEST_CASE("ranges triple up to the largest") {
  const std::vector<Duration> ranges = CompactionRanges(Hours(2), Days(31));
  REQUIRE(ranges == std::vector<Duration>{Hours(2), Hours(6), Hours(18),
                                          Hours(54), Hours(162), Hours(486)});
  REQUIRE(CompactionRanges(Hours(2), Hours(2)).size() == 1);
  REQUIRE(CompactionRanges(Hours(2), Days(100000)).size() == 10);
}

TEST_CASE("blocks are merged when they fill an aligned window") {
  REQUIRE(Plan({}).empty());
  REQUIRE(Plan({Block(0, 20)}).empty());
  REQUIRE(Plan({Block(0, 20), Block(20, 40)}).empty());
  REQUIRE(Plan({Block(0, 20), Block(20, 40), Block(40, 60)}).empty());
  // The newest does not count, but shows that the window is over.
  REQUIRE(Plan({Block(0, 20), Block(20, 40), Block(40, 60), Block(60, 80)}) ==
          Indices{0, 1, 2});
  REQUIRE(Plan({Block(0, 20), Block(20, 40), Block(60, 80), Block(80, 100)}) ==
          Indices{0, 1});
  REQUIRE(Plan({Block(60, 80), Block(40, 60), Block(20, 40), Block(0, 20)}) ==
          Indices{3, 2, 1});
  SECTION("also below zero") {
    REQUIRE(Plan({Block(-60, -40), Block(-40, -20), Block(-20, 0),
                  Block(0, 20)}) == Indices{0, 1, 2});
  }
  SECTION("with gaps") {
    REQUIRE(Plan({Block(0, 20), Block(40, 60), Block(60, 80), Block(120, 140),
                  Block(140, 160)}) == Indices{0, 1});
  }
  SECTION("the smaller size first, then the larger") {
    REQUIRE(Plan({Block(0, 60), Block(60, 120), Block(120, 180),
                  Block(180, 200), Block(200, 220)}) == Indices{0, 1, 2});
  }
  SECTION("not with one that failed before") {
    auto blocks = std::vector<BlockMeta>{Block(0, 20), Block(20, 40),
                                         Block(40, 60), Block(60, 80)};
    blocks[1].failed = true;
    REQUIRE(Plan(blocks).empty());
  }
  SECTION("blocks that are not aligned are left alone") {
    REQUIRE(Plan({Block(10, 70), Block(130, 150), Block(190, 210)}).empty());
  }
}

TEST_CASE("overlapping blocks are merged before all others") {
  REQUIRE(Plan({Block(0, 20), Block(19, 40), Block(40, 60)}) == Indices{0, 1});
  REQUIRE(Plan({Block(0, 20), Block(20, 40), Block(30, 50), Block(45, 60),
                Block(60, 80)}) == Indices{1, 2, 3});
  REQUIRE(Plan({Block(0, 360), Block(340, 560), Block(360, 420),
                Block(420, 540)}) == Indices{0, 1, 2, 3});
  REQUIRE(
      PlanCompaction(kRanges, {Block(0, 20), Block(10, 30)}, false).empty());
}

TEST_CASE("a block with many tombstones is rewritten") {
  auto blocks = std::vector<BlockMeta>{Block(0, 540), Block(540, 560)};
  blocks[0].stats.tombstones = 5;
  REQUIRE(Plan(blocks).empty());  // 5 of 101 are no more than 5 %
  blocks[0].stats.tombstones = 6;
  REQUIRE(Plan(blocks) == Indices{0});
  SECTION("a short one only if nothing is left of it") {
    blocks[0] = Block(0, 20);
    blocks[0].stats.tombstones = 99;
    REQUIRE(Plan(blocks).empty());
    blocks[0].stats.tombstones = 100;
    REQUIRE(Plan(blocks) == Indices{0});
  }
}

TEST_CASE("blocks of a part of the series are never mixed with others") {
  auto blocks = std::vector<BlockMeta>{Block(0, 20), Block(0, 20),
                                       Block(10, 30), Block(30, 50)};
  blocks[1].AddHint(kHintStaleSeries);
  blocks[2].AddHint(kHintStaleSeries);
  REQUIRE(Plan(blocks) == Indices{1, 2});
  blocks.push_back(Block(45, 60));
  REQUIRE(Plan(blocks) == Indices{3, 4});
}

TEST_CASE("windows end where Prometheus says, also below zero") {
  REQUIRE(WindowEnd(0, Duration(20)) == Timestamp(20));
  REQUIRE(WindowEnd(19, Duration(20)) == Timestamp(20));
  REQUIRE(WindowEnd(20, Duration(20)) == Timestamp(40));
  REQUIRE(WindowEnd(-1, Duration(20)) == Timestamp(20));
  REQUIRE(WindowEnd(-20, Duration(20)) == Timestamp(0));
}

TEST_CASE("retention lets go of the oldest blocks") {
  std::vector<RetainedBlock> blocks;
  for (int i : {2, 0, 1, 3}) {
    blocks.push_back({Block(i * 10, i * 10 + 10), 100});
    blocks.back().meta.ulid = std::string(1, static_cast<char>('a' + i));
  }
  SECTION("by time") {
    REQUIRE(BlocksBeyondTime(blocks, Duration(0)).empty());
    REQUIRE(BlocksBeyondTime(blocks, Duration(31)).empty());
    REQUIRE(BlocksBeyondTime(blocks, Duration(30)) == Indices{1});
    REQUIRE(BlocksBeyondTime(blocks, Duration(1)) == Indices{0, 2, 1});
    REQUIRE(BlocksBeyondTime({}, Duration(1)).empty());
  }
  SECTION("by size") {
    REQUIRE(BlocksBeyondSize(blocks, 0, 0).empty());
    REQUIRE(BlocksBeyondSize(blocks, 0, 400).empty());
    REQUIRE(BlocksBeyondSize(blocks, 1, 400) == Indices{1});
    REQUIRE(BlocksBeyondSize(blocks, 0, 250) == Indices{2, 1});
    REQUIRE(BlocksBeyondSize(blocks, 500, 250) == Indices{3, 0, 2, 1});
  }
  SECTION("what a newer block replaced, and what is empty") {
    blocks[3].meta.parents = {{"a", 0, 10}, {"gone", 0, 10}};
    blocks[0].meta.deletable = true;
    REQUIRE(BlocksReplaced(blocks) == Indices{0, 1});
  }
}

TEST_CASE("late blocks ahead of the others are left until those come") {
  const auto late = [](int64_t min, int64_t max) {
    BlockMeta meta = Block(min, max);
    meta.hints = {std::string(kHintOutOfOrder)};
    return meta;
  };
  // Merged, 0..60 would end behind what is in blocks: the log from 40 on would
  // not be replayed.
  REQUIRE(
      Plan({Block(0, 20), Block(20, 40), late(40, 60), late(60, 80)}).empty());
  REQUIRE(Plan({Block(0, 20), Block(20, 40), late(40, 60), Block(40, 60),
                Block(60, 80)}) == Indices{2, 3});
  // Among themselves they may be: what comes of it is late all the same.
  REQUIRE(Plan({Block(0, 20), late(40, 60), late(50, 60)}) == Indices{1, 2});
}

}  // namespace narthex::tsdb
