#include <catch2/catch.hpp>

#include <memory>
#include <random>
#include <set>
#include <string>

#include "libtsdb/block/tombstones.h"
#include "narthex/base/env.h"

namespace narthex::tsdb {
namespace {

Intervals Of(std::initializer_list<TimeRange> ranges) {
  Intervals intervals;
  for (const TimeRange& range : ranges) AddInterval(intervals, range);
  return intervals;
}

}  // namespace

TEST_CASE("intervals that touch become one") {
  REQUIRE(Of({{1, 2}, {4, 5}}) == Intervals{{1, 2}, {4, 5}});
  REQUIRE(Of({{1, 2}, {3, 5}}) == Intervals{{1, 5}});
  REQUIRE(Of({{3, 5}, {1, 2}}) == Intervals{{1, 5}});
  REQUIRE(Of({{1, 2}, {4, 5}, {3, 3}}) == Intervals{{1, 5}});
  REQUIRE(Of({{1, 2}, {10, 20}, {4, 5}}) ==
          Intervals{{1, 2}, {4, 5}, {10, 20}});
  REQUIRE(Of({{1, 9}, {3, 4}}) == Intervals{{1, 9}});
  REQUIRE(Of({{5, 4}}).empty());
  REQUIRE(Of({{kMinTime, 0}, {7, kMaxTime}, {1, 6}}) ==
          Intervals{{kMinTime, kMaxTime}});
}

TEST_CASE("intervals hold what was added to them, and nothing else") {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    Intervals intervals;
    std::set<int> want;
    for (int i = 0; i < 10; ++i) {
      const int min = static_cast<int>(random() % 60);
      const int max = min + static_cast<int>(random() % 8);
      AddInterval(intervals, {min, max});
      for (int t = min; t <= max; ++t) want.insert(t);
    }
    std::set<int> got;
    for (size_t i = 0; i < intervals.size(); ++i) {
      for (int64_t t = intervals[i].min.ms; t <= intervals[i].max.ms; ++t) {
        got.insert(static_cast<int>(t));
      }
      if (i != 0) REQUIRE(intervals[i - 1].max.ms + 1 < intervals[i].min.ms);
    }
    REQUIRE(got == want);
    for (int min = 0; min < 70; ++min) {
      for (int max = min; max < min + 10; ++max) {
        bool covers = true, overlaps = false;
        for (int t = min; t <= max; ++t) {
          covers &= want.count(t) != 0;
          overlaps |= want.count(t) != 0;
        }
        REQUIRE(Covers(intervals, {min, max}) == covers);
        REQUIRE(OverlapsAny(intervals, {min, max}) == overlaps);
      }
    }
  }
}

TEST_CASE("deleted samples are cut out of columns") {
  MemoryBudget budget;
  SampleColumns columns(budget);
  REQUIRE(columns.Reserve(10).ok());
  for (int i = 0; i < 10; ++i) {
    columns.mutable_t()[i] = i;
    columns.mutable_v()[i] = i;
    columns.mutable_histograms().points.push_back({.t = i});
  }
  columns.SetSize(10);
  CutIntervals(Of({{0, 0}, {2, 3}, {9, 100}}), columns, /*from_float=*/1);
  std::string left;
  for (size_t i = 0; i < columns.size(); ++i) {
    left += static_cast<char>('0' + columns.t()[i].ms);
    REQUIRE(columns.v()[i] == static_cast<double>(columns.t()[i].ms));
  }
  REQUIRE(left == "0145678");
  REQUIRE(columns.histograms().points.size() == 6);
}

TEST_CASE("a tombstones file has the bytes that Prometheus writes") {
  auto env = NewMemEnv();
  REQUIRE(env->MakeDirs("b").ok());
  SECTION("none") {
    REQUIRE(WriteTombstones(*env, "b", Tombstones()).ok());
    REQUIRE(*env->ReadFile("b/tombstones") ==
            std::string("\x01\x30\xba\x30\x01\0\0\0\0", 9));
    auto read = ReadTombstones(*env, "b");
    REQUIRE(read.ok());
    REQUIRE(read->empty());
  }
  SECTION("some") {
    Tombstones tombstones;
    tombstones.Add(300, {-1, 1});
    tombstones.Add(2, {10, 20});
    tombstones.Add(2, {30, 40});
    REQUIRE(tombstones.total() == 3);
    REQUIRE(WriteTombstones(*env, "b", tombstones).ok());
    const std::string bytes = *env->ReadFile("b/tombstones");
    REQUIRE(bytes.substr(0, bytes.size() - 4) ==
            std::string("\x01\x30\xba\x30\x01"
                        "\x02\x14\x28"
                        "\x02\x3c\x50"
                        "\xac\x02\x01\x02",
                        15));
    auto read = ReadTombstones(*env, "b");
    REQUIRE(read.ok());
    REQUIRE(*read->Find(2) == Intervals{{10, 20}, {30, 40}});
    REQUIRE(read->Find(3) == nullptr);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 4);
      REQUIRE(env->WriteFileAtomically("b/tombstones", damaged).ok());
      REQUIRE(absl::IsDataLoss(ReadTombstones(*env, "b").status()));
      REQUIRE(
          env->WriteFileAtomically("b/tombstones", bytes.substr(0, i)).ok());
      REQUIRE(absl::IsDataLoss(ReadTombstones(*env, "b").status()));
    }
  }
  SECTION("a missing file") {
    auto read = ReadTombstones(*env, "b");
    REQUIRE(read.ok());
    REQUIRE(read->empty());
  }
}

TEST_CASE("tombstones forget what ended") {
  Tombstones tombstones;
  tombstones.Add(1, {0, 9});
  tombstones.Add(1, {20, 30});
  tombstones.Add(2, {0, 5});
  tombstones.TruncateBefore(10);
  REQUIRE(*tombstones.Find(1) == Intervals{{20, 30}});
  REQUIRE(tombstones.Find(2) == nullptr);
  tombstones.TruncateBefore(30);
  REQUIRE(tombstones.series() == 1);
}

}  // namespace narthex::tsdb
