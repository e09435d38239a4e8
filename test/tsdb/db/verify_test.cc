#include "narthex/tsdb/verify.h"

#include <catch2/catch.hpp>

#include <cstdio>

#include <map>
#include <memory>
#include <string>

#include "libtsdb/chunk/format.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/block_builder.h"
#include "test/tsdb/chunk/histogram_lab.h"
#include "test/tsdb/db/db_lab.h"

namespace narthex::tsdb {
namespace {

// A block with all sample types, small enough to break it everywhere.
struct DamageLab {
  static constexpr size_t kSamples = 5;  // of each series, in one chunk
  std::unique_ptr<Env> env = NewMemEnv();
  FakeClock clock{1000};
  std::string block;
  std::map<std::string, std::string> files;  // by path
  uint64_t samples = 0;

  DamageLab() {
    auto builder =
        BlockBuilder::New("data", {.env = env.get(), .clock = &clock});
    REQUIRE(builder.ok());
    BucketModel model;
    model.positive = {{1, 3}, {2, 5}, {9, 1}};
    for (int64_t i = 0; i < int64_t{kSamples}; ++i) {
      const Timestamp t = i * 15000;
      model.positive[2] += 3;
      for (const char* name : {"a", "b"}) {
        REQUIRE((*builder)
                    ->Add({{"__name__", name}, {"job", "x"}}, t,
                          static_cast<double>(i) / 3)
                    .ok());
      }
      REQUIRE((*builder)->Add({{"__name__", "h"}}, t, model.Integer()).ok());
      REQUIRE((*builder)->Add({{"__name__", "f"}}, t, model.Float()).ok());
      samples += 4;
    }
    auto built = (*builder)->Finish();
    REQUIRE(built.ok());
    block = (*built)[0].dir;
    for (const char* name :
         {"index", "chunks/000001", "meta.json", "tombstones"}) {
      const std::string path = JoinPath(block, name);
      files[path] = *env->ReadFile(path);
    }
  }
  void Write(const std::string& path, std::string_view bytes) {
    auto file = env->OpenWritable(path, Env::WriteMode::kTruncate);
    REQUIRE(file.ok());
    REQUIRE((*file)->Append(bytes).ok());
    REQUIRE((*file)->Close().ok());
  }
  VerifyReport Check(bool repair = false) {
    VerifyOptions options;
    options.env = env.get();
    options.clock = &clock;
    options.repair = repair;
    auto report = Verify("data", options);
    INFO(report.status());
    REQUIRE(report.ok());
    return *std::move(report);
  }
  // Everything that a Db shows, as text by series and time; empty and false if
  // it can't be opened or a series can't be read.
  using Content = std::map<std::string, std::string>;
  bool Read(Content& out) {
    Options options;
    options.env = env.get();
    options.clock = &clock;
    options.read_only = true;
    options.retention = Duration(0);
    auto db = Db::Open("data", options);
    if (!db.ok()) return false;
    auto querier = (*db)->NewQuerier({kMinTime, kMaxTime});
    if (!querier.ok()) return false;
    MemoryBudget budget;
    const CancelToken cancel;
    const ReadContext ctx{budget, cancel};
    auto set = (*querier)->Select({}, ctx);
    if (!set.ok()) return false;
    SampleColumns columns(budget);
    bool whole = true;
    for (size_t i = 0; i < (*set)->size(); ++i) {
      const std::string name =
          ToLabels((*querier)->symbols(), (*set)->labels(i)).ToString();
      if (!(*set)->Read(i, {kMinTime, kMaxTime}, ctx, columns).ok()) {
        whole = false;
        continue;
      }
      for (size_t k = 0; k < columns.size(); ++k) {
        out[StrCat(name, " ", columns.t()[k].ms)] =
            StrCat(Bits(columns.v()[k]));
      }
      const auto& points = columns.histograms().points;
      for (size_t k = 0; k < points.size(); ++k) {
        out[StrCat(name, " ", points[k].t.ms)] =
            ToFloatHistogram(columns.histograms(), k).ToTestString();
      }
    }
    return whole;
  }
  // Removes what a repair left and puts the files back.
  void Restore() {
    REQUIRE(env->RemoveAll("data").ok());
    REQUIRE(env->MakeDirs(JoinPath(block, "chunks")).ok());
    for (const auto& [path, bytes] : files) Write(path, bytes);
  }
};

// No value is there that was not there before.
void RequireNothingWrong(const DamageLab::Content& whole,
                         const DamageLab::Content& got) {
  for (const auto& [key, value] : got) {
    const auto it = whole.find(key);
    REQUIRE(it != whole.end());
    REQUIRE(it->second == value);
  }
}

}  // namespace

TEST_CASE("a whole directory has no problems") {
  DamageLab lab;
  const VerifyReport report = lab.Check();
  for (const Problem& problem : report.problems) {
    WARN(StrCat(problem.file, ":", problem.offset, ": ", problem.what));
  }
  REQUIRE(report.ok());
  REQUIRE(report.samples == lab.samples);
  REQUIRE(report.series == 4);
}

TEST_CASE("every flipped bit of chunks, index and tombstones is found") {
  DamageLab lab;
  size_t flips = 0;
  for (const auto& [path, bytes] : lab.files) {
    if (path.ends_with("meta.json")) continue;
    for (size_t bit = 0; bit < bytes.size() * 8; bit += 8 + bit % 5) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      lab.Write(path, flipped);
      CAPTURE(path, bit);
      // Padding between sections is covered by nothing and means nothing.
      const bool padding = path.ends_with("index") && bytes[bit / 8] == 0;
      if (!padding) REQUIRE_FALSE(lab.Check().ok());
      ++flips;
    }
    lab.Write(path, bytes);
  }
  std::printf("C6: %zu flipped bits found\n", flips);
}

TEST_CASE("after a flipped bit no wrong value is shown, and a repair opens") {
  DamageLab lab;
  DamageLab::Content whole;
  REQUIRE(lab.Read(whole));
  size_t flips = 0;
  size_t kept = 0;
  size_t damaged = 0;
  for (const auto& [path, bytes] : lab.files) {
    if (path.ends_with("meta.json")) continue;
    // 1/8 of the bits; a prime step meets all places of a byte.
    for (size_t bit = 3; bit < bytes.size() * 8; bit += 61) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      lab.Write(path, flipped);
      CAPTURE(path, bit);
      DamageLab::Content got;
      lab.Read(got);
      RequireNothingWrong(whole, got);
      lab.Check(/*repair=*/true);
      got.clear();
      REQUIRE(lab.Read(got));
      RequireNothingWrong(whole, got);
      REQUIRE(lab.Check().ok());
      // No more is lost than the chunk that the bit lies in.
      const size_t lost = whole.size() - got.size();
      const bool in_chunk =
          path.ends_with("000001") && bit / 8 >= kChunksHeaderSize;
      REQUIRE((lost == 0 || (in_chunk && lost == DamageLab::kSamples)));
      kept += got.size();
      damaged += lost;
      ++flips;
      lab.Restore();
    }
  }
  std::printf(
      "C6: %zu repairs, %.2f %% of the samples kept, the rest was in the "
      "damaged chunks\n",
      flips, 100.0 * double(kept) / double(kept + damaged));
}

TEST_CASE("a file cut at any length costs no wrong value and no crash") {
  DamageLab lab;
  DamageLab::Content whole;
  REQUIRE(lab.Read(whole));
  size_t cuts = 0;
  for (const auto& [path, bytes] : lab.files) {
    for (size_t n = 0; n < bytes.size(); n += 7) {
      lab.Write(path, std::string_view(bytes).substr(0, n));
      CAPTURE(path, n);
      DamageLab::Content got;
      lab.Read(got);
      RequireNothingWrong(whole, got);
      REQUIRE_FALSE(lab.Check(/*repair=*/true).ok());
      got.clear();
      REQUIRE(lab.Read(got));
      RequireNothingWrong(whole, got);
      ++cuts;
      lab.Restore();
    }
  }
  std::printf("C7: %zu cuts\n", cuts);
}

TEST_CASE("a damaged chunk costs its samples alone") {
  DamageLab lab;
  DamageLab::Content whole;
  REQUIRE(lab.Read(whole));
  const std::string path = JoinPath(lab.block, "chunks/000001");
  std::string bytes = lab.files[path];
  bytes[bytes.size() - 6] ^= 1;  // in the last chunk
  lab.Write(path, bytes);
  const VerifyReport report = lab.Check(/*repair=*/true);
  REQUIRE(report.problems.size() == 2);
  REQUIRE(report.problems[0].file == path);
  REQUIRE(report.repairs.size() == 1);
  DamageLab::Content got;
  REQUIRE(lab.Read(got));
  REQUIRE(got.size() == whole.size() - 5);
  RequireNothingWrong(whole, got);
  // What it was is still there.
  bool aside = false;
  const auto entries = lab.env->ListDir("data");
  REQUIRE(entries.ok());
  for (const DirEntry& entry : *entries) {
    aside = aside || entry.name.find(".corrupt-") != std::string::npos;
  }
  REQUIRE(aside);
}

TEST_CASE("a block's index is made anew without its table of contents") {
  DamageLab lab;
  DamageLab::Content whole, got;
  REQUIRE(lab.Read(whole));
  const std::string path = JoinPath(lab.block, "index");
  lab.Write(path, lab.files[path].substr(0, lab.files[path].size() - 52));
  lab.Check(/*repair=*/true);
  REQUIRE(lab.Read(got));
  REQUIRE(got == whole);
}

}  // namespace narthex::tsdb
