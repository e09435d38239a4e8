#include "narthex/api_client.h"

#include <catch2/catch.hpp>
#include <string>

#include "libnarthex/api/histogram_json.h"
#include "libnarthex/api/json.h"
#include "narthex/base/status.h"
#include "nlohmann/json.hpp"
#include "test/support/http_stub.h"

namespace narthex::api {
namespace {

using test::HttpStub;

std::string Written(const FloatHistogram& histogram) {
  std::string out;
  JsonWriter json(out);
  json.Write(histogram);
  return out;
}

FloatHistogram Read(const std::string& json) {
  FloatHistogram out;
  INFO(json);
  REQUIRE(ReadHistogram(nlohmann::json::parse(json), out));
  return out;
}

// What a server says to any query.
absl::StatusOr<promql::Value> Ask(const std::string& data) {
  HttpStub stub([&](const std::string&) {
    return HttpStub::Reply(
        "200 OK", "application/json",
        StrCat("{\"status\":\"success\",\"data\":", data, "}"));
  });
  auto client = Client::Make(stub.Url(""));
  REQUIRE(client.ok());
  return (*client)->Query("q", Timestamp(1000));
}

TEST_CASE("a histogram's JSON is read as it was written", "[narthex][api]") {
  for (int32_t schema = kMinSchema; schema <= kMaxSchema; ++schema) {
    FloatHistogram h;
    h.schema = schema;
    h.count = 11.5;
    h.sum = -3.25;
    h.zero_threshold = 1e-30;
    h.zero_count = 2;
    h.positive_spans = {{-3, 2}, {4, 1}};
    h.positive_buckets = {1, 2.5, 3};
    h.negative_spans = {{1, 1}};
    h.negative_buckets = {3};
    const FloatHistogram read = Read(Written(h));
    CHECK(read.ToTestString() == h.ToTestString());
    CHECK(Written(read) == Written(h));
  }
  FloatHistogram custom;
  custom.schema = kCustomBucketsSchema;
  custom.count = 6;
  custom.sum = 17;
  custom.custom_values = {-1.5, 0, 2, 7};
  custom.positive_spans = {{0, 2}, {1, 2}};
  custom.positive_buckets = {1, 2, 1, 2};
  CHECK(Read(Written(custom)).ToTestString() == custom.ToTestString());
  // Of empty buckets the JSON says nothing: bounds that only they have are
  // lost, and the JSON is the same again.
  custom.positive_spans = {{2, 1}};
  custom.positive_buckets = {6};
  CHECK(Written(Read(Written(custom))) == Written(custom));
}

TEST_CASE("a bucket that the zero bucket cuts is read as one",
          "[narthex][api]") {
  FloatHistogram h;
  h.schema = 0;
  h.zero_threshold = 0.75;
  h.zero_count = 1;
  h.count = 3;
  h.positive_spans = h.negative_spans = {{0, 1}};
  h.positive_buckets = h.negative_buckets = {1};
  CHECK(Read(Written(h)).ToTestString() == h.ToTestString());
}

TEST_CASE("the client reads histograms of vectors and matrices",
          "[narthex][api]") {
  const std::string histogram =
      "[1.5,{\"count\":\"3\",\"sum\":\"NaN\",\"buckets\":"
      "[[0,\"1\",\"2\",\"3\"]]}]";
  const auto vector = Ask(
      StrCat("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"a\":\"b\"},"
             "\"histogram\":",
             histogram, "}]}"));
  REQUIRE(vector.ok());
  CHECK(promql::ToString(*vector) ==
        "{a=\"b\"} => {count:3, sum:NaN, (1,2]:3} @[1500]");
  const auto matrix = Ask(
      StrCat("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":"
             "[[1,\"7\"]],\"histograms\":[",
             histogram, "]}]}"));
  REQUIRE(matrix.ok());
  const auto& series = std::get<promql::Matrix>(*matrix).at(0);
  CHECK(series.floats.size() == 1);
  REQUIRE(series.histograms.size() == 1);
  CHECK(series.histograms[0].t == Timestamp(1500));
  CHECK(series.histograms[0].histogram->count == 3);
}

TEST_CASE("what is no histogram is refused", "[narthex][api]") {
  for (const char* bad :
       {"{}", "[]", "{\"count\":1,\"sum\":2}",
        "{\"count\":\"x\",\"sum\":\"1\"}",
        "{\"count\":\"1\",\"sum\":\"1\",\"buckets\":{}}",
        "{\"count\":\"1\",\"sum\":\"1\",\"buckets\":[[0,\"1\",\"2\"]]}",
        "{\"count\":\"1\",\"sum\":\"1\",\"buckets\":[[0,\"2\",\"1\",\"1\"]]}",
        "{\"count\":\"1\",\"sum\":\"1\",\"buckets\":[[0,\"1\",\"3\",\"1\"],"
        "[0,\"2\",\"4\",\"1\"]]}"}) {
    INFO(bad);
    FloatHistogram out;
    CHECK_FALSE(ReadHistogram(nlohmann::json::parse(bad), out));
  }
  CHECK(Message(Ask("{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"
                    "\"histogram\":[1]}]}")
                    .status())
            .find("a histogram is no pair of time and histogram") !=
        std::string_view::npos);
}

}  // namespace
}  // namespace narthex::api
