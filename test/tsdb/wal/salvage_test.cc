#include "libtsdb/wal/salvage.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "libtsdb/wal/format.h"
#include "libtsdb/wal/wal_reader.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/status.h"

namespace narthex::tsdb::wal {
namespace {

// A segment of many records, some of them longer than a page.
struct SalvageLab {
  std::unique_ptr<Env> env = NewMemEnv();
  std::vector<std::string> written;
  std::string path;
  std::string bytes;

  SalvageLab() {
    auto writer = WalWriter::Open(*env, "wal", WalOptions());
    REQUIRE(writer.ok());
    RecordBatch batch;
    for (size_t i = 0; i < 40; ++i) {
      const size_t size = i % 9 == 4 ? 70000 : 100 + 37 * i;
      std::string record(1, '\x02');
      for (size_t k = 0; k < size; ++k) {
        record += static_cast<char>(k * k * 31 + i * 7 + k / 3);
      }
      batch.Add(record, i % 2 == 0 ? Compression::kNone : Compression::kSnappy);
      written.push_back(std::move(record));
    }
    REQUIRE((*writer)->Log(batch).ok());
    REQUIRE((*writer)->Close().ok());
    path = SegmentPath("wal", 0);
    bytes = *env->ReadFile(path);
  }
  std::vector<std::string> Read() {
    auto segments = ListSegments(*env, "wal");
    REQUIRE(segments.ok());
    WalReader reader(*env, *segments);
    std::vector<std::string> records;
    while (reader.Next()) records.emplace_back(reader.record());
    REQUIRE(reader.damages().empty());
    return records;
  }
  std::vector<std::string> Salvage(const std::string& damaged) {
    REQUIRE(env->RemoveAll("wal").ok());
    REQUIRE(env->MakeDirs("wal").ok());
    auto file = env->OpenWritable(path, Env::WriteMode::kTruncate);
    REQUIRE(file.ok());
    REQUIRE((*file)->Append(damaged).ok());
    REQUIRE((*file)->Close().ok());
    std::vector<std::string> done;
    REQUIRE(SalvageSegments(*env, "wal", 7000, &done).ok());
    REQUIRE(done.size() == 1);
    REQUIRE(*env->ReadFile(path + ".corrupt-7000") == damaged);
    return Read();
  }
};

}  // namespace

TEST_CASE("a flipped bit of a segment costs its record alone") {
  SalvageLab lab;
  REQUIRE(lab.Read() == lab.written);
  size_t flips = 0;
  // A prime step; every place of a byte, headers and payloads.
  for (size_t bit = 5; bit < lab.bytes.size() * 8; bit += 25013) {
    std::string damaged = lab.bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    if (lab.bytes.find_first_not_of('\0', bit / 8) == std::string::npos) break;
    CAPTURE(bit);
    const std::vector<std::string> kept = lab.Salvage(damaged);
    // All but one, in order; a damaged length costs the rest of the page.
    size_t from = 0;
    for (const std::string& record : kept) {
      while (from < lab.written.size() && lab.written[from] != record) ++from;
      REQUIRE(from < lab.written.size());
      ++from;
    }
    REQUIRE(kept.size() + 1 == lab.written.size());
    ++flips;
  }
  REQUIRE(flips > 50);
}

TEST_CASE("a damaged length of a fragment costs no more than its page") {
  SalvageLab lab;
  std::string damaged = lab.bytes;
  damaged[1] = static_cast<char>(damaged[1] ^ 0x10);  // of the first record
  const std::vector<std::string> kept = lab.Salvage(damaged);
  REQUIRE(kept.back() == lab.written.back());
  REQUIRE(kept.size() > lab.written.size() / 2);
}

TEST_CASE("a zeroed page of a segment leaves the records of the others") {
  SalvageLab lab;
  std::string damaged = lab.bytes;
  // Not from the beginning of a page: that would be the end of the log's data.
  std::fill_n(damaged.begin() + kPageSize + 50, kPageSize - 50, '\0');
  damaged[kPageSize + 60] = 1;
  const std::vector<std::string> kept = lab.Salvage(damaged);
  REQUIRE(kept.front() == lab.written.front());
  REQUIRE(kept.back() == lab.written.back());
}

TEST_CASE("a whole log is left as it is") {
  SalvageLab lab;
  std::vector<std::string> done;
  REQUIRE(SalvageSegments(*lab.env, "wal", 7000, &done).ok());
  REQUIRE(done.empty());
  REQUIRE(*lab.env->ReadFile(lab.path) == lab.bytes);
}

}  // namespace narthex::tsdb::wal
