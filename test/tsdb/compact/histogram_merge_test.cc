#include <catch2/catch.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libtsdb/block/block_reader.h"
#include "libtsdb/compact/compactor.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/block_builder.h"
#include "test/tsdb/chunk/histogram_lab.h"

namespace narthex::tsdb {
namespace {

using Sources = std::vector<std::shared_ptr<const BlockSource>>;

// What a block has of its one series: a float's text or a histogram's, by time.
using Content = std::map<int64_t, std::string>;

std::string Text(const FloatHistogram& h) {
  if (IsStale(h.sum)) return "stale";
  std::string out =
      StrCat(h.schema, " ", h.count, " ", h.zero_count, " ", Bits(h.sum));
  for (const bool positive : {true, false}) {
    for (const auto& [index, count] : Buckets(h, positive)) {
      StrAppend(&out, positive ? " +" : " -", index, ":", count);
    }
  }
  return out;
}

struct MergeLab {
  std::unique_ptr<Env> env = NewMemEnv();
  FakeClock clock{1000};
  CancelToken cancel;
  MemoryBudget budget;
  ReadContext ctx{budget, cancel};
  CompactOptions options{.env = env.get(), .clock = &clock, .cancel = &cancel};

  std::unique_ptr<BlockBuilder> Builder(Overlap overlap = Overlap::kRefuse) {
    auto builder = BlockBuilder::New(
        "data", {.env = env.get(), .clock = &clock, .overlap = overlap});
    REQUIRE(builder.ok());
    return *std::move(builder);
  }
  std::shared_ptr<const BlockSource> Build(BlockBuilder& builder) {
    auto blocks = builder.Finish();
    INFO(blocks.status());
    REQUIRE(blocks.ok());
    REQUIRE(blocks->size() == 1);
    return Open((*blocks)[0].meta);
  }
  std::shared_ptr<BlockReader> Open(const BlockMeta& meta) {
    auto reader = BlockReader::Open(*env, JoinPath("data", meta.ulid));
    INFO(reader.status());
    REQUIRE(reader.ok());
    return *reader;
  }
  std::shared_ptr<const BlockSource> Compact(Sources sources) {
    const auto meta = CompactBlocks(options, "data", std::move(sources));
    INFO(meta.status());
    REQUIRE(meta.ok());
    REQUIRE(meta->has_value());
    return Open(**meta);
  }
  SeriesBatch Batch(const BlockSource& source) {
    SeriesBatch batch;
    REQUIRE(
        source.ReadSeries(source.postings().All()->ToVector(), {}, batch).ok());
    REQUIRE(batch.series.size() == 1);
    return batch;
  }
  Content Read(const BlockSource& source) {
    SampleColumns columns(budget);
    const SeriesBatch batch = Batch(source);
    REQUIRE(source.ReadSamples(batch.series[0], {}, ctx, columns).ok());
    Content content;
    for (size_t i = 0; i < columns.size(); ++i) {
      content[columns.t()[i].ms] = StrCat(Bits(columns.v()[i]));
    }
    const auto& points = columns.histograms().points;
    for (size_t i = 0; i < points.size(); ++i) {
      if (i > 0) REQUIRE(points[i - 1].t < points[i].t);
      REQUIRE(content
                  .emplace(points[i].t.ms,
                           Text(ToFloatHistogram(columns.histograms(), i)))
                  .second);
    }
    return content;
  }
  std::vector<std::string> Chunks(const BlockSource& source) {
    ChunkList list;
    const SeriesBatch batch = Batch(source);
    REQUIRE(source.ReadChunks(batch.series[0], {}, list).ok());
    std::vector<std::string> out;
    for (const EncodedChunk& chunk : list.chunks) {
      out.push_back(StrCat(ChunkEncodingName(chunk.encoding), " ",
                           SampleCount(chunk.encoding, chunk.bytes)));
    }
    return out;
  }
};

const Labels kSeries = {{"__name__", "h"}};

}  // namespace

TEST_CASE("overlapping blocks of any sample type become one, nothing is lost") {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    MergeLab lab;
    Sources sources;
    Content want;
    for (int block = 0; block < 3; ++block) {
      auto builder = lab.Builder();
      BucketModel model;
      int64_t t = static_cast<int64_t>(random() % 60000);
      uint64_t kind = random() % 3;
      Content have;
      for (int i = 0; i < 200; ++i) {
        Observe(random, model);
        if (random() % 40 == 0) kind = random() % 3;
        if (kind == 0) {
          const double v = static_cast<double>(random() % 100);
          REQUIRE(builder->Add(kSeries, t, v).ok());
          have[t] = StrCat(Bits(v));
        } else if (kind == 1) {
          REQUIRE(builder->Add(kSeries, t, model.Integer()).ok());
          have[t] = Text(model.Integer().ToFloat());
        } else {
          REQUIRE(builder->Add(kSeries, t, model.Float()).ok());
          have[t] = Text(model.Float());
        }
        t += 1000 * (1 + static_cast<int64_t>(random() % 30));
      }
      sources.push_back(lab.Build(*builder));
      REQUIRE(lab.Read(*sources.back()) == have);
    }
    // Sources go by min_time; the earlier one wins.
    Sources ordered = sources;
    std::stable_sort(ordered.begin(), ordered.end(), [](auto& a, auto& b) {
      return a->meta().min_time < b->meta().min_time;
    });
    std::map<int64_t, std::vector<std::string>> allowed;
    for (const auto& source : ordered) {
      for (const auto& [t, text] : lab.Read(*source))
        allowed[t].push_back(text);
    }
    const auto merged = lab.Compact(sources);
    const Content got = lab.Read(*merged);
    REQUIRE(got.size() == allowed.size());
    for (const auto& [t, text] : got) {
      const auto& texts = allowed[t];
      REQUIRE(std::find(texts.begin(), texts.end(), text) != texts.end());
    }
  }
}

TEST_CASE("chunks of histograms that don't overlap are copied as they are") {
  MergeLab lab;
  Sources sources;
  std::vector<std::string> chunks;
  for (int block = 0; block < 2; ++block) {
    auto builder = lab.Builder();
    BucketModel model;
    model.positive[3] = 1;
    for (int i = 0; i < 130; ++i) {
      model.positive[3] += 7;
      const Timestamp t = (block * 240 + i) * 15000;
      REQUIRE(builder->Add(kSeries, t, model.Integer()).ok());
    }
    sources.push_back(lab.Build(*builder));
    for (const auto& chunk : lab.Chunks(*sources.back()))
      chunks.push_back(chunk);
  }
  REQUIRE(lab.Chunks(*lab.Compact(sources)) == chunks);
}

TEST_CASE("what is deleted of a histogram chunk is cut out of it") {
  MergeLab lab;
  auto builder = lab.Builder();
  BucketModel model;
  for (int i = 0; i < 10; ++i) {
    model.positive[1] += 3;
    REQUIRE(builder->Add(kSeries, i * 1000, model.Float()).ok());
  }
  auto built = lab.Build(*builder);
  const auto& reader = static_cast<const BlockReader&>(*built);
  REQUIRE(*DeleteFromBlock(*lab.env, reader, {}, {3000, 5000}) == 1);
  const auto marked = lab.Open(reader.meta());
  REQUIRE(lab.Read(*marked).size() == 7);
  const auto cleaned = lab.Compact({marked});
  REQUIRE(lab.Read(*cleaned) == lab.Read(*marked));
  REQUIRE(lab.Chunks(*cleaned) == std::vector<std::string>{"floathistogram 7"});
}

TEST_CASE("a block builder sorts late samples in, if it is told who wins") {
  MergeLab lab;
  BucketModel model;
  model.positive[1] = 3;
  auto strict = lab.Builder();
  REQUIRE(strict->Add(kSeries, 2000, model.Integer()).ok());
  REQUIRE(strict->Add(kSeries, 2000, model.Integer()).ok());
  REQUIRE(absl::IsInvalidArgument(strict->Add(kSeries, 1000, 1.0)));
  REQUIRE(absl::IsInvalidArgument(strict->Add(kSeries, 2000, 1.0)));
  for (const Overlap overlap : {Overlap::kFirstWins, Overlap::kLastWins}) {
    auto builder = lab.Builder(overlap);
    REQUIRE(builder->Add(kSeries, 2000, model.Integer()).ok());
    REQUIRE(builder->Add(kSeries, 3000, 3.0).ok());
    REQUIRE(builder->Add(kSeries, 1000, 1.0).ok());
    REQUIRE(builder->Add(kSeries, 2000, 2.0).ok());
    const Content got = lab.Read(*lab.Build(*builder));
    REQUIRE(got.size() == 3);
    REQUIRE(got.at(1000) == StrCat(Bits(1.0)));
    REQUIRE(got.at(2000) == (overlap == Overlap::kFirstWins
                                 ? Text(model.Integer().ToFloat())
                                 : StrCat(Bits(2.0))));
  }
}

TEST_CASE("a block builder refuses a histogram that is none") {
  MergeLab lab;
  auto builder = lab.Builder();
  Histogram h;
  h.count = 3;
  REQUIRE(absl::IsInvalidArgument(builder->Add(kSeries, 1, h)));
}

}  // namespace narthex::tsdb
