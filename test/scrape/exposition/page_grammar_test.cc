#include "libscrape/exposition/page_grammar.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "test/scrape/exposition/entries.h"

namespace narthex::scrape {
namespace {

struct BadPage {
  std::string_view page;
  std::string_view error;
};

// As Prometheus 3.5 answers in /api/v1/targets; interop/errors_alike asks it
// again, with more pages.
constexpr BadPage kText[] = {
    {"1a 1\n",
     "expected a valid start token, got \"1\" (\"INVALID\") while parsing: "
     "\"1\""},
    {"a\n",
     "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: "
     "\"a\\n\""},
    {"a \n",
     "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: "
     "\"a \\n\""},
    {"a{",
     "expected label name, got \"\\n\" (\"INVALID\") while parsing: \"a{\\n\""},
    {"a{b=} 1\n",
     "expected label value, got \"}\" (\"INVALID\") while parsing: \"a{b=}\""},
    {"a{b=\"c\" 1\n",
     "expected label name, got \"1\" (\"INVALID\") while parsing: "
     "\"a{b=\\\"c\\\" 1\""},
    {"a{1=\"c\"} 1\n",
     "expected label name, got \"1\" (\"INVALID\") while parsing: \"a{1\""},
    {"a{b:c=\"d\"} 1\n",
     "expected equal, got \":\" (\"INVALID\") while parsing: \"a{b:\""},
    {"a{b=\"c\",,d=\"e\"} 1\n",
     "expected label name, got \",d\" (\"COMMA\") while parsing: "
     "\"a{b=\\\"c\\\",,d\""},
    {"a{b=\"c\"}\n",
     "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: "
     "\"a{b=\\\"c\\\"}\\n\""},
    {"a{b=\"\xff\"} 1\n", "invalid UTF-8 label value: \"\\\"\\xff\\\"\""},
    {"{a=\"b\"} 1\n", "metric name not set while parsing: \"{a=\\\"b\\\"} 1\""},
    {"{\"a\",\"b\"} 1\n",
     "metric name already set while parsing: \"{\\\"a\\\",\\\"b\\\"}\""},
    {"a{\"b\"} 1\n", "metric name already set while parsing: \"a{\\\"b\\\"}\""},
    {"{\"a\"=\"b\"} 1\n",
     "metric name not set while parsing: \"{\\\"a\\\"=\\\"b\\\"} 1\""},
    {"{} 1\n", "metric name not set while parsing: \"{} 1\""},
    {"{",
     "expected label name, got \"\\n\" (\"INVALID\") while parsing: \"{\\n\""},
    {"{\"a\" 1\n",
     "expected equal, got \"1\" (\"INVALID\") while parsing: \"{\\\"a\\\" 1\""},
    {"a 1x\n",
     "strconv.ParseFloat: parsing \"1x\": invalid syntax while parsing: \"a "
     "1x\""},
    {"a 1_000\n", "unsupported character in float while parsing: \"a 1_000\""},
    {"a 0x10\n",
     "strconv.ParseFloat: parsing \"0x10\": invalid syntax while parsing: \"a "
     "0x10\""},
    {"a 1e400\n",
     "strconv.ParseFloat: parsing \"1e400\": value out of range while parsing: "
     "\"a 1e400\""},
    {"a --1\n",
     "strconv.ParseFloat: parsing \"--1\": invalid syntax while parsing: \"a "
     "--1\""},
    {"a 1 -5\n",
     "expected timestamp or new record, got \"-\" (\"INVALID\") while parsing: "
     "\"a 1 -\""},
    {"a 1 1.5\n",
     "expected next entry after timestamp, got \".\" (\"INVALID\") while "
     "parsing: \"a 1 1.\""},
    {"a 1 5 6\n",
     "expected next entry after timestamp, got \"6\\n\" (\"TIMESTAMP\") while "
     "parsing: \"a 1 5 6\\n\""},
    {"a 1 5 x\n",
     "expected next entry after timestamp, got \"x\" (\"INVALID\") while "
     "parsing: \"a 1 5 x\""},
    {"a 1 99999999999999999999\n",
     "strconv.ParseInt: parsing \"99999999999999999999\": value out of range "
     "while parsing: \"a 1 99999999999999999999\""},
    {"a 1{\n",
     "expected timestamp or new record, got \"{\" (\"INVALID\") while parsing: "
     "\"a 1{\""},
    {"a 1\r\n",
     "strconv.ParseFloat: parsing \"1\\r\": invalid syntax while parsing: \"a "
     "1\\r\""},
    {"a{ 1\n",
     "expected label name, got \"1\" (\"INVALID\") while parsing: \"a{ 1\""},
    {"a\x01"
     "b 1\n",
     "strconv.ParseFloat: parsing \"\\x01b\": invalid syntax while parsing: "
     "\"a\\x01b\""},
    {"a{b\x01} 1\n",
     "expected equal, got \"\\x01\" (\"INVALID\") while parsing: \"a{b\\x01\""},
    {"# TYPE a foo\n", "invalid metric type \"foo\""},
    {"# TYPE a\n", "invalid metric type \"\""},
    {"# TYPE\ta counter \n", "invalid metric type \"counter \""},
    {"# TYPE 1 gauge\n",
     "expected metric name after TYPE, got \"1\" (\"INVALID\") while parsing: "
     "\"# TYPE 1\""},
    {"# TYPE \n",
     "expected metric name after TYPE, got \"\\n\" (\"INVALID\") while "
     "parsing: \"# TYPE \\n\""},
    {"# HELP \n",
     "expected metric name after HELP, got \"\\n\" (\"INVALID\") while "
     "parsing: \"# HELP \\n\""},
    {"# HELP 1 x\n",
     "expected metric name after HELP, got \"1\" (\"INVALID\") while parsing: "
     "\"# HELP 1\""},
    {"# HELP a \xff\n", "help text \"\\xff\" is not a valid utf8 string"},
    {"# HELP \"a x\n",
     "expected metric name after HELP, got \"\\\"a x\\n\\n\" (\"INVALID\") "
     "while parsing: \"# HELP \\\"a x\\n\\n\""},
    {"# TYPE \"a\" foo\n", "invalid metric type \"foo\""},
    {"#TYPE a\nb c\n",
     "strconv.ParseFloat: parsing \"c\": invalid syntax while parsing: \"b "
     "c\""},
    {"# x\n\ty z\n",
     "strconv.ParseFloat: parsing \"z\": invalid syntax while parsing: \"\\ty "
     "z\""},
    {"\xff 1\n",
     "expected a valid start token, got \"\\xff\" (\"INVALID\") while parsing: "
     "\"\\xff\""},
    {"\xc3\xa4 1\n",
     "expected a valid start token, got \"\\xc3\" (\"INVALID\") while parsing: "
     "\"\\xc3\""},
    {"a=1\n",
     "strconv.ParseFloat: parsing \"=1\": invalid syntax while parsing: "
     "\"a=1\""},
    {"a,b 1\n",
     "strconv.ParseFloat: parsing \",b\": invalid syntax while parsing: "
     "\"a,b\""},
    {"\"a\" 1\n",
     "expected a valid start token, got \"\\\"\" (\"INVALID\") while parsing: "
     "\"\\\"\""},
    {"a{b=\"c\"}1x\n",
     "strconv.ParseFloat: parsing \"1x\": invalid syntax while parsing: "
     "\"a{b=\\\"c\\\"}1x\""},
    {"a{b =\"c\", d= \"e\" , } 1 2 3\n",
     "expected next entry after timestamp, got \"3\\n\" (\"TIMESTAMP\") while "
     "parsing: \"a{b =\\\"c\\\", d= \\\"e\\\" , } 1 2 3\\n\""},
    {"a.b 1\n",
     "strconv.ParseFloat: parsing \".b\": invalid syntax while parsing: "
     "\"a.b\""},
    {"a-b 1\n",
     "strconv.ParseFloat: parsing \"-b\": invalid syntax while parsing: "
     "\"a-b\""},
};
constexpr BadPage kOpenMetrics[] = {
    {"a 1\n", "data does not end with # EOF"},
    {"# EOF\n\n", "unexpected data after # EOF"},
    {"# EOF x\n", "unexpected data after # EOF"},
    {"#EOF\n",
     "expected a valid start token, got \"#E\" (\"INVALID\") while parsing: "
     "\"#E\""},
    {"# EO\n",
     "expected a valid start token, got \"# EO\\n\" (\"INVALID\") while "
     "parsing: \"# EO\\n\""},
    {"#  EOF\n",
     "expected a valid start token, got \"#  \" (\"INVALID\") while parsing: "
     "\"#  \""},
    {"a 1 2",
     "expected next entry after timestamp, got \" 2\" (\"EOF\") while parsing: "
     "\"a 1 2\""},
    {" a 1\n# EOF\n",
     "expected a valid start token, got \" \" (\"INVALID\") while parsing: \" "
     "\""},
    {"a\t1\n# EOF\n",
     "expected value after metric, got \"\\t\" (\"INVALID\") while parsing: "
     "\"a\\t\""},
    {"a 1 \n# EOF\n",
     "expected a valid start token, got \"\\n#\" (\"LINEBREAK\") while "
     "parsing: \"\\n#\""},
    {"a 1  2\n# EOF\n",
     "expected a valid start token, got \" 2\\n\" (\"TIMESTAMP\") while "
     "parsing: \" 2\\n\""},
    {"a 1 2 3\n# EOF\n",
     "expected next entry after timestamp, got \" 3\\n\" (\"TIMESTAMP\") while "
     "parsing: \"a 1 2 3\\n\""},
    {"a 1 x\n# EOF\n",
     "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: \"a 1 "
     "x\""},
    {"a 1 NaN\n# EOF\n", "invalid timestamp NaN"},
    {"a 1 +Inf\n# EOF\n", "invalid timestamp +Inf"},
    {"a 1 -Inf\n# EOF\n", "invalid timestamp -Inf"},
    {"a x\n# EOF\n",
     "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: \"a "
     "x\""},
    {"a 1e999\n# EOF\n",
     "strconv.ParseFloat: parsing \"1e999\": value out of range while parsing: "
     "\"a 1e999\""},
    {"a\n# EOF\n",
     "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: "
     "\"a\\n\""},
    {"a{\n# EOF\n",
     "expected label name, got \"\\n\" (\"INVALID\") while parsing: \"a{\\n\""},
    {"a{}\n# EOF\n",
     "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: "
     "\"a{}\\n\""},
    {"a{b=\"c\"\n# EOF\n",
     "expected comma or brace close, got \"\\n\" (\"INVALID\") while parsing: "
     "\"a{b=\\\"c\\\"\\n\""},
    {"a{b=\"c\" } 1\n# EOF\n",
     "expected comma or brace close, got \" \" (\"INVALID\") while parsing: "
     "\"a{b=\\\"c\\\" \""},
    {"a{b =\"c\"} 1\n# EOF\n",
     "expected equal, got \" \" (\"INVALID\") while parsing: \"a{b \""},
    {"a{b= \"c\"} 1\n# EOF\n",
     "expected label value, got \" \" (\"INVALID\") while parsing: \"a{b= \""},
    {"a{b=\"c\n\"} 1\n# EOF\n",
     "expected label value, got \"\\\"c\\n\" (\"INVALID\") while parsing: "
     "\"a{b=\\\"c\\n\""},
    {"a{b=\"c\"d=\"e\"} 1\n# EOF\n",
     "expected comma or brace close, got \"d=\" (\"LNAME\") while parsing: "
     "\"a{b=\\\"c\\\"d=\""},
    {"{} 1\n# EOF\n", "metric name not set while parsing: \"{} 1\""},
    {"{\"a\",\"b\"} 1\n# EOF\n",
     "metric name already set while parsing: \"{\\\"a\\\",\\\"b\\\"}\""},
    {"a{\"b\"} 1\n# EOF\n",
     "metric name already set while parsing: \"a{\\\"b\\\"}\""},
    {"1 1\n# EOF\n",
     "expected a valid start token, got \"1\" (\"INVALID\") while parsing: "
     "\"1\""},
    {"# HELP a\n# EOF\n", "expected text in HELP"},
    {"# HELP a", "expected text in HELP"},
    {"# HELP 1 x\n# EOF\n",
     "expected metric name after HELP, got \"1\" (\"INVALID\") while parsing: "
     "\"# HELP 1\""},
    {"# HELP a \xff\n# EOF\n",
     "help text \"\\xff\" is not a valid utf8 string"},
    {"# TYPE a untyped\n# EOF\n", "invalid metric type \"untyped\""},
    {"# TYPE a counter \n# EOF\n", "invalid metric type \"counter \""},
    {"# UNIT a seconds\n# EOF\n",
     "unit \"seconds\" not a suffix of metric \"a\""},
    {"# UNIT seconds seconds\n# EOF\n",
     "unit \"seconds\" not a suffix of metric \"seconds\""},
    {"# x\n# EOF\n",
     "expected a valid start token, got \"# x\" (\"INVALID\") while parsing: "
     "\"# x\""},
    {"# HELP\n# EOF\n",
     "expected a valid start token, got \"# HELP\\n\" (\"INVALID\") while "
     "parsing: \"# HELP\\n\""},
    {"a_total 1 #\n# EOF\n",
     "strconv.ParseFloat: parsing \"#\": invalid syntax while parsing: "
     "\"a_total 1 #\""},
    {"a_total 1 # x\n# EOF\n",
     "expected a valid start token, got \"x\" (\"INVALID\") while parsing: "
     "\"x\""},
    {"a_total 1 # {\n# EOF\n",
     "expected label name, got \"\\n\" (\"INVALID\") while parsing: \"a_total "
     "1 # {\\n\""},
    {"a_total 1 # {}\n# EOF\n",
     "expected value after exemplar labels, got \"\\n\" (\"INVALID\") while "
     "parsing: \"a_total 1 # {}\\n\""},
    {"a_total 1 # {} x\n# EOF\n",
     "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: "
     "\"a_total 1 # {} x\""},
    {"a_total 1 # {} 1 x\n# EOF\n",
     "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: "
     "\"a_total 1 # {} 1 x\""},
    {"a_total 1 # {} 1 NaN\n# EOF\n", "invalid exemplar timestamp NaN"},
    {"a_total 1 # {} 1 2 3\n# EOF\n",
     "expected next entry after exemplar timestamp, got \" 3\\n\" "
     "(\"TIMESTAMP\") while parsing: \"a_total 1 # {} 1 2 3\\n\""},
    {"a_total 1 # {} 1 \n# EOF\n",
     "expected timestamp or comment, got \" \\n\" (\"INVALID\") while parsing: "
     "\"a_total 1 # {} 1 \\n\""},
    // 3.14's word; 3.5 says "expected label name" here.
    {"a_total 1 # {a} 1\n# EOF\n",
     "expected equal, got \"} \" (\"BCLOSE\") while parsing: \"a_total 1 "
     "# {a} \""},
    {"a_total 1 # {a=\"b} 1\n# EOF\n",
     "expected label value, got \"\\\"b} 1\\n\" (\"INVALID\") while parsing: "
     "\"a_total 1 # {a=\\\"b} 1\\n\""},
    {"a_total 1 # {\"a\"} 1\n# EOF\n",
     "expected label name, got \"} \" (\"BCLOSE\") while parsing: \"a_total 1 "
     "# {\\\"a\\\"} \""},
    {"a_total 1 # {\"a\",} 1\n# EOF\n",
     "expected label name, got \",}\" (\"COMMA\") while parsing: \"a_total 1 # "
     "{\\\"a\\\",}\""},
    {"a_total 1 # {a=\"b\" 1\n# EOF\n",
     "expected comma or brace close, got \" \" (\"INVALID\") while parsing: "
     "\"a_total 1 # {a=\\\"b\\\" \""},
    {"a_total 1 # {a=\"b\",,} 1\n# EOF\n",
     "expected label name, got \",}\" (\"COMMA\") while parsing: \"a_total 1 # "
     "{a=\\\"b\\\",,}\""},
    {"a_total 1 2 # {} 1 2",
     "expected next entry after exemplar timestamp, got \" 2\" (\"EOF\") while "
     "parsing: \"a_total 1 2 # {} 1 2\""},
    {"a_total 1 2 # {} 1", "data does not end with # EOF"},
    {"a_total 1 2 # {}",
     "expected value after exemplar labels, got \"}\" (\"EOF\") while parsing: "
     "\"a_total 1 2 # {}\""},
    {"a_total 1 # {a=b} 1\n# EOF\n",
     "expected label value, got \"b\" (\"INVALID\") while parsing: \"a_total 1 "
     "# {a=b\""},
    {"a 0x1p-2\n# EOF\n",
     "unsupported character in float while parsing: \"a 0x1p-2\""},
};

TEST_CASE("a page that cannot be read is told in Prometheus's words",
          "[scrape][exposition]") {
  const auto check = [](const BadPage& bad, PageGrammar grammar,
                        PageFormat format) {
    INFO(bad.page);
    CHECK(PageError(bad.page, grammar) == bad.error);
    // Which the fast parsers say too, behind line and column.
    const std::string error = ParsePage(bad.page, format).error;
    CHECK(error.starts_with("line "));
    CHECK(error.ends_with(": " + std::string(bad.error)));
  };
  for (const BadPage& bad : kText) {
    check(bad, PageGrammar::kText, PageFormat::kText);
  }
  for (const BadPage& bad : kOpenMetrics) {
    check(bad, PageGrammar::kOpenMetrics, PageFormat::kOpenMetrics);
  }
}

TEST_CASE("what an error quotes has an end", "[scrape][exposition]") {
  const std::string page = "a{b=\"" + std::string(1 << 20, 'c') + "\n";
  const std::string error = PageError(page, PageGrammar::kText);
  CHECK(error.starts_with("expected label value, got \"\\\"cccc"));
  CHECK(error.size() < 4096);
}

TEST_CASE("a page without errors has none in the slow grammar either",
          "[scrape][exposition]") {
  CHECK(PageError("", PageGrammar::kText).empty());
  CHECK(PageError("# HELP a b\n#c\n \n{\"x.y\",b=\"c\\\"\n\",} 1 2\na +Inf",
                  PageGrammar::kText)
            .empty());
  CHECK(PageError("# TYPE a counter\n# HELP a b\na_total{b=\"c\"} 1 2.5 # "
                  "{id=\"x\"} 3 4\n# EOF\n",
                  PageGrammar::kOpenMetrics)
            .empty());
}

}  // namespace
}  // namespace narthex::scrape
