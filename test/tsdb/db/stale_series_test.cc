#include <catch2/catch.hpp>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/block.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::test {
namespace {

constexpr int64_t kStep = 15000;
constexpr int64_t kRange = 2 * 3600 * 1000;
// Not at the beginning of a range, so that there are two.
constexpr int64_t kBegin = 100 * kRange + kRange / 2;
constexpr int kSamples = 300;

Labels Series(int i) { return {{"__name__", "m"}, {"i", StrCat(i)}}; }

// Of twelve series the first ten come to an end.
void Fill(DbLab& lab) {
  auto appender = lab.db().NewAppender();
  for (int k = 0; k < kSamples; ++k) {
    for (int i = 0; i < 12; ++i) {
      const auto ref = appender->Resolve(Series(i));
      const bool ends = k == kSamples - 1 && i < 10;
      AppendFloat(*appender, *ref, kBegin + k * kStep,
                  ends ? StaleNaN() : k + i * 0.5);
    }
    REQUIRE(appender->Commit().ok());
  }
}

std::vector<std::vector<Point>> ReadAll(DbLab& lab) {
  std::vector<std::vector<Point>> all;
  for (int i = 0; i < 12; ++i) all.push_back(lab.Read(Series(i)));
  return all;
}

}  // namespace

TEST_CASE("series that came to an end become blocks and leave the head",
          "[tsdb][stale]") {
  DbLab lab;
  Fill(lab);
  const auto before = ReadAll(lab);
  REQUIRE(before[0].size() == kSamples);
  REQUIRE(lab.db().CompactStaleSeries().ok());
  CHECK(lab.db().stats(0).series == 2);
  const std::vector<tsdb::BlockMeta> blocks = lab.db().Blocks();
  REQUIRE(blocks.size() == 2);
  for (const tsdb::BlockMeta& block : blocks) {
    CHECK(block.HasHint(tsdb::kHintStaleSeries));
    CHECK(block.stats.series == 10);
    CHECK(block.min_time.ms % kRange == 0);
    CHECK(block.max_time - block.min_time == Duration(kRange));
  }
  CHECK(ReadAll(lab) == before);
  // The log says that they are gone, and nothing that is not in blocks is.
  lab.Reopen();
  CHECK(lab.db().stats(0).series == 2);
  CHECK(ReadAll(lab) == before);
  // There is nothing left to do.
  REQUIRE(lab.db().CompactStaleSeries().ok());
  CHECK(lab.db().Blocks().size() == 2);
}

TEST_CASE("a series that comes again is a new one, also after a restart",
          "[tsdb][stale]") {
  DbLab lab;
  Fill(lab);
  const auto before = lab.Read(Series(3));
  REQUIRE(lab.db().CompactStaleSeries().ok());
  const int64_t t = kBegin + kSamples * kStep;
  REQUIRE(lab.Append(Series(3), t, 7) == Appended::kStored);
  auto expected = before;
  expected.push_back({t, Bits(7)});
  CHECK(lab.Read(Series(3)) == expected);
  lab.Reopen();
  CHECK(lab.db().stats(0).series == 3);
  CHECK(lab.Read(Series(3)) == expected);
  lab.Reopen();
  CHECK(lab.Read(Series(3)) == expected);
}

TEST_CASE("a reader that was there before keeps its view of stale series",
          "[tsdb][stale]") {
  DbLab lab;
  Fill(lab);
  auto querier = lab.db().NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  const auto before = DbLab::ReadFrom(**querier, Series(3));
  REQUIRE(lab.db().CompactStaleSeries().ok());
  // It holds them; they go when it has gone.
  CHECK(lab.db().stats(0).series == 12);
  CHECK(DbLab::ReadFrom(**querier, Series(3)) == before);
  CHECK(lab.Read(Series(3)) == before);
  // One of them goes on meanwhile, and stays.
  const int64_t t = kBegin + kSamples * kStep;
  REQUIRE(lab.Append(Series(4), t, 1) == Appended::kStored);
  querier->reset();
  REQUIRE(lab.db().Compact().ok());
  CHECK(lab.db().stats(0).series == 3);
  CHECK(lab.Read(Series(3)) == before);
  CHECK(lab.Read(Series(4)).size() == kSamples + 1);
  lab.Reopen();
  CHECK(lab.Read(Series(4)).size() == kSamples + 1);
}

TEST_CASE("stale histograms count, late samples and open batches hold",
          "[tsdb][stale]") {
  tsdb::Options options;
  options.out_of_order_time_window = Hours(1);
  DbLab lab(options);
  Fill(lab);
  // Of a histogram the marker is a float, or one of its own.
  Histogram h;
  h.count = 1;
  h.sum = 1;
  h.positive_spans = {{0, 1}};
  h.positive_deltas = {1};
  auto appender = lab.db().NewAppender();
  const SeriesRef histogram = *appender->Resolve({{"__name__", "h"}});
  REQUIRE(appender->AppendHistogram(histogram, kBegin + (kSamples - 1) * kStep,
                                    0, h) == Appended::kStored);
  REQUIRE(appender->Commit().ok());
  AppendFloat(*appender, histogram, kBegin + kSamples * kStep, StaleNaN());
  REQUIRE(appender->Commit().ok());
  lab.Append(Series(0), kBegin + kSamples / 2 * kStep + 1, 5);  // late
  const SeriesRef held = *appender->Resolve(Series(1));
  AppendFloat(*appender, held, kBegin + (kSamples + 1) * kStep, 1);
  REQUIRE(lab.db().CompactStaleSeries().ok());
  // Of 13 stay the two that live, the late one and the one in the batch.
  CHECK(lab.db().stats(0).series == 4);
  REQUIRE(appender->Commit().ok());
  CHECK(lab.Read(Series(0)).size() == kSamples + 1);
  CHECK(lab.Read(Series(1)).size() == kSamples + 1);
}

TEST_CASE("stale series are compacted once they are as many as was said",
          "[tsdb][stale]") {
  tsdb::Options options;
  options.stale_series_compaction_threshold = 0.9;
  DbLab lab(options, /*with_executor=*/true, Timestamp(kBegin));
  Fill(lab);
  lab.clock().Advance(Minutes(2));
  CHECK(lab.db().stats(0).series == 12);  // ten of twelve are too few
  lab.db().SetStaleSeriesCompactionThreshold(0.8);
  lab.clock().Advance(Minutes(2));
  CHECK(lab.db().stats(0).series == 2);
  options.stale_series_compaction_threshold = 1.5;
  options.env = nullptr;
  CHECK_FALSE(tsdb::Db::Open("", options).ok());
}

TEST_CASE("a head that is full takes no new series, and keeps nothing of them",
          "[tsdb][limits]") {
  tsdb::Options options;
  options.max_series = 3;
  DbLab lab(options);
  for (int i = 0; i < 3; ++i) lab.Append(Series(i), kBegin, 1);
  for (int round = 0; round < 2; ++round) {
    auto appender = lab.db().NewAppender();
    for (int i = 3; i < 20; ++i) {
      const auto refused = appender->Resolve(Series(i));
      CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
      CHECK(Message(refused.status()) ==
            "the head holds its limit of 3 series: no new one is taken");
    }
    // Known ones go on.
    CHECK(AppendFloat(*appender, *appender->Resolve(Series(1)),
                      kBegin + 1 + round, 2) == Appended::kStored);
    CHECK(appender->Commit().ok());
  }
  const tsdb::Stats stats = lab.db().stats(10);
  CHECK(stats.series == 3);
  CHECK(stats.label_pairs == 4);
  lab.Reopen();
  CHECK(lab.db().stats(0).series == 3);
  CHECK(lab.LabelValues("i") == std::vector<std::string>{"0", "1", "2"});
  // There is room again when series have gone.
  lab.Append(Series(0), kBegin + 10, StaleNaN());
  REQUIRE(lab.db().CompactStaleSeries().ok());
  lab.Append(Series(7), kBegin + 20, 1);
  CHECK(lab.db().stats(0).series == 3);
}

}  // namespace narthex::test
