#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "libtsdb/block/block_dir.h"
#include "libtsdb/block/block_reader.h"
#include "libtsdb/compact/compactor.h"
#include "narthex/base/env.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"
#include "narthex/tsdb/block_builder.h"

namespace narthex::tsdb {
namespace {

using Sources = std::vector<std::shared_ptr<const BlockSource>>;
using Samples = std::map<int64_t, double>;
using Content = std::map<std::string, Samples>;

struct CompactLab {
  std::unique_ptr<Env> env = NewMemEnv();
  FakeClock clock{1000};
  CancelToken cancel;
  MemoryBudget budget;
  ReadContext ctx{budget, cancel};
  CompactOptions options{.env = env.get(), .clock = &clock, .cancel = &cancel};

  Sources Build(const Content& content) {
    auto builder =
        BlockBuilder::New("data", {.env = env.get(), .clock = &clock});
    REQUIRE(builder.ok());
    for (const auto& [name, samples] : content) {
      for (const auto& [t, v] : samples) {
        REQUIRE((*builder)->Add({{"__name__", name}, {"l", "x"}}, t, v).ok());
      }
    }
    auto blocks = (*builder)->Finish();
    REQUIRE(blocks.ok());
    Sources sources;
    for (const BlockInfo& block : *blocks) sources.push_back(Open(block.meta));
    return sources;
  }
  std::shared_ptr<BlockReader> Open(const BlockMeta& meta) {
    auto reader = BlockReader::Open(*env, JoinPath("data", meta.ulid));
    INFO(reader.status().ToString());
    REQUIRE(reader.ok());
    return *reader;
  }
  Content Read(const BlockSource& source) {
    Content content;
    SeriesBatch batch;
    REQUIRE(
        source.ReadSeries(source.postings().All()->ToVector(), {}, batch).ok());
    SampleColumns columns(budget);
    for (const SeriesEntry& entry : batch.series) {
      const std::string name(source.SymbolText(batch.Row(entry)[0].value));
      REQUIRE(source.ReadSamples(entry, {}, ctx, columns).ok());
      for (size_t i = 0; i < columns.size(); ++i) {
        content[name][columns.t()[i].ms] = columns.v()[i];
      }
    }
    return content;
  }
  std::vector<size_t> ChunkSizes(const BlockSource& source, size_t i) {
    SeriesBatch batch;
    REQUIRE(
        source.ReadSeries(source.postings().All()->ToVector(), {}, batch).ok());
    ChunkList chunks;
    REQUIRE(source.ReadChunks(batch.series[i], {}, chunks).ok());
    std::vector<size_t> sizes;
    for (const EncodedChunk& chunk : chunks.chunks) {
      sizes.push_back(SampleCount(chunk.encoding, chunk.bytes));
    }
    return sizes;
  }
  static Samples Every(int64_t step, int64_t from, int64_t to, double v = 1) {
    Samples samples;
    for (int64_t t = from; t < to; t += step) samples[t] = v;
    return samples;
  }
};

constexpr int64_t kHour = 3600 * 1000;

// A block that hands out its series in another order, as the head does.
class Shuffled final : public BlockSource {
 public:
  explicit Shuffled(std::shared_ptr<const BlockSource> block)
      : block_(std::move(block)) {}
  uint32_t symbol_bound() const override { return block_->symbol_bound(); }
  std::string_view SymbolText(uint32_t own) const override {
    return block_->SymbolText(own);
  }
  uint32_t FindSymbol(std::string_view text) const override {
    return block_->FindSymbol(text);
  }
  const BlockMeta& meta() const override { return block_->meta(); }
  const std::string& where() const override { return block_->where(); }
  const PostingsIndex& postings() const override { return block_->postings(); }
  bool ids_in_label_order() const override { return false; }
  absl::Status SortedSymbols(std::vector<uint32_t>& out) const override {
    return block_->SortedSymbols(out);
  }
  absl::Status ReadSeries(std::span<const SeriesId> ids, TimeRange range,
                          SeriesBatch& out) const override {
    const absl::Status status = block_->ReadSeries(ids, range, out);
    std::shuffle(out.series.begin(), out.series.end(), std::mt19937(7));
    return status;
  }
  absl::Status ReadSamples(const SeriesEntry& entry, TimeRange range,
                           const ReadContext& ctx,
                           SampleColumns& out) const override {
    return block_->ReadSamples(entry, range, ctx, out);
  }
  absl::StatusOr<bool> ReadLatest(const SeriesEntry& entry, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    return block_->ReadLatest(entry, range, ctx, out);
  }
  absl::Status ReadChunks(const SeriesEntry& entry, TimeRange range,
                          ChunkList& out) const override {
    return block_->ReadChunks(entry, range, out);
  }
  const Intervals* Deleted(SeriesId id) const override {
    return block_->Deleted(id);
  }

 private:
  const std::shared_ptr<const BlockSource> block_;
};

}  // namespace

TEST_CASE_METHOD(CompactLab, "series in any order make the same block") {
  auto builder = BlockBuilder::New("data", {.env = env.get(), .clock = &clock});
  REQUIRE(builder.ok());
  for (int i = 0; i < 3000; ++i) {
    // Some have labels that others lack; some rows begin as another one ends.
    std::vector<std::string> texts = {
        std::to_string(i % 7), std::to_string(i % 11), std::to_string(i)};
    std::vector<Label> pairs = {{"__name__", texts[0]}};
    if (i % 3 != 0) pairs.push_back({"b", texts[1]});
    if (i % 5 != 0 || i > 100) pairs.push_back({"c", texts[2]});
    REQUIRE((*builder)->Add(Labels::FromPairs(pairs), i, i).ok());
    if (i >= 100 || i % 5 != 0) continue;
    REQUIRE((*builder)->Add(Labels::FromPairs(pairs), 5000 + i, i).ok());
  }
  auto blocks = (*builder)->Finish();
  REQUIRE(blocks.ok());
  auto block = Open((*blocks)[0].meta);
  auto meta = WriteBlock(options, "data", std::make_shared<Shuffled>(block),
                         block->meta().min_time, block->meta().max_time);
  INFO(meta.status().ToString());
  REQUIRE((meta.ok() && meta->has_value()));
  for (const char* file : {"index", "chunks/000001"}) {
    REQUIRE(*env->ReadFile(JoinPath(block->where(), file)) ==
            *env->ReadFile(JoinPath(JoinPath("data", (*meta)->ulid), file)));
  }
}

TEST_CASE_METHOD(CompactLab, "blocks one behind the other become one") {
  const Content content = {{"a", Every(15000, 0, 6 * kHour)},
                           {"b", Every(60000, 3 * kHour, 5 * kHour, 7)},
                           {"c", Every(1000, 100000, 200000)}};
  Sources sources = Build(content);
  REQUIRE(sources.size() == 3);
  uint64_t told = 0;
  options.progress = [&told](uint64_t done, uint64_t) { told = done; };
  auto meta = CompactBlocks(options, "data", sources);
  INFO(meta.status().ToString());
  REQUIRE((meta.ok() && meta->has_value()));
  REQUIRE(told > 0);
  REQUIRE((*meta)->level == 2);
  REQUIRE((*meta)->sources.size() == 3);
  REQUIRE((*meta)->parents.size() == 3);
  REQUIRE((*meta)->min_time == Timestamp(0));
  auto merged = Open(**meta);
  REQUIRE(Read(*merged) == content);
  REQUIRE((*meta)->stats.samples == 1440 + 120 + 100);
  // Chunks are taken as they are.
  std::vector<size_t> before, after = ChunkSizes(*merged, 0);
  for (const auto& source : sources) {
    for (size_t n : ChunkSizes(*source, 0)) before.push_back(n);
  }
  REQUIRE(after == before);
}

TEST_CASE_METHOD(CompactLab, "overlapping blocks are merged by time") {
  Sources first = Build(
      {{"a", Every(10000, 0, kHour, 1)}, {"b", Every(10000, 0, kHour, 1)}});
  Sources second = Build({{"a", Every(10000, kHour / 2 + 5000, kHour, 2)},
                          {"c", Every(10000, 0, kHour, 2)}});
  auto meta = CompactBlocks(options, "data", {second[0], first[0]});
  REQUIRE((meta.ok() && meta->has_value()));
  auto merged = Open(**meta);
  Content want = Read(*first[0]);
  for (const auto& [name, samples] : Read(*second[0])) {
    want[name].insert(samples.begin(), samples.end());
  }
  REQUIRE(Read(*merged) == want);
  // Encoded anew at 120 where they overlap, but b's as they were.
  REQUIRE(ChunkSizes(*merged, 1) == ChunkSizes(*first[0], 1));
  size_t sum = 0;
  for (size_t n : ChunkSizes(*merged, 0)) {
    REQUIRE(n <= 240);
    sum += n;
  }
  REQUIRE(sum == want["a"].size());
}

TEST_CASE_METHOD(CompactLab, "the same chunk twice is one") {
  const Content content = {{"a", Every(10000, 0, kHour, 1)}};
  Sources first = Build(content);
  Sources second = Build(content);
  auto meta = CompactBlocks(options, "data", {second[0], first[0]});
  REQUIRE((meta.ok() && meta->has_value()));
  REQUIRE(Read(*Open(**meta)) == content);
  REQUIRE(ChunkSizes(*Open(**meta), 0) == ChunkSizes(*first[0], 0));
}

TEST_CASE_METHOD(CompactLab, "a merged run is cut at 120 samples") {
  Sources first = Build({{"a", Every(2000, 0, 200000)}});
  Sources second =
      Build({{"a", Every(2000, 1000, 200000)}, {"b", Every(1000, 0, 2000)}});
  auto meta = CompactBlocks(options, "data", {first[0], second[0]});
  REQUIRE((meta.ok() && meta->has_value()));
  REQUIRE(ChunkSizes(*Open(**meta), 0) == std::vector<size_t>{120, 80});
}

TEST_CASE_METHOD(CompactLab, "deleted samples are gone after a compaction") {
  Sources sources =
      Build({{"a", Every(10000, 0, kHour)}, {"b", Every(10000, 0, kHour)}});
  const auto matcher = *Matcher::Make(Matcher::Type::kEqual, "__name__", "a");
  const Matcher* const matchers[] = {matcher.get()};
  const auto& block = static_cast<const BlockReader&>(*sources[0]);
  SECTION("some of them") {
    REQUIRE(DeleteFromBlock(*env, block, matchers, {5000, 2000000}).ok());
    auto reader = Open(block.meta());
    const Content want = Read(*reader);
    auto meta = WriteBlock(options, "data", reader, block.meta().min_time,
                           block.meta().max_time, {}, &block.meta());
    INFO(meta.status().ToString());
    REQUIRE((meta.ok() && meta->has_value()));
    REQUIRE((*meta)->parents[0].ulid == block.meta().ulid);
    auto clean = Open(**meta);
    REQUIRE(clean->tombstones().empty());
    REQUIRE(Read(*clean) == want);
  }
  SECTION("all of them: no block, and the inputs may go") {
    REQUIRE(DeleteFromBlock(*env, block, {}, {}).ok());
    auto meta = CompactBlocks(options, "data", {Open(block.meta())});
    REQUIRE(meta.ok());
    REQUIRE_FALSE(meta->has_value());
    REQUIRE(Open(block.meta())->meta().deletable);
    REQUIRE(env->ListDir("data")->size() == 1);
  }
}

TEST_CASE_METHOD(CompactLab, "a block holds no more than its range") {
  const Content content = {{"a", Every(10000, 0, kHour)},
                           {"late", Every(10000, kHour - 50000, kHour)}};
  Sources sources = Build(content);
  auto meta = WriteBlock(options, "data", sources[0], 1000005, 2000000);
  REQUIRE((meta.ok() && meta->has_value()));
  REQUIRE(Read(*Open(**meta)) ==
          Content{{"a", Every(10000, 1010000, 2000000)}});
  meta = WriteBlock(options, "data", sources[0], 2 * kHour, 3 * kHour);
  REQUIRE(meta.ok());
  REQUIRE_FALSE(meta->has_value());
}

TEST_CASE_METHOD(CompactLab, "a damaged input fails the compaction, once") {
  Sources sources = Build({{"a", Every(10000, 0, 4 * kHour)}});
  const std::string path = StrCat(sources[1]->where(), "/chunks/000001");
  std::string bytes = *env->ReadFile(path);
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  REQUIRE(env->WriteFileAtomically(path, bytes).ok());
  sources[1] = Open(sources[1]->meta());
  auto meta = CompactBlocks(options, "data", sources);
  REQUIRE(absl::IsDataLoss(meta.status()));
  REQUIRE_THAT(std::string(meta.status().message()),
               Catch::Contains(path + ":8"));
  for (const auto& source : sources) {
    REQUIRE(Open(source->meta())->meta().failed);
  }
  REQUIRE(env->ListDir("data")->size() == 2);
}

TEST_CASE_METHOD(CompactLab, "a compaction that is stopped leaves nothing") {
  Sources sources = Build({{"a", Every(10000, 0, 4 * kHour)}});
  cancel.Cancel();
  REQUIRE(absl::IsCancelled(CompactBlocks(options, "data", sources).status()));
  REQUIRE(env->ListDir("data")->size() == 2);
  REQUIRE_FALSE(Open(sources[0]->meta())->meta().failed);
}

TEST_CASE("merged metas say where a block comes from") {
  BlockMeta a, b;
  a.ulid = "A";
  a.min_time = 10;
  a.max_time = 20;
  a.level = 1;
  a.sources = {"A"};
  a.hints = {"from-out-of-order"};
  b.ulid = "B";
  b.min_time = 0;
  b.max_time = 15;
  b.level = 3;
  b.sources = {"Y", "A"};
  BlockMeta merged = MergeMetas("C", {a, b});
  REQUIRE(merged.level == 4);
  REQUIRE(merged.sources == std::vector<std::string>{"A", "Y"});
  REQUIRE(merged.parents.size() == 2);
  REQUIRE(merged.min_time == Timestamp(0));
  REQUIRE(merged.max_time == Timestamp(20));
  REQUIRE(merged.hints.empty());
  b.AddHint(kHintOutOfOrder);
  REQUIRE(MergeMetas("C", {a, b}).HasHint(kHintOutOfOrder));
  b.AddHint(kHintStaleSeries);
  REQUIRE(MergeMetas("C", {a, b}).HasHint(kHintStaleSeries));
}

}  // namespace narthex::tsdb
