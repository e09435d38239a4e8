#include <catch2/catch.hpp>

#include <string>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/ulid.h"

namespace narthex::tsdb {
namespace {

// As Prometheus 3.5 wrote it.
constexpr char kWritten[] =
    "{\n"
    "\t\"ulid\": \"01KAKPWZ2M6J1V4FWA4FQ2B6VQ\",\n"
    "\t\"minTime\": 1699999201000,\n"
    "\t\"maxTime\": 1700006400000,\n"
    "\t\"stats\": {\n"
    "\t\t\"numSamples\": 12,\n"
    "\t\t\"numFloatSamples\": 12,\n"
    "\t\t\"numSeries\": 2,\n"
    "\t\t\"numChunks\": 3\n"
    "\t},\n"
    "\t\"compaction\": {\n"
    "\t\t\"level\": 1,\n"
    "\t\t\"sources\": [\n"
    "\t\t\t\"01KAKPWZ2M6J1V4FWA4FQ2B6VQ\"\n"
    "\t\t],\n"
    "\t\t\"parents\": [\n"
    "\t\t\t{\n"
    "\t\t\t\t\"ulid\": \"01KAKPWZ2M6J1V4FWA4FQ2B6VR\",\n"
    "\t\t\t\t\"minTime\": 5,\n"
    "\t\t\t\t\"maxTime\": 10\n"
    "\t\t\t}\n"
    "\t\t],\n"
    "\t\t\"hints\": [\n"
    "\t\t\t\"from-out-of-order\"\n"
    "\t\t]\n"
    "\t},\n"
    "\t\"version\": 1\n"
    "}";

}  // namespace

TEST_CASE("meta.json is read and written as Prometheus does") {
  auto meta = ParseBlockMeta(kWritten);
  REQUIRE(meta.ok());
  REQUIRE(meta->min_time == Timestamp(1699999201000));
  REQUIRE(meta->stats.samples == 12);
  REQUIRE(meta->stats.chunks == 3);
  REQUIRE(meta->level == 1);
  REQUIRE(meta->sources.size() == 1);
  REQUIRE(meta->parents[0].max_time == Timestamp(10));
  REQUIRE(meta->HasHint(kHintOutOfOrder));
  REQUIRE(FormatBlockMeta(*meta) == kWritten);
  meta->json.clear();
  REQUIRE(FormatBlockMeta(*meta) == kWritten);
}

TEST_CASE("keys that narthex does not know survive a rewrite") {
  std::string text = kWritten;
  text.insert(text.size() - 2,
              ",\n\t\"thanos\": {\n\t\t\"labels\": {\n\t\t\t\"a\": \"b\"\n"
              "\t\t}\n\t}");
  auto meta = ParseBlockMeta(text);
  REQUIRE(meta.ok());
  REQUIRE(FormatBlockMeta(*meta) == text);
  meta->failed = true;
  meta->hints.clear();
  const std::string changed = FormatBlockMeta(*meta);
  REQUIRE_THAT(changed, Catch::Contains("\"failed\": true"));
  REQUIRE_THAT(changed, Catch::Contains("\"thanos\""));
  REQUIRE_THAT(changed, !Catch::Contains("hints"));
}

TEST_CASE("hints are kept sorted, once each") {
  BlockMeta meta;
  meta.AddHint(kHintStaleSeries);
  meta.AddHint(kHintOutOfOrder);
  meta.AddHint(kHintStaleSeries);
  REQUIRE(meta.hints ==
          std::vector<std::string>{"from-out-of-order", "from-stale-series"});
}

TEST_CASE("a meta.json that can't be right is refused with the reason") {
  const auto problem = [](std::string_view json) {
    auto meta = ParseBlockMeta(json);
    REQUIRE(absl::IsDataLoss(meta.status()));
    return std::string(meta.status().message());
  };
  REQUIRE(problem("") == "not JSON");
  REQUIRE(problem("[]") == " is not an object");
  REQUIRE(problem(R"({"version": 2})") == "unexpected meta file version 2");
  REQUIRE(problem(R"({"version": 1})") == "\"\" is not a ULID");
  REQUIRE(problem(R"({"version": "1"})") == "version is not an integer");
  REQUIRE(problem(R"({"version": 1, "stats": {"numSeries": -1}})") ==
          "stats.numSeries is not a number that is not negative");
  REQUIRE(problem(R"({"compaction": {"parents": [7]}})") ==
          "compaction.parents is not an object");
  REQUIRE(problem(std::string(100000, '[')) == "not JSON");
}

TEST_CASE("ulids are told from other names") {
  REQUIRE(IsUlid("01KAKPWZ2M6J1V4FWA4FQ2B6VQ"));
  REQUIRE_FALSE(IsUlid("01KAKPWZ2M6J1V4FWA4FQ2B6V"));
  REQUIRE_FALSE(IsUlid("81KAKPWZ2M6J1V4FWA4FQ2B6VQ"));
  REQUIRE_FALSE(IsUlid("01KAKPWZ2M6J1V4FWA4FQ2B6VU"));
  REQUIRE_FALSE(IsUlid("01KAKPWZ2M6J1V4FWA4FQ2B6VQ.tmp"));
  auto env = NewMemEnv();
  const std::string ulid = NewUlid(*env, 1763728834068);
  REQUIRE(IsUlid(ulid));
  REQUIRE(UlidTime(ulid) == Timestamp(1763728834068));
  REQUIRE(NewUlid(*env, 1763728834068) != ulid);
  REQUIRE(NewUlid(*env, 1763728834067).substr(0, 10) < ulid.substr(0, 10));
}

}  // namespace narthex::tsdb
