#include "libtsdb/head/head_snapshot.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "narthex/model/sample.h"
#include "test/tsdb/db/db_lab.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::tsdb {
namespace {

using test::DbLab;
using test::Point;

constexpr int64_t kMinute = 60'000;
const Labels kUp = {{"__name__", "up"}, {"job", "a"}};
const Labels kLatency = {{"__name__", "latency"}};

Histogram Counter(int64_t i) {
  Histogram h;
  h.schema = 1;
  h.positive_spans = {{0, 2}};
  h.positive_deltas = {i, 1};
  h.count = static_cast<uint64_t>(2 * i + 1);
  h.sum = static_cast<double>(i);
  return h;
}

Options WithSnapshot() {
  Options options;
  options.memory_snapshot_on_shutdown = true;
  options.max_exemplars = 10;
  return options;
}

void Fill(DbLab& lab, int64_t begin, int64_t end) {
  auto appender = lab.db().NewAppender();
  const SeriesRef up = *appender->Resolve(kUp);
  const SeriesRef latency = *appender->Resolve(kLatency);
  for (int64_t i = begin; i < end; ++i) {
    REQUIRE(AppendFloat(*appender, up, i * kMinute,
                        static_cast<double>(i) / 3) == Appended::kStored);
    REQUIRE(appender->AppendHistogram(latency, i * kMinute, 0, Counter(i)) ==
            Appended::kStored);
  }
  REQUIRE(appender->AppendExemplar(
              up, {{{"id", std::to_string(end)}}, 1, end * kMinute, true}) ==
          Appended::kStored);
  REQUIRE(appender->Commit().ok());
}

// How many there are of each kind, all as they were put in.
void CheckAll(DbLab& lab, int64_t n, size_t exemplars) {
  std::vector<Point> want;
  for (int64_t i = 0; i < n; ++i) {
    want.push_back({i * kMinute, Bits(static_cast<double>(i) / 3)});
  }
  REQUIRE(lab.Read(kUp) == want);
  auto querier = lab.db().NewQuerier(TimeRange());
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  Matchers matchers;
  matchers.push_back(
      *Matcher::Make(Matcher::Type::kEqual, "__name__", "latency"));
  const Matcher* raw[] = {matchers[0].get()};
  SelectRequest request;
  request.matchers = raw;
  auto set = (*querier)->Select(request, ctx);
  REQUIRE((*set)->size() == 1);
  SampleColumns columns(budget);
  REQUIRE((*set)->Read(0, TimeRange(), ctx, columns).ok());
  const HistogramColumn& all = columns.histograms();
  REQUIRE(all.points.size() == static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    FloatHistogram h = ToFloatHistogram(all, static_cast<size_t>(i));
    FloatHistogram expected = Counter(i).ToFloat();
    h.Compact();
    expected.Compact();
    REQUIRE(h.SameAs(expected));
  }
  std::vector<Matchers> selectors(1);
  selectors[0].push_back(
      *Matcher::Make(Matcher::Type::kEqual, "__name__", "up"));
  const auto found = (*querier)->Exemplars(selectors, TimeRange(), ctx);
  REQUIRE(found.ok());
  REQUIRE(found->size() == 1);
  REQUIRE((*found)[0].exemplars.size() == exemplars);
}

size_t Snapshots(DbLab& lab) {
  size_t n = 0;
  for (const std::string& file : lab.Files()) {
    n += file.find("chunk_snapshot.") != std::string::npos &&
         file.find(".corrupt") == std::string::npos;
  }
  return n;
}

}  // namespace

TEST_CASE("a snapshot stands for the log that it was made of",
          "[tsdb][snapshot]") {
  DbLab lab(WithSnapshot());
  Fill(lab, 0, 50);
  lab.Reopen();
  REQUIRE(Snapshots(lab) == 1);
  CheckAll(lab, 50, 1);
  // What it has is not read from the log.
  Fill(lab, 50, 300);
  CheckAll(lab, 300, 2);
  lab.CloseOnly();
  const auto segments = lab.env().ListDir(lab.dir() + "/wal");
  REQUIRE(segments.ok());
  REQUIRE(Snapshots(lab) == 1);
  lab.Reopen();
  CheckAll(lab, 300, 2);
  // The last sample is known: another value of its time is refused.
  REQUIRE(lab.Append(kUp, 299 * kMinute, -1) == Appended::kDuplicate);
  REQUIRE(lab.Append(kUp, 298 * kMinute, -1) == Appended::kOutOfOrder);
}

TEST_CASE("after a crash the snapshot and the newer log are one",
          "[tsdb][snapshot]") {
  DbLab lab(WithSnapshot());
  Fill(lab, 0, 50);
  lab.Reopen();
  // The files as they are while it runs.
  Fill(lab, 50, 130);
  std::vector<std::pair<std::string, std::string>> files;
  const auto take = [&](const std::string& dir, const auto& self) -> void {
    const auto entries = lab.env().ListDir(dir);
    REQUIRE(entries.ok());
    for (const DirEntry& entry : *entries) {
      const std::string path = JoinPath(dir, entry.name);
      if (entry.is_dir) {
        self(path, self);
      } else {
        files.emplace_back(path, *lab.env().ReadFile(path));
      }
    }
  };
  take(lab.dir(), take);
  lab.CloseOnly();
  REQUIRE(lab.env().RemoveAll(lab.dir()).ok());
  for (const auto& [path, bytes] : files) {
    REQUIRE(lab.env().MakeDirs(path.substr(0, path.rfind('/'))).ok());
    REQUIRE(lab.env().WriteFileAtomically(path, bytes).ok());
  }
  REQUIRE(Snapshots(lab) == 1);
  lab.Reopen();
  CheckAll(lab, 130, 2);
}

TEST_CASE("a damaged snapshot is set aside and nothing is lost",
          "[tsdb][snapshot]") {
  DbLab lab(WithSnapshot());
  Fill(lab, 0, 200);
  lab.CloseOnly();
  const auto last = LastSnapshot(lab.env(), lab.dir());
  REQUIRE(last.ok());
  REQUIRE(last->has_value());
  const std::string file = JoinPath((*last)->path, "00000000");
  std::string bytes = *lab.env().ReadFile(file);
  for (const size_t at : {size_t{40}, bytes.size() / 2, bytes.size() - 3}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    REQUIRE(lab.env().MakeDirs((*last)->path).ok());
    REQUIRE(lab.env().WriteFileAtomically(file, damaged).ok());
    lab.clock().Advance(Duration(1));
    lab.Reopen();
    CheckAll(lab, 200, 1);
    lab.CloseOnly();
    REQUIRE(RemoveSnapshotsBut(lab.env(), lab.dir(), (*last)->path).ok());
  }
  REQUIRE(lab.log().Has({"damaged chunk snapshot"}));
}

TEST_CASE("tombstones in a snapshot have Prometheus's bytes") {
  // Of one series, as 3.5 wrote it.
  const std::string record =
      "\x02\x0e\x01\x0e\x80\xf8\xf9\xf1\xbf\x68\x80\xdf\xab\xf2\xbf\x68";
  const TimeRange range{1795281600000, 1795282008000};
  Tombstones tombstones;
  tombstones.Add(14, range);
  std::string out;
  EncodeSnapshotTombstones(tombstones, out);
  REQUIRE(out == record);
  Tombstones back;
  REQUIRE(DecodeSnapshotTombstones(record, back).ok());
  REQUIRE(back.total() == 1);
  REQUIRE(*back.Find(14) == Intervals{range});
  // Of a damaged one nothing is deleted.
  std::string cut = record.substr(0, record.size() - 1);
  cut[1] = '\x0d';
  Tombstones none;
  REQUIRE_FALSE(DecodeSnapshotTombstones(cut, none).ok());
  REQUIRE(none.empty());
}

}  // namespace narthex::tsdb
