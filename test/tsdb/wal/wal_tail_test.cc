#include <catch2/catch.hpp>
#include <random>

#include "libtsdb/wal/checkpoint.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "libtsdb/wal/wal_writer.h"

// Replay, checkpoint and tailing read the same damaged log, and come to the
// same.

namespace narthex::tsdb::wal {
namespace {

constexpr uint8_t kUnknownType = 77;  // kept by checkpoints as it is

std::string Record(int i, size_t size) {
  std::string record(1, static_cast<char>(kUnknownType));
  record += std::to_string(i);
  record.append(size, static_cast<char>('a' + i % 26));
  return record;
}

// Three segments, with records that cross pages.
std::vector<std::string> MakeSegments() {
  const std::unique_ptr<Env> env = NewMemEnv();
  WalOptions options;
  options.segment_size = 3 * kPageSize;
  auto writer = *WalWriter::Open(*env, "wal", options);
  std::mt19937_64 random(7);
  for (int i = 0; writer->segment() < 3; ++i) {
    RecordBatch batch;
    batch.Add(Record(i, i % 5 == 0 ? 40000 : random() % 3000),
              i % 3 == 0 ? Compression::kSnappy : Compression::kNone);
    REQUIRE(writer->Log(batch).ok());
  }
  REQUIRE(writer->Close().ok());
  std::vector<std::string> segments;
  for (uint32_t n = 0; n < 3; ++n) {
    segments.push_back(*env->ReadFile(SegmentPath("wal", n)));
  }
  return segments;
}

std::unique_ptr<Env> Disk(const std::vector<std::string>& segments) {
  std::unique_ptr<Env> env = NewMemEnv();
  REQUIRE(env->MakeDirs("wal").ok());
  for (uint32_t n = 0; n < segments.size(); ++n) {
    auto file =
        env->OpenWritable(SegmentPath("wal", n), Env::WriteMode::kTruncate);
    REQUIRE((*file)->Append(segments[n]).ok());
  }
  return env;
}

struct Seen {
  std::vector<std::string> records = {};
  int torn = 0;
  bool corrupt = false;
};

Seen Replay(Env& env, const std::string& dir = "wal") {
  Seen seen;
  WalReader reader(env, *ListSegments(env, dir));
  while (reader.Next()) seen.records.emplace_back(reader.record());
  REQUIRE(reader.status().ok());
  for (const Damage& damage : reader.damages()) {
    seen.torn += damage.torn;
    seen.corrupt |= !damage.torn;
  }
  return seen;
}

// One segment after the other, each as it grows by `step` bytes at a time.
Seen Tail(const std::vector<std::string>& segments, size_t step) {
  Seen seen;
  for (uint32_t n = 0; n < segments.size(); ++n) {
    const std::unique_ptr<Env> env = NewMemEnv();
    REQUIRE(env->MakeDirs("wal").ok());
    auto file =
        *env->OpenWritable(SegmentPath("wal", n), Env::WriteMode::kTruncate);
    auto reader = *SegmentReader::Open(*env, {n, SegmentPath("wal", n)});
    std::string scratch;
    bool ended = false;
    for (size_t at = 0; at < segments[n].size() && !ended; at += step) {
      REQUIRE(
          file->Append(std::string_view(segments[n]).substr(at, step)).ok());
      const bool last = at + step >= segments[n].size();
      for (bool more = true; more;) {
        switch (reader->Next()) {
          case SegmentReader::Step::kRecord: {
            const auto record =
                Unpack(reader->packed(), reader->flags(), scratch);
            if (record.ok()) {
              seen.records.emplace_back(*record);
            } else {
              seen.corrupt = ended = true;
              more = false;
            }
            break;
          }
          case SegmentReader::Step::kTorn:
            // At the end it may be a record that is still being written.
            if (reader->at_end()) {
              more = false;
              seen.torn += last;
            } else {
              ++seen.torn;
            }
            break;
          case SegmentReader::Step::kCorrupt:
            seen.corrupt = ended = true;
            more = false;
            break;
          case SegmentReader::Step::kEnd:
            more = false;
            break;
          case SegmentReader::Step::kError:
            FAIL("the file can't be read");
        }
      }
    }
  }
  return seen;
}

void CheckAllThree(const std::vector<std::string>& segments) {
  const std::unique_ptr<Env> env = Disk(segments);
  const Seen replayed = Replay(*env);
  for (const size_t step : {size_t{1} << 30, size_t{5000}}) {
    CAPTURE(step);
    const Seen tailed = Tail(segments, step);
    CHECK(tailed.records == replayed.records);
    CHECK(tailed.torn == replayed.torn);
    CHECK(tailed.corrupt == replayed.corrupt);
  }
  CheckpointRequest request;
  request.wal_dir = "wal";
  request.to = 2;
  const auto stats =
      WriteCheckpoint(*env, request, [](SeriesRef) { return true; });
  // What is corrupt is for a replay to set aside; torn ends hold up nobody.
  REQUIRE(stats.ok() == !replayed.corrupt);
  if (!stats.ok()) {
    CHECK(absl::IsDataLoss(stats.status()));
    return;
  }
  CHECK(stats->torn == static_cast<uint64_t>(replayed.torn));
  const Seen kept = Replay(*env, "wal/checkpoint.00000002");
  CHECK(kept.records == replayed.records);
  CHECK(kept.torn == 0);
}

}  // namespace

TEST_CASE("replay, checkpoint and tailing mean the same by every log",
          "[tsdb][wal]") {
  const std::vector<std::string> whole = MakeSegments();
  SECTION("an intact one") {
    const Seen seen = Replay(*Disk(whole));
    CHECK_FALSE(seen.corrupt);
    CHECK(seen.torn == 0);
    CheckAllThree(whole);
  }
  SECTION("cut, or zeros from somewhere on") {
    std::mt19937_64 random(11);
    for (int round = 0; round < 40; ++round) {
      std::vector<std::string> segments = whole;
      std::string& victim = segments[random() % 3];
      const size_t at = random() % victim.size();
      CAPTURE(round, at);
      if (round % 2 == 0) {
        victim.resize(at);
      } else {
        // To the end of the page, or of the file.
        const size_t end =
            round % 4 == 1
                ? victim.size()
                : std::min(victim.size(), (at / kPageSize + 1) * kPageSize);
        std::fill(victim.begin() + static_cast<ptrdiff_t>(at),
                  victim.begin() + static_cast<ptrdiff_t>(end), '\0');
      }
      CheckAllThree(segments);
    }
  }
  SECTION("a bit flipped") {
    std::mt19937_64 random(13);
    for (int round = 0; round < 40; ++round) {
      std::vector<std::string> segments = whole;
      std::string& victim = segments[random() % 3];
      const size_t at = random() % victim.size();
      CAPTURE(round, at);
      victim[at] = static_cast<char>(victim[at] ^ (1 << (round % 8)));
      CheckAllThree(segments);
    }
  }
}

}  // namespace narthex::tsdb::wal
