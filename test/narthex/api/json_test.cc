#include "libnarthex/api/json.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "narthex/model/sample.h"

namespace narthex::api {
namespace {

template <typename Write>
std::string Json(Write write) {
  std::string out;
  JsonWriter json(out);
  write(json);
  return out;
}

std::string SampleText(double v) {
  return Json([&](JsonWriter& json) { json.SampleValue(v); });
}

TEST_CASE("sample values are written as Go's FormatFloat has them",
          "[narthex][json]") {
  CHECK(SampleText(1) == "\"1\"");
  CHECK(SampleText(-0.0) == "\"-0\"");
  CHECK(SampleText(0.1) == "\"0.1\"");
  CHECK(SampleText(100000) == "\"100000\"");
  CHECK(SampleText(1e20) == "\"100000000000000000000\"");
  CHECK(SampleText(0x1p64) == "\"18446744073709552000\"");
  CHECK(SampleText(-0x1p53) == "\"-9007199254740992\"");
  CHECK(SampleText(1e21) == "\"1e+21\"");
  CHECK(SampleText(1e-6) == "\"0.000001\"");
  CHECK(SampleText(1.5e-7) == "\"1.5e-07\"");
  CHECK(SampleText(1e100) == "\"1e+100\"");
  CHECK(SampleText(NormalNaN()) == "\"NaN\"");
  CHECK(SampleText(std::numeric_limits<double>::infinity()) == "\"+Inf\"");
  CHECK(SampleText(-std::numeric_limits<double>::infinity()) == "\"-Inf\"");
}

TEST_CASE("times have three decimals or none", "[narthex][json]") {
  auto text = [](int64_t ms) {
    return Json([&](JsonWriter& json) { json.Time(ms); });
  };
  CHECK(text(0) == "0");
  CHECK(text(1795177652194) == "1795177652.194");
  CHECK(text(1100) == "1.100");
  CHECK(text(1007) == "1.007");
  CHECK(text(-1) == "-0.001");
  CHECK(text(-1500) == "-1.500");
  CHECK(text(kMinMillis) == "-9223372036854775.808");
}

TEST_CASE("texts are escaped for HTML, labels are not", "[narthex][json]") {
  CHECK(Json([](JsonWriter& json) { json.String("a<b & c>\"\\\n\x01"); }) ==
        R"("a\u003cb \u0026 c\u003e\"\\\n\u0001")");
  CHECK(Json([](JsonWriter& json) { json.String("\xff g\xc3\xbc"); }) ==
        "\"\\ufffd g\xc3\xbc\"");
  CHECK(Json([](JsonWriter& json) { json.String("\xe2\x80\xa8"); }) ==
        "\"\\u2028\"");
  CHECK(Json([](JsonWriter& json) {
          json.Write(Labels{{"__name__", "x"}, {"a", "<\"&\t>"}});
        }) == R"({"__name__":"x","a":"<\"&\t>"})");
}

TEST_CASE("commas stand between, never before or after", "[narthex][json]") {
  CHECK(Json([](JsonWriter& json) {
          json.BeginObject();
          json.Key("a");
          json.BeginArray();
          json.Int(1);
          json.BeginArray();
          json.EndArray();
          json.BeginObject();
          json.EndObject();
          json.Bool(true);
          json.EndArray();
          json.Key("b");
          json.Null();
          json.EndObject();
        }) == R"({"a":[1,[],{},true],"b":null})");
}

TEST_CASE("numbers drop the zero that strconv puts into small exponents",
          "[narthex][json]") {
  auto text = [](double v) {
    return Json([&](JsonWriter& json) { json.Number(v); });
  };
  CHECK(text(0.000132) == "0.000132");
  CHECK(text(3.2e-7) == "3.2e-7");
  CHECK(text(1e-12) == "1e-12");
  CHECK(text(4) == "4");
}

TEST_CASE("values are written as the API shows them", "[narthex][json]") {
  auto text = [](promql::Value value) {
    return Json([&](JsonWriter& json) { json.Write(value); });
  };
  SECTION("a scalar's time is a plain number") {
    CHECK(text(promql::ScalarValue{4000, 2}) == R"([4,"2"])");
    CHECK(text(promql::ScalarValue{1100, 1e21}) ==
          R"([1.1,"1000000000000000000000"])");
  }
  SECTION("a string") {
    CHECK(text(promql::StringValue{1000, "<x>"}) == R"([1,"\u003cx\u003e"])");
  }
  SECTION("an empty vector is a list") {
    CHECK(text(promql::Vector{}) == "[]");
    CHECK(text(promql::Matrix{}) == "[]");
  }
  SECTION("a vector") {
    promql::Vector vector;
    vector.push_back({Labels{{"__name__", "up"}}, 1500, 1, nullptr});
    vector.push_back({Labels{}, 1500, 0.5, nullptr});
    CHECK(text(vector) ==
          R"([{"metric":{"__name__":"up"},"value":[1.500,"1"]},)"
          R"({"metric":{},"value":[1.500,"0.5"]}])");
  }
  SECTION("a matrix") {
    promql::MatrixSeries series;
    series.labels = Labels{{"a", "b"}};
    series.floats = {{1000, 1}, {2000, NormalNaN()}};
    CHECK(text(promql::Matrix{series}) ==
          R"([{"metric":{"a":"b"},"values":[[1,"1"],[2,"NaN"]]}])");
  }
}

}  // namespace
}  // namespace narthex::api
