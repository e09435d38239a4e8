#include "libscrape/exposition/text_parser.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "test/scrape/exposition/entries.h"
#include "test/support/metrics_page.h"

namespace narthex::scrape {
namespace {

using Lines = std::vector<std::string>;

Parsed Parse(std::string_view page) {
  return ParsePage(page, PageFormat::kText);
}
std::string ErrorOf(std::string_view page) { return Parse(page).error; }

TEST_CASE("a page says types, helps, comments and series",
          "[scrape][exposition]") {
  const Parsed got = Parse(
      "# HELP go_seconds How \\\\long\\n it took.\n"
      "# TYPE go_seconds summary\n"
      "go_seconds{quantile=\"0\"} 4.9351e-05\n"
      "go_seconds{quantile=\"0.5\",} 7\n"
      "# just so\n"
      "#nothing\n"
      "\n"
      "go_seconds_count 99\n"
      "  indented \t 1 \n"
      "# TYPE h histogram\n"
      "h_bucket{le=\"1\"} 3\n"
      "h_bucket{le=\"+Inf\"} +Inf 1520879607789\n"
      "odd { a = \"b\" , c=\"d\" } -Inf 12 \n"
      "last NaN");
  REQUIRE(got.error.empty());
  REQUIRE(
      got.entries ==
      Lines{"HELP go_seconds How \\long\n it took.", "TYPE go_seconds summary",
            R"({__name__="go_seconds", quantile="0.0"} 4.9351e-05)",
            R"({__name__="go_seconds", quantile="0.5"} 7)", "COMMENT # just so",
            "COMMENT #nothing", R"({__name__="go_seconds_count"} 99)",
            R"({__name__="  indented"} 1)", "TYPE h histogram",
            R"({__name__="h_bucket", le="1.0"} 3)",
            R"({__name__="h_bucket", le="+Inf"} +Inf @1520879607789)",
            R"({__name__="odd", a="b", c="d"} -Inf @12)",
            R"({__name__="last"} NaN)"});
}

TEST_CASE("escapes in label values are resolved, others stay",
          "[scrape][exposition]") {
  const Parsed got = Parse(R"(a{x="\\n\n\"\t",y="q\\"} 1)");
  REQUIRE(got.error.empty());
  REQUIRE(got.entries == Lines{R"({__name__="a", x="\\n\n\"\\t", y="q\\"} 1)"});
}

TEST_CASE("a value may hold line ends, and any UTF-8", "[scrape][exposition]") {
  const Parsed got = Parse("a{x=\"one\ntwo\",y=\"\xc3\xa4\"} 1\nb 2\n");
  REQUIRE(got.error.empty());
  REQUIRE(got.entries ==
          Lines{"{__name__=\"a\", x=\"one\\ntwo\", y=\"\xc3\xa4\"} 1",
                R"({__name__="b"} 2)"});
}

TEST_CASE("names may be quoted", "[scrape][exposition]") {
  const Parsed got = Parse(
      "# HELP \"my.metric\" a text\n"
      "# TYPE \"my.metric\" counter\n"
      "{\"my.metric\",\"l.b\"=\"v\"} 1\n"
      "{a=\"b\",\"my.metric\"} 2\n"
      "{\"plain\"} 3\n");
  REQUIRE(got.error.empty());
  REQUIRE(got.entries == Lines{"HELP my.metric a text",
                               "TYPE my.metric counter",
                               R"({__name__="my.metric", "l.b"="v"} 1)",
                               R"({__name__="my.metric", a="b"} 2)",
                               R"({__name__="plain"} 3)"});
}

TEST_CASE("the value of a sample is Go's idea of a float",
          "[scrape][exposition]") {
  const Parsed got = Parse("a -0\nb 1e400x\n");
  REQUIRE(got.entries == Lines{R"({__name__="a"} -0)"});
  REQUIRE(got.error.find("line 2, column 3") != std::string::npos);
  REQUIRE(ErrorOf("a 0x1p-2\n").find("unsupported character in float") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1_000\n").find("unsupported character in float") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1e999\n").find("out of range") != std::string::npos);
  REQUIRE(Parse("a +1.5e1\nb -inf\nc Infinity\nd nAn\ne 1e-999\n").entries ==
          Lines{R"({__name__="a"} 15)", R"({__name__="b"} -Inf)",
                R"({__name__="c"} +Inf)", R"({__name__="d"} NaN)",
                R"({__name__="e"} 0)"});
}

TEST_CASE("NaN is one NaN", "[scrape][exposition]") {
  ExpositionParser parser("a NaN\n", PageFormat::kText);
  REQUIRE(parser.Next() == ExpositionParser::Entry::kSeries);
  REQUIRE(Bits(parser.value()) == kNormalNaNBits);
}

TEST_CASE("what is wrong is said with line and column",
          "[scrape][exposition]") {
  REQUIRE(ErrorOf("a 1\nb{c=\"d\"}\ne 2\n") ==
          "line 2, column 9: expected value after metric, got \"\\n\" "
          "(\"INVALID\") while parsing: \"b{c=\\\"d\\\"}\\n\"");
  REQUIRE(ErrorOf("a{b='c'} 1\n")
              .find("line 1, column 5: expected label value, got \"'\" ") == 0);
  REQUIRE(ErrorOf("a{b=\"c\"").find("line 1, column 8: expected label name") ==
          0);
  REQUIRE(ErrorOf("a{b=\"c").find("line 1, column 5: expected label value") ==
          0);
  REQUIRE(ErrorOf("a{b} 1\n").find("expected equal") != std::string::npos);
  REQUIRE(ErrorOf("a{b=\"\xff\"} 1\n").find("invalid UTF-8 label value") !=
          std::string::npos);
  REQUIRE(ErrorOf("1a 1\n").find("expected a valid start token") !=
          std::string::npos);
  REQUIRE(ErrorOf("# TYPE a foo\n").find("invalid metric type \"foo\"") !=
          std::string::npos);
  REQUIRE(ErrorOf("# TYPE 1 gauge\n").find("expected metric name after TYPE") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1 -5\n").find("expected timestamp or new record") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1 5 x\n").find("expected next entry after timestamp") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1 99999999999999999999\n").find("out of range") !=
          std::string::npos);
  REQUIRE(ErrorOf("{a=\"b\"} 1\n").find("metric name not set") !=
          std::string::npos);
  REQUIRE(ErrorOf("a{\"b\"} 1\n").find("metric name already set") !=
          std::string::npos);
  REQUIRE(ErrorOf("a 1\r\n").find("line 1, column 3") != std::string::npos);
}

TEST_CASE("an error that quotes garbage stays short", "[scrape][exposition]") {
  const std::string error = ErrorOf(std::string(1 << 20, '\x01'));
  REQUIRE(error.size() < 600);
}

TEST_CASE("series() is the text of the series, for caches",
          "[scrape][exposition]") {
  ExpositionParser parser("up 1\nb{c=\"d\"} 2\ne  {f=\"g\"}3\n",
                          PageFormat::kText);
  Lines texts;
  while (parser.Next() == ExpositionParser::Entry::kSeries) {
    texts.emplace_back(parser.series());
  }
  REQUIRE(texts == Lines{"up", "b{c=\"d\"}", "e  {f=\"g\"}"});
}

TEST_CASE("a page that goes on as before is taken by comparison",
          "[scrape][exposition]") {
  const std::string first = test::MetricsPage(3, /*round=*/0);
  const std::string second = test::MetricsPage(3, /*round=*/5);
  struct Line {
    std::string literal;
    MetricType type;
  };
  std::vector<Line> lines;
  TextParser learner(first);
  for (size_t from = 0;;) {
    const auto kind = learner.Next();
    if (kind == TextParser::Entry::kEnd) break;
    if (kind != TextParser::Entry::kSeries) continue;
    const size_t value = learner.offset() + learner.series().size() + 1;
    lines.push_back({first.substr(from, value - from), learner.type()});
    from = learner.next_offset();
  }
  TextParser fast(second);
  TextParser slow(second);
  size_t taken = 0;
  for (const Line& line : lines) {
    while (slow.Next() != TextParser::Entry::kSeries) {
    }
    const bool expected = fast.TakeExpected(line.literal, line.type);
    if (expected) {
      ++taken;
    } else {
      while (fast.Next() != TextParser::Entry::kSeries) {
      }
    }
    REQUIRE(Bits(fast.value()) == Bits(slow.value()));
    REQUIRE(fast.next_offset() == slow.next_offset());
    REQUIRE(fast.type() == slow.type());
  }
  REQUIRE(taken > lines.size() / 3);
  REQUIRE(fast.Next() == TextParser::Entry::kEnd);
}

TEST_CASE("mutilated pages end in entries or in an error, never worse",
          "[scrape][exposition]") {
  const std::string page = test::MetricsPage(11);
  const std::string_view tokens[] = {
      "{",  "}", "\"",      "\\",  "\n",  "#",    " ",
      "=",  ",", "# TYPE ", "NaN", "1e9", "\xc3", std::string_view("\0", 1),
      "\t", "_"};
  for (uint64_t seed = 0; seed < 400; ++seed) {
    std::mt19937_64 random(seed);
    std::string text = page.substr(random() % page.size(), 600);
    const int edits = 1 + static_cast<int>(random() % 6);
    for (int i = 0; i < edits && !text.empty(); ++i) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text.insert(at, tokens[random() % std::size(tokens)]);
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text[at] = static_cast<char>(random());
          break;
        default:
          text.resize(at);
          break;
      }
    }
    // Exactly as large as the page, so that a byte too far is found.
    const std::unique_ptr<char[]> bytes(new char[text.size()]);
    std::memcpy(bytes.get(), text.data(), text.size());
    INFO("seed " << seed << ": " << GoQuote(text));
    for (PageFormat format : {PageFormat::kText, PageFormat::kOpenMetrics}) {
      const Parsed got = ParsePage({bytes.get(), text.size()}, format);
      REQUIRE(got.entries.size() <= text.size());
      if (!got.error.empty()) {
        REQUIRE(got.error.find("line ") == 0);
      }
    }
  }
}

TEST_CASE("lines like the one before are read like any other",
          "[scrape][exposition]") {
  // What changes between two lines, one thing at a time; parsed alone and in
  // any company they say the same.
  const std::vector<std::string> lines = {
      "m{a=\"1\",b=\"2\"} 1",
      "m{a=\"\",b=\"\"} 2",
      "m{a=\"x\\\"y\",b=\"2\"} 3",
      "m{a=\"1\",b=\"\xc3\xa9\"} 4",
      "m{a=\"1\",b=\"2\",} 5 77",
      "m{a=\"1\", b=\"2\"} 6",
      "m{a=\"1\",b=\"2\",c=\"3\"} 7",
      "m{a=\"1\"} 8",
      "m 9",
      "m{} 10",
      "mm{a=\"1\",b=\"2\"} 11",
      "{\"m\",a=\"1\",\"b\"=\"2\"} 12",
      "{\"m.n\",a=\"1\",\"b\"=\"2\"} 13",
      "m{a=\"a value of more than sixteen bytes\",b=\"2\"} 14",
      "m{a=\"two\nlines\",b=\"2\"} 15",
      "a_name_of_more_than_sixteen_bytes{a_label_that_is_long=\"1\",b=\"2\"} "
      "16",
      "a_name_of_more_than_sixteen_bytes{a_label_that_is_lonk=\"1\",b=\"2\"} "
      "17",
      "  m{a=\"1\",b=\"2\"} 18"};
  std::vector<std::string> alone;
  for (const std::string& line : lines) {
    const Parsed parsed = ParsePage(line + "\n", PageFormat::kText);
    REQUIRE(parsed.error == "");
    alone.push_back(parsed.entries.at(0));
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    for (size_t j = 0; j < lines.size(); ++j) {
      const Parsed parsed =
          ParsePage(lines[i] + "\n" + lines[j] + "\n" + lines[i] + "\n",
                    PageFormat::kText);
      REQUIRE(parsed.error == "");
      REQUIRE(parsed.entries ==
              std::vector<std::string>{alone[i], alone[j], alone[i]});
    }
  }
  // Bad ones are bad behind good ones too.
  for (const char* bad :
       {"m{a=\"1\",b=\"\xff\"} 1\n", "m{a=\"1\",b=\"2} 1\n",
        "m{a=\"1\",b=\"2\"", "m{a=\"1\",b=\"2\\", "m{a=\"1\"b=\"2\"x} 1\n"}) {
    const Parsed parsed = ParsePage(lines[0] + "\n" + bad, PageFormat::kText);
    REQUIRE(parsed.entries.size() == 1);
    REQUIRE(parsed.error.starts_with("line 2, column "));
  }
}

}  // namespace
}  // namespace narthex::scrape
