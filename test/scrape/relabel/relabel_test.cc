#include "narthex/scrape/relabel.h"

#include <catch2/catch.hpp>
#include <string>

#include "libscrape/relabel/letter_case.h"
#include "libscrape/relabel/md5.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

using Action = RelabelAction;

// The labels that are left, or "dropped".
std::string Apply(const std::vector<RelabelRule>& rules, const Labels& labels) {
  auto relabeler = Relabeler::Make(rules);
  if (!relabeler.ok()) return std::string(Message(relabeler.status()));
  LabelsBuilder builder(labels);
  if (!relabeler->Process(builder)) return "dropped";
  return builder.Build().ToString();
}

const Labels kFoo{{"a", "foo"}, {"b", "bar"}, {"c", "baz"}};

TEST_CASE("replace writes what the template says", "[scrape][relabel]") {
  REQUIRE(Apply({{.source_labels = {"a"},
                  .regex = "f(.*)",
                  .target_label = "d",
                  .replacement = "ch${1}-ch${1}"}},
                kFoo) == R"({a="foo", b="bar", c="baz", d="choo-choo"})");
  REQUIRE(Apply({{.source_labels = {"a", "b"},
                  .regex = "f(.*);(.*)r",
                  .target_label = "a",
                  .replacement = "b${1}${2}m"}},
                kFoo) == R"({a="boobam", b="bar", c="baz"})");
  // No match: nothing; an empty result: the label goes.
  REQUIRE(Apply({{.source_labels = {"a"}, .regex = "x", .target_label = "b"}},
                kFoo) == kFoo.ToString());
  REQUIRE(
      Apply({{.source_labels = {"a"}, .target_label = "b", .replacement = ""}},
            kFoo) == R"({a="foo", c="baz"})");
  REQUIRE(Apply({{.target_label = "d", .replacement = "fixed"}}, kFoo) ==
          R"({a="foo", b="bar", c="baz", d="fixed"})");
}

TEST_CASE("the target of replace may be a template too", "[scrape][relabel]") {
  const Labels labels{{"a", "some-name-value"}};
  const auto with_target = [](std::string target) {
    return RelabelRule{.source_labels = {"a"},
                       .regex = "some-([^-]+)-([^,]+)",
                       .target_label = std::move(target),
                       .replacement = "${2}"};
  };
  REQUIRE(Apply({with_target("${1}")}, labels) ==
          R"({a="some-name-value", name="value"})");
  // A group that does not exist gives no name: nothing happens.
  REQUIRE(Apply({with_target("${3}")}, labels) == R"({a="some-name-value"})");
}

TEST_CASE("keep and drop look at the whole value", "[scrape][relabel]") {
  const auto rule = [](Action action, std::string regex) {
    return RelabelRule{
        .source_labels = {"a"}, .regex = std::move(regex), .action = action};
  };
  REQUIRE(Apply({rule(Action::kKeep, "fo")}, kFoo) == "dropped");
  REQUIRE(Apply({rule(Action::kKeep, "f.*")}, kFoo) == kFoo.ToString());
  REQUIRE(Apply({rule(Action::kDrop, "f.*|x")}, kFoo) == "dropped");
  REQUIRE(Apply({rule(Action::kDrop, "f")}, kFoo) == kFoo.ToString());
}

TEST_CASE("keepequal and dropequal compare two labels", "[scrape][relabel]") {
  const Labels labels{{"port", "80"}, {"annotation", "80"}};
  const auto rule = [](Action action) {
    return RelabelRule{.source_labels = {"annotation"},
                       .target_label = "port",
                       .action = action};
  };
  REQUIRE(Apply({rule(Action::kKeepEqual)}, labels) == labels.ToString());
  REQUIRE(Apply({rule(Action::kDropEqual)}, labels) == "dropped");
}

TEST_CASE("hashmod puts a value into the bucket that Prometheus does",
          "[scrape][relabel]") {
  REQUIRE(Apply({{.source_labels = {"c"},
                  .separator = ";",
                  .modulus = 1000,
                  .target_label = "d",
                  .action = Action::kHashMod}},
                kFoo) == R"({a="foo", b="bar", c="baz", d="976"})");
}

TEST_CASE("MD5 is RFC 1321's", "[scrape][relabel]") {
  const auto hex = [](std::string_view text) {
    std::string out;
    for (uint8_t byte : Md5(text)) {
      constexpr char kHex[] = "0123456789abcdef";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    return out;
  };
  REQUIRE(hex("") == "d41d8cd98f00b204e9800998ecf8427e");
  REQUIRE(hex("abc") == "900150983cd24fb0d6963f7d28e17f72");
  REQUIRE(hex("abcdefghijklmnopqrstuvwxyz") ==
          "c3fcd3d76192e4007dfb496cca67e13b");
  REQUIRE(hex("12345678901234567890123456789012345678901234567890123456789012"
              "345678901234567890") == "57edf4a22be3c955ac49da2e2107b67a");
  REQUIRE(hex(std::string(56, 'a')) == "3b0c8ac703f828b04c6c197006d17218");
  REQUIRE(hex(std::string(64, 'a')) == "014842d480b571495a4a0363793f7367");
}

TEST_CASE("labelmap, labeldrop and labelkeep go by name", "[scrape][relabel]") {
  const Labels labels{
      {"__meta_my_bar", "aaa"}, {"__meta_my_baz", "bbb"}, {"a", "foo"}};
  REQUIRE(
      Apply({{.regex = "__meta_(my.*)",
              .replacement = "${1}",
              .action = Action::kLabelMap}},
            labels) ==
      R"({__meta_my_bar="aaa", __meta_my_baz="bbb", a="foo", my_bar="aaa", my_baz="bbb"})");
  REQUIRE(Apply({{.regex = "__meta_.*", .action = Action::kLabelDrop}},
                labels) == R"({a="foo"})");
  REQUIRE(Apply({{.regex = "a|__meta_my_bar", .action = Action::kLabelKeep}},
                labels) == R"({__meta_my_bar="aaa", a="foo"})");
}

TEST_CASE("letters change their case as Unicode has it", "[scrape][relabel]") {
  REQUIRE(ToLower("AbC-ÄÖÜ ΩД") == "abc-äöü ωд");
  REQUIRE(ToUpper("straße ñ ÿ я") == "STRAßE Ñ Ÿ Я");
  REQUIRE(ToUpper("\xff") == "\xef\xbf\xbd");
  REQUIRE(Apply({{.source_labels = {"a"},
                  .target_label = "u",
                  .action = Action::kUppercase},
                 {.source_labels = {"u"},
                  .target_label = "l",
                  .action = Action::kLowercase}},
                Labels{{"a", "fOo"}}) == R"({a="fOo", l="foo", u="FOO"})");
}

TEST_CASE("rules run in order and stop at the first drop",
          "[scrape][relabel]") {
  REQUIRE(
      Apply({{.source_labels = {"a"}, .target_label = "b"},
             {.source_labels = {"b"}, .regex = "(foo)", .target_label = "c"}},
            kFoo) == R"({a="foo", b="foo", c="foo"})");
  REQUIRE(
      Apply(
          {{.source_labels = {"a"}, .regex = ".*o.*", .action = Action::kDrop},
           {.source_labels = {"a"}, .target_label = "d"}},
          kFoo) == "dropped");
}

TEST_CASE("a rule that lacks something is refused in Prometheus's words",
          "[scrape][relabel]") {
  REQUIRE(Apply({{.source_labels = {"a"}}}, kFoo) ==
          "relabel configuration for replace action requires 'target_label' "
          "value");
  REQUIRE(Apply({{.target_label = "x", .action = Action::kHashMod}}, kFoo) ==
          "relabel configuration for hashmod requires non-zero modulus");
  REQUIRE(Apply({{.target_label = "x",
                  .replacement = "y",
                  .action = Action::kLowercase}},
                kFoo) == "'replacement' can not be set for lowercase action");
  REQUIRE(
      Apply({{.source_labels = {"a"}, .action = Action::kLabelDrop}}, kFoo) ==
      "labeldrop action requires only 'regex', and no other fields");
  REQUIRE(
      Apply({{.regex = "x", .target_label = "y", .action = Action::kKeepEqual}},
            kFoo) ==
      "keepequal action requires only 'source_labels' and `target_label`, "
      "and no other fields");
  REQUIRE_FALSE(Relabeler::Make(std::vector<RelabelRule>{
                                    {.regex = "(", .target_label = "x"}})
                    .ok());
  const std::vector<RelabelRule> dashed{{.target_label = "a-b"}};
  REQUIRE(Relabeler::Make(dashed, NameValidation::kUtf8).ok());
  REQUIRE(Message(Relabeler::Make(dashed, NameValidation::kLegacy).status()) ==
          "\"a-b\" is invalid 'target_label' for replace action");
  const std::vector<RelabelRule> variable{{.target_label = "a${1}_b"}};
  REQUIRE(Relabeler::Make(variable, NameValidation::kLegacy).ok());
}

TEST_CASE("actions are named in any case", "[scrape][relabel]") {
  REQUIRE(*ParseRelabelAction("LabelMap") == Action::kLabelMap);
  REQUIRE(RelabelActionName(Action::kDropEqual) == "dropequal");
  REQUIRE(Message(ParseRelabelAction("jump").status()) ==
          "unknown relabel action \"jump\"");
}

}  // namespace
}  // namespace narthex::scrape
