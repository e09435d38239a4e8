#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/block_reader.h"
#include "libtsdb/block/block_writer.h"
#include "libtsdb/chunk/chunk_codec.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::tsdb {
namespace {

constexpr char kUlid[] = "01KAKPWZ2M6J1V4FWA4FQ2B6VQ";

struct BlockLab {
  std::unique_ptr<Env> env = NewMemEnv();
  const std::string dir = JoinPath("data", kUlid);
  CancelToken cancel;
  MemoryBudget budget;
  ReadContext ctx{budget, cancel};

  // up{job="a"} and up{job="b"}: three chunks of ten samples each, one every
  // second from 0 on; values are the times, negative for b.
  void WriteBlock() {
    BlockMeta meta;
    meta.ulid = kUlid;
    meta.min_time = 0;
    meta.max_time = 30000;
    meta.level = 1;
    auto writer = BlockWriter::Create(*env, "data", meta);
    REQUIRE(writer.ok());
    for (const char* text : {"", "__name__", "a", "b", "job", "up"}) {
      REQUIRE((*writer)->AddSymbol(text).ok());
    }
    for (uint32_t value : {2u, 3u}) {
      std::vector<XorAppender> made(3);
      std::vector<EncodedChunk> chunks;
      for (int c = 0; c < 3; ++c) {
        for (int i = 0; i < 10; ++i) {
          const int64_t t = 1000 * (10 * c + i);
          made[c].Append(
              t, value == 2 ? static_cast<double>(t) : -static_cast<double>(t));
        }
        chunks.push_back({ChunkEncoding::kXor, 10000 * c, 10000 * c + 9000,
                          made[c].bytes()});
      }
      const LabelPair row[] = {{1, 5}, {4, value}};
      REQUIRE((*writer)->AddSeries(row, chunks).ok());
    }
    auto done = (*writer)->Finish();
    INFO(done.status().ToString());
    REQUIRE(done.ok());
    REQUIRE(done->has_value());
    REQUIRE((*done)->stats.samples == 60);
    REQUIRE((*done)->stats.chunks == 6);
    REQUIRE((*done)->stats.series == 2);
  }

  std::shared_ptr<BlockReader> Open() {
    auto block = BlockReader::Open(*env, dir);
    INFO(block.status().ToString());
    REQUIRE(block.ok());
    return *block;
  }
  SeriesBatch Series(const BlockReader& block, TimeRange range = {}) {
    SeriesBatch batch;
    auto ids = block.postings().All();
    REQUIRE(ids.ok());
    REQUIRE(block.ReadSeries(ids->ToVector(), range, batch).ok());
    return batch;
  }
  std::vector<int64_t> Times(const BlockReader& block, size_t i,
                             TimeRange range = {}) {
    const SeriesBatch batch = Series(block);
    SampleColumns columns(budget);
    const absl::Status status =
        block.ReadSamples(batch.series[i], range, ctx, columns);
    INFO(status.ToString());
    REQUIRE(status.ok());
    std::vector<int64_t> times;
    for (Timestamp t : columns.t()) times.push_back(t.ms);
    return times;
  }
  Matchers kept;
  std::vector<const Matcher*> Job(std::string_view value) {
    kept.push_back(*Matcher::Make(Matcher::Type::kEqual, "job", value));
    return {kept.back().get()};
  }
};

}  // namespace

TEST_CASE_METHOD(BlockLab, "a block gives back what was written") {
  WriteBlock();
  auto block = Open();
  REQUIRE(block->meta().ulid == kUlid);
  const SeriesBatch batch = Series(*block);
  REQUIRE(batch.series.size() == 2);
  std::string text;
  for (LabelPair pair : batch.Row(batch.series[1])) {
    text += block->SymbolText(pair.name);
    text += '=';
    text += block->SymbolText(pair.value);
    text += ' ';
  }
  REQUIRE(text == "__name__=up job=b ");
  REQUIRE(batch.series[0].samples_hint >= 30);

  std::vector<int64_t> all;
  for (int i = 0; i < 30; ++i) all.push_back(1000 * i);
  REQUIRE(Times(*block, 0) == all);
  REQUIRE(Times(*block, 1, {8500, 11000}) ==
          std::vector<int64_t>{9000, 10000, 11000});
  REQUIRE(Times(*block, 1, {9500, 9600}).empty());

  LatestSample latest;
  auto found = block->ReadLatest(batch.series[1], {0, 25500}, ctx, latest);
  REQUIRE((found.ok() && *found));
  REQUIRE(latest.t == Timestamp(25000));
  REQUIRE(latest.v == -25000);
  found = block->ReadLatest(batch.series[1], {9100, 9900}, ctx, latest);
  REQUIRE((found.ok() && !*found));

  ChunkList chunks;
  REQUIRE(block->ReadChunks(batch.series[0], {9000, 10000}, chunks).ok());
  REQUIRE(chunks.chunks.size() == 2);
  REQUIRE(chunks.chunks[1].min_t == Timestamp(10000));
}

TEST_CASE_METHOD(BlockLab, "series without chunks in the range are left out") {
  WriteBlock();
  auto block = Open();
  REQUIRE(Series(*block, {30000, 40000}).series.empty());
  REQUIRE(Series(*block, {29000, 40000}).series.size() == 2);
  REQUIRE(Series(*block, {-100, -1}).series.empty());
}

TEST_CASE_METHOD(BlockLab, "deleting hides samples until a rewrite") {
  WriteBlock();
  auto touched = DeleteFromBlock(*env, *Open(), Job("a"), {5000, 24000});
  REQUIRE((touched.ok() && *touched == 1));
  auto block = Open();
  REQUIRE(block->meta().stats.tombstones == 1);
  REQUIRE(Times(*block, 0) == std::vector<int64_t>{0, 1000, 2000, 3000, 4000,
                                                   25000, 26000, 27000, 28000,
                                                   29000});
  REQUIRE(Times(*block, 1).size() == 30);
  REQUIRE(Series(*block, {10000, 19000}).series.size() == 1);
  LatestSample latest;
  auto found =
      block->ReadLatest(Series(*block).series[0], {0, 24500}, ctx, latest);
  REQUIRE((found.ok() && *found));
  REQUIRE(latest.t == Timestamp(4000));

  SECTION("no further than the series goes") {
    REQUIRE(DeleteFromBlock(*env, *block, Job("b"), {}).ok());
    block = Open();
    REQUIRE(*block->Deleted(Series(*block).series[0].id) ==
            Intervals{{5000, 24000}});
    REQUIRE(Series(*block).series.size() == 1);
    REQUIRE(block->tombstones().total() == 2);
  }
  SECTION("nothing matches: nothing is written") {
    touched = DeleteFromBlock(*env, *block, Job("zzz"), {});
    REQUIRE((touched.ok() && *touched == 0));
  }
}

TEST_CASE_METHOD(BlockLab, "a block without samples is not made") {
  BlockMeta meta;
  meta.ulid = kUlid;
  auto writer = BlockWriter::Create(*env, "data", meta);
  REQUIRE(writer.ok());
  auto done = (*writer)->Finish();
  REQUIRE(done.ok());
  REQUIRE_FALSE(done->has_value());
  writer->reset();
  REQUIRE(env->ListDir("data")->empty());
}

TEST_CASE_METHOD(BlockLab, "a block that is not finished leaves nothing") {
  BlockMeta meta;
  meta.ulid = kUlid;
  {
    auto writer = BlockWriter::Create(*env, "data", meta);
    REQUIRE(writer.ok());
    REQUIRE((*writer)->AddSymbol("a").ok());
    REQUIRE(env->Exists(StrCat(dir, ".tmp-for-creation/index")));
  }
  REQUIRE(env->ListDir("data")->empty());
}

TEST_CASE_METHOD(BlockLab, "blocks are found, deleted and swept") {
  WriteBlock();
  REQUIRE(env->MakeDirs(StrCat(dir, ".tmp-for-creation/chunks")).ok());
  REQUIRE(env->MakeDirs("data/01KAKPWZ2M6J1V4FWA4FQ2B6VZ").ok());
  REQUIRE(env->MakeDirs("data/wal").ok());
  std::vector<std::string> problems;
  auto blocks = ListBlocks(*env, "data", &problems);
  REQUIRE(blocks.ok());
  REQUIRE(blocks->size() == 1);
  REQUIRE((*blocks)[0].bytes == Open()->size_bytes());
  REQUIRE(problems.size() == 1);
  REQUIRE_THAT(problems[0], Catch::Contains("01KAKPWZ2M6J1V4FWA4FQ2B6VZ"));
  REQUIRE(RemoveLeftovers(*env, "data").ok());
  REQUIRE_FALSE(env->Exists(StrCat(dir, ".tmp-for-creation")));
  REQUIRE(env->Exists("data/wal"));

  auto reader = Open();
  REQUIRE(DeleteBlock(*env, dir).ok());
  REQUIRE_FALSE(env->Exists(dir));
  REQUIRE_FALSE(env->Exists(StrCat(dir, ".tmp-for-deletion")));
  // Who reads it goes on reading.
  REQUIRE(Times(*reader, 0).size() == 30);
}

TEST_CASE_METHOD(BlockLab, "no flipped bit gives a wrong value") {
  WriteBlock();
  std::vector<std::vector<int64_t>> right;
  {
    auto block = Open();
    right = {Times(*block, 0), Times(*block, 1)};
  }
  for (const char* name :
       {"/index", "/chunks/000001", "/tombstones", "/meta.json"}) {
    const std::string path = StrCat(dir, name);
    const std::string bytes = *env->ReadFile(path);
    size_t unnoticed = 0;
    for (size_t bit = 0; bit < bytes.size() * 8; bit += 3) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << (bit % 8));
      REQUIRE(env->WriteFileAtomically(path, damaged).ok());
      auto block = BlockReader::Open(*env, dir);
      if (!block.ok()) continue;
      SeriesBatch batch;
      auto ids = (*block)->postings().All();
      if (!ids.ok() || !(*block)->ReadSeries(ids->ToVector(), {}, batch).ok()) {
        continue;
      }
      ++unnoticed;
      for (size_t i = 0; i < batch.series.size(); ++i) {
        SampleColumns columns(budget);
        if (!(*block)->ReadSamples(batch.series[i], {}, ctx, columns).ok()) {
          continue;
        }
        INFO(name << " bit " << bit);
        REQUIRE(batch.series.size() == 2);
        REQUIRE(columns.size() == right[i].size());
        for (size_t s = 0; s < columns.size(); ++s) {
          REQUIRE(columns.t()[s].ms == right[i][s]);
          REQUIRE(std::abs(columns.v()[s]) == static_cast<double>(right[i][s]));
        }
      }
    }
    REQUIRE(unnoticed < bytes.size() * 8);
    REQUIRE(env->WriteFileAtomically(path, bytes).ok());
  }
}

}  // namespace narthex::tsdb
