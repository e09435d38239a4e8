#include "narthex/model/annotations.h"

#include <catch2/catch.hpp>

namespace narthex {
namespace {

TEST_CASE("annotations are told once, with their place in the query") {
  Annotations a;
  a.Warn("one", {4, 7});
  a.Warn("one", {0, 2});
  a.Info("two");
  a.Warn("three", {9, 10});
  Annotations b;
  b.Warn("one", {1, 2});
  b.Info("four", {0, 1});
  a.Merge(b);
  using Kind = Annotation::Kind;
  using Texts = std::vector<std::string>;
  CHECK(a.Render(Kind::kWarning, "sum(\nfoo(x))") ==
        Texts{"PromQL warning: one (1:5)", "PromQL warning: three (2:5)"});
  CHECK(a.Render(Kind::kInfo, "sum(x)") ==
        Texts{"PromQL info: two", "PromQL info: four (1:1)"});
  CHECK(
      a.Render(Kind::kWarning, "sum(\nfoo(x))", 1) ==
      Texts{"PromQL warning: one (1:5)", "1 more warning annotations omitted"});
}

}  // namespace
}  // namespace narthex
