#include "libtsdb/wal/checkpoint.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

struct CheckpointLab {
  std::unique_ptr<Env> env = NewMemEnv();
  std::unique_ptr<WalWriter> writer = *WalWriter::Open(*env, "wal", {});

  void Series(uint64_t ref, const Labels& labels) {
    std::string record;
    BeginSeries(record);
    AddSeries(SeriesRef{ref}, labels, record);
    AddSeries(SeriesRef{ref + 100}, labels, record);
    Put(record);
  }
  void Sample(uint64_t ref, int64_t t, double v) {
    const SeriesRef refs[] = {SeriesRef{ref}, SeriesRef{ref + 1}};
    const double values[] = {v, v};
    const Timestamp times[] = {t, t + 1};
    std::string record;
    EncodeSamples(refs, values, 0, times, record);
    batch.Cover(TimeRange{t, t + 1});
    Put(record);
  }
  void Put(std::string_view record,
           Compression compression = Compression::kSnappy) {
    batch.Add(record, compression);
    REQUIRE(writer->Log(batch).ok());
    batch.Clear();
  }
  absl::StatusOr<CheckpointStats> Make(uint32_t to, Timestamp mint) {
    CheckpointRequest request;
    request.wal_dir = "wal";
    request.to = to;
    request.mint = mint;
    request.times = &writer->times();
    return WriteCheckpoint(*env, request, [this](SeriesRef ref) {
      return kept.contains(static_cast<uint64_t>(ref));
    });
  }
  // What a replay would know, in words.
  std::string Replay() {
    std::vector<SegmentFile> segments;
    uint32_t from = 0;
    if (auto last = *LastCheckpoint(*env, "wal"); last.has_value()) {
      segments = *ListSegments(*env, last->dir);
      from = last->segment + 1;
    }
    const std::vector<SegmentFile> all = *ListSegments(*env, "wal");
    for (const SegmentFile& segment : all) {
      if (segment.number >= from) segments.push_back(segment);
    }
    WalReader reader(*env, segments);
    std::string out;
    while (reader.Next()) {
      const std::string_view record = reader.record();
      SampleRows rows;
      std::vector<Tombstone> tombstones;
      switch (TypeOf(record)) {
        case RecordType::kSeries:
          REQUIRE(DecodeSeries(record, [&](SeriesRef ref, auto labels) {
                    StrAppend(&out, "series ", static_cast<uint64_t>(ref), " ",
                              Labels::FromSorted(labels).ToString(), "\n");
                  }).ok());
          break;
        case RecordType::kSamples:
          REQUIRE(DecodeSamples(record, rows).ok());
          for (size_t i = 0; i < rows.size(); ++i) {
            StrAppend(&out, "sample ", static_cast<uint64_t>(rows.refs[i]), " ",
                      rows.times[i].ms, " ", rows.values[i], "\n");
          }
          break;
        case RecordType::kTombstones:
          REQUIRE(DecodeTombstones(record, tombstones).ok());
          for (const Tombstone& t : tombstones) {
            StrAppend(&out, "tombstone ", static_cast<uint64_t>(t.ref), "\n");
          }
          break;
        case RecordType::kMetadata:
          REQUIRE(DecodeMetadata(record, [&](SeriesRef ref, const auto& m) {
                    StrAppend(&out, "metadata ", static_cast<uint64_t>(ref),
                              " ", m.help, "\n");
                  }).ok());
          break;
        default:
          StrAppend(&out, "type ", static_cast<int>(TypeOf(record)), "\n");
      }
    }
    REQUIRE(reader.status().ok());
    CHECK(reader.damages().empty());
    return out;
  }

  std::set<uint64_t> kept = {1, 101, 2};
  RecordBatch batch;
};

TEST_CASE_METHOD(CheckpointLab,
                 "a checkpoint keeps what the head still needs") {
  Series(1, {{"a", "1"}});
  Series(2, {{"a", "2"}});
  Sample(1, 10, 0.5);
  Sample(1, 99, 1.5);  // one of the two is old
  Sample(1, 200, 2.5);
  std::string record;
  EncodeTombstones({{{SeriesRef{1}, {0, 50}},
                     {SeriesRef{1}, {0, 500}},
                     {SeriesRef{9}, {0, 500}}}},
                   record);
  Put(record);
  for (const char* help : {"old", "new"}) {
    record.clear();
    BeginMetadata(record);
    AddMetadata(SeriesRef{1}, {MetricType::kGauge, help, ""}, record);
    AddMetadata(SeriesRef{9}, {MetricType::kGauge, help, ""}, record);
    Put(record);
  }
  Put("\x63 of the future");
  Put("\x62 of another one");
  REQUIRE(writer->Cut().ok());
  Sample(1, 300, 3.5);
  const auto stats = Make(0, 100);
  REQUIRE(stats.ok());
  CHECK(stats->series_kept == 3);
  CHECK(stats->series_dropped == 1);
  CHECK(stats->samples_dropped == 3);
  CHECK(stats->records_copied == 2);
  REQUIRE(RemoveSegmentsBelow(*env, "wal", 1).ok());
  const std::string later = "sample 1 300 3.5\nsample 2 301 3.5\n";
  const std::string kept_now =
      "series 1 {a=\"1\"}\nseries 101 {a=\"1\"}\nseries 2 {a=\"2\"}\n"
      "sample 2 100 1.5\nsample 1 200 2.5\nsample 2 201 2.5\n"
      "tombstone 1\ntype 99\ntype 98\nmetadata 1 new\n";
  CHECK(Replay() == kept_now + later);

  SECTION("the next one starts from it") {
    REQUIRE(writer->Cut().ok());
    CHECK(absl::IsFailedPrecondition(Make(0, 100).status()));
    kept = {1};
    const auto next = Make(1, 250);
    REQUIRE(next.ok());
    CHECK(Replay() == "series 1 {a=\"1\"}\ntombstone 1\ntype 99\ntype 98\n" +
                          later + "metadata 1 new\n");
    REQUIRE(env->MakeDir("wal/checkpoint.00000005.tmp").ok());
    REQUIRE(RemoveCheckpointsBelow(*env, "wal", 1).ok());
    CHECK(!env->Exists("wal/checkpoint.00000000"));
    CHECK(!env->Exists("wal/checkpoint.00000005.tmp"));
    CHECK(env->Exists("wal/checkpoint.00000001"));
  }
}

TEST_CASE_METHOD(CheckpointLab,
                 "sample records of an old segment are left out unread") {
  Series(1, {{"a", "1"}});
  for (int64_t t = 0; t < 50; t += 2) Sample(1, t, 1);
  Put("\x07 a histogram of those days");
  REQUIRE(writer->Cut().ok());
  const auto stats = Make(0, 1000);
  REQUIRE(stats.ok());
  CHECK(stats->records_skipped == 26);
  CHECK(stats->samples_dropped == 0);
  CHECK(Replay() == "series 1 {a=\"1\"}\nseries 101 {a=\"1\"}\n");
}

TEST_CASE_METHOD(CheckpointLab, "a corrupt segment stops it, nothing changes") {
  Series(1, {{"a", "1"}});
  REQUIRE(writer->Cut().ok());
  auto file = *env->OpenWritable("wal/00000000", Env::WriteMode::kAppend);
  REQUIRE(file->WriteAt(9, "X").ok());
  const absl::Status status = Make(0, 0).status();
  CHECK(absl::IsDataLoss(status));
  CHECK(Message(status) == "checkpoint: wal/00000000:0: checksum mismatch");
  CHECK(env->ListDir("wal")->size() == 2);
}

}  // namespace
}  // namespace narthex::tsdb::wal
