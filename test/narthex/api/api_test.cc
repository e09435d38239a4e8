#include <catch2/catch.hpp>

#include "narthex/base/compress.h"
#include "narthex/base/status.h"
#include "narthex/http_server.h"
#include "narthex/narthex.h"

namespace narthex::api {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

// A Narthex in memory whose time stands at 600 s, with a counter that has grown
// by 1 a second, and a handler over it.
class ApiLab {
 public:
  ApiLab() : ApiLab(Options{}) {}
  explicit ApiLab(Options options) {
    narthex::Options o;
    o.env = env_.get();
    o.clock = &clock_;
    o.executor = &executor_;
    auto opened = Narthex::Open(o);
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    nx_ = *std::move(opened);
    for (int64_t s = 0; s <= 600; s += 15) {
      const std::string page = StrCat(
          "# TYPE requests_total counter\nrequests_total{code=\"200\"} ", s,
          "\nrequests_total{code=\"500\"} ", s / 10, "\nup{job=\"a b\"} 1\n");
      const auto stored = nx_->Ingest(page, "text/plain", s * 1000);
      INFO(stored.status().ToString());
      REQUIRE(stored.ok());
    }
    auto made = Handler::Make(*nx_, std::move(options));
    REQUIRE(made.ok());
    handler_ = *std::move(made);
  }

  Response Get(std::string target) {
    Request request;
    request.target = std::move(target);
    return handler_->Handle(request);
  }
  Response Post(std::string target, std::string form) {
    Request request;
    request.method = "POST";
    request.target = std::move(target);
    request.content_type = "application/x-www-form-urlencoded";
    request.body = std::move(form);
    return handler_->Handle(request);
  }
  Response Send(const Request& request) { return handler_->Handle(request); }
  Narthex& narthex() { return *nx_; }

 private:
  std::unique_ptr<Env> env_ = NewMemEnv();
  FakeClock clock_{600'000};
  InlineExecutor executor_;
  std::unique_ptr<Narthex> nx_;
  std::unique_ptr<Handler> handler_;
};

std::string Success(std::string_view data) {
  return StrCat(R"({"status":"success","data":)", data, "}");
}
std::string Error(std::string_view type, std::string_view text) {
  return StrCat(R"({"status":"error","errorType":")", type, R"(","error":")",
                text, R"("})");
}

TEST_CASE("an instant query answers in Prometheus's JSON", "[narthex][api]") {
  ApiLab lab;
  SECTION("Grafana's health check") {
    const Response r = lab.Post("/api/v1/query", "query=1%2B1&time=4");
    CHECK(r.status == 200);
    CHECK(r.content_type == "application/json");
    CHECK(r.body == Success(R"({"resultType":"scalar","result":[4,"2"]})"));
  }
  SECTION("a vector, at the present time") {
    CHECK(lab.Get("/api/v1/query?query=up").body ==
          Success(R"({"resultType":"vector","result":[{"metric":)"
                  R"({"__name__":"up","job":"a b"},"value":[600,"1"]}]})"));
  }
  SECTION("at a time with milliseconds") {
    CHECK(lab.Get("/api/v1/query?query=sum(requests_total)&time=300.5").body ==
          Success(R"({"resultType":"vector","result":[{"metric":{},)"
                  R"("value":[300.500,"330"]}]})"));
  }
  SECTION("at a time as RFC 3339") {
    CHECK(lab.Get("/api/v1/query?query=up&time=1970-01-01T00:01:00Z").body ==
          Success(R"({"resultType":"vector","result":[{"metric":)"
                  R"({"__name__":"up","job":"a b"},"value":[60,"1"]}]})"));
  }
  SECTION("nothing there") {
    CHECK(lab.Get("/api/v1/query?query=unheard_of").body ==
          Success(R"({"resultType":"vector","result":[]})"));
  }
  SECTION("a string") {
    CHECK(lab.Get("/api/v1/query?query=%22%3Cx%3E%22&time=1.5").body ==
          Success(R"({"resultType":"string","result":[1.5,"\u003cx\u003e"]})"));
  }
  SECTION("a range of samples") {
    CHECK(lab.Get("/api/v1/query?query=up[30s]&time=30").body ==
          Success(R"({"resultType":"matrix","result":[{"metric":)"
                  R"({"__name__":"up","job":"a b"},)"
                  R"("values":[[15,"1"],[30,"1"]]}]})"));
  }
}

TEST_CASE("a range query answers a matrix", "[narthex][api]") {
  ApiLab lab;
  CHECK(lab.Get("/api/v1/query_range?query=requests_total{code=%22200%22}*2"
                "&start=90&end=120&step=15")
            .body == Success(R"({"resultType":"matrix","result":[{"metric":)"
                             R"({"code":"200"},"values":[[90,"180"],)"
                             R"([105,"210"],[120,"240"]]}]})"));
  SECTION("a scalar too") {
    CHECK(lab.Post("/api/v1/query_range", "query=1&start=1&end=2&step=0.5")
              .body ==
          Success(R"({"resultType":"matrix","result":[{"metric":{},)"
                  R"("values":[[1,"1"],[1.500,"1"],[2,"1"]]}]})"));
  }
}

TEST_CASE("bad parameters are refused in Prometheus's words",
          "[narthex][api]") {
  ApiLab lab;
  auto check = [&](const char* target, std::string_view text) {
    const Response r = lab.Get(target);
    INFO(target);
    CHECK(r.status == 400);
    CHECK(r.body == Error("bad_data", text));
  };
  check("/api/v1/query?query=up&time=soon",
        R"(invalid parameter \"time\": invalid time value for 'time': )"
        R"(cannot parse \"soon\" to a valid timestamp)");
  check("/api/v1/query?query=up&timeout=-5s",
        R"(invalid parameter \"timeout\": cannot parse \"-5s\" to a valid )"
        R"(duration)");
  check("/api/v1/query?query=up&limit=-1",
        R"(invalid parameter \"limit\": limit must be non-negative)");
  check("/api/v1/query?query=up&limit=x",
        R"(invalid parameter \"limit\": strconv.Atoi: parsing \"x\": )"
        R"(invalid syntax)");
  check("/api/v1/query?query=up&lookback_delta=x",
        R"(error parsing lookback delta duration: cannot parse \"x\" to a )"
        R"(valid duration)");
  check("/api/v1/query_range?query=up&start=1&end=2",
        R"(invalid parameter \"step\": cannot parse \"\" to a valid duration)");
  check("/api/v1/query_range?query=up&start=2&end=1&step=1",
        R"(invalid parameter \"end\": end timestamp must not be before start )"
        R"(time)");
  check("/api/v1/query_range?query=up&start=1&end=2&step=0",
        R"(invalid parameter \"step\": zero or negative query resolution )"
        R"(step widths are not accepted. Try a positive integer)");
  check("/api/v1/query_range?query=up&start=0&end=11001&step=1",
        "exceeded maximum resolution of 11,000 points per timeseries. Try "
        "decreasing the query resolution (?step=XX)");
  check("/api/v1/query_range?query=up[1m]&start=0&end=1&step=1",
        R"(invalid parameter \"query\": invalid expression type \"range )"
        R"(vector\" for range query, must be Scalar or instant Vector)");
  check("/api/v1/series", "no match[] parameter provided");
  check("/api/v1/series?match[]={}",
        R"(invalid parameter \"match[]\": match[] must contain at least one )"
        R"(non-empty matcher)");
}

TEST_CASE("a query that does not parse says where", "[narthex][api]") {
  ApiLab lab;
  const Response r = lab.Get("/api/v1/query?query=sum(up");
  CHECK(r.status == 400);
  CHECK_THAT(r.body, StartsWith(R"({"status":"error","errorType":"bad_data",)"
                                R"("error":"invalid parameter \"query\": 1:)"));
}

TEST_CASE("a query that fails while it runs is an execution error",
          "[narthex][api]") {
  ApiLab lab;
  const Response r = lab.Get(
      "/api/v1/query?query=requests_total*on()group_left()requests_total");
  CHECK(r.status == 422);
  CHECK_THAT(r.body,
             StartsWith(R"({"status":"error","errorType":"execution")"));
}

TEST_CASE("a query without time left is refused", "[narthex][api]") {
  ApiLab lab;
  const Response r = lab.Get("/api/v1/query?query=up&timeout=-5");
  CHECK(r.status == 400);
  CHECK(r.body ==
        Error("bad_data",
              R"(invalid parameter \"query\": context deadline exceeded)"));
}

TEST_CASE("a limit cuts the result and says so", "[narthex][api]") {
  ApiLab lab;
  const std::string warning =
      R"("warnings":["results truncated due to limit"])";
  CHECK_THAT(lab.Get("/api/v1/query?query=requests_total&limit=1").body,
             Contains(warning));
  CHECK_THAT(lab.Get("/api/v1/query?query=requests_total&limit=2").body,
             !Contains(warning));
  CHECK(lab.Get("/api/v1/label/code/values?limit=1").body ==
        R"({"status":"success","data":["200"],)" + warning + "}");
  CHECK_THAT(lab.Get("/api/v1/series?match[]=requests_total&limit=1").body,
             Contains(warning));
}

TEST_CASE("warnings and infos stand beside the data", "[narthex][api]") {
  ApiLab lab;
  const Response r = lab.Get("/api/v1/query?query=rate(up[1m])");
  CHECK(r.status == 200);
  CHECK_THAT(r.body, Contains(R"("infos":["PromQL info: )"));
}

TEST_CASE("statistics come if they are asked for", "[narthex][api]") {
  ApiLab lab;
  CHECK_THAT(lab.Get("/api/v1/query?query=up").body, !Contains("stats"));
  CHECK_THAT(lab.Get("/api/v1/query?query=up&stats=all").body,
             Contains(R"("stats":{"timings":{"evalTotalTime":)") &&
                 Contains(R"("totalQueryableSamples":1,)"));
  CHECK_THAT(lab.Get("/api/v1/query?query=up&stats=some").body,
             Contains(R"(is deprecated and will be rejected)"));
}

TEST_CASE("series and labels are found", "[narthex][api]") {
  ApiLab lab;
  const std::string both = R"([{"__name__":"requests_total","code":"200"},)"
                           R"({"__name__":"requests_total","code":"500"}])";
  CHECK(lab.Get("/api/v1/series?match[]=requests_total").body == Success(both));
  CHECK(lab.Post("/api/v1/series",
                 "match[]=requests_total{code=%22200%22}&match[]={code=~%22.%"
                 "2B%22}")
            .body == Success(both));
  CHECK(lab.Get("/api/v1/series?match[]=nothing").body == Success("[]"));
  CHECK(lab.Get("/api/v1/labels").body ==
        Success(R"(["__name__","code","job"])"));
  CHECK(lab.Get("/api/v1/labels?match[]=up").body ==
        Success(R"(["__name__","job"])"));
  CHECK(lab.Get("/api/v1/labels?match[]=up&match[]=requests_total").body ==
        Success(R"(["__name__","code","job"])"));
  CHECK(lab.Get("/api/v1/label/__name__/values").body ==
        Success(R"(["requests_total","up"])"));
  CHECK(lab.Get("/api/v1/label/code/values?match[]=up").body == Success("[]"));
  CHECK(lab.Get("/api/v1/label/U__c_6f_de/values").body ==
        Success(R"(["200","500"])"));
  CHECK(lab.Get("/api/v1/label/%6aob/values").body == Success(R"(["a b"])"));
}

TEST_CASE("queries are formatted and taken apart", "[narthex][api]") {
  ApiLab lab;
  CHECK(lab.Get("/api/v1/format_query?query=sum(up)by(job)").body ==
        Success("\"sum by (job) (up)\""));
  CHECK(lab.Get("/api/v1/parse_query?query=-foo{a!=%22b%22}[5m]%20offset%201m")
            .status == 400);
  CHECK(lab.Get("/api/v1/"
                "parse_query?query=rate(foo{a!=%22b%22}[5m]%20offset%201m)%3E2")
            .body ==
        Success(
            R"({"bool":false,"lhs":{"args":[{"anchored":false,"matchers":[)"
            R"({"name":"a","type":"!=","value":"b"},)"
            R"({"name":"__name__","type":"=","value":"foo"}],"name":"foo",)"
            R"("offset":60000,"offsetExpr":null,"range":300000,)"
            R"("rangeExpr":null,"smoothed":false,"startOrEnd":null,)"
            R"("timestamp":null,"type":"matrixSelector"}],"func":{"argTypes":)"
            R"(["matrix"],"name":"rate","returnType":"vector","variadic":0},)"
            R"("type":"call"},"matching":null,"op":"\u003e","rhs":)"
            R"({"type":"numberLiteral","val":"2"},"type":"binaryExpr"})"));
}

TEST_CASE("the status pages are there", "[narthex][api]") {
  Options options;
  options.flags = {{"web.enable-admin-api", "false"},
                   {"storage.tsdb.path", "data/"}};
  options.retention = "15d";
  ApiLab lab(options);
  CHECK(lab.Get("/api/v1/status/flags").body ==
        Success(R"({"storage.tsdb.path":"data/",)"
                R"("web.enable-admin-api":"false"})"));
  CHECK_THAT(
      lab.Get("/api/v1/status/buildinfo").body,
      Contains(R"("version":"3.14.0+narthex.)") && !Contains("features"));
  CHECK_THAT(lab.Get("/api/v1/status/runtimeinfo").body,
             Contains(R"("storageRetention":"15d")") &&
                 Contains(R"("startTime":"1970-01-01T00:10:00Z")"));
  CHECK_THAT(lab.Get("/api/v1/status/config").body,
             StartsWith(R"({"status":"success","data":{"yaml":"global:\n)"));
  CHECK_THAT(lab.Get("/api/v1/status/tsdb").body,
             Contains(R"("numSeries":3,)") &&
                 Contains(R"({"name":"requests_total","value":2})"));
  CHECK(lab.Get("/api/v1/status/tsdb?limit=0").body ==
        Error("bad_data", "limit must be a positive number"));
  CHECK(lab.Get("/api/v1/status/tsdb?limit=10001").body ==
        Error("bad_data", "limit must not exceed 10000"));
  CHECK(lab.Get("/api/v1/status/tsdb/blocks").body ==
        Success(R"({"blocks":[]})"));
}

TEST_CASE("a pool shows its configuration and what its rules do",
          "[narthex][api]") {
  ApiLab lab;
  scrape::Job job;
  job.name = "j";
  job.relabel = {
      {.source_labels = {"a"}, .target_label = "b", .replacement = "$1!"},
      {.source_labels = {"b"},
       .regex = "x!",
       .action = scrape::RelabelAction::kDrop},
      {.target_label = "c", .replacement = "never"}};
  REQUIRE(lab.narthex().SetJobs({job}).ok());
  CHECK_THAT(lab.Get("/api/v1/scrape_pools/config?scrapePool=j").body,
             Contains(R"({"yaml":"job_name: j\n)") &&
                 Contains(R"(\nrelabel_configs:\n)"));
  CHECK(lab.Get("/api/v1/targets/relabel_steps?scrapePool=j&labels="
                "%7B%22a%22:%22x%22%7D")
            .body ==
        Success(
            R"({"steps":[{"rule":{"source_labels":["a"],"separator":";",)"
            R"j("regex":"(.*)","target_label":"b","replacement":"$1!",)j"
            R"("action":"replace"},"output":{"a":"x","b":"x!"},"keep":true},)"
            R"({"rule":{"source_labels":["b"],"separator":";","regex":"x!",)"
            R"("replacement":"$1","action":"drop"},"output":{},"keep":false},)"
            R"j({"rule":{"separator":";","regex":"(.*)","target_label":"c",)j"
            R"("replacement":"never","action":"replace"},"output":{},)"
            R"("keep":false}]})"));
  for (const char* path :
       {"scrape_pools/config?", "targets/relabel_steps?labels={}&"}) {
    CHECK(lab.Get(StrCat("/api/v1/", path)).body ==
          Error("bad_data", "no scrapePool parameter provided"));
    CHECK(
        lab.Get(StrCat("/api/v1/", path, "scrapePool=k")).body ==
        Error(
            "bad_data",
            R"(error retrieving scrape config: scrape pool \"k\" not found)"));
  }
  CHECK(lab.Get("/api/v1/targets/relabel_steps?scrapePool=j").body ==
        Error("bad_data", "no labels parameter provided"));
  CHECK_THAT(
      lab.Get("/api/v1/targets/relabel_steps?scrapePool=j&labels=[1]").body,
      Contains("error parsing labels"));
}

TEST_CASE("without jobs there are no targets", "[narthex][api]") {
  ApiLab lab;
  CHECK(lab.Get("/api/v1/targets/metadata").body == Success("[]"));
  CHECK(lab.Get("/api/v1/targets/metadata?limit=x").body ==
        Error("bad_data", "limit must be a number"));
  CHECK_THAT(lab.Get("/api/v1/targets/metadata?match_target=%7B").body,
             Contains(R"(invalid parameter \"match_target\": )"));
  CHECK(lab.Get("/api/v1/targets?query=any").body ==
        Success(R"({"activeTargets":[],"droppedTargets":[],)"
                R"("droppedTargetCounts":{}})"));
  CHECK(lab.Get("/api/v1/scrape_pools").body ==
        Success(R"({"scrapePools":[]})"));
  CHECK(lab.Get("/api/v1/metadata").body == Success("{}"));
  CHECK(lab.Get("/api/v1/metadata?limit=x").body ==
        Error("bad_data", "limit must be a number"));
}

TEST_CASE("wrong methods and paths are told apart", "[narthex][api]") {
  ApiLab lab;
  CHECK(lab.Get("/api/v1/nothing").status == 404);
  CHECK(lab.Get("/api/v1querys").status == 404);
  CHECK(lab.Get("/nothing").status == 404);
  // Grafana falls back to GET on a 405, not on a 404.
  const Response r = lab.Post("/api/v1/label/job/values", "");
  CHECK(r.status == 405);
  CHECK(lab.Post("/api/v1/metadata", "").status == 405);
  CHECK(lab.Post("/metrics", "").status == 405);
  CHECK(lab.Post("/-/reload", "").status == 403);
  Request request;
  request.method = "DELETE";
  request.target = "/api/v1/query";
  CHECK(lab.Send(request).status == 405);
}

TEST_CASE("scripts of other origins are let in as configured",
          "[narthex][api]") {
  auto header = [](const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return std::string("none");
  };
  Request request;
  request.method = "OPTIONS";
  request.target = "/api/v1/query";
  request.origin = "https://a.example";
  SECTION("anybody") {
    ApiLab lab;
    const Response r = lab.Send(request);
    CHECK(r.status == 204);
    CHECK(header(r, "Access-Control-Allow-Origin") == "*");
    CHECK(header(r, "Access-Control-Allow-Methods") == "GET, POST, OPTIONS");
  }
  SECTION("some") {
    ApiLab lab(Options{.cors_origin = "https://[ab]\\.example"});
    CHECK(header(lab.Send(request), "Access-Control-Allow-Origin") ==
          "https://a.example");
    request.origin = "https://a.example.evil";
    CHECK(header(lab.Send(request), "Access-Control-Allow-Origin") == "none");
  }
}

TEST_CASE("deletion is refused, unless it was allowed", "[narthex][api]") {
  const std::string form = "match[]=requests_total";
  {
    ApiLab lab;
    const Response refused = lab.Post("/api/v1/admin/tsdb/delete_series", form);
    CHECK(refused.status == 500);
    CHECK_THAT(refused.body, Contains("admin APIs disabled"));
  }
  Options options;
  options.admin_api = true;
  ApiLab lab(options);
  CHECK(lab.Get("/api/v1/admin/tsdb/delete_series?" + form).status == 405);
  CHECK_THAT(lab.Post("/api/v1/admin/tsdb/delete_series", "").body,
             Contains("no match[] parameter provided"));
  CHECK(lab.Post("/api/v1/admin/tsdb/delete_series", form + "&start=0&end=300")
            .status == 204);
  const std::string rest =
      lab.Get("/api/v1/query?query=requests_total[20m]&time=600").body;
  CHECK_THAT(rest, Contains("[315,") && !Contains("[300,"));
  CHECK(lab.Post("/api/v1/admin/tsdb/clean_tombstones", "").status == 204);
  CHECK_THAT(lab.Post("/api/v1/admin/tsdb/snapshot", "skip_head=maybe").body,
             Contains("unable to parse boolean"));
}

TEST_CASE("long answers are packed for those who ask", "[narthex][api]") {
  ApiLab lab;
  Request request;
  request.target = "/metrics";
  const Response plain = lab.Send(request);
  CHECK(plain.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK_THAT(plain.body, Contains("prometheus_tsdb_head_series 3\n") &&
                             Contains("process_resident_memory_bytes "));
  request.accept_encoding = "deflate, gzip;q=0.5";
  const Response packed = lab.Send(request);
  CHECK(packed.body.size() < plain.body.size());
  std::string unpacked;
  REQUIRE(Decompress(Compression::kGzip, packed.body, 1 << 20, unpacked).ok());
  CHECK_THAT(unpacked, Contains("prometheus_tsdb_head_series 3\n"));
  request.accept_encoding = "gzip;q=0";
  CHECK_THAT(lab.Send(request).body, StartsWith("# HELP"));
}

TEST_CASE("the server says that it is well", "[narthex][api]") {
  ApiLab lab;
  CHECK(lab.Get("/-/healthy").body == "Prometheus Server is Healthy.\n");
  CHECK(lab.Get("/-/ready").body == "Prometheus Server is Ready.\n");
  CHECK(lab.Get("/").status == 200);
}

}  // namespace
}  // namespace narthex::api
