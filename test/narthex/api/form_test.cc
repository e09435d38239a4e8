#include "libnarthex/api/form.h"

#include <catch2/catch.hpp>

namespace narthex::api {
namespace {

TEST_CASE("a form goes before the query string", "[narthex][form]") {
  Request request;
  request.method = "POST";
  request.target = "/api/v1/series?match[]=c&limit=3#x";
  request.content_type = "Application/x-www-form-urlencoded; charset=utf-8";
  request.body = "match%5B%5D=a+b&match[]=%7Bx%3D%22y%22%7D&limit=2";
  const Form form(request);
  CHECK(form.path() == "/api/v1/series");
  CHECK(form.Get("limit") == "2");
  CHECK(form.GetFromUrl("limit") == "3");
  CHECK(form.All("match[]") ==
        std::vector<std::string>{"a b", "{x=\"y\"}", "c"});
  CHECK(form.Get("absent").empty());
}

TEST_CASE("only a form is read as one", "[narthex][form]") {
  Request request;
  request.target = "/x?a=1";
  request.body = "a=2";
  SECTION("a GET has none") {
    request.content_type = "application/x-www-form-urlencoded";
  }
  SECTION("other types are not") {
    request.method = "POST";
    request.content_type = "application/json";
  }
  CHECK(Form(request).Get("a") == "1");
}

TEST_CASE("a parameter with a bad escape vanishes", "[narthex][form]") {
  Request request;
  request.target = "/x?a=%zz&b=%4&c=%41&d&=e&f=1;g=2";
  const Form form(request);
  CHECK(form.Get("a").empty());
  CHECK(form.Get("b").empty());
  CHECK(form.Get("c") == "A");
  CHECK(form.Get("f").empty());
  CHECK(form.Get("").size() == 1);
}

TEST_CASE("label names in paths may be escaped Prometheus's way",
          "[narthex][form]") {
  CHECK(UnescapeLabelName("job") == "job");
  CHECK(UnescapeLabelName("U__http_2e_status__code") == "http.status_code");
  CHECK(UnescapeLabelName("U__snow_2603_") == "snow\xe2\x98\x83");
  CHECK(UnescapeLabelName("U__bad_zz_") == "U__bad_zz_");
  CHECK(UnescapeLabelName("U__torn_2e") == "U__torn_2e");
  CHECK(UnescapeLabelName("U__half_d800_") == "U__half_d800_");
}

}  // namespace
}  // namespace narthex::api
