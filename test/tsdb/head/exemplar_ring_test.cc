#include "libtsdb/head/exemplar_ring.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::HeadLab;

const Labels kA = {{"__name__", "a"}};
const Labels kB = {{"__name__", "b"}};

Exemplar At(int64_t t, double v, std::string_view id = "x") {
  return {{{"trace", id}}, v, t, true};
}

std::vector<ExemplarSeries> All(const ExemplarSource& ring,
                                TimeRange range = TimeRange()) {
  std::vector<Matchers> selectors(1);
  selectors[0].push_back(
      *Matcher::Make(Matcher::Type::kRegex, "__name__", ".+"));
  std::vector<ExemplarSeries> out;
  ring.Select(selectors, range, out);
  return out;
}

}  // namespace

TEST_CASE("exemplars are kept by series, the newest of all", "[tsdb][head]") {
  MetricRegistry metrics;
  ExemplarRing ring(3, metrics);
  REQUIRE(ring.Add(kB, At(1, 1)) == Appended::kStored);
  REQUIRE(ring.Add(kA, At(1, 1)) == Appended::kStored);
  REQUIRE(ring.Add(kA, At(2, 2)) == Appended::kStored);
  REQUIRE(ring.Add(kA, At(2, 2)) == Appended::kStored);  // there already
  auto all = All(ring);
  REQUIRE(all.size() == 2);
  REQUIRE(all[0].labels == kA);
  REQUIRE(all[0].exemplars.size() == 2);
  REQUIRE(all[1].exemplars.size() == 1);
  REQUIRE(ring.Add(kA, At(3, 3)) == Appended::kStored);  // b's goes
  all = All(ring);
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].exemplars.size() == 3);
  REQUIRE(All(ring, TimeRange{2, 2})[0].exemplars.size() == 1);
  REQUIRE(All(ring, TimeRange{4, 9}).empty());
}

TEST_CASE("exemplars are refused as Prometheus refuses them", "[tsdb][head]") {
  MetricRegistry metrics;
  ExemplarRing ring(10, metrics);
  REQUIRE(ring.Add(kA, At(10, 5)) == Appended::kStored);
  REQUIRE(ring.Add(kA, At(9, 5)) == Appended::kOutOfOrder);
  REQUIRE(ring.Add(kA, At(10, 4)) == Appended::kOutOfOrder);
  REQUIRE(ring.Add(kA, At(10, 6)) == Appended::kStored);
  // 5 + 123 characters, of which some take two bytes.
  std::string text(121, 'i');
  text += "\xc3\xa4\xc3\xa4";
  REQUIRE(ring.Check(kA, At(11, 5, text)) == Appended::kStored);
  REQUIRE(ring.Check(kA, At(11, 5, text + "i")) == Appended::kInvalid);
  // Without a time of its own it is the same in the next scrape.
  Exemplar timeless = At(20, 7);
  timeless.has_timestamp = false;
  REQUIRE(ring.Add(kB, timeless) == Appended::kStored);
  timeless.t = 30;
  REQUIRE(ring.Add(kB, timeless) == Appended::kStored);
  REQUIRE(All(ring)[1].exemplars.size() == 1);
  ring.SetWindow(5);
  REQUIRE(ring.Add(kA, At(7, 5)) == Appended::kStored);
  REQUIRE(ring.Add(kA, At(5, 5)) == Appended::kOutOfOrder);
  REQUIRE(All(ring)[0].exemplars[0].t == Timestamp(7));
}

TEST_CASE("the ring may change its size", "[tsdb][head]") {
  MetricRegistry metrics;
  ExemplarRing ring(4, metrics);
  for (int64_t t = 1; t <= 6; ++t) ring.Add(kA, At(t, 1));
  ring.Resize(2);
  REQUIRE(All(ring)[0].exemplars.size() == 2);
  REQUIRE(All(ring)[0].exemplars[0].t == Timestamp(5));
  ring.Resize(3);
  for (int64_t t = 7; t <= 8; ++t) ring.Add(kA, At(t, 1));
  REQUIRE(All(ring)[0].exemplars[0].t == Timestamp(6));
  ring.Resize(0);
  REQUIRE(All(ring).empty());
  REQUIRE(ring.Add(kA, At(9, 1)) == Appended::kStored);  // and is not kept
  REQUIRE_FALSE(ring.enabled());
}

TEST_CASE("exemplars and metadata outlive the process", "[tsdb][head]") {
  HeadLab lab(2 * 3600 * 1000, /*with_log=*/true);
  {
    auto appender = lab.head().NewAppender();
    const SeriesRef ref = *appender->Resolve(kA);
    REQUIRE(AppendFloat(*appender, ref, 1000, 1) == Appended::kStored);
    REQUIRE(appender->AppendExemplar(ref, At(900, 1)) == Appended::kStored);
    REQUIRE(appender->AppendExemplar(SeriesRef{99}, At(900, 1)) ==
            Appended::kUnknownRef);
    REQUIRE(
        appender->SetMetadata(ref, {MetricType::kCounter, "help", "s"}).ok());
    REQUIRE(All(lab.head().exemplars()).empty());
    REQUIRE(appender->Commit().ok());
    REQUIRE(appender->AppendExemplar(ref, At(950, 1)) == Appended::kStored);
    REQUIRE(appender->Rollback().ok());
    // What is known already is not logged again.
    REQUIRE(
        appender->SetMetadata(ref, {MetricType::kCounter, "help", "s"}).ok());
    REQUIRE(appender->Commit().ok());
  }
  for (int round = 0; round < 2; ++round) {
    const auto all = All(lab.head().exemplars());
    REQUIRE(all.size() == 1);
    REQUIRE(all[0].labels == kA);
    REQUIRE(all[0].exemplars.size() == 1);
    REQUIRE(all[0].exemplars[0].labels == Labels{{"trace", "x"}});
    Metadata metadata;
    REQUIRE(lab.head().FindMetadata(SeriesRef{1}, metadata));
    REQUIRE(metadata == Metadata{MetricType::kCounter, "help", "s"});
    if (round == 0) lab.Reopen();
  }
}

}  // namespace narthex::tsdb
