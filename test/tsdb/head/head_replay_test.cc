#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/model/sample.h"
#include "test/tsdb/head/handmade_log.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using Log = test::HandmadeLog;
using test::HeadLab;
using test::Point;

constexpr int64_t kRange = 2 * 3600 * 1000;
const Labels kUp = {{"__name__", "up"}, {"job", "a"}};
const Labels kOther = {{"__name__", "other"}};

}  // namespace

TEST_CASE("a head is the same after it was opened anew", "[tsdb][head]") {
  HeadLab lab(kRange, /*with_log=*/true);
  for (int64_t t = 1000; t < 2'000'000; t += 1000) {
    lab.Append(kUp, t, static_cast<double>(t % 17) / 3);
    if (t % 3000 == 0) lab.Append(kOther, t, StaleNaN());
  }
  const auto up = lab.Read(kUp);
  const auto other = lab.Read(kOther);
  REQUIRE(up.size() == 1999);
  const auto shapes = lab.Chunks(kUp);
  SECTION("with its chunks on disk") {
    const ReplayReport report = lab.Reopen();
    REQUIRE(report.series == 2);
    REQUIRE(report.samples < 1000);  // most are in chunks_head
  }
  SECTION("twice") {
    lab.Reopen();
    lab.Reopen();
  }
  SECTION("without chunks_head") {
    const ReplayReport report = lab.Reopen("data/chunks_head");
    REQUIRE(report.samples == 1999 + 666);
  }
  REQUIRE(lab.Read(kUp) == up);
  REQUIRE(lab.Read(kOther) == other);
  REQUIRE(lab.head().min_time() == 1000);
  REQUIRE(lab.head().max_time() == 1'999'000);
  // It goes on with the same references.
  auto appender = lab.head().NewAppender();
  REQUIRE(*appender->Resolve(kUp) == SeriesRef{1});
  REQUIRE(*appender->Resolve({{"__name__", "new"}}) == SeriesRef{3});
  REQUIRE(AppendFloat(*appender, SeriesRef{1}, 2'000'000, 1) ==
          Appended::kStored);
  REQUIRE(appender->Commit().ok());
  lab.Reopen();
  REQUIRE(lab.Read(kUp).size() == 2000);
}

TEST_CASE("a deleted series is gone after replay, a new one of its name is not",
          "[tsdb][head]") {
  HeadLab lab(kRange, true);
  {
    Log log(lab.env());
    log.Series(1, kUp);
    log.Samples(1, 1000, 1);
    log.Series(2, kOther);
    log.Samples(2, 1000, 1);
    log.Samples(2, 2000, 2);
    log.Samples(2, 3000, 3);
    log.Delete(1, TimeRange());
    log.Delete(2, {1500, 2500});
    log.Series(7, kUp);
    log.Samples(7, 3000, 3);
    log.Delete(9, TimeRange());
  }
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == std::vector<Point>{{3000, Bits(3)}});
  REQUIRE(lab.Read(kOther) ==
          std::vector<Point>{{1000, Bits(1)}, {3000, Bits(3)}});
  auto appender = lab.head().NewAppender();
  // Past all references that the log names, those of deletions too.
  REQUIRE(*appender->Resolve({{"__name__", "new"}}) == SeriesRef{10});
}

TEST_CASE("two references of one label set are one series", "[tsdb][head]") {
  HeadLab lab(kRange, true);
  {
    Log log(lab.env());
    log.Series(1, kUp);
    log.Samples(1, 1000, 1);
    log.Series(5, kUp);
    log.Samples(5, 2000, 2);
    log.Samples(1, 3000, 3);
    log.Samples(4, 3000, 3);  // no record names it
  }
  const ReplayReport report = lab.Reopen();
  REQUIRE(report.unknown_refs == 1);
  REQUIRE(lab.Read(kUp) == std::vector<Point>{{1000, Bits(1)},
                                              {2000, Bits(2)},
                                              {3000, Bits(3)}});
  REQUIRE(lab.head().Counts().series == 1);
}

TEST_CASE("great references and references out of order are replayed",
          "[tsdb][head]") {
  HeadLab lab(kRange, true);
  constexpr uint64_t kGreat = uint64_t{1} << 50;
  {
    Log log(lab.env());
    log.Series(kGreat, kUp);
    log.Series(kGreat - 5, kOther);
    log.Samples(kGreat - 5, 1000, 2);
    log.Samples(kGreat, 1000, 1);
  }
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == std::vector<Point>{{1000, Bits(1)}});
  REQUIRE(lab.Read(kOther) == std::vector<Point>{{1000, Bits(2)}});
  auto appender = lab.head().NewAppender();
  REQUIRE(*appender->Resolve({{"__name__", "new"}}) == SeriesRef{kGreat + 1});
}

TEST_CASE("records of kinds to come are counted, and a checkpoint keeps them",
          "[tsdb][head]") {
  HeadLab lab(kRange, true);
  {
    Log log(lab.env());
    log.Series(1, kUp);
    log.Write(std::string(1, '\x62') + "anything");
    log.Write(std::string(1, '\x63') + "whatever");
    log.Samples(1, 1000, 1);
  }
  const ReplayReport report = lab.Reopen();
  REQUIRE(report.kept_records == 2);
  REQUIRE(report.damages.empty());
  REQUIRE(lab.Read(kUp).size() == 1);
  const auto before = wal::ListSegments(lab.env(), "data/wal");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(lab.head().TruncateLog(lab.env(), 1'000'000 + i).ok());
  }
  const auto after = wal::ListSegments(lab.env(), "data/wal");
  REQUIRE(after->front().number > before->front().number);
  REQUIRE(lab.Reopen().kept_records == 2);
}

TEST_CASE("the log is cut and what is left replays to the same",
          "[tsdb][head]") {
  constexpr int64_t kShort = 100'000;
  HeadLab lab(kShort, true);
  const Labels gone = {{"__name__", "gone"}};
  for (int64_t t = 1000; t < 20 * kShort; t += 1000) {
    if (t < kShort) lab.Append(gone, t, 1);
    lab.Append(kUp, t, static_cast<double>(t));
    if (lab.head().Compactable()) {
      const int64_t mint = lab.head().BlockEnd(lab.head().min_time());
      REQUIRE(lab.head().Truncate(mint).ok());
      REQUIRE(lab.head().TruncateLog(lab.env(), mint).ok());
    }
  }
  const auto up = lab.Read(kUp);
  REQUIRE(up.size() < 200);
  const auto segments = wal::ListSegments(lab.env(), "data/wal");
  REQUIRE(segments.ok());
  REQUIRE(segments->front().number > 3);
  REQUIRE(segments->size() < 12);
  lab.Reopen();
  const auto again = lab.Read(kUp);
  // The log reaches back further than the head did: what a block would have.
  REQUIRE(again.size() >= up.size());
  REQUIRE(std::vector<Point>(again.end() - static_cast<ptrdiff_t>(up.size()),
                             again.end()) == up);
}

}  // namespace narthex::tsdb
