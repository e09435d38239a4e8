// Broken queries by the thousand: pieces of good ones, cut, doubled, swapped.
// The seed is fixed; each failure prints its query.

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "narthex/promql/parser.h"
#include "narthex/promql/printer.h"
#include "test/support/promqltest_corpus.h"

namespace narthex::promql {
namespace {

const std::string kSeeds[] = {
    "sum by (job, \"a.b\") (rate(http_total{a=\"b\",c=~\"d.*\"}[5m] offset "
    "1h))",
    "a + on (x) group_left (y) fill_left (1) fill_right (-2) b or c unless d",
    "max_over_time(rate(a[90s])[1h30m:5m] @ end() offset -1m) > bool 5",
    "histogram_quantile(0.9, sum without (b) (rate(c_bucket[step() * 2])))",
    "label_replace(up, \"a\", '$1', `b`, \"\\u00e9\\x41(.*)\") # comment\n",
    "-2 ^ -a * (b atan2 c) % 0x1f / .5e-3 </ Inf >/ 1_000",
    "x offset (min_of(step(), 5m) - -range() / 2) @ -1.5 smoothed",
    "info(a, {data!=\"x\"}) and topk(3, {\"my.metric\"}[5m:] anchored)",
};

const std::string kPieces[] = {
    "(",        ")",          "[",      "]",         "{",
    "}",        ",",          ":",      "+",         "-",
    "*",        "/",          "^",      "==",        "=~",
    "!=",       "=",          "<",      "@",         "by",
    "on",       "group_left", "fill",   "bool",      "offset",
    "start",    "end",        "step()", "range()",   "max_of",
    "sum",      "5m",         "3",      "0x",        "1e",
    "inf",      "\"a\"",      "'",      "`",         "\\",
    "foo",      "a:b",        " ",      "#",         "\n",
    "\xc3\xa9", "\xff",       "_",      ".",         std::string(1, '\0'),
    "[5m]",     "[5m:1m]",    "@ 3",    "offset 5m", "on (a)",
    "{}",       "stale",      "x3",     "{{",        "}}"};

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  size_t Below(size_t n) { return random_() % n; }

  std::string Next(const std::vector<std::string>& seeds) {
    std::string text = seeds[Below(seeds.size())];
    for (size_t edits = 1 + Below(4); edits > 0; --edits) {
      const size_t at = Below(text.size() + 1);
      const size_t length = std::min(text.size() - at, 1 + Below(8));
      switch (Below(4)) {
        case 0:
          text.insert(at, kPieces[Below(std::size(kPieces))]);
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.replace(at, length, kPieces[Below(std::size(kPieces))]);
          break;
        default: {
          const std::string& other = seeds[Below(seeds.size())];
          text.insert(at, other.substr(Below(other.size()), 1 + Below(12)));
        }
      }
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

TEST_CASE(
    "a broken query is refused in words, and an odd one is printed so "
    "that it parses again",
    "[promql][parse][fuzz]") {
  std::vector<std::string> seeds(std::begin(kSeeds), std::end(kSeeds));
  for (const std::string& query : test::PromqltestExpressions()) {
    seeds.push_back(query);
  }
  const auto everything = ParserOptions::Everything();
  Mutator mutator(20261121);
  int understood = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string query = mutator.Next(seeds);
    INFO(query);
    ParseError error;
    auto expr = ParseExpr(query, everything, &error);
    if (!expr.ok()) {
      if (error.text.empty() || error.pos.begin > query.size()) {
        FAIL(expr.status());
      }
      continue;
    }
    ++understood;
    for (bool pretty : {false, true}) {
      const std::string text = pretty ? PrettyPrint(**expr) : Print(**expr);
      INFO(text);
      auto again = ParseExpr(text, everything);
      // What is shorter than a millisecond is printed as 0s, which is no range.
      const bool too_short = text.find("[0s") != std::string::npos ||
                             text.find(":0s") != std::string::npos;
      if (too_short) continue;
      if (!again.ok()) FAIL(again.status());
      if (Print(**again) != Print(**expr)) FAIL(Print(**again));
    }
  }
  CHECK(understood > 500);
}

TEST_CASE("broken series are refused in words", "[promql][parse][fuzz]") {
  const std::vector<std::string> seeds = {
      "up{job=\"a\"} 0+10x5 _ _x3 stale -1.5 inf NaN 1-2x4",
      "{\"a b\",c=\"d\"} {{schema:1 sum:3 count:2 buckets:[1 2 -inf] "
      "offset:-3}}x2",
      "h {{}} {{custom_values:[1 2] counter_reset_hint:gauge n_buckets:[1]}}"};
  Mutator mutator(7);
  for (int i = 0; i < 10000; ++i) {
    const std::string text = mutator.Next(seeds);
    INFO(text);
    ParseError error;
    auto series = ParseSeriesDescription(text, &error);
    if (!series.ok() && error.text.empty()) FAIL(series.status());
  }
}

}  // namespace
}  // namespace narthex::promql
