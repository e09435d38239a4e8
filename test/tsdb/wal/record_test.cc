#include "libtsdb/wal/record.h"

#include <catch2/catch.hpp>
#include <limits>

#include "narthex/model/sample.h"

namespace narthex::tsdb::wal {
namespace {

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) out += static_cast<char>(b);
  return out;
}

SeriesRef Ref(uint64_t n) { return SeriesRef{n}; }

TEST_CASE("a series record has the bytes of Prometheus") {
  std::string record;
  BeginSeries(record);
  AddSeries(Ref(258), {{"a", "xy"}, {"b", "z"}}, record);
  CHECK(record == Bytes({1, 0, 0, 0, 0, 0, 0, 1, 2, 2, 1, 'a', 2, 'x', 'y', 1,
                         'b', 1, 'z'}));
  AddSeries(Ref(1), {}, record);
  std::vector<std::pair<uint64_t, Labels>> back;
  REQUIRE(
      DecodeSeries(record, [&](SeriesRef ref, std::span<const Label> labels) {
        back.emplace_back(static_cast<uint64_t>(ref),
                          Labels::FromSorted(labels));
      }).ok());
  REQUIRE(back.size() == 2);
  CHECK(back[0].first == 258);
  CHECK(back[0].second == Labels{{"a", "xy"}, {"b", "z"}});
  CHECK(back[1].second.empty());
}

TEST_CASE("labels of a record are put in order") {
  const std::string record =
      Bytes({1,   0, 0,   0, 0,   0, 0,   0, 7, 4,   1, 'b', 1,
             '1', 1, 'a', 1, '2', 1, 'c', 0, 1, 'a', 1, '3'});
  Labels labels;
  REQUIRE(DecodeSeries(record, [&](SeriesRef, std::span<const Label> pairs) {
            labels = Labels::FromSorted(pairs);
          }).ok());
  CHECK(labels == Labels{{"a", "3"}, {"b", "1"}});
}

TEST_CASE("a sample record has the bytes of Prometheus") {
  const SeriesRef refs[] = {Ref(10), Ref(11), Ref(9)};
  const double values[] = {1.0, StaleNaN(), -2.0};
  const Timestamp times[] = {1000, 1001, 999};
  std::string record;
  EncodeSamples(refs, values, 0, times, record);
  CHECK(record == Bytes({2, 0, 0,    0,    0, 0,    0,    0, 10, 0, 0, 0, 0, 0,
                         0, 3, 0xe8, 0,    0, 0x3f, 0xf0, 0, 0,  0, 0, 0, 0,  //
                         2, 2, 0x7f, 0xf0, 0, 0,    0,    0, 0,  2,           //
                         1, 1, 0xc0, 0,    0, 0,    0,    0, 0,  0}));
  SampleRows rows;
  REQUIRE(DecodeSamples(record, rows).ok());
  REQUIRE(rows.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(rows.refs[i] == refs[i]);
    CHECK(rows.times[i] == times[i]);
    CHECK(Bits(rows.values[i]) == Bits(values[i]));
  }
  CHECK(rows.start_times.empty());
}

TEST_CASE("samples of one time, and of the ends of time, come back") {
  const SeriesRef refs[] = {Ref(std::numeric_limits<uint64_t>::max()), Ref(0)};
  const double values[] = {0, 1};
  std::string record;
  EncodeSamples(refs, values, kMinTime, {}, record);
  SampleRows rows;
  REQUIRE(DecodeSamples(record, rows).ok());
  CHECK(rows.refs[1] == refs[1]);
  CHECK(rows.times[1] == kMinTime);
  const Timestamp times[] = {kMinTime, kMaxTime};
  record.clear();
  EncodeSamples(refs, values, 0, times, record);
  REQUIRE(DecodeSamples(record, rows).ok());
  CHECK(rows.times[1] == kMaxTime);
  record.clear();
  EncodeSamples({}, {}, 0, {}, record);
  CHECK(record == "\x02");
  REQUIRE(DecodeSamples(record, rows).ok());
  CHECK(rows.size() == 0);
}

TEST_CASE("a whole scrape comes back") {
  std::vector<SeriesRef> refs;
  std::vector<double> values;
  for (uint64_t i = 0; i < 1000; ++i) {
    refs.push_back(Ref(5000 + i * i * 7919 % 100003));
    values.push_back(static_cast<double>(i) / 3);
  }
  std::string record;
  EncodeSamples(refs, values, 1700000000000, {}, record);
  SampleRows rows;
  REQUIRE(DecodeSamples(record, rows).ok());
  CHECK(rows.refs == refs);
  CHECK(rows.values == values);
  CHECK(rows.times == std::vector<Timestamp>(1000, 1700000000000));
}

TEST_CASE("samples with start times are read") {
  const std::string record = Bytes({11,                            //
                                    20,   2,    4,                 //
                                    0x3f, 0xf0, 0, 0, 0, 0, 0, 0,  //
                                    2,    6,    1,                 //
                                    0x40, 0,    0, 0, 0, 0, 0, 0,  //
                                    4,    8,    0,                 //
                                    0x40, 0,    0, 0, 0, 0, 0, 0,  //
                                    1,    10,   2, 6,              //
                                    0x40, 0,    0, 0, 0, 0, 0, 0});
  SampleRows rows;
  REQUIRE(DecodeSamples(record, rows).ok());
  CHECK(rows.refs ==
        std::vector<SeriesRef>{Ref(10), Ref(11), Ref(13), Ref(12)});
  CHECK(rows.times == std::vector<Timestamp>{1, 4, 5, 6});
  CHECK(rows.start_times == std::vector<Timestamp>{2, 2, 0, 5});
  CHECK(rows.values == std::vector<double>{1, 2, 2, 2});
}

TEST_CASE("tombstones and metadata have the bytes of Prometheus") {
  std::string record;
  EncodeTombstones({{{Ref(3), {-1, 64}}}}, record);
  CHECK(record == Bytes({3, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0x80, 1}));
  EncodeTombstones({}, record);  // appends: a second type byte spoils it
  std::vector<Tombstone> tombstones;
  CHECK(!DecodeTombstones(record, tombstones).ok());
  record.pop_back();
  REQUIRE(DecodeTombstones(record, tombstones).ok());
  REQUIRE(tombstones.size() == 1);
  CHECK(tombstones[0].range == TimeRange{-1, 64});

  record.clear();
  BeginMetadata(record);
  AddMetadata(Ref(5), {MetricType::kGauge, "Help.", "s"}, record);
  CHECK(record == Bytes({6, 5,   2,   2,   4,   'U', 'N', 'I', 'T', 1,   's',
                         4, 'H', 'E', 'L', 'P', 5,   'H', 'e', 'l', 'p', '.'}));
  int seen = 0;
  REQUIRE(DecodeMetadata(record, [&](SeriesRef ref, const Metadata& m) {
            ++seen;
            CHECK(ref == Ref(5));
            CHECK(m == Metadata{MetricType::kGauge, "Help.", "s"});
          }).ok());
  CHECK(seen == 1);
}

TEST_CASE("a record cut anywhere is refused, or is a shorter one") {
  std::string series, samples, tombstones, metadata;
  BeginSeries(series);
  AddSeries(Ref(1), {{"a", "b"}}, series);
  AddSeries(Ref(2), {{"c", "d"}}, series);
  const SeriesRef refs[] = {Ref(1), Ref(2)};
  const double values[] = {1, 2};
  EncodeSamples(refs, values, 5, {}, samples);
  EncodeTombstones({{{Ref(1), {1, 2}}, {Ref(2), {1, 2}}}}, tombstones);
  BeginMetadata(metadata);
  AddMetadata(Ref(1), {MetricType::kInfo, "h", "u"}, metadata);
  const auto refused = [](std::string_view whole, auto decode) {
    int bad = 0;
    for (size_t n = 0; n < whole.size(); ++n) {
      const absl::Status status = decode(whole.substr(0, n));
      if (status.ok()) continue;
      CHECK(absl::IsDataLoss(status));
      ++bad;
    }
    return bad;
  };
  // All but the lengths at which a whole number of entries is there.
  SampleRows rows;
  CHECK(refused(series, [](std::string_view r) {
          return DecodeSeries(r, [](SeriesRef, std::span<const Label>) {});
        }) == static_cast<int>(series.size()) - 2);
  CHECK(refused(samples, [&](std::string_view r) {
          return DecodeSamples(r, rows);
        }) == static_cast<int>(samples.size()) - 3);
  std::vector<Tombstone> list;
  CHECK(refused(tombstones, [&](std::string_view r) {
          return DecodeTombstones(r, list);
        }) == static_cast<int>(tombstones.size()) - 2);
  CHECK(refused(metadata, [](std::string_view r) {
          return DecodeMetadata(r, [](SeriesRef, const Metadata&) {});
        }) == static_cast<int>(metadata.size()) - 1);
}

}  // namespace
}  // namespace narthex::tsdb::wal
