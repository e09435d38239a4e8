// What a crash, a full disk or a flipped bit leaves behind.

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "test/support/faulty_env.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::FaultyEnv;
using test::Point;

const Labels kUp = {{"__name__", "up"}, {"job", "a"}};
const Labels kOther = {{"__name__", "other"}};

Point P(int64_t t, double v) { return {t, Bits(v)}; }

void WriteFile(Env& env, const std::string& path, std::string_view bytes) {
  auto file = env.OpenWritable(path, Env::WriteMode::kTruncate);
  REQUIRE(file.ok());
  REQUIRE((*file)->Append(bytes).ok());
  REQUIRE((*file)->Close().ok());
}

// A directory as a crash leaves it, with `wal` as its first segment.
std::unique_ptr<Env> DirectoryWith(std::string_view wal) {
  std::unique_ptr<Env> env = NewMemEnv();
  REQUIRE(env->MakeDirs("data/wal").ok());
  WriteFile(*env, "data/wal/00000000", wal);
  return env;
}

// The lab's log after three commits of one sample each, and where each of them
// ends.
std::string ThreeCommits(std::vector<size_t>& ends) {
  DbLab lab;
  const std::string path = "data/wal/00000000";
  for (int64_t t = 1000; t <= 3000; t += 1000) {
    lab.Append(kUp, t, static_cast<double>(t));
    ends.push_back(static_cast<size_t>(lab.env().Stat(path)->size));
  }
  auto bytes = lab.env().ReadFile(path);
  REQUIRE(bytes.ok());
  bytes->resize(ends.back());
  return *bytes;
}

}  // namespace

TEST_CASE("a log torn at any length gives what was whole", "[tsdb][db]") {
  std::vector<size_t> ends;
  const std::string whole = ThreeCommits(ends);
  for (size_t length = 0; length <= whole.size(); ++length) {
    INFO("torn after " << length << " of " << whole.size());
    auto env = DirectoryWith(std::string_view(whole).substr(0, length));
    Options options;
    options.env = env.get();
    std::vector<Point> expected;
    for (size_t i = 0; i < ends.size(); ++i) {
      const int64_t t = 1000 * static_cast<int64_t>(i + 1);
      if (length >= ends[i]) expected.push_back(P(t, static_cast<double>(t)));
    }
    {
      DbLab lab(options);
      REQUIRE(lab.Read(kUp) == expected);
      const bool between = length == 0 || length == ends[0] ||
                           length == ends[1] || length == ends[2];
      if (!between) {
        // Perhaps just between a series' record and its sample's.
        const bool said = lab.log().Has({"00000000"});
        const bool kept = lab.Files().size() > 3;
        REQUIRE((said || !kept));
      }
      // It goes on, and nothing of it is lost the next time.
      REQUIRE(lab.Append(kUp, 9000, 9) == Appended::kStored);
      expected.push_back(P(9000, 9));
      lab.Reopen();
      REQUIRE(lab.Read(kUp) == expected);
    }
  }
}

TEST_CASE("a flipped byte in the log loses no record before it", "[tsdb][db]") {
  std::vector<size_t> ends;
  const std::string whole = ThreeCommits(ends);
  for (size_t at = 0; at < whole.size(); ++at) {
    INFO("byte " << at);
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    auto env = DirectoryWith(bytes);
    Options options;
    options.env = env.get();
    DbLab lab(options);
    const std::vector<Point> read = lab.Read(kUp);
    for (size_t i = 0; i < ends.size() && ends[i] <= at; ++i) {
      const int64_t t = 1000 * static_cast<int64_t>(i + 1);
      REQUIRE(read.size() > i);
      REQUIRE(read[i] == P(t, static_cast<double>(t)));
    }
    for (const Point& point : read) {  // and invents none
      REQUIRE(point == P(point.t, static_cast<double>(point.t)));
    }
    // What was set aside is still there, under another name.
    for (const std::string& file : lab.Files()) {
      if (file.find("corrupt") == std::string::npos) continue;
      REQUIRE(lab.log().Has({"00000000", "offset"}));
    }
    lab.Reopen();
    REQUIRE(lab.Read(kUp) == read);
  }
}

TEST_CASE("when the disk is full an append says so and loses nothing",
          "[tsdb][db]") {
  auto memory = NewMemEnv();
  FaultyEnv env(*memory);
  Options options;
  options.env = &env;
  // The write may stop anywhere, in the middle of a record too.
  for (int64_t room = 0; room < 120; ++room) {
    INFO("room for " << room << " bytes");
    REQUIRE(memory->RemoveAll("data").ok());
    env.SetUnlimited();
    DbLab lab(options);
    REQUIRE(lab.Append(kUp, 1000, 1) == Appended::kStored);
    env.SetRoom(room);
    std::vector<Point> expected = {P(1000, 1)};
    auto appender = lab.db().NewAppender();
    for (int64_t t = 2000; t < 6000; t += 1000) {
      const SeriesRef up = *appender->Resolve(kUp);
      const SeriesRef other = *appender->Resolve(kOther);
      REQUIRE(AppendFloat(*appender, up, t, 2) == Appended::kStored);
      REQUIRE(AppendFloat(*appender, other, t, 3) == Appended::kStored);
      const absl::Status status = appender->Commit();
      if (status.ok()) {
        expected.push_back(P(t, 2));
      } else {
        REQUIRE(status.code() == absl::StatusCode::kResourceExhausted);
        REQUIRE(std::string(Message(status)).find("write to WAL") == 0);
        REQUIRE(std::string(Message(status)).find("No space left") !=
                std::string::npos);
      }
      REQUIRE(lab.Read(kUp) == expected);  // acknowledged, or not to be seen
    }
    env.SetUnlimited();
    REQUIRE(lab.Append(kUp, 9000, 9) == Appended::kStored);
    REQUIRE(lab.Append(kOther, 9000, 9) == Appended::kStored);
    expected.push_back(P(9000, 9));
    lab.Reopen();
    REQUIRE(lab.Read(kUp) == expected);
    REQUIRE(lab.Read(kOther).size() == expected.size() - 1);
  }
}

TEST_CASE("chunks that a full disk refuses stay in memory", "[tsdb][db]") {
  auto memory = NewMemEnv();
  FaultyEnv env(*memory);
  Options options;
  options.env = &env;
  options.min_block_duration = Seconds(100);
  DbLab lab(options, /*with_executor=*/false);
  std::vector<Point> expected;
  for (int64_t t = 1000; t < 900'000; t += 1000) {
    // No compaction can be written while there is no room for more than logs.
    lab.Append(kUp, t, static_cast<double>(t % 11));
    expected.push_back(P(t, static_cast<double>(t % 11)));
  }
  env.SetRoom(10);
  REQUIRE(lab.db().Compact().code() == absl::StatusCode::kResourceExhausted);
  REQUIRE(lab.Read(kUp) == expected);
  REQUIRE(lab.db().Blocks().empty());
  env.SetUnlimited();
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.db().Blocks().size() >= 1);
  REQUIRE(lab.Read(kUp) == expected);
  for (const std::string& file : lab.Files()) {
    REQUIRE(file.find("tmp-for-creation") == std::string::npos);
  }
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == expected);
}

TEST_CASE("a commit that could not be synced is not acknowledged",
          "[tsdb][db]") {
  auto memory = NewMemEnv();
  FaultyEnv env(*memory);
  Options options;
  options.env = &env;
  options.sync_commits = true;
  DbLab lab(options);
  lab.Append(kUp, 1000, 1);
  env.FailSyncs(true);
  auto appender = lab.db().NewAppender();
  const SeriesRef ref = *appender->Resolve(kUp);
  REQUIRE(AppendFloat(*appender, ref, 2000, 2) == Appended::kStored);
  REQUIRE_FALSE(appender->Commit().ok());
  REQUIRE(lab.Read(kUp) == std::vector<Point>{P(1000, 1)});
  env.FailSyncs(false);
  appender = nullptr;
  // Others go on behind it.
  auto next = lab.db().NewAppender();
  REQUIRE(AppendFloat(*next, ref, 3000, 3) == Appended::kStored);
  if (next->Commit().ok()) REQUIRE(lab.Read(kUp).size() == 2);
}

TEST_CASE("leftovers of a crash are cleared, strangers are not", "[tsdb][db]") {
  DbLab lab;
  lab.Append(kUp, 1000, 1);
  lab.CloseOnly();
  Env& env = lab.env();
  const std::string ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  for (const char* suffix :
       {".tmp-for-creation", ".tmp-for-deletion", ".tmp"}) {
    REQUIRE(env.MakeDirs("data/" + ulid + suffix + "/chunks").ok());
    WriteFile(env, "data/" + ulid + suffix + "/chunks/000001", "half");
  }
  REQUIRE(env.MakeDirs("data/wal/checkpoint.00000003.tmp").ok());
  WriteFile(env, "data/wal/checkpoint.00000003.tmp/00000000", "half");
  REQUIRE(env.MakeDirs("data/mine").ok());
  WriteFile(env, "data/mine/notes", "keep");
  lab.Reopen();
  bool mine = false;
  for (const std::string& file : lab.Files()) {
    REQUIRE(file.find("tmp") == std::string::npos);
    mine = mine || file.find("mine/notes") != std::string::npos;
  }
  REQUIRE(mine);
  REQUIRE(lab.Read(kUp).size() == 1);
}

TEST_CASE("a damaged block is named when the directory is opened",
          "[tsdb][db]") {
  Options options;
  options.min_block_duration = Seconds(100);
  DbLab lab(options, /*with_executor=*/false);
  for (int64_t t = 1000; t < 300'000; t += 1000) lab.Append(kUp, t, 1);
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.db().Blocks().size() >= 1);
  const std::string block = "data/" + lab.db().Blocks()[0].ulid;
  lab.CloseOnly();
  WriteFile(lab.env(), block + "/index", "no index");
  options.env = &lab.env();
  const auto damaged = Db::Open("data", options);
  REQUIRE(damaged.status().code() == absl::StatusCode::kDataLoss);
  REQUIRE(std::string(Message(damaged.status())).find("index") !=
          std::string::npos);
  REQUIRE(lab.env().Exists(block + "/index"));
  // A block without a readable meta.json is left out and left alone.
  WriteFile(lab.env(), block + "/meta.json", "");
  lab.Reopen();
  REQUIRE(lab.log().Has({"meta.json", block}));
  REQUIRE(lab.env().Exists(block + "/index"));
}

}  // namespace narthex::tsdb
