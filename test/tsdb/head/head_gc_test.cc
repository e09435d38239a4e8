#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "narthex/model/sample.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::HeadLab;
using test::Point;

constexpr int64_t kRange = 100'000;
const Labels kOld = {{"__name__", "old"}};
const Labels kLong = {{"__name__", "long"}};

// `old` has samples in the first range only, `long` in three.
void Fill(HeadLab& lab) {
  for (int64_t t = 1000; t < 3 * kRange; t += 1000) {
    if (t < kRange) lab.Append(kOld, t, 1);
    lab.Append(kLong, t, static_cast<double>(t));
  }
}

}  // namespace

TEST_CASE("truncation forgets old chunks and series left without any",
          "[tsdb][head]") {
  HeadLab lab(kRange);
  Fill(lab);
  REQUIRE(lab.head().Compactable());
  REQUIRE(lab.head().min_time() == 1000);
  REQUIRE(lab.head().BlockEnd(1000) == kRange);
  REQUIRE(lab.head().Counts().series == 2);
  REQUIRE(lab.head().Truncate(kRange).ok());
  REQUIRE(lab.head().min_time() == kRange);
  REQUIRE(lab.head().Counts().series == 1);
  REQUIRE(lab.Read(kOld).empty());
  const auto rest = lab.Read(kLong);
  REQUIRE(rest.size() == 200);
  REQUIRE(rest.front().t == kRange);
  // Its reference is never given to another.
  auto appender = lab.head().NewAppender();
  REQUIRE(static_cast<uint64_t>(*appender->Resolve(kOld)) == 3);
  REQUIRE(AppendFloat(*appender, SeriesRef{1}, 3 * kRange, 1) ==
          Appended::kUnknownRef);
}

TEST_CASE("a reader keeps what truncation takes from those after it",
          "[tsdb][head]") {
  HeadLab lab(kRange);
  Fill(lab);
  auto reader = lab.head().NewSource(TimeRange(), true);
  REQUIRE(lab.head().Truncate(kRange).ok());  // does not wait
  REQUIRE(HeadLab::ReadFrom(*reader, kOld).size() == 99);
  REQUIRE(HeadLab::ReadFrom(*reader, kLong).size() == 299);
  REQUIRE(lab.Read(kOld).empty());
  REQUIRE(lab.Read(kLong).size() == 200);
  lab.head().Tidy();
  REQUIRE(lab.head().Counts().series == 2);  // the reader holds it
  REQUIRE(HeadLab::ReadFrom(*reader, kOld).size() == 99);
  reader = nullptr;
  lab.head().Tidy();
  REQUIRE(lab.head().Counts().series == 1);
}

TEST_CASE("a series in an open batch is not removed", "[tsdb][head]") {
  HeadLab lab(kRange);
  Fill(lab);
  auto appender = lab.head().NewAppender();
  const SeriesRef created = *appender->Resolve({{"__name__", "new"}});
  const SeriesRef old = *appender->Resolve(kOld);
  REQUIRE(AppendFloat(*appender, old, 3 * kRange, 7) == Appended::kStored);
  REQUIRE(lab.head().Truncate(kRange).ok());
  REQUIRE(lab.head().Counts().series == 3);
  REQUIRE(AppendFloat(*appender, created, 3 * kRange, 8) == Appended::kStored);
  REQUIRE(appender->Commit().ok());
  REQUIRE(lab.Read(kOld) == std::vector<Point>{{3 * kRange, Bits(7)}});
  REQUIRE(lab.Read({{"__name__", "new"}}).size() == 1);
}

TEST_CASE("the head does not grow while series come and go", "[tsdb][head]") {
  HeadLab lab(kRange);
  uint64_t bytes = 0;
  for (int round = 0; round < 8; ++round) {
    const int64_t begin = round * kRange;
    for (int pod = 0; pod < 500; ++pod) {
      const Labels labels = {
          {"__name__", "m"},
          {"pod", std::to_string(round) + "-" + std::to_string(pod)}};
      for (int64_t t = begin; t < begin + kRange; t += 10'000) {
        lab.Append(labels, t, 1);
        if (t != begin) break;
      }
    }
    if (round > 0) REQUIRE(lab.head().Truncate(begin).ok());
    const HeadCounts counts = lab.head().Counts();
    REQUIRE(counts.series <= 1000);
    const uint64_t now = counts.line_bytes + counts.slab_bytes +
                         counts.label_bytes + counts.lookup_bytes;
    if (round == 2) bytes = now;
    if (round > 2) REQUIRE(now <= bytes + bytes / 4);
  }
  REQUIRE(lab.head().label_pairs() <= 1001);
}

}  // namespace narthex::tsdb
