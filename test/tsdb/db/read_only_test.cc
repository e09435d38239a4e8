#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_writer.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/block_builder.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::Point;

std::unique_ptr<Db> OpenReadOnly(DbLab& lab, const std::string& dir) {
  Options options;
  options.env = &lab.env();
  options.clock = &lab.clock();
  options.read_only = true;
  auto db = Db::Open(dir, options);
  INFO(Message(db.status()));
  REQUIRE(db.ok());
  return *std::move(db);
}

const Labels kUp{{"__name__", "up"}, {"job", "x"}};

}  // namespace

TEST_CASE("a read-only open shows the chunks of chunks_head") {
  DbLab lab;
  for (int64_t i = 0; i < 500; ++i) lab.Append(kUp, i * 15000, double(i) / 3);
  const std::vector<Point> all = lab.Read(kUp);
  REQUIRE(all.size() == 500);
  lab.CloseOnly();

  REQUIRE(DbLab::ReadFrom(*OpenReadOnly(lab, lab.dir()), kUp) == all);

  // A log that knows the series and none of its samples.
  const std::string wal_dir = JoinPath(lab.dir(), "wal");
  REQUIRE(lab.env().RemoveAll(wal_dir).ok());
  auto writer = wal::WalWriter::Open(lab.env(), wal_dir, wal::WalOptions());
  REQUIRE(writer.ok());
  std::string record;
  wal::BeginSeries(record);
  wal::AddSeries(SeriesRef{1}, kUp, record);
  wal::RecordBatch batch;
  batch.Add(record, Compression::kNone);
  REQUIRE((*writer)->Log(batch).ok());
  REQUIRE((*writer)->Close().ok());
  const std::vector<Point> full =
      DbLab::ReadFrom(*OpenReadOnly(lab, lab.dir()), kUp);
  REQUIRE(full.size() >= 480);  // 120 samples a chunk; the open one is lost
  REQUIRE(std::equal(full.begin(), full.end(), all.begin()));
}

TEST_CASE("a read-only open beside a writer shows a prefix, whole") {
  DbLab lab;
  std::vector<Point> written;
  for (int64_t i = 0; i < 400; ++i) {
    lab.Append(kUp, i * 15000, double(i));
    if (i % 37 != 0) continue;
    written = lab.Read(kUp);
    const auto files = lab.Files();
    REQUIRE(DbLab::ReadFrom(*OpenReadOnly(lab, lab.dir()), kUp) == written);
    REQUIRE(lab.Files() == files);  // and leaves nothing behind
  }
}

TEST_CASE("what a read-only head fills goes into no file") {
  // Chunks in the directory, and so many samples in the log behind them that
  // more are filled while it is read.
  DbLab lab;
  for (int64_t i = 0; i < 300; ++i) lab.Append(kUp, i * 15000, double(i));
  lab.CloseOnly();
  const auto full = lab.Files();
  REQUIRE(lab.env().RemoveAll(JoinPath(lab.dir(), "chunks_head")).ok());
  const auto files = lab.Files();
  const std::unique_ptr<Db> db = OpenReadOnly(lab, lab.dir());
  REQUIRE(DbLab::ReadFrom(*db, kUp).size() == 300);
  REQUIRE(lab.Files() == files);
  REQUIRE(full.size() > files.size());
}

TEST_CASE("a block by itself can be opened read-only and listed") {
  DbLab lab;
  auto builder =
      BlockBuilder::New("blocks", {.env = &lab.env(), .clock = &lab.clock()});
  REQUIRE(builder.ok());
  REQUIRE((*builder)->Add(kUp, 1000, 1).ok());
  REQUIRE((*builder)->Add(kUp, 2000, 2).ok());
  const auto built = (*builder)->Finish();
  REQUIRE(built.ok());
  const std::string dir = (*built)[0].dir;
  REQUIRE(DbLab::ReadFrom(*OpenReadOnly(lab, dir), kUp).size() == 2);
  const auto listed = ListBlocks(lab.env(), dir);
  REQUIRE(listed.ok());
  REQUIRE(listed->size() == 1);
  REQUIRE((*listed)[0].meta.ulid == (*built)[0].meta.ulid);
}

}  // namespace narthex::tsdb
