// Directories whose files are whole, with checksums that are right, and say
// what no writer in good faith would: times ages apart, one reference for two
// series.  The work is bounded by what is there, and no value is wrong.

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/chunk/head_chunk_file.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/verify.h"
#include "test/tsdb/db/db_lab.h"
#include "test/tsdb/head/handmade_log.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::HandmadeLog;
using test::Point;

constexpr int64_t kHour = 3600 * 1000;
const Labels kUp = {{"__name__", "up"}, {"job", "a"}};
const Labels kDown = {{"__name__", "down"}};
const Labels kOther = {{"__name__", "other"}};

Point P(int64_t t, double v) { return {t, Bits(v)}; }

Options In(Env& env) {
  Options options;
  options.env = &env;
  options.retention = Duration(0);
  options.out_of_order_time_window = Hours(1);
  return options;
}

}  // namespace

TEST_CASE("late samples that are ages apart become a block each") {
  const std::unique_ptr<Env> env = NewMemEnv();
  // The first and the last of all windows among them.
  const std::vector<int64_t> times = {
      kMinMillis + 1,   -(int64_t{1} << 62), -1, 0, 5,
      int64_t{1} << 62, kMaxMillis - 1};
  std::vector<Point> points;
  {
    HandmadeLog wal(*env);
    wal.Series(1, kUp);
    wal.Series(2, kOther);
    HandmadeLog wbl(*env, "data/wbl");
    for (const int64_t t : times) {
      wbl.Samples(1, t, 1);
      points.push_back(P(t, 1));
    }
    wbl.Samples(2, 0, 2);
  }
  DbLab lab(In(*env), false);
  REQUIRE(lab.Read(kUp) == points);
  REQUIRE(lab.db().Compact().ok());
  // Late samples wait for the head; this makes it full.
  lab.Append(kOther, kHour, 1);
  lab.Append(kOther, 9 * kHour, 1);
  REQUIRE(lab.db().Compact().ok());
  // That of 0 is merged with the head's.
  REQUIRE(lab.db().Blocks().size() == 6);
  REQUIRE(lab.Read(kUp) == points);
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == points);
}

TEST_CASE("samples that are ages apart are compacted at once") {
  const std::unique_ptr<Env> env = NewMemEnv();
  const std::vector<int64_t> times = {-(int64_t{1} << 62), 0, int64_t{1} << 61,
                                      int64_t{1} << 62};
  std::vector<Point> points;
  {
    HandmadeLog wal(*env);
    wal.Series(1, kUp);
    for (const int64_t t : times) {
      wal.Samples(1, t, 1);
      points.push_back(P(t, 1));
    }
  }
  DbLab lab(In(*env), false);
  // While a reader is open the head may not forget what is in blocks.
  const auto reader = lab.db().NewQuerier(TimeRange());
  REQUIRE(reader.ok());
  REQUIRE(lab.db().Compact().ok());
  REQUIRE(lab.db().Blocks().size() == 3);
  REQUIRE(lab.Read(kUp) == points);
  REQUIRE(DbLab::ReadFrom(**reader, kUp) == points);
}

TEST_CASE("a reference that two series share shows no series another's value") {
  for (const bool read_only : {false, true}) {
    const std::unique_ptr<Env> env = NewMemEnv();
    {
      HandmadeLog wal(*env);
      wal.Series(3, kOther);
      wal.Samples(3, 1000, 3);
      wal.Series(5, kUp);
      wal.Samples(5, 1000, 1);
      wal.Samples(5, 2000, 1.5);
      wal.Delete(5, {1500, 2500});
      wal.Series(5, kDown);
      wal.Samples(5, 2000, 2);
      wal.Samples(5, 4000, 4);
      wal.Samples(3, 4000, 3.5);
      // What stands for 5 here, nobody knows.
      HandmadeLog wbl(*env, "data/wbl");
      wbl.Samples(5, 500, 9);
      wbl.Samples(3, 500, 9);
    }
    Options options = In(*env);
    options.read_only = read_only;
    options.memory_snapshot_on_shutdown = true;
    DbLab lab(options, false);
    REQUIRE(lab.log().Has({"one reference to two series", "ref=5"}));
    const std::vector<Point> up = {P(1000, 1)};
    std::vector<Point> down = {P(2000, 2), P(4000, 4)};
    const std::vector<Point> other = {P(500, 9), P(1000, 3), P(4000, 3.5)};
    const auto check = [&] {
      REQUIRE(lab.Read(kUp) == up);
      REQUIRE(lab.Read(kDown) == down);
      REQUIRE(lab.Read(kOther) == other);
    };
    check();
    if (read_only) continue;
    // From now on each has a reference of its own, also for deletions.
    lab.Append(kDown, 5000, 5);
    lab.Append(kUp, 6000, 6);
    const MatcherPtr matcher =
        *Matcher::Make(Matcher::Type::kEqual, "__name__", "up");
    const Matcher* const only[] = {matcher.get()};
    REQUIRE(lab.db().Delete({6000, 6000}, only).ok());
    down.push_back(P(5000, 5));
    check();
    for (int i = 0; i < 3; ++i) {
      lab.Reopen();
      check();
    }
  }
}

TEST_CASE("chunks of a reference that two series shared go to neither") {
  const std::unique_ptr<Env> env = NewMemEnv();
  std::vector<Point> up, down;
  {
    HandmadeLog wal(*env);
    wal.Series(5, kUp);
    for (int64_t t = 1; t <= 150; ++t) {
      wal.Samples(5, t * 1000, 1);
      up.push_back(P(t * 1000, 1));
    }
  }
  {
    // Its first chunk gets full and is written away.
    DbLab lab(In(*env), false);
    REQUIRE(lab.Read(kUp) == up);
  }
  {
    HandmadeLog wal(*env);
    wal.Series(5, kDown);
    wal.Samples(5, 7000, 2);
    down.push_back(P(7000, 2));
  }
  DbLab lab(In(*env), false);
  REQUIRE(lab.Read(kUp) == up);
  REQUIRE(lab.Read(kDown) == down);
  lab.Reopen();
  REQUIRE(lab.Read(kUp) == up);
  REQUIRE(lab.Read(kDown) == down);
}

TEST_CASE("a snapshot of a log that is gone is not taken for another log's") {
  const std::unique_ptr<Env> env = NewMemEnv();
  Options options = In(*env);
  options.memory_snapshot_on_shutdown = true;
  {
    DbLab lab(options, false);
    lab.Append(kUp, 1000, 1);
  }
  REQUIRE(env->RemoveAll("data/wal").ok());
  for (int i = 0; i < 3; ++i) {
    DbLab lab(options, false);
    REQUIRE(lab.Read(kUp).empty());
  }
}

TEST_CASE("of a record that can't be read nothing is taken") {
  const std::unique_ptr<Env> env = NewMemEnv();
  {
    HandmadeLog wal(*env);
    wal.Series(1, kUp);
    std::string cut;  // a second sample that is not whole
    const SeriesRef refs[] = {SeriesRef{1}, SeriesRef{1}};
    const double values[] = {1, 2};
    wal::EncodeSamples(refs, values, 1000, {}, cut);
    cut.pop_back();
    wal.Write(cut);
    wal.Samples(1, 3000, 3);
    cut.clear();  // likewise a second series
    wal::BeginSeries(cut);
    wal::AddSeries(SeriesRef{2}, kDown, cut);
    wal::AddSeries(SeriesRef{3}, kOther, cut);
    cut.pop_back();
    wal.Write(cut);
    wal.Samples(2, 3000, 3);
  }
  DbLab lab(In(*env), false);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(lab.Read(kUp).empty() == lab.Read(kDown).empty());
    REQUIRE(lab.Read(kDown).empty());
    lab.Reopen();
  }
}

TEST_CASE("chunks whose log is gone are never another series' chunks") {
  const std::unique_ptr<Env> env = NewMemEnv();
  {
    DbLab lab(In(*env), false);
    for (int64_t t = 1; t <= 150; ++t) lab.Append(kUp, t * 1000, 1);
  }
  // As one is told to do when the log can't be read.
  REQUIRE(env->RemoveAll("data/wal").ok());
  DbLab lab(In(*env), false);
  lab.Append(kDown, 200'000, 2);
  lab.Reopen();
  REQUIRE(lab.Read(kDown) == std::vector<Point>{P(200'000, 2)});
  REQUIRE(lab.Read(kUp).empty());
}

}  // namespace narthex::tsdb
