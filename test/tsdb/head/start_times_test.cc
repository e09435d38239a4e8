#include <catch2/catch.hpp>
#include <set>

#include "libtsdb/chunk/chunk_builder.h"
#include "libtsdb/wal/record.h"
#include "libtsdb/wal/wal_reader.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "test/tsdb/db/db_lab.h"
#include "test/tsdb/head/head_lab.h"

namespace narthex::test {
namespace {

using tsdb::FloatChunks;

constexpr int64_t kStep = 15000;
constexpr int64_t kRange = 2 * 3600 * 1000;
constexpr int64_t kBegin = 1700000000000 / kRange * kRange;
const Labels kFloats = {{"__name__", "floats_total"}};
const Labels kInts = {{"__name__", "ints"}};
const Labels kFloatHistograms = {{"__name__", "float_histograms"}};

struct Started {
  int64_t t = 0;
  uint64_t bits = 0;  // of a histogram those of its sum
  int64_t start = 0;
  friend bool operator==(const Started&, const Started&) = default;
};
std::ostream& operator<<(std::ostream& out, const Started& s) {
  return out << s.t << " " << s.bits << " since " << s.start;
}

// Begins anew now and then, has no start for a while, is stale once.
Started SampleAt(int64_t i) {
  Started s;
  s.t = kBegin + i * kStep;
  const int64_t life = i / 37;
  s.start = life % 3 == 2 ? 0 : kBegin - 5000 + life * 37 * kStep;
  s.bits = i == 130 ? kStaleNaNBits : Bits(static_cast<double>(i % 37) * 1.25);
  return s;
}

Histogram HistogramAt(int64_t i) {
  Histogram h;
  h.count = static_cast<uint64_t>(3 + i);
  h.sum = static_cast<double>(i) * 0.5;
  h.positive_spans = {{0, 2}};
  h.positive_deltas = {1, 1 + i};
  return h;
}

void Put(Appender& appender, int64_t i) {
  const Started s = SampleAt(i);
  const SeriesRef refs[] = {*appender.Resolve(kFloats)};
  double v;
  std::memcpy(&v, &s.bits, sizeof(v));
  const Timestamp starts[] = {s.start};
  FloatBatch batch;
  batch.refs = refs;
  batch.values = std::span(&v, 1);
  batch.at = s.t;
  batch.start_times = starts;
  Appended outcome;
  REQUIRE(appender.AppendFloats(batch, std::span(&outcome, 1)).ok());
  REQUIRE(outcome == Appended::kStored);
  const Histogram h = HistogramAt(i);
  REQUIRE(appender.AppendHistogram(*appender.Resolve(kInts), s.t, s.start, h) ==
          Appended::kStored);
  REQUIRE(appender.AppendHistogram(*appender.Resolve(kFloatHistograms), s.t,
                                   s.start, h.ToFloat()) == Appended::kStored);
}
void Put(Appendable& to, int64_t i) {
  auto appender = to.NewAppender();
  Put(*appender, i);
  REQUIRE(appender->Commit().ok());
}

std::vector<Started> ReadStarted(Queryable& store, const Labels& labels) {
  auto querier = store.NewQuerier(TimeRange());
  REQUIRE(querier.ok());
  auto matcher =
      Matcher::Make(Matcher::Type::kEqual, "__name__", labels.Get("__name__"));
  const Matcher* const matchers[] = {matcher->get()};
  MemoryBudget budget;
  CancelToken cancel;
  const ReadContext ctx{budget, cancel};
  SelectRequest request;
  request.matchers = matchers;
  request.start_times = true;
  auto set = (*querier)->Select(request, ctx);
  REQUIRE(set.ok());
  REQUIRE((*set)->size() == 1);
  SampleColumns columns(budget);
  REQUIRE(columns.ReserveStartTimes().ok());
  const absl::Status status = (*set)->Read(0, TimeRange(), ctx, columns);
  INFO(status);
  REQUIRE(status.ok());
  std::vector<Started> out;
  for (size_t i = 0; i < columns.size(); ++i) {
    out.push_back(
        {columns.t()[i].ms, Bits(columns.v()[i]), columns.st()[i].ms});
  }
  for (const auto& point : columns.histograms().points) {
    out.push_back({point.t.ms, Bits(point.sum), point.st.ms});
  }
  return out;
}

void CheckAll(tsdb::Db& db, int64_t n) {
  std::vector<Started> floats, histograms;
  for (int64_t i = 0; i < n; ++i) {
    const Started s = SampleAt(i);
    floats.push_back(s);
    histograms.push_back({s.t, Bits(HistogramAt(i).sum), s.start});
  }
  CHECK(ReadStarted(db, kFloats) == floats);
  CHECK(ReadStarted(db, kInts) == histograms);
  CHECK(ReadStarted(db, kFloatHistograms) == histograms);
}

std::set<int> TypesIn(Env& env, const std::string& dir) {
  tsdb::wal::WalReader reader(env, *tsdb::wal::ListSegments(env, dir));
  std::set<int> types;
  while (reader.Next()) {
    types.insert(static_cast<int>(tsdb::wal::TypeOf(reader.record())));
  }
  REQUIRE(reader.damages().empty());
  return types;
}

tsdb::Options Storing() {
  tsdb::Options options;
  options.float_chunks = FloatChunks::kXor2;
  options.histogram_start_times = true;
  options.start_times = true;
  return options;
}

tsdb::HeadOptions StoringHead() {
  tsdb::HeadOptions options;
  options.chunk_range = kRange;
  options.xor2 = options.histogram_starts = options.start_times = true;
  return options;
}

struct HeadStore final : Appendable {
  explicit HeadStore(tsdb::Head& h) : head(h) {}
  std::unique_ptr<Appender> NewAppender() override {
    return head.NewAppender();
  }
  tsdb::Head& head;
};

}  // namespace

TEST_CASE("start times are logged, kept and read again", "[tsdb][starts]") {
  const bool snapshot = GENERATE(false, true);
  CAPTURE(snapshot);
  tsdb::Options options = Storing();
  options.memory_snapshot_on_shutdown = snapshot;
  DbLab lab(options);
  constexpr int64_t kSamples = 400;
  for (int64_t i = 0; i < kSamples / 2; ++i) Put(lab.db(), i);
  CheckAll(lab.db(), kSamples / 2);
  lab.Reopen();
  CheckAll(lab.db(), kSamples / 2);
  for (int64_t i = kSamples / 2; i < kSamples; ++i) Put(lab.db(), i);
  CheckAll(lab.db(), kSamples);
  CHECK(TypesIn(lab.env(), "data/wal") == std::set<int>{1, 11, 12, 13});
  lab.Reopen();
  CheckAll(lab.db(), kSamples);
  REQUIRE(lab.db().CompactHead(kBegin + kSamples * kStep).ok());
  REQUIRE_FALSE(lab.db().Blocks().empty());
  CheckAll(lab.db(), kSamples);
  lab.Reopen();
  CheckAll(lab.db(), kSamples);
}

TEST_CASE("the head's XOR2 chunks end and are as Prometheus's",
          "[tsdb][starts]") {
  HeadLab lab(StoringHead(), /*with_log=*/true);
  HeadStore store(lab.head());
  tsdb::ChunkBuilder builder = tsdb::ChunkBuilder::LikeHead(kRange);
  builder.PreferXor2(true);
  tsdb::BuiltChunks expected;
  // Many changes of start make a chunk end by its size.
  const bool restless = GENERATE(false, true);
  auto appender = lab.head().NewAppender();
  const SeriesRef ref = *appender->Resolve(kFloats);
  for (int64_t i = 0; i < 900; ++i) {
    Started s = SampleAt(i);
    if (restless) {
      s.start = s.t - 1 - (i * 7919 % 10007) * 1000;
      s.bits = Bits(static_cast<double>(i) * 0.1);
    }
    double v;
    std::memcpy(&v, &s.bits, sizeof(v));
    const Timestamp start = s.start;
    FloatBatch batch;
    batch.refs = std::span(&ref, 1);
    batch.values = std::span(&v, 1);
    batch.at = s.t;
    batch.start_times = std::span(&start, 1);
    REQUIRE(appender->AppendFloats(batch, {}).ok());
    REQUIRE(appender->Commit().ok());
    builder.Add(s.t, v, start, expected);
  }
  builder.Finish(expected);
  for (int round = 0; round < 2; ++round) {
    CAPTURE(round);
    const std::vector<ChunkShape> chunks = lab.Chunks(kFloats);
    REQUIRE(chunks.size() == expected.chunks.size());
    for (size_t i = 0; i < chunks.size(); ++i) {
      CAPTURE(i);
      CHECK(chunks[i].min_t == expected.chunks[i].min_t.ms);
      CHECK(chunks[i].max_t == expected.chunks[i].max_t.ms);
      CHECK(chunks[i].bytes == expected.chunks[i].bytes);
    }
    appender = nullptr;
    lab.Reopen();
  }
}

TEST_CASE("without the option start times leave no trace", "[tsdb][starts]") {
  std::string logs[2];
  for (const bool starts : {false, true}) {
    HeadLab lab(kRange, /*with_log=*/true);
    auto appender = lab.head().NewAppender();
    const SeriesRef ref = *appender->Resolve(kFloats);
    for (int64_t i = 0; i < 50; ++i) {
      const double v = static_cast<double>(i);
      const Timestamp start = kBegin - 1;
      FloatBatch batch;
      batch.refs = std::span(&ref, 1);
      batch.values = std::span(&v, 1);
      batch.at = kBegin + i * kStep;
      if (starts) batch.start_times = std::span(&start, 1);
      REQUIRE(appender->AppendFloats(batch, {}).ok());
      REQUIRE(appender->Commit().ok());
    }
    logs[starts] = *lab.env().ReadFile("data/wal/00000000");
    CHECK(lab.Chunks(kFloats).size() == 1);
  }
  CHECK(logs[0] == logs[1]);
}

TEST_CASE("late samples keep their start times", "[tsdb][starts]") {
  tsdb::Options options = Storing();
  options.out_of_order_time_window = Duration(kRange);
  DbLab lab(options);
  constexpr int64_t kSamples = 200;
  Put(lab.db(), kSamples - 1);
  for (int64_t i = kSamples - 2; i >= 0; --i) Put(lab.db(), i);
  CheckAll(lab.db(), kSamples);
  CHECK(TypesIn(lab.env(), "data/wbl") == std::set<int>{5, 11, 12, 13});
  lab.Reopen();
  CheckAll(lab.db(), kSamples);
  // Far ahead, so that the head is cut and late samples become blocks.
  Put(lab.db(), 1000);
  REQUIRE(lab.db().Compact().ok());
  REQUIRE_FALSE(lab.db().Blocks().empty());
  const std::vector<Started> floats = ReadStarted(lab.db(), kFloats);
  REQUIRE(floats.size() == kSamples + 1);
  for (int64_t i = 0; i < kSamples; ++i) {
    CHECK(floats[static_cast<size_t>(i)] == SampleAt(i));
  }
}

TEST_CASE("the kind of chunks changes with the next one", "[tsdb][starts]") {
  tsdb::HeadOptions options;
  options.chunk_range = kRange;
  HeadLab lab(options, /*with_log=*/true);
  for (int64_t i = 0; i < 200; ++i) {
    if (i == 60) lab.head().SetXor2(true);
    const auto value = static_cast<double>(i % 7);
    REQUIRE(lab.Append(kFloats, kBegin + i * kStep, value) ==
            Appended::kStored);
  }
  const auto source = lab.head().NewSource(TimeRange(), /*isolated=*/false);
  const tsdb::SeriesBatch batch = Find(*source, kFloats);
  REQUIRE(batch.series.size() == 1);
  tsdb::ChunkList chunks;
  REQUIRE(source->ReadChunks(batch.series[0], TimeRange(), chunks).ok());
  REQUIRE(chunks.chunks.size() == 2);
  CHECK(chunks.chunks[0].encoding == tsdb::ChunkEncoding::kXor);
  CHECK(chunks.chunks[1].encoding == tsdb::ChunkEncoding::kXor2);
  CHECK(HeadLab::ReadFrom(*source, kFloats).size() == 200);
}

TEST_CASE("a reader sees no half of a commit to an XOR2 chunk",
          "[tsdb][starts]") {
  HeadLab lab(StoringHead(), /*with_log=*/false);
  HeadStore store(lab.head());
  for (int64_t i = 0; i < 20; ++i) Put(store, i);
  const auto before = lab.head().NewSource(TimeRange(), /*isolated=*/true);
  for (int64_t i = 20; i < 300; ++i) Put(store, i);
  CHECK(HeadLab::ReadFrom(*before, kFloats).size() == 20);
  CHECK(lab.Read(kFloats).size() == 300);
}

TEST_CASE("start times are refused where chunks have no room for them",
          "[tsdb][starts]") {
  tsdb::Options options;
  options.env = nullptr;
  options.start_times = true;
  const auto refused = tsdb::Db::Open("", options);
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(Message(refused.status()) ==
        "float chunk encoding \"xor\" is incompatible with start-timestamp "
        "storage; XOR chunks do not store start timestamps, use \"xor2\"");
  DbLab lab(Storing());
  CHECK_FALSE(lab.db().SetFloatChunks(FloatChunks::kXor).ok());
  CHECK(lab.db().SetFloatChunks(FloatChunks::kXor2).ok());
}

}  // namespace narthex::test
