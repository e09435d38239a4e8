#include "narthex/model/matcher.h"

#include <re2/re2.h>

#include <catch2/catch.hpp>
#include <string>

#include "libtsdb/model/regex.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

MatcherPtr Make(Matcher::Type type, std::string_view value) {
  auto matcher = Matcher::Make(type, "l", value);
  REQUIRE(matcher.ok());
  return *matcher;
}
MatcherPtr Re(std::string_view pattern) {
  return Make(Matcher::Type::kRegex, pattern);
}
std::vector<std::string> Set(const MatcherPtr& m) {
  return {m->set().begin(), m->set().end()};
}

TEST_CASE("short cuts say what RE2 says") {
  const char* patterns[] = {
      "",          "a",          "a|b",         "a|",       "(a|b)c(d|e)",
      "a?",        "ab?c",       "(ab)?c",      ".*",       ".+",
      ".*|a",      ".+|",        "a.*",         "a.+",      ".*a",
      ".+a.+",     "a.*b.*c",    ".*a.*a.*",    "a.*|b.+",  "^a$",
      "^a|b$",     "[ab]c",      "[a-c]x?",     "a\\.b",    "a\\.*b",
      "(?:a|b).*", "((a)|(b))",  "a.*?b",       "()",       "(|a)b",
      "a.b",       "a*",         "[^a]b",       "\\d+",     "(?i)a",
      ".*.*a",     ".+.*a",      "a{2}",        "(a.*|b)c", "\xc3\xa9|a",
      "\xc3\xa9?", "foo-.*|bar", ".*-[0-9]x.*", "a|^b",     "a$|b",
      "(^a)",      "x*|y",       "a+b",         "[.]a",     "[a\\-z]",
      ".*a|b.*",   ".*(a|b).*",  ".*a[bcz].*",  ".*(|a).*", ".*(a|ab).*",
  };
  const char* texts[] = {
      "",     "a",       "b",     "c",      "ab",  "ac",       "abc",
      "acd",  "bce",     "aa",    "aaa",    "xaz", "a.b",      "axb",
      "a\nb", "a.....b", "foo-1", "bar",    "A",   "\xc3\xa9", "ax",
      "bx",   "cx",      "-9x",   "p-1x-z", "y",   "xx",       "7",
      "77",   "aab",     "abab",  "a\nc",   ".a",  "-",        "azb",
  };
  for (const char* pattern : patterns) {
    const MatcherPtr m = Re(pattern);
    RE2::Options options;
    options.set_dot_nl(true);
    const RE2 re(pattern, options);
    REQUIRE(re.ok());
    bool in_set = !m->set().empty();
    for (const char* text : texts) {
      INFO("/" << pattern << "/ on \"" << text << "\"");
      const bool matches = RE2::FullMatch(text, re);
      CHECK(m->Matches(text) == matches);
      CHECK(Make(Matcher::Type::kNotRegex, pattern)->Matches(text) != matches);
      if (matches) CHECK(std::string_view(text).starts_with(m->prefix()));
      if (matches && in_set) {
        const auto set = Set(m);
        CHECK(std::find(set.begin(), set.end(), text) != set.end());
      }
      if (m->matches_everything()) CHECK(matches);
      if (m->matches_any_nonempty())
        CHECK(matches != std::string(text).empty());
    }
  }
}

TEST_CASE("sets, prefixes and wildcards are found") {
  CHECK(Set(Re("b|a|b")) == std::vector<std::string>{"a", "b"});
  CHECK(Set(Re("node_(load1|cpu)")) ==
        std::vector<std::string>{"node_cpu", "node_load1"});
  CHECK(Set(Make(Matcher::Type::kEqual, "x")) == std::vector<std::string>{"x"});
  CHECK(Re("node_memory_.*")->prefix() == "node_memory_");
  CHECK(Re("node_(a|b).+")->prefix() == "node_");
  CHECK(Re("node_[^x]+")->prefix() == "node_");
  CHECK(Re("nodes?_[^x]+")->prefix() == "node");
  CHECK(Re("(?i)node")->prefix().empty());
  CHECK(Re(".*")->matches_everything());
  CHECK(Re("(.*)")->matches_everything());
  CHECK(Re(".+")->matches_any_nonempty());
  CHECK(Make(Matcher::Type::kNotEqual, "")->matches_any_nonempty());
  CHECK(Re("a?")->MatchesEmpty());
}

TEST_CASE("twenty thousand literals never reach RE2") {
  std::string pattern;
  for (int i = 0; i < 20000; ++i) {
    if (i != 0) pattern += '|';
    pattern += "prometheus-instance-" + std::to_string(i);
  }
  const MatcherPtr m = Re(pattern);
  CHECK(m->set().size() == 20000);
  CHECK(m->prefix() == "prometheus-instance-");
  CHECK(m->Matches("prometheus-instance-19999"));
  CHECK(!m->Matches("prometheus-instance-20000"));
}

TEST_CASE("a pattern that is none is refused in Go's words") {
  const auto error = [](std::string_view pattern) {
    return std::string(
        Message(Matcher::Make(Matcher::Type::kRegex, "l", pattern).status()));
  };
  CHECK(error("a(b") == "error parsing regexp: missing closing ): `a(b`");
  CHECK(error("a)") == "error parsing regexp: unexpected ): `a)`");
  CHECK(error("*") ==
        "error parsing regexp: missing argument to repetition operator: `*`");
  CHECK(error("a**") ==
        "error parsing regexp: invalid nested repetition operator: `**`");
  CHECK(error("[a") == "error parsing regexp: missing closing ]: `[a`");
  CHECK(error("[z-a]") ==
        "error parsing regexp: invalid character class range: `z-a`");
  CHECK(error("\\8") == "error parsing regexp: invalid escape sequence: `\\8`");
  CHECK(!error("\xff").empty());
  CHECK(!error(std::string(2000, '(')).empty());
}

TEST_CASE("matchers are printed as they are written") {
  CHECK(Re("a|b")->ToString() == R"(l=~"a|b")");
  CHECK((*Matcher::Make(Matcher::Type::kNotEqual, "a.b", "x\n"))->ToString() ==
        R"("a.b"!="x\n")");
}

std::string Expand(std::string_view pattern, std::string_view text,
                   std::string_view replacement) {
  auto regex = Regex::Make(pattern);
  REQUIRE(regex.ok());
  std::string out = "old";
  return (*regex)->Expand(text, replacement, out) ? out : "no match";
}

TEST_CASE("templates are expanded as Go expands them") {
  CHECK(Expand("(.*)", "abc", "$1") == "abc");
  CHECK(Expand("(.+)", "", "$1") == "no match");
  CHECK(Expand("(.*):(\\d+)", "host:80", "${1}-$2") == "host-80");
  CHECK(Expand("(.*):(\\d+)", "host:80", "$1_$2") == "80");  // group "1_"
  CHECK(Expand("(.*):(\\d+)", "host", "$1") == "no match");
  CHECK(Expand("(?P<h>.*):.*", "host:80", "${h}/$h/$0") == "host/host/host:80");
  CHECK(Expand("(a)(b)?", "a", "[$2]") == "[]");
  CHECK(Expand("(a)", "a", "$$1 $ ${ $9 ${01} $-") == "$1 $ ${   $-");
  CHECK(Expand("a|b", "b", "fixed") == "fixed");
}

}  // namespace
}  // namespace narthex
