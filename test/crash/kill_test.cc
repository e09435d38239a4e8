// kill -9 in the middle of appending: what a commit had acknowledged is there
// when the directory is opened again.  Real files, a process of its own.

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/db.h"
#include "test/tsdb/db/content.h"
#include "test/tsdb/db/db_lab.h"
#include "test/tsdb/db/sample_lab.h"

namespace narthex::tsdb {
namespace {

constexpr int kSeries = 40;
constexpr int64_t kStep = 250;         // ms between commits
constexpr int64_t kLate = 20'000 - 1;  // that a late sample comes late
constexpr int64_t kLooked = 2000;      // commits that are looked at closely

// Shared with the child: the time of the last commit that returned.
struct Acknowledged {
  std::atomic<int64_t> t{0};
  std::atomic<bool> failed{false};
};

Labels LabelsOf(int i) { return {{"__name__", "m"}, {"i", std::to_string(i)}}; }

double ValueAt(int i, int64_t t) {
  return static_cast<double>(i) * 0.5 + static_cast<double>(t % 977);
}

Options SmallOptions() {
  Options options;
  // Chunks, blocks, segments and checkpoints all come many times over.
  options.min_block_duration = Seconds(30);
  options.wal_segment_bytes = 32 << 10;
  options.out_of_order_time_window = Seconds(60);
  options.retention = Duration(0);
  return options;
}

// A sample of every type, and one that comes late; false: one was refused.
bool AppendTypes(Appender& appender, int64_t t, int64_t begin) {
  for (const test::SampleType type : test::kSampleTypes) {
    const auto ref = appender.Resolve(test::SampleLabels(type, 1));
    if (!ref.ok() ||
        test::AppendSample(appender, *ref, type, 1, t) != Appended::kStored) {
      return false;
    }
    if (t - kLate > begin &&
        test::AppendSample(appender, *ref, type, 1, t - kLate) !=
            Appended::kStored) {
      return false;
    }
  }
  return true;
}

// Whatever is there of them is right, and nothing before `last` is missing.
// Of the commits in `unsure`, which were killed on their way, the late samples
// may be missing: they are logged last.
void CheckTypes(Db& db, int64_t begin, int64_t last,
                const std::set<int64_t>& unsure) {
  const int64_t from = std::max(begin, last - kLooked * kStep);
  auto querier = db.NewQuerier({from, kMaxTime});
  REQUIRE(querier.ok());
  test::Content content;
  REQUIRE(test::ReadContent(**querier, content).ok());
  for (const test::SampleType type : test::kSampleTypes) {
    const std::string name = test::SampleLabels(type, 1).ToString();
    CAPTURE(name);
    const test::Samples& samples = content[name];
    for (const auto& [t, text] : samples) {
      CAPTURE(t);
      if (text != test::SampleTextAt(type, 1, t)) FAIL("a wrong value");
    }
    for (int64_t t = from; t <= last; t += kStep) {
      CAPTURE(t, last);
      if (!samples.contains(t)) FAIL("an acknowledged sample is lost");
      if (t - kLate > from && !unsure.contains(t) &&
          !samples.contains(t - kLate)) {
        FAIL("an acknowledged late sample is lost");
      }
    }
  }
}

// Never returns.  Commits a sample of every series at each step and says so.
[[noreturn]] void Append(const std::string& dir, int64_t begin, int64_t from,
                         Acknowledged& acknowledged) {
  FakeClock clock(from);
  InlineExecutor here;
  Options options = SmallOptions();
  options.clock = &clock;
  options.executor = &here;
  auto db = Db::Open(dir, options);
  if (!db.ok()) {
    acknowledged.failed = true;
    _exit(1);
  }
  auto appender = (*db)->NewAppender();
  std::vector<SeriesRef> refs(kSeries);
  std::vector<double> values(kSeries);
  for (int64_t t = from;; t += kStep) {
    // References may be forgotten by a compaction; asking is cheap enough.
    for (int i = 0; i < kSeries; ++i) {
      auto ref = appender->Resolve(LabelsOf(i));
      if (!ref.ok()) _exit(2);
      refs[static_cast<size_t>(i)] = *ref;
      values[static_cast<size_t>(i)] = ValueAt(i, t);
    }
    if (!appender->AppendFloats({.refs = refs, .values = values, .at = t}, {})
             .ok() ||
        !AppendTypes(*appender, t, begin) || !appender->Commit().ok()) {
      acknowledged.failed = true;
      _exit(3);
    }
    acknowledged.t.store(t, std::memory_order_release);
    clock.Advance(Duration(kStep));
  }
}

}  // namespace

TEST_CASE("kill -9, again and again, loses nothing that was acknowledged",
          "[tsdb][crash]") {
  std::string dir =
      (std::filesystem::temp_directory_path() / "narthex-kill-XXXXXX").string();
  REQUIRE(mkdtemp(dir.data()) != nullptr);
  auto* acknowledged = static_cast<Acknowledged*>(
      mmap(nullptr, sizeof(Acknowledged), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(acknowledged != MAP_FAILED);
  new (acknowledged) Acknowledged;

  const char* stride = std::getenv("NARTHEX_FAULT_STRIDE");
  const bool full = stride != nullptr && std::string_view(stride) == "1";
  const int rounds = full ? 500 : 25;
  std::mt19937 random(20);
  const int64_t begin = 1'700'000'000'000;
  int64_t from = begin;
  std::set<int64_t> unsure;
  for (int round = 0; round < rounds; ++round) {
    INFO("round " << round);
    const int64_t before = acknowledged->t.load();
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) Append(dir, begin, from, *acknowledged);
    // Until it appends, then for a moment more, then without a warning.
    for (int i = 0; i < 20000 && acknowledged->t.load() == before &&
                    !acknowledged->failed.load();
         ++i) {
      usleep(1000);
    }
    usleep(static_cast<useconds_t>(random() % 40'000));
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE_FALSE(acknowledged->failed.load());

    const int64_t last = acknowledged->t.load();
    REQUIRE(last > before);
    // By turns without writing, and with what an open repairs.
    Options options = SmallOptions();
    options.read_only = round % 2 == 0;
    auto db = Db::Open(dir, options);
    INFO(Message(db.status()));
    REQUIRE(db.ok());
    for (int i = 0; i < kSeries; i += 13) {
      const auto points = test::DbLab::ReadFrom(**db, LabelsOf(i));
      // Once in a while all of it, else the end.
      const int64_t looked =
          round % 10 == 9 ? begin : std::max(begin, last - kLooked * kStep);
      size_t at = 0;
      while (at < points.size() && points[at].t < looked) ++at;
      for (int64_t t = looked; t <= last; t += kStep) {
        INFO("series " << i << " time " << t << " last " << last);
        REQUIRE(at < points.size());
        REQUIRE(points[at] == test::Point{t, Bits(ValueAt(i, t))});
        ++at;
      }
      // At most the one commit that was under way, and that of all series.
      REQUIRE(points.size() - at <= 1);
      if (i == 0) from = points.back().t + kStep;
      REQUIRE(points.back().t + kStep == from);
    }
    CheckTypes(**db, begin, last, unsure);
    if (from - kStep > last) unsure.insert(from - kStep);
    REQUIRE((*db)->Close().ok());
  }
  std::printf("C8: %d kills, none lost a sample\n", rounds);
  REQUIRE(munmap(acknowledged, sizeof(Acknowledged)) == 0);
  std::filesystem::remove_all(dir);
}

}  // namespace narthex::tsdb
