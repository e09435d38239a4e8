#include <catch2/catch.hpp>

#include "test/scrape/discovery/ask_lab.h"

namespace narthex::scrape {
namespace {

constexpr char kTwo[] =
    R"([{"targets":["a:1","b:2"],"labels":{"x":"y"}},{"targets":["c:3"]}])";

TEST_CASE("http_sd shows what the server lists, with the URL in a label",
          "[http_sd]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) { return AskLab::Reply(kTwo); };
  const auto discoverer = lab.Discover(HttpDiscovery{.url = "http://sd/list"});
  REQUIRE(discoverer.ok());
  CHECK(lab.Shown() == "http://sd/list:0=a:1,b:2, http://sd/list:1=c:3, ");
  const TargetGroup& group = lab.shown["http://sd/list:0"];
  CHECK(group.labels == Labels{{"__meta_url", "http://sd/list"}, {"x", "y"}});
  REQUIRE(lab.client.requests.size() == 1);
  const auto& headers = lab.client.requests[0].headers;
  CHECK(headers == std::vector<std::pair<std::string, std::string>>{
                       {"User-Agent", "lab"},
                       {"Accept", "application/json"},
                       {"X-Prometheus-Refresh-Interval-Seconds", "60"}});
}

TEST_CASE("http_sd keeps the last good list, and drops groups that are gone",
          "[http_sd]") {
  AskLab lab;
  absl::StatusOr<HttpResponse> next = AskLab::Reply(kTwo);
  lab.client.answer = [&](const HttpRequest&) { return next; };
  const auto discoverer = lab.Discover(HttpDiscovery{.url = "http://sd/"});
  REQUIRE(discoverer.ok());
  const std::string good = lab.Shown();

  const absl::StatusOr<HttpResponse> bad[] = {
      Unavailable("down"),
      AskLab::Reply("[]", "application/json", 500),
      AskLab::Reply("[]", "text/html"),
      AskLab::Reply("[{]"),
      AskLab::Reply(R"([{"targets":["a:1"],"lables":{}}])"),
      AskLab::Reply("[null]")};
  for (const auto& answer : bad) {
    next = answer;
    lab.clock.Advance(Minutes(1));
    CHECK(lab.Shown() == good);
  }
  CHECK(lab.client.requests.size() == 1 + std::size(bad));

  next = AskLab::Reply(R"([{"targets":["z:9"]}])",
                       "application/json; charset=UTF-8");
  lab.clock.Advance(Minutes(1));
  CHECK(lab.Shown() == "http://sd/:0=z:9, ");
  next = AskLab::Reply("null");
  lab.clock.Advance(Minutes(1));
  CHECK(lab.Shown().empty());
}

TEST_CASE("http_sd asks no more after Stop", "[http_sd]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) { return AskLab::Reply(kTwo); };
  const auto discoverer = lab.Discover(HttpDiscovery{.url = "http://sd/"});
  REQUIRE(discoverer.ok());
  (*discoverer)->Stop();
  lab.clock.Advance(Minutes(10));
  CHECK(lab.client.requests.size() == 1);
}

TEST_CASE("http_sd's URL is checked in Prometheus's words", "[http_sd]") {
  const auto error = [](std::string url) {
    return std::string(
        Message(ValidateHttpDiscovery(HttpDiscovery{.url = std::move(url)})));
  };
  CHECK(error("") == "URL is missing");
  CHECK(error("ftp://x/") == "URL scheme must be 'http' or 'https'");
  CHECK(error("http://") == "host is missing in URL");
  CHECK(error("http://x").empty());
}

TEST_CASE("What fails is counted under Prometheus's names", "[discovery]") {
  AskLab lab;
  lab.client.answer = [](const HttpRequest&) {
    return AskLab::Reply("{}", "text/html");
  };
  const auto http = lab.Discover(HttpDiscovery{.url = "http://x/"});
  REQUIRE(http.ok());
  lab.resolver.answers["gone"] = Unavailable("no server");
  lab.resolver.answers["here"] = std::vector<DnsRecord>();
  const auto dns = lab.Discover(DnsDiscovery{.names = {"gone", "here"}});
  REQUIRE(dns.ok());
  const std::string page = lab.metrics.Expose();
  INFO(page);
  for (const char* line :
       {"prometheus_sd_http_failures_total 1\n",
        "prometheus_sd_refresh_failures_total{config=\"lab\","
        "mechanism=\"http\"} 1\n",
        "prometheus_sd_dns_lookups_total 2\n",
        "prometheus_sd_dns_lookup_failures_total 1\n"}) {
    CHECK(page.find(line) != std::string::npos);
  }
}

}  // namespace
}  // namespace narthex::scrape
