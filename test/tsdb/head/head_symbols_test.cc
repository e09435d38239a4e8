#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "libtsdb/head/head_symbols.h"

namespace narthex::tsdb {

TEST_CASE("a row gives its labels back", "[tsdb][head]") {
  HeadSymbols symbols;
  std::vector<LabelPair> pairs;
  const Labels up = {{"__name__", "up"}, {"job", "a"}};
  const Labels down = {{"__name__", "down"}, {"job", "up"}};
  const RowHandle first = *symbols.AddRow(up, pairs);
  const RowHandle second = *symbols.AddRow(down, pairs);
  REQUIRE(pairs.size() == 4);
  REQUIRE(pairs[0].value == pairs[3].value);  // "up" is one text
  REQUIRE(symbols.RowLabels(first) == up);
  REQUIRE(symbols.RowLabels(second) == down);
  REQUIRE(symbols.RowIs(first, up));
  REQUIRE_FALSE(symbols.RowIs(first, down));
  REQUIRE_FALSE(symbols.RowIs(first, Labels{{"__name__", "up"}}));
  REQUIRE(symbols.FindSymbol("job") == pairs[1].name);
  REQUIRE(symbols.FindSymbol("nosuch") == 0);
  REQUIRE(symbols.SymbolText(0) == "");
  REQUIRE(symbols.SymbolText(0xffffffff) == "");
}

TEST_CASE("texts go when no row uses them, not before", "[tsdb][head]") {
  HeadSymbols symbols;
  std::vector<LabelPair> pairs;
  const RowHandle a = *symbols.AddRow({{"pod", "a"}, {"x", "1"}}, pairs);
  const RowHandle b = *symbols.AddRow({{"pod", "b"}}, pairs);
  symbols.DropRow(a, /*readers=*/5);
  symbols.FreeRows(/*oldest_reader=*/4);  // reader 4 may still look at it
  symbols.Reclaim();
  REQUIRE(symbols.FindSymbol("a") != 0);
  symbols.FreeRows(5);
  REQUIRE(symbols.FindSymbol("a") != 0);
  symbols.Reclaim();
  REQUIRE(symbols.FindSymbol("a") == 0);
  REQUIRE(symbols.FindSymbol("x") == 0);
  REQUIRE(symbols.FindSymbol("pod") != 0);
  REQUIRE(symbols.RowLabels(b) == Labels{{"pod", "b"}});
  const uint32_t bound = symbols.symbol_bound();
  const RowHandle c = *symbols.AddRow({{"pod", "c"}, {"y", "2"}}, pairs);
  REQUIRE(symbols.symbol_bound() == bound);  // numbers are used again
  REQUIRE(symbols.RowLabels(c) == Labels{{"pod", "c"}, {"y", "2"}});
}

TEST_CASE("ten thousand rows come and go without growth", "[tsdb][head]") {
  HeadSymbols symbols;
  std::vector<LabelPair> pairs;
  size_t bytes = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<RowHandle> rows;
    for (int i = 0; i < 10000; ++i) {
      const std::string pod = std::to_string(round * 10000 + i);
      pairs.clear();
      rows.push_back(*symbols.AddRow({{"__name__", "m"}, {"pod", pod}}, pairs));
    }
    for (const RowHandle row : rows) symbols.DropRow(row, 1);
    symbols.FreeRows(1);
    symbols.Reclaim();
    if (round == 1) bytes = symbols.bytes();
  }
  REQUIRE(symbols.symbols() == 0);
  REQUIRE(symbols.bytes() <= bytes + bytes / 10);
}

}  // namespace narthex::tsdb
