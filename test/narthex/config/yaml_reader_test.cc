#include "libnarthex/config/yaml_reader.h"

#include <catch2/catch.hpp>

namespace narthex::config {
namespace {

YamlNode Parse(std::string_view text) {
  auto node = ParseYaml(text, "f.yml");
  INFO(node.status().ToString());
  REQUIRE(node.ok());
  return *std::move(node);
}

std::string ErrorOf(std::string_view text) {
  const auto node = ParseYaml(text, "f.yml");
  REQUIRE_FALSE(node.ok());
  return std::string(Message(node.status()));
}

TEST_CASE("scalars keep their text", "[narthex][yaml]") {
  const YamlNode root = Parse("{a: 017, b: on, c: 1e3, d: '~', e: ~, f: }");
  REQUIRE(root.entries.size() == 6);
  CHECK(root.entries[0].value.text == "017");
  CHECK(root.entries[1].value.text == "on");
  CHECK(root.entries[2].value.text == "1e3");
  CHECK(root.entries[3].value.kind == YamlNode::Kind::kScalar);
  CHECK(root.entries[3].value.text == "~");
  CHECK(root.entries[4].value.kind == YamlNode::Kind::kNull);
  CHECK(root.entries[5].value.kind == YamlNode::Kind::kNull);
}

TEST_CASE("a doubled key is refused where it stands", "[narthex][yaml]") {
  CHECK(ErrorOf("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") ==
        "f.yml:5:3: \"c\" is already set in line 3");
}

TEST_CASE("merge keys fill what the map does not say", "[narthex][yaml]") {
  const YamlNode root = Parse(
      "base: &base {x: 1, y: 2}\n"
      "more: &more {y: 3, z: 4}\n"
      "one: {<<: *base, x: own}\n"
      "two: {<<: [*base, *more]}\n");
  auto text = [](const YamlNode& map) {
    std::string out;
    for (const auto& entry : map.entries) {
      StrAppend(&out, entry.key, "=", entry.value.text, " ");
    }
    return out;
  };
  CHECK(text(root.entries[2].value) == "x=own y=2 ");
  CHECK(text(root.entries[3].value) == "x=1 y=2 z=4 ");
  CHECK(ErrorOf("a: {<<: 3}") ==
        "f.yml:1:5: `<<` takes a map or a list of maps");
}

TEST_CASE("hostile documents end in an error", "[narthex][yaml]") {
  SECTION("aliases that multiply") {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
      StrAppend(&text, "a", i, ": &a", i, " [");
      for (int k = 0; k < 10; ++k) {
        StrAppend(&text, k == 0 ? "*a" : ", *a", i - 1);
      }
      text += "]\n";
    }
    CHECK(ErrorOf(text).find("too large") != std::string::npos);
  }
  SECTION("an alias to what encloses it") {
    CHECK_FALSE(ParseYaml("&a [*a]", "f.yml").ok());
  }
  SECTION("nesting without end") {
    CHECK_FALSE(ParseYaml(std::string(200000, '['), "f.yml").ok());
  }
  SECTION("a key that is a list") {
    CHECK_FALSE(ParseYaml("? [a, b]\n: c\n", "f.yml").ok());
  }
  SECTION("no YAML at all") {
    CHECK(ErrorOf("a: b: c").substr(0, 8) == "f.yml:1:");
    CHECK_FALSE(ParseYaml(std::string("\x00\xff\xfe{", 4), "f.yml").ok());
  }
}

TEST_CASE("a map reader reads what it is asked for", "[narthex][yaml]") {
  const YamlNode root = Parse(
      "text: hello\nflag: yes\nspan: 1m30s\ncount: 12\nlist: [a, 'b c']\n"
      "size: 10MB\nnothing:\n");
  MapReader map(root, "f.yml", "the test");
  std::string text;
  bool flag = false;
  Duration span;
  size_t count = 0;
  std::vector<std::string> list;
  uint64_t size = 0;
  std::string nothing = "as it was";
  map.Read("text", text);
  map.Read("flag", flag);
  map.Read("span", span);
  map.Read("count", count);
  map.Read("list", list);
  map.ReadBytes("size", size);
  map.Read("nothing", nothing);
  REQUIRE(map.Finish() == absl::OkStatus());
  CHECK(text == "hello");
  CHECK(flag);
  CHECK(span == Seconds(90));
  CHECK(count == 12);
  CHECK(list == std::vector<std::string>{"a", "b c"});
  CHECK(size == 10u << 20);
  CHECK(nothing == "as it was");
}

TEST_CASE("a map reader says what is wrong and where", "[narthex][yaml]") {
  auto error_of = [](std::string_view text, auto read) {
    const YamlNode root = Parse(text);
    MapReader map(root, "f.yml", "the test");
    read(map);
    return std::string(Message(map.Finish()));
  };
  bool flag = false;
  Duration span;
  size_t count = 0;
  std::string text;
  CHECK(error_of("a: 1\nfoo: 2\n", [&](MapReader& map) {
          map.Read("a", text);
        }) == "f.yml:2:1: unknown key \"foo\" in the test");
  CHECK(error_of("  scrape_intervall: 5s\n",
                 [&](MapReader& map) { map.Read("scrape_interval", span); }) ==
        "f.yml:1:3: unknown key \"scrape_intervall\" in the test; did you mean "
        "\"scrape_interval\"?");
  CHECK(error_of("f: 'yes'", [&](MapReader& map) { map.Read("f", flag); }) ==
        "f.yml:1:4: f: must be true or false");
  CHECK(error_of("s: 5", [&](MapReader& map) { map.Read("s", span); }) ==
        "f.yml:1:4: s: not a valid duration string: \"5\"");
  CHECK(error_of("c: -1", [&](MapReader& map) { map.Read("c", count); }) ==
        "f.yml:1:4: c: must be a number that is not negative, not \"-1\"");
  CHECK(error_of("t: [1]", [&](MapReader& map) { map.Read("t", text); }) ==
        "f.yml:1:4: t: must be a text");
  CHECK(error_of("rule_files: [x]", [&](MapReader& map) {
          map.Refuse({"rule_files"});
        }) == "f.yml:1:1: \"rule_files\" is not supported by narthex yet");
  CHECK(error_of("rule_files: []", [&](MapReader& map) {
          map.Refuse({"rule_files"});
        }).empty());
  CHECK(error_of("just text", [&](MapReader&) {}) ==
        "f.yml:1:1: the test must be a map");
}

}  // namespace
}  // namespace narthex::config
