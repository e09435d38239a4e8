#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "libtsdb/block/block_reader.h"
#include "libtsdb/query/source_querier.h"
#include "narthex/base/env.h"
#include "narthex/tsdb/block_builder.h"

namespace narthex::tsdb {
namespace {

using Sources = std::vector<std::shared_ptr<const BlockSource>>;

struct QueryLab {
  std::unique_ptr<Env> env = NewMemEnv();
  FakeClock clock{1000};
  CancelToken cancel;
  MemoryBudget budget;
  ReadContext ctx{budget, cancel};
  Matchers kept;

  // Blocks of "name from to": a sample every 10 s whose value is the time.
  Sources Build(const std::vector<std::tuple<Labels, int, int>>& series) {
    auto builder =
        BlockBuilder::New("data", {.env = env.get(), .clock = &clock});
    REQUIRE(builder.ok());
    for (const auto& [labels, from, to] : series) {
      for (int t = from; t < to; t += 10) {
        REQUIRE((*builder)->Add(labels, t * 1000, t).ok());
      }
    }
    auto blocks = (*builder)->Finish();
    INFO(blocks.status().ToString());
    REQUIRE(blocks.ok());
    Sources sources;
    for (const BlockInfo& block : *blocks) {
      auto reader = BlockReader::Open(*env, block.dir);
      REQUIRE(reader.ok());
      sources.push_back(*reader);
    }
    return sources;
  }
  std::vector<const Matcher*> Match(Matcher::Type type, std::string_view name,
                                    std::string_view value) {
    kept.push_back(*Matcher::Make(type, name, value));
    return {kept.back().get()};
  }
  std::string Show(const SeriesSet& set, Querier& querier, TimeRange range) {
    std::string out;
    SampleColumns columns(budget);
    for (size_t i = 0; i < set.size(); ++i) {
      out += ToLabels(querier.symbols(), set.labels(i)).ToString();
      REQUIRE(set.Read(i, range, ctx, columns).ok());
      REQUIRE(set.samples_hint(i) >= columns.size());
      for (size_t s = 0; s < columns.size(); ++s) {
        REQUIRE(columns.t()[s].ms == columns.v()[s] * 1000);
        if (s != 0) REQUIRE(columns.t()[s - 1] < columns.t()[s]);
      }
      out += " " + std::to_string(columns.size()) + "\n";
    }
    return out;
  }
};

const Labels kUpA = {{"__name__", "up"}, {"job", "a"}};
const Labels kUpB = {{"__name__", "up"}, {"job", "b"}, {"zone", "x"}};
const Labels kDown = {{"__name__", "down"}, {"job", "a"}};

}  // namespace

TEST_CASE_METHOD(QueryLab, "a querier over blocks sees them as one") {
  // Two blocks: b is only in the second, down only in the first.
  auto sources = Build({{kUpA, 0, 14400}, {kUpB, 7200, 9000}, {kDown, 0, 100}});
  REQUIRE(sources.size() == 2);
  const TimeRange all = {0, 100000000};
  auto querier = NewSourcesQuerier(sources, all);
  auto set = querier->Select({.range = all}, ctx);
  REQUIRE(set.ok());
  REQUIRE(Show(**set, *querier, all) ==
          "{__name__=\"down\", job=\"a\"} 10\n"
          "{__name__=\"up\", job=\"a\"} 1440\n"
          "{__name__=\"up\", job=\"b\", zone=\"x\"} 180\n");
  const auto job_a = Match(Matcher::Type::kEqual, "job", "a");
  const TimeRange part = {7100000, 7300000};
  set = querier->Select({.matchers = job_a, .range = part}, ctx);
  REQUIRE(set.ok());
  REQUIRE(Show(**set, *querier, part) == "{__name__=\"up\", job=\"a\"} 21\n");
  LatestSample latest;
  auto found = (*set)->ReadLatest(0, part, ctx, latest);
  REQUIRE((found.ok() && *found));
  REQUIRE(latest.t == Timestamp(7300000));

  set = querier->Select({.range = all, .limit = 2}, ctx);
  REQUIRE(set.ok());
  REQUIRE((*set)->size() == 2);

  REQUIRE(*querier->LabelNames({}, 0, ctx) ==
          std::vector<std::string>{"__name__", "job", "zone"});
  REQUIRE(*querier->LabelValues("__name__", {}, 0, ctx) ==
          std::vector<std::string>{"down", "up"});
  REQUIRE(*querier->LabelValues("zone", job_a, 0, ctx) ==
          std::vector<std::string>{});
  REQUIRE(*querier->LabelValues("job", {}, 1, ctx) ==
          std::vector<std::string>{"a"});
}

TEST_CASE_METHOD(QueryLab, "a querier shows no more than its own range") {
  auto sources = Build({{kUpA, 0, 7200}});
  auto querier = NewSourcesQuerier(sources, {1000000, 2000000});
  auto set = querier->Select({.range = {0, 9000000}}, ctx);
  REQUIRE(set.ok());
  REQUIRE(Show(**set, *querier, {0, 9000000}) ==
          "{__name__=\"up\", job=\"a\"} 101\n");
}

TEST_CASE_METHOD(QueryLab, "equal text has one number, whoever has it") {
  auto sources =
      Build({{kUpA, 0, 100}, {kUpB, 7200, 7300}, {kUpA, 7200, 7300}});
  auto querier = NewSourcesQuerier(sources, {});
  auto set = querier->Select({}, ctx);
  REQUIRE(set.ok());
  REQUIRE((*set)->size() == 2);
  Symbols& symbols = querier->symbols();
  REQUIRE(ValueOf((*set)->labels(0), symbols.Find("__name__")) ==
          symbols.Find("up"));
  REQUIRE(ValueOf((*set)->labels(1), symbols.Find("zone")) ==
          symbols.Find("x"));
  REQUIRE(symbols.Find("nobody has it") == 0);
  const SymbolId made = symbols.Intern("made by a query");
  REQUIRE(symbols.Text(made) == "made by a query");
  REQUIRE(symbols.Intern("up") == symbols.Find("up"));
}

TEST_CASE_METHOD(QueryLab, "a select that is too large is refused") {
  auto sources = Build({{kUpA, 0, 7200}});
  auto querier = NewSourcesQuerier(sources, {});
  MemoryBudget small(10);
  const ReadContext tight{small, cancel};
  REQUIRE(absl::IsResourceExhausted(querier->Select({}, tight).status()));
  cancel.Cancel();
  REQUIRE(absl::IsCancelled(querier->Select({}, ctx).status()));
}

}  // namespace narthex::tsdb
