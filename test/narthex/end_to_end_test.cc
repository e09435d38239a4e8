// The whole way with nothing faked: a target on loopback, scraped by curl, on a
// real pool, into files, asked over HTTP.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>

#include "narthex/api_client.h"
#include "narthex/base/status.h"
#include "narthex/http_server.h"
#include "narthex/narthex.h"

namespace narthex {
namespace {

using Catch::Matchers::Contains;

class TempDir {
 public:
  TempDir() {
    const char* base = std::getenv("TMPDIR");
    path_ = StrCat(std::string(base == nullptr ? "/tmp" : base),
                   "/narthex_e2e_XXXXXX");
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() { Env::Posix()->RemoveAll(path_).IgnoreError(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::unique_ptr<HttpServer> Listen(HttpServer::Handle handle,
                                   Executor* executor) {
  HttpServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.executor = executor;
  auto server = HttpServer::Start(std::move(handle), options);
  INFO(server.status().ToString());
  REQUIRE(server.ok());
  return *std::move(server);
}

// True within ten seconds.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 200; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST_CASE("a target is scraped, stored and answered over HTTP",
          "[narthex][e2e]") {
  std::atomic<int> scrapes = 0;
  const auto good = Listen(
      [&](const api::Request& request) {
        api::Response response;
        response.content_type = "text/plain; version=0.0.4";
        response.body = StrCat(
            "# TYPE hits_total counter\n# HELP hits_total How often.\n"
            "hits_total{path=\"",
            request.target, "\"} ", ++scrapes, "\n");
        return response;
      },
      nullptr);
  const auto bad = Listen(
      [](const api::Request&) {
        api::Response response;
        response.status = 500;
        return response;
      },
      nullptr);
  const auto garbage = Listen(
      [](const api::Request&) {
        api::Response response;
        response.content_type = "text/plain; version=0.0.4";
        response.body = "this is { no page\n";
        return response;
      },
      nullptr);
  auto address = [](const HttpServer& server) {
    return StrCat("127.0.0.1:", server.ports().front());
  };

  const TempDir dir;
  const std::string config = JoinPath(dir.path(), "prometheus.yml");
  REQUIRE(Env::Posix()
              ->WriteFileAtomically(
                  config, StrCat("global: {scrape_interval: 200ms, "
                                 "scrape_timeout: 200ms}\n"
                                 "scrape_configs:\n- job_name: stub\n"
                                 "  static_configs: [{targets: ['",
                                 address(*good), "', '", address(*bad), "', '",
                                 address(*garbage), "']}]\n"))
              .ok());
  ThreadPool pool(2);
  Options options;
  options.data_dir = JoinPath(dir.path(), "data");
  options.executor = &pool;
  auto nx = Narthex::OpenFromConfig(config, options);
  INFO(nx.status().ToString());
  REQUIRE(nx.ok());
  const auto handler = api::Handler::Make(**nx);
  REQUIRE(handler.ok());
  const auto server = Listen(
      [&](const api::Request& request) { return (*handler)->Handle(request); },
      &pool);

  auto client = api::Client::Make(address(*server));
  REQUIRE(client.ok());
  auto ask = [&](std::string_view promql) {
    const auto value = (*client)->Query(promql, Clock::System()->Now());
    INFO(value.status().ToString());
    REQUIRE(value.ok());
    return std::get<promql::Vector>(*value);
  };
  REQUIRE(Eventually([&] { return scrapes >= 3; }));
  REQUIRE(Eventually([&] { return ask("up").size() == 3; }));
  REQUIRE(Eventually([&] {
    const promql::Vector hits = ask("hits_total");
    return hits.size() == 1 && hits[0].v >= 2 &&
           hits[0].labels.Get("path") == "/metrics" &&
           hits[0].labels.Get("job") == "stub";
  }));
  CHECK(ask("sum(up)").at(0).v == 1);
  CHECK(ask("count(scrape_duration_seconds >= 0)").at(0).v == 3);

  const auto names =
      (*client)->LabelValues("job", {}, {0, Clock::System()->Now()});
  REQUIRE(names.ok());
  CHECK(*names == std::vector<std::string>{"stub"});
  const std::vector<std::string> selector = {"hits_total"};
  CHECK((*client)->Series(selector, {0, Clock::System()->Now()})->size() == 1);
  const auto refused = (*client)->Query("sum(", 0);
  CHECK_THAT(std::string(Message(refused.status())),
             Contains("bad_data: invalid parameter \"query\": 1:"));

  api::Request request;
  request.target = "/api/v1/targets";
  const std::string targets = (*handler)->Handle(request).body;
  CHECK_THAT(targets, Contains("server returned HTTP status 500") &&
                          Contains("\"health\":\"up\"") &&
                          Contains("\"health\":\"down\"") &&
                          Contains("\"scrapeInterval\":\"200ms\""));
  request.target = "/api/v1/metadata?metric=hits_total";
  CHECK((*handler)->Handle(request).body ==
        R"({"status":"success","data":{"hits_total":[{"type":"counter",)"
        R"("unit":"","help":"How often."}]}})");

  server->Stop();
  CHECK((*nx)->Close().ok());
  nx->reset();

  // What was answered is in the files.
  options.read_only = true;
  const auto again = Narthex::Open(options);
  INFO(again.status().ToString());
  REQUIRE(again.ok());
  const auto kept = (*again)->Query("max_over_time(hits_total[1m]) >= 2",
                                    Clock::System()->Now());
  REQUIRE(kept.ok());
  CHECK(std::get<promql::Vector>(kept->value).size() == 1);
}

}  // namespace
}  // namespace narthex
