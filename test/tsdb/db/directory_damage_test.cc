// A directory with every kind of file in it, damaged everywhere: C6 and C7 of
// the reliability goals.  Whatever is flipped, cut off or overwritten, no value
// is wrong, nothing crashes, nothing is missing in silence, and a repair opens.
// NARTHEX_FAULT_STRIDE=1 takes every bit and every length.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "narthex/base/clock.h"
#include "narthex/base/status.h"
#include "narthex/tsdb/db.h"
#include "narthex/tsdb/verify.h"
#include "test/support/crash_env.h"
#include "test/tsdb/db/content.h"
#include "test/tsdb/db/db_lab.h"
#include "test/tsdb/db/sample_lab.h"

namespace narthex::tsdb {
namespace {

using test::Content;
using test::CrashEnv;
using test::Difference;
using test::SampleType;

constexpr int64_t kSecond = 1000;
constexpr int64_t kBlock = 100 * kSecond;

bool Full() {
  const char* text = std::getenv("NARTHEX_FAULT_STRIDE");
  return text != nullptr && std::string_view(text) == "1";
}

// Of what is damaged in every run, instrumented code takes one in so many: it
// is after how bytes are read, and they are read alike everywhere.
#if defined(__SANITIZE_THREAD__)
constexpr size_t kSanitizedStride = 29;
#elif defined(__SANITIZE_ADDRESS__)
constexpr size_t kSanitizedStride = 5;
#else
constexpr size_t kSanitizedStride = 1;
#endif
size_t Stride(size_t otherwise) {
  return Full() ? 1 : otherwise * kSanitizedStride;
}

using Files = std::map<std::string, std::string>;

Options MakeOptions(Env& env, Clock& clock, Logger* logger = nullptr) {
  Options options;
  options.env = &env;
  options.clock = &clock;
  options.logger = logger;
  options.min_block_duration = Duration(kBlock);
  options.max_block_duration = Duration(kBlock);
  options.retention = Duration(0);
  options.wal_segment_bytes = 32 << 10;
  options.out_of_order_time_window = Duration(2 * kBlock);
  options.memory_snapshot_on_shutdown = true;
  options.max_exemplars = 100;
  return options;
}

void Collect(Env& env, const std::string& dir, Files& out) {
  const auto entries = env.ListDir(dir);
  REQUIRE(entries.ok());
  for (const DirEntry& entry : *entries) {
    const std::string path = JoinPath(dir, entry.name);
    if (entry.is_dir) {
      Collect(env, path, out);
    } else if (entry.name != "lock") {
      out[path] = *env.ReadFile(path);
    }
  }
}

void Put(Env& env, const std::string& path, std::string_view bytes) {
  REQUIRE(env.MakeDirs(std::string(DirName(path))).ok());
  auto file = env.OpenWritable(path, Env::WriteMode::kTruncate);
  REQUIRE(file.ok());
  REQUIRE((*file)->Append(bytes).ok());
  REQUIRE((*file)->Close().ok());
}

// Blocks with tombstones, a checkpoint, segments, the log of late samples,
// chunks_head with both sorts of chunks; and a chunk snapshot if it was closed
// in the end.
Files MakeDirectory(bool closed) {
  CrashEnv env;
  FakeClock clock{0};
  int64_t t = kSecond;
  std::unique_ptr<Db> db;
  const auto reopen = [&] {
    if (db != nullptr) REQUIRE(db->Close().ok());
    Options options = MakeOptions(env, clock);
    options.memory_snapshot_on_shutdown = closed;
    auto opened = Db::Open("data", options);
    REQUIRE(opened.ok());
    db = *std::move(opened);
  };
  const auto commit = [&](bool late) {
    auto appender = db->NewAppender();
    SeriesRef first = SeriesRef::kNone;
    for (const SampleType type : test::kSampleTypes) {
      const auto ref = appender->Resolve(test::SampleLabels(type, 1));
      REQUIRE(ref.ok());
      first = *ref;
      test::AppendSample(*appender, *ref, type, 1, t);
      if (late) {
        test::AppendSample(*appender, *ref, type, 1, t - 60 * kSecond + 7);
      }
    }
    appender->AppendExemplar(first, {{{"trace", "x"}}, 1, t, true});
    appender->SetMetadata(first, {MetricType::kGauge, "help", "s"})
        .IgnoreError();
    REQUIRE(appender->Commit().ok());
    t += 11 * kSecond;
  };
  const auto remove = [&](TimeRange range) {
    const MatcherPtr matcher =
        *Matcher::Make(Matcher::Type::kEqual, "__name__", "float");
    const Matcher* const only[] = {matcher.get()};
    REQUIRE(db->Delete(range, only).ok());
  };
  for (int i = 0; i < 4; ++i) {
    reopen();
    commit(false);
  }
  while (t < 175 * kSecond) commit(t > 120 * kSecond);
  remove({30 * kSecond, 40 * kSecond});
  REQUIRE(db->Compact().ok());
  REQUIRE_FALSE(db->Blocks().empty());
  remove({50 * kSecond, 60 * kSecond});
  remove({130 * kSecond, 140 * kSecond});
  while (t < 240 * kSecond) commit(true);
  if (closed) REQUIRE(db->Close().ok());
  Files files;
  const auto image = env.Image(test::Loss::kNothing);
  Collect(*image, "data", files);
  db = nullptr;
  return files;
}

// Written piece by piece: nothing in it says how many there were.
bool IsLog(std::string_view path) {
  return path.starts_with("data/wal/") || path.starts_with("data/wbl/") ||
         path.starts_with("data/chunks_head/") ||
         path.starts_with("data/chunk_snapshot.");
}

// A directory, and what may be asked of any that was made from it by damage.
class Damaged {
 public:
  explicit Damaged(bool closed) : files_(MakeDirectory(closed)) {
    for (const auto& [path, bytes] : files_) {
      bytes_ += bytes.size();
      Put(env_, path, bytes);
    }
    REQUIRE(ReadOnly(whole_));
    samples_ = CountOf(whole_);
  }
  const Files& files() const { return files_; }
  size_t bytes() const { return bytes_; }
  double kept() const {
    return 100.0 * static_cast<double>(kept_) /
           static_cast<double>(writable_ * samples_);
  }

  // `path` holds `bytes` instead.  Reads it without writing, and if
  // `writable`, opens it for writing too, twice, and mends it.
  void Check(const std::string& path, std::string_view bytes, bool writable) {
    Put(env_, path, bytes);
    Content content;
    ReadOnly(content);
    RequireNothingWrong(content);
    Put(env_, path, files_.at(path));
    if (writable) CheckWritable(path, bytes);
  }

 private:
  static size_t CountOf(const Content& content) {
    size_t n = 0;
    for (const auto& [series, samples] : content) n += samples.size();
    return n;
  }
  void RequireNothingWrong(const Content& got) const {
    for (const auto& [series, samples] : got) {
      const auto it = whole_.find(series);
      CAPTURE(series);
      if (it == whole_.end()) FAIL("a series that nobody wrote");
      for (const auto& [t, text] : samples) {
        const auto sample = it->second.find(t);
        CAPTURE(t, text);
        // What was deleted may come back, when the deletion itself is damaged.
        if (sample == it->second.end()) {
          if (series == test::SampleLabels(SampleType::kFloat, 1).ToString() &&
              text == test::SampleTextAt(SampleType::kFloat, 1, t)) {
            continue;
          }
          FAIL("a sample that was not there");
        }
        if (sample->second != text) FAIL("a wrong value");
      }
    }
  }
  bool ReadOnly(Content& out) {
    const uint64_t calls = env_.calls();
    Options options = MakeOptions(env_, clock_);
    options.read_only = true;
    auto db = Db::Open("data", options);
    const bool whole = db.ok() && test::ReadContent(**db, out).ok();
    if (db.ok()) (*db)->Close().IgnoreError();
    REQUIRE(env_.calls() == calls);  // not one that changes a file
    return whole;
  }

  void CheckWritable(const std::string& path, std::string_view bytes) {
    const std::unique_ptr<Env> env = NewMemEnv();
    for (const auto& [other, old] : files_) {
      Put(*env, other, other == path ? bytes : std::string_view(old));
    }
    VerifyOptions verify;
    verify.env = env.get();
    verify.clock = &clock_;
    const auto report = Verify("data", verify);
    REQUIRE(report.ok());
    bool said = !report->ok();

    // What is left is the same, however often it is opened.
    Content first;
    bool opens = false;
    for (int time = 0; time < 2; ++time) {
      test::LineLogger log;
      auto db = Db::Open("data", MakeOptions(*env, clock_, &log));
      opens = db.ok();
      if (!opens) {
        REQUIRE_FALSE(Message(db.status()).empty());
        break;
      }
      Content content;
      const absl::Status read = test::ReadContent(**db, content);
      REQUIRE((*db)->Close().ok());
      RequireNothingWrong(content);
      if (time == 0) {
        said = said || !read.ok() || log.Has({"corrupt"}) ||
               log.Has({"damaged"}) || log.Has({"left out"}) ||
               log.Has({"set aside"});
        first = std::move(content);
      } else {
        REQUIRE(Difference(first, content) == "");
      }
    }
    // Nothing protects meta.json: another number in it is another block.  And
    // nothing says that a log was longer when it ends behind a whole record or
    // chunk.
    const bool ends_whole = IsLog(path) && report->ok() &&
                            bytes.size() < files_.at(path).size();
    if (opens && CountOf(first) < samples_ && !said && !ends_whole &&
        BaseName(path) != "meta.json") {
      CAPTURE(Difference(whole_, first));
      FAIL("samples are missing in silence");
    }
    verify.repair = true;
    REQUIRE(Verify("data", verify).ok());
    auto db = Db::Open("data", MakeOptions(*env, clock_));
    INFO(db.status());
    REQUIRE(db.ok());
    Content mended;
    const absl::Status read = test::ReadContent(**db, mended);
    INFO(read);
    REQUIRE(read.ok());
    RequireNothingWrong(mended);
    kept_ += std::min(CountOf(mended), samples_);
    ++writable_;
  }

  const Files files_;
  size_t bytes_ = 0;
  CrashEnv env_;
  FakeClock clock_{1};
  Content whole_;
  size_t samples_ = 0;
  size_t kept_ = 0;
  size_t writable_ = 0;
};

// One of so many is also opened for writing and mended.
size_t WritableStride() { return Full() ? 5 : 41; }

void ForEachState(const std::function<void(Damaged&)>& body) {
  for (const bool closed : {false, true}) {
    CAPTURE(closed);
    Damaged damaged(closed);
    body(damaged);
  }
}

}  // namespace

TEST_CASE("the directory that is damaged has every kind of file") {
  for (const bool closed : {false, true}) {
    const Files files = MakeDirectory(closed);
    for (const char* kind :
         {"/index", "/meta.json", "/tombstones", "/chunks/000001", "data/wal/0",
          "/checkpoint.", "data/wbl/0", "data/chunks_head/0"}) {
      CAPTURE(kind);
      REQUIRE(std::any_of(files.begin(), files.end(), [&](const auto& file) {
        return file.first.find(kind) != std::string::npos;
      }));
    }
    const bool snapshot =
        std::any_of(files.begin(), files.end(), [](const auto& file) {
          return file.first.find("chunk_snapshot.") != std::string::npos;
        });
    REQUIRE(snapshot == closed);
  }
}

TEST_CASE("a flipped bit anywhere shows no wrong value") {
  size_t flips = 0, bytes = 0;
  double kept = 0;
  ForEachState([&](Damaged& damaged) {
    bytes += damaged.bytes();
    for (const auto& [path, whole] : damaged.files()) {
      // One bit of each byte, another one each time.
      for (size_t i = 0; i < whole.size() * (Full() ? 8 : 1); i += Stride(1)) {
        const size_t bit = Full() ? i : i * 8 + flips % 8;
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
        CAPTURE(path, bit);
        damaged.Check(path, flipped, ++flips % WritableStride() == 0);
      }
    }
    kept += damaged.kept() / 2;
  });
  std::printf("C6: %zu flips in %zu bytes; repairs keep %.2f %% of samples\n",
              flips, bytes, kept);
  REQUIRE(kept > 70);
}

TEST_CASE("a file that ends anywhere shows no wrong value") {
  size_t cuts = 0;
  ForEachState([&](Damaged& damaged) {
    for (const auto& [path, whole] : damaged.files()) {
      for (size_t n = 0; n < whole.size(); n += Stride(7)) {
        CAPTURE(path, n);
        damaged.Check(path, std::string_view(whole).substr(0, n),
                      ++cuts % WritableStride() == 0);
      }
    }
  });
  std::printf("C7: %zu cuts\n", cuts);
}

TEST_CASE("a sector of zeros or of another place shows no wrong value") {
  constexpr size_t kSector = 512;
  size_t sectors = 0;
  ForEachState([&](Damaged& damaged) {
    for (const auto& [path, whole] : damaged.files()) {
      const size_t step = kSector * Stride(1);
      for (size_t at = 0; at < whole.size(); at += step) {
        const size_t n = std::min(kSector, whole.size() - at);
        CAPTURE(path, at);
        std::string zeros = whole;
        zeros.replace(at, n, n, '\0');
        damaged.Check(path, zeros, true);
        ++sectors;
        if (at + 2 * kSector > whole.size()) continue;
        std::string swapped = whole;
        std::swap_ranges(
            swapped.begin() + static_cast<ptrdiff_t>(at),
            swapped.begin() + static_cast<ptrdiff_t>(at + kSector),
            swapped.begin() + static_cast<ptrdiff_t>(at + kSector));
        damaged.Check(path, swapped, true);
        ++sectors;
      }
    }
  });
  std::printf("C7: %zu sectors\n", sectors);
}

}  // namespace narthex::tsdb
