#include "narthex/promql/prepared.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "narthex/base/status.h"
#include "test/promql/engine/lab.h"

namespace narthex::promql {
namespace {

using test::Lab;

std::string Refused(std::string_view text, std::vector<Parameter> parameters) {
  const Engine engine{EngineOptions{}};
  const auto made = PreparedQuery::Prepare(text, std::move(parameters), engine);
  return made.ok() ? "fine" : std::string(Message(made.status()));
}

TEST_CASE("a prepared query answers what its text would",
          "[promql][prepared]") {
  Lab lab;
  lab.Load(Seconds(10),
           {"m{job=\"a\",i=\"1\"} 0+3x60", "m{job=\"a\",i=\"2\"} 5+7x60",
            "m{job=\"b\",i=\"1\"} 100-2x60"});
  const auto query = PreparedQuery::Prepare(
      "label_replace(sum by ($by) (rate(m{$who}[$window] offset $back)) * $f, "
      "'to', $to, '', '') # $none and '$none'",
      {{"by", ParameterType::kLabels},
       {"who", ParameterType::kMatchers},
       {"window", ParameterType::kDuration},
       {"back", ParameterType::kDuration},
       {"f", ParameterType::kNumber},
       {"to", ParameterType::kString}},
      lab.engine());
  INFO(Message(query.status()));
  REQUIRE(query.ok());
  const auto bound =
      query->Bind({{"by", LabelList{"job"}},
                   {"who", MatcherList{{"job", "a|b", Matcher::Type::kRegex}}},
                   {"window", Minutes(2)},
                   {"back", Seconds(-30)},
                   {"f", -0.1},
                   {"to", std::string("x\"y")}});
  INFO(Message(bound.status()));
  REQUIRE(bound.ok());
  const char* text =
      "label_replace(sum by (job) (rate(m{job=~\"a|b\"}[2m] offset -30s)) * "
      "-0.1, 'to', 'x\"y', '', '')";
  const auto a =
      bound->Range(lab.engine(), lab.store(), {0, 600'000}, Seconds(20));
  const auto b = lab.TryRange(text, Seconds(0), Seconds(600), Seconds(20));
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  REQUIRE(std::get<Matrix>(a->value).size() == 2);
  REQUIRE(SameBits(a->value, b->value));
  REQUIRE(SameBits(
      bound->Instant(lab.engine(), lab.store(), Timestamp(300'000))->value,
      lab.TryAt(text, Seconds(300))->value));
  // And its text is plain PromQL.
  REQUIRE(SameBits(lab.TryAt(bound->text(), Seconds(300))->value,
                   lab.TryAt(text, Seconds(300))->value));
}

TEST_CASE("a value can't be more than its type says", "[promql][prepared]") {
  const Engine engine{EngineOptions{}};
  const auto query = PreparedQuery::Prepare(
      "m{$who} > $n",
      {{"who", ParameterType::kMatchers}, {"n", ParameterType::kNumber}},
      engine);
  REQUIRE(query.ok());
  const std::string evil = "x\"} or vector(1) or m{y=\"";
  const auto bound = query->Bind(
      {{"who", MatcherList{{"job", evil}, {"odd name\"", "v"}}}, {"n", 1.5}});
  REQUIRE(bound.ok());
  REQUIRE(bound->text() ==
          "m{job=\"x\\\"} or vector(1) or m{y=\\\"\",\"odd name\\\"\"=\"v\"} > "
          "(1.5)");
  auto refused = [&](std::vector<Argument> arguments) {
    return std::string(Message(query->Bind(arguments).status()));
  };
  REQUIRE(refused({{"n", 1.0}}) == "$who has no value");
  REQUIRE(refused({{"who", 1.0}, {"n", 1.0}}) == "$who has to be matchers");
  REQUIRE(refused({{"who", MatcherList{}}, {"n", Seconds(1)}}) ==
          "$n has to be a number");
  REQUIRE(refused({{"who", MatcherList{}}, {"n", 1.0}, {"o", 1.0}}) ==
          "there is no parameter $o");
  REQUIRE(refused({{"who", MatcherList{{"", "x"}}}, {"n", 1.0}}) ==
          "$who: \"\" is no label name");
  REQUIRE(refused({{"who", MatcherList{{"a", "(", Matcher::Type::kRegex}}},
                   {"n", 1.0}})
              .find("$who: ") == 0);
}

TEST_CASE("what can't be right is refused when it is prepared",
          "[promql][prepared]") {
  REQUIRE(Refused("m > $n", {}) == "1:5: there is no parameter $n");
  REQUIRE(Refused("m", {{"n", ParameterType::kNumber}}) ==
          "parameter $n is not used");
  REQUIRE(
      Refused("m[$n", {{"n", ParameterType::kDuration}}).find("parse error") !=
      std::string::npos);
  REQUIRE(Refused("rate($n)", {{"n", ParameterType::kNumber}})
              .find("expected type range vector") != std::string::npos);
  REQUIRE(
      Refused("m[$n]", {{"n", ParameterType::kString}}).find("parse error") !=
      std::string::npos);
  REQUIRE(Refused("m{a='$n'} # $n\n", {}) == "fine");
}

}  // namespace
}  // namespace narthex::promql
