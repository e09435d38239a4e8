#include <catch2/catch.hpp>

#include <limits>

#include "libtsdb/wal/record.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb::wal {
namespace {

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) out += static_cast<char>(b);
  return out;
}

SeriesRef Ref(uint64_t n) { return SeriesRef{n}; }

Histogram Small() {
  Histogram h;
  h.hint = CounterResetHint::kNotReset;
  h.schema = 1;
  h.zero_threshold = 0.5;
  h.zero_count = 2;
  h.count = 300;
  h.sum = -1.0;
  h.positive_spans = {{-1, 2}, {3, 1}};
  h.negative_spans = {{0, 1}};
  h.positive_deltas = {1, 2, -2};
  h.negative_deltas = {4};
  return h;
}

Histogram Custom() {
  Histogram h;
  h.schema = kCustomBucketsSchema;
  h.count = 3;
  h.sum = 1.5;
  h.positive_spans = {{0, 2}};
  h.positive_deltas = {1, 1};
  h.custom_values = {1.0, 2.0};
  return h;
}

template <typename Row>
std::vector<Row> Decoded(const std::string& record, uint64_t skipped = 0) {
  std::vector<Row> rows;
  uint64_t n = 0;
  const absl::Status status = DecodeHistograms(record, rows, n);
  INFO(status);
  REQUIRE(status.ok());
  REQUIRE(n == skipped);
  return rows;
}

}  // namespace

TEST_CASE("a histogram record has the bytes of Prometheus", "[tsdb][wal]") {
  const IntHistogramRow rows[] = {{Ref(7), 1000, 0, Small()}};
  std::string record;
  REQUIRE(EncodeHistograms(rows, BucketKind::kExponential, record));
  REQUIRE(record == Bytes({7,    0,    0, 0, 0, 0, 0, 0,    7,  // reference
                           0,    0,    0, 0, 0, 0, 3, 0xe8,     // time
                           0,    0,                             // to them
                           2,    2,                             // hint, schema
                           0x3f, 0xe0, 0, 0, 0, 0, 0, 0,        // threshold
                           2,    0xac, 2,                       // zero, count
                           0xbf, 0xf0, 0, 0, 0, 0, 0, 0,        // sum
                           2,    1,    2, 6, 1, 1, 0, 1,        // spans
                           3,    2,    4, 3, 1, 8}));           // buckets
  const auto back = Decoded<IntHistogramRow>(record);
  REQUIRE(back.size() == 1);
  REQUIRE(back[0].ref == Ref(7));
  REQUIRE(back[0].t == Timestamp(1000));
  REQUIRE(back[0].h.SameAs(Small()));
  REQUIRE(back[0].h.hint == CounterResetHint::kNotReset);
}

TEST_CASE("custom buckets go into a record of their own", "[tsdb][wal]") {
  // Both lean on the first row they were given.
  const IntHistogramRow rows[] = {{Ref(1), 1000, 0, Custom()},
                                  {Ref(3), 1001, 0, Small()},
                                  {Ref(2), 1002, 0, Custom()}};
  std::string record;
  REQUIRE(EncodeHistograms(rows, BucketKind::kExponential, record));
  REQUIRE(record.substr(0, 19) == Bytes({7, 0, 0, 0, 0, 0, 0, 0, 1,  //
                                         0, 0, 0, 0, 0, 0, 3, 0xe8, 4, 2}));
  auto back = Decoded<IntHistogramRow>(record);
  REQUIRE(back.size() == 1);
  REQUIRE(back[0].ref == Ref(3));
  REQUIRE(back[0].t == Timestamp(1001));
  record.clear();
  REQUIRE(EncodeHistograms(rows, BucketKind::kCustom, record));
  REQUIRE(TypeOf(record) == RecordType::kCustomHistograms);
  back = Decoded<IntHistogramRow>(record);
  REQUIRE(back.size() == 2);
  REQUIRE(back[1].ref == Ref(2));
  REQUIRE(back[1].h.SameAs(Custom()));
  record.clear();
  REQUIRE_FALSE(EncodeHistograms(std::span(rows).subspan(1, 1),
                                 BucketKind::kCustom, record));
  REQUIRE(record.empty());
}

TEST_CASE("float histograms come back, stale ones too", "[tsdb][wal]") {
  FloatHistogram stale;
  stale.sum = StaleNaN();
  const FloatHistogramRow rows[] = {{Ref(9), -5, 0, Small().ToFloat()},
                                    {Ref(8), 5, 0, stale},
                                    {Ref(8), 6, 0, Custom().ToFloat()}};
  std::string record;
  REQUIRE(EncodeHistograms(rows, BucketKind::kExponential, record));
  REQUIRE(TypeOf(record) == RecordType::kFloatHistograms);
  const auto back = Decoded<FloatHistogramRow>(record);
  REQUIRE(back.size() == 2);
  REQUIRE(back[0].h.SameAs(Small().ToFloat()));
  REQUIRE(IsStale(back[1].h.sum));
  record.clear();
  REQUIRE(EncodeHistograms(rows, BucketKind::kCustom, record));
  REQUIRE(TypeOf(record) == RecordType::kCustomFloatHistograms);
  REQUIRE(Decoded<FloatHistogramRow>(record)[0].h.custom_values.size() == 2);
}

TEST_CASE("records with start times hold all kinds", "[tsdb][wal]") {
  const IntHistogramRow rows[] = {{Ref(1), 1000, 10, Custom()},
                                  {Ref(5), 1001, 10, Small()},
                                  {Ref(2), 1002, 0, Small()},
                                  {Ref(2), 1003, 7, Small()}};
  std::string record;
  EncodeHistogramsV2(rows, record);
  REQUIRE(TypeOf(record) == RecordType::kHistogramsV2);
  const auto back = Decoded<IntHistogramRow>(record);
  REQUIRE(back.size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    REQUIRE(back[i].ref == rows[i].ref);
    REQUIRE(back[i].t == rows[i].t);
    REQUIRE(back[i].start == rows[i].start);
    REQUIRE(back[i].h.SameAs(rows[i].h));
  }
  const SeriesRef refs[] = {Ref(10), Ref(11)};
  const double values[] = {1, 2};
  const Timestamp starts[] = {2, 2};
  record.clear();
  EncodeSamples(refs, values, 1, {}, record, starts);
  REQUIRE(record == Bytes({11, 20, 2, 4,    0x3f, 0xf0, 0, 0, 0, 0, 0, 0,  //
                           2,  0,  1, 0x40, 0,    0,    0, 0, 0, 0, 0}));
}

TEST_CASE("histograms with start times have the bytes computed by hand",
          "[tsdb][wal]") {
  // Type; reference 3, time 1000, start 600 as zig-zag numbers.  Then the
  // reference less the one before, the time less the first one, the start:
  // as before (1), unknown (0), or in full (2) less the first one.
  const auto record = [](char type, const std::string& empty) {
    return Bytes({static_cast<uint8_t>(type), 6, 0xd0, 0x0f, 0xb0, 0x09}) +
           empty + Bytes({4, 30, 1}) + empty + Bytes({1, 60, 0}) + empty +
           Bytes({0, 90, 2, 0xc8, 0x01}) + empty;
  };
  // Hint, schema, zero threshold, zero count, count, sum, two numbers of spans
  // and two of buckets: all zero.
  const std::string no_ints(1 + 1 + 8 + 1 + 1 + 8 + 4, '\0');
  const std::string no_floats(1 + 1 + 8 + 8 + 8 + 8 + 4, '\0');
  const auto rows = [](auto row) {
    std::vector<decltype(row)> all(4, row);
    const uint64_t refs[] = {3, 5, 4, 4};
    const int64_t times[] = {1000, 1015, 1030, 1045};
    const int64_t starts[] = {600, 600, 0, 700};
    for (size_t i = 0; i < 4; ++i) {
      all[i].ref = Ref(refs[i]);
      all[i].t = times[i];
      all[i].start = starts[i];
    }
    return all;
  };
  std::string ints;
  EncodeHistogramsV2(rows(IntHistogramRow()), ints);
  CHECK(ints == record(12, no_ints));
  std::string floats;
  EncodeHistogramsV2(rows(FloatHistogramRow()), floats);
  CHECK(floats == record(13, no_floats));
  const auto back = Decoded<FloatHistogramRow>(record(13, no_floats));
  REQUIRE(back.size() == 4);
  CHECK(back[1].start.ms == 600);
  CHECK(back[2].start.ms == 0);
  CHECK(back[3].start.ms == 700);
  CHECK(back[3].ref == Ref(4));
}

TEST_CASE("resolutions beyond ours are brought down, unknown ones left out",
          "[tsdb][wal]") {
  Histogram fine = Small();
  fine.schema = 9;
  fine.positive_spans = {{1, 4}};
  fine.positive_deltas = {1, 1, 1, 1};  // 1 2 3 4 in the buckets 1 to 4
  fine.negative_spans = {};
  fine.negative_deltas = {};
  Histogram alien = Small();
  alien.schema = 60;
  Histogram crooked = Small();
  crooked.positive_spans[0].length = 2000000000;
  const IntHistogramRow rows[] = {
      {Ref(1), 1, 0, fine}, {Ref(2), 2, 0, alien}, {Ref(3), 3, 0, crooked}};
  std::string record;
  REQUIRE(EncodeHistograms(rows, BucketKind::kExponential, record));
  const auto back = Decoded<IntHistogramRow>(record, /*skipped=*/2);
  REQUIRE(back.size() == 1);
  REQUIRE(back[0].h.schema == 8);
  REQUIRE(back[0].h.positive_spans == std::vector<Span>{{1, 2}});
  REQUIRE(back[0].h.positive_deltas == std::vector<int64_t>{3, 4});
}

TEST_CASE("a cut histogram record is damage, and asks for no memory",
          "[tsdb][wal]") {
  const IntHistogramRow rows[] = {{Ref(7), 1000, 0, Small()}};
  std::string record;
  EncodeHistograms(rows, BucketKind::kExponential, record);
  for (size_t n = 2; n < record.size(); ++n) {
    if (n == 17) continue;  // reference and time for no histograms
    std::vector<IntHistogramRow> out;
    uint64_t skipped = 0;
    REQUIRE_FALSE(DecodeHistograms(record.substr(0, n), out, skipped).ok());
  }
  // Claims 2^60 spans.
  std::string bomb = record.substr(0, 40);
  bomb += Bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10});
  std::vector<IntHistogramRow> out;
  uint64_t skipped = 0;
  REQUIRE_FALSE(DecodeHistograms(bomb, out, skipped).ok());
}

TEST_CASE("exemplars and markers have the bytes of Prometheus", "[tsdb][wal]") {
  const ExemplarRow rows[] = {{Ref(1), 10, 1.0, {{"id", "x"}}},
                              {Ref(3), 9, 2.0, {}}};
  std::string record;
  EncodeExemplars(rows, record);
  REQUIRE(record ==
          Bytes({4, 0, 0,    0,    0, 0, 0, 0, 1, 0, 0, 0, 0,   0,   0, 0,   10,
                 0, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 1, 2, 'i', 'd', 1, 'x',  //
                 4, 1, 0x40, 0,    0, 0, 0, 0, 0, 0, 0}));
  std::vector<ExemplarRow> back;
  REQUIRE(DecodeExemplars(record, back).ok());
  REQUIRE(back.size() == 2);
  REQUIRE(back[0].labels == rows[0].labels);
  REQUIRE(back[1].ref == Ref(3));
  REQUIRE(back[1].t == Timestamp(9));
  REQUIRE_FALSE(DecodeExemplars(record.substr(0, 30), back).ok());

  const MmapMarker markers[] = {{Ref(2), 0x100000008}, {Ref(3), 0}};
  record.clear();
  EncodeMmapMarkers(markers, record);
  REQUIRE(record == Bytes({5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8,
                           0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0}));
  std::vector<MmapMarker> read;
  REQUIRE(DecodeMmapMarkers(record, read).ok());
  REQUIRE(read.size() == 2);
  REQUIRE(read[0].chunk == 0x100000008);
}

}  // namespace narthex::tsdb::wal
