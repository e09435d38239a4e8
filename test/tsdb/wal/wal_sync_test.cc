#include <catch2/catch.hpp>
#include <thread>

#include "absl/time/clock.h"
#include "libtsdb/wal/wal_reader.h"
#include "libtsdb/wal/wal_writer.h"
#include "test/support/crash_env.h"
#include "test/support/faulty_env.h"

namespace narthex::tsdb::wal {
namespace {

using test::CrashEnv;
using test::FaultyEnv;
using test::Loss;

std::unique_ptr<WalWriter> Open(Env& env, bool keep_unsynced,
                                uint64_t segment_size = kDefaultSegmentSize) {
  WalOptions options;
  options.segment_size = segment_size;
  options.keep_unsynced = keep_unsynced;
  auto writer = WalWriter::Open(env, "wal", options);
  REQUIRE(writer.ok());
  return *std::move(writer);
}

absl::Status Put(WalWriter& writer, std::string_view record) {
  RecordBatch batch;
  batch.Add(record, Compression::kNone);
  return writer.Log(batch);
}

std::vector<std::string> ReadAll(Env& env) {
  WalReader reader(env, *ListSegments(env, "wal"));
  std::vector<std::string> records;
  while (reader.Next()) records.emplace_back(reader.record());
  REQUIRE(reader.status().ok());
  return records;
}

bool Has(const std::vector<std::string>& records, std::string_view record) {
  return std::find(records.begin(), records.end(), record) != records.end();
}

}  // namespace

TEST_CASE("those who sync at the same time share one fdatasync",
          "[tsdb][wal]") {
  const std::unique_ptr<Env> memory = NewMemEnv();
  FaultyEnv env(*memory);
  const auto writer = Open(env, /*keep_unsynced=*/true);
  constexpr int kThreads = 16;
  const uint64_t before = env.syncs();
  env.HoldSyncs(true);
  std::vector<std::thread> threads;
  std::atomic<int> synced{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::string record(10, static_cast<char>('a' + i));
      if (Put(*writer, record).ok() && writer->Sync().ok()) ++synced;
    });
  }
  // Others log while one syncs.
  while (writer->bytes_written() != kThreads * (kHeaderSize + 10)) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  CHECK(synced == 0);
  env.HoldSyncs(false);
  for (std::thread& thread : threads) thread.join();
  CHECK(synced == kThreads);
  // The first one for those that were there already, the second for the rest.
  CHECK(env.syncs() - before <= 2);
  CHECK(ReadAll(*memory).size() == kThreads);
}

TEST_CASE("what could not be synced is logged again", "[tsdb][wal]") {
  CrashEnv env;
  const auto writer = Open(env, /*keep_unsynced=*/true);
  REQUIRE(Put(*writer, "first").ok());
  REQUIRE(writer->Sync().ok());
  REQUIRE(Put(*writer, "second").ok());
  // This sync fails, the one of the new segment does not.
  env.FailAt(env.calls(), test::Fault::kBroken, /*sticky=*/false);
  REQUIRE(writer->Sync().ok());
  CHECK(writer->segment() == 1);
  const auto records = ReadAll(*env.Image(Loss::kAllUnsynced));
  CHECK(Has(records, "first"));
  CHECK(Has(records, "second"));
}

TEST_CASE("a sync that keeps failing is an error until it is done",
          "[tsdb][wal]") {
  CrashEnv env;
  const auto writer = Open(env, /*keep_unsynced=*/true);
  REQUIRE(Put(*writer, "first").ok());
  env.FailSyncs(true);
  CHECK_FALSE(writer->Sync().ok());
  REQUIRE_FALSE((Put(*writer, "second").ok() && writer->Sync().ok()));
  env.FailSyncs(false);
  REQUIRE(Put(*writer, "third").ok());
  REQUIRE(writer->Sync().ok());
  const auto records = ReadAll(*env.Image(Loss::kAllUnsynced));
  CHECK(Has(records, "first"));
  CHECK(Has(records, "third"));
  REQUIRE(writer->Close().ok());
}

TEST_CASE("without memory of it a failed sync is never forgotten",
          "[tsdb][wal]") {
  CrashEnv env;
  const auto writer = Open(env, /*keep_unsynced=*/false);
  REQUIRE(Put(*writer, "first").ok());
  env.FailSyncs(true);
  CHECK_FALSE(writer->Sync().ok());
  env.FailSyncs(false);
  // The kernel says so once only.
  CHECK_FALSE(writer->Sync().ok());
  CHECK(Put(*writer, "second").ok());
  CHECK_FALSE(writer->Close().ok());
}

TEST_CASE("a full segment is durable before the next one is begun",
          "[tsdb][wal]") {
  CrashEnv env;
  const auto writer = Open(env, /*keep_unsynced=*/true, kPageSize);
  const std::string record(10000, 'x');
  for (int i = 0; i < 10; ++i) REQUIRE(Put(*writer, record).ok());
  CHECK(writer->segment() == 3);
  CHECK(ReadAll(*env.Image(Loss::kAllUnsynced)).size() == 9);
  REQUIRE(writer->Sync().ok());
  CHECK(ReadAll(*env.Image(Loss::kAllUnsynced)).size() == 10);
}

}  // namespace narthex::tsdb::wal
