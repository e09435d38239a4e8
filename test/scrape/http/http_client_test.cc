#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "libscrape/http/oauth2_client.h"
#include "libscrape/http/proxy.h"
#include "narthex/base/compress.h"
#include "narthex/base/status.h"
#include "narthex/scrape/http.h"
#include "test/support/http_stub.h"

namespace narthex::scrape {
namespace {

using test::HttpStub;

class ClientLab {
 public:
  ClientLab() : client_(*NewCurlHttpClient()) {}

  absl::StatusOr<HttpResponse> Get(HttpRequest request) {
    absl::Notification done;
    absl::StatusOr<HttpResponse> result;
    client_->Send(std::move(request),
                  [&](absl::StatusOr<HttpResponse> response) {
                    result = std::move(response);
                    done.Notify();
                  });
    done.WaitForNotification();
    return result;
  }
  std::string ErrorOf(HttpRequest request) {
    return std::string(Message(Get(std::move(request)).status()));
  }

 protected:
  std::unique_ptr<HttpClient> client_;
};

TEST_CASE_METHOD(ClientLab, "an answer has a status, a type and a body",
                 "[scrape][http]") {
  HttpStub stub([](const std::string& request) {
    const bool asked =
        request.find("GET /metrics?x=1 HTTP/1.1") == 0 &&
        request.find("Accept: text/plain\r\n") != std::string::npos &&
        request.find("Accept-Encoding: gzip\r\n") != std::string::npos;
    return HttpStub::Reply(asked ? "200 OK" : "400 Bad Request",
                           "text/plain; version=0.0.4", "up 1\n");
  });
  std::string used(10'000, 'x');
  auto got = Get({.url = stub.Url("/metrics?x=1"),
                  .headers = {{"Accept", "text/plain"}},
                  .buffer = std::move(used)});
  REQUIRE(got.ok());
  REQUIRE(got->StatusLine() == "200 OK");
  REQUIRE(got->content_type == "text/plain; version=0.0.4");
  REQUIRE(got->body == "up 1\n");
  REQUIRE(got->body.capacity() >= 10'000);
}

TEST_CASE_METHOD(ClientLab, "connections are used again", "[scrape][http]") {
  HttpStub stub([](const std::string&) {
    return HttpStub::Reply("200 OK", "text/plain", "a 1\n");
  });
  for (int i = 0; i < 5; ++i) REQUIRE(Get({.url = stub.Url()}).ok());
  REQUIRE(stub.connections() == 1);
}

TEST_CASE_METHOD(ClientLab, "a status that is no success is an answer",
                 "[scrape][http]") {
  HttpStub stub([](const std::string&) {
    return std::string(
        "HTTP/1.1 500\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops");
  });
  auto got = Get({.url = stub.Url(), .body_limit = 2});
  REQUIRE(got.ok());
  REQUIRE(got->StatusLine() == "500 Internal Server Error");
}

TEST_CASE_METHOD(ClientLab, "the body limit is on unpacked bytes",
                 "[scrape][http]") {
  const std::string body(200'000, 'a');
  HttpStub stub([&](const std::string& request) {
    if (request.find("GET /plain") == 0) {
      return HttpStub::Reply("200 OK", "text/plain", body);
    }
    std::string packed;
    Compress(Compression::kGzip, body, packed);
    return HttpStub::Reply("200 OK", "text/plain", packed,
                           "Content-Encoding: gzip\r\n");
  });
  for (const char* path : {"/plain", "/gzip"}) {
    INFO(path);
    auto got = Get({.url = stub.Url(path), .body_limit = body.size() + 1});
    REQUIRE(got.ok());
    REQUIRE(got->body == body);
    // Exactly the limit is too much already.
    got = Get({.url = stub.Url(path), .body_limit = body.size()});
    REQUIRE(absl::IsResourceExhausted(got.status()));
    REQUIRE(Message(got.status()) == "body size limit exceeded");
  }
}

TEST_CASE_METHOD(ClientLab, "what goes wrong is said as Go would",
                 "[scrape][http]") {
  std::string refused;
  {
    HttpStub stub([](const std::string&) { return std::string(); });
    REQUIRE(ErrorOf({.url = stub.Url()}) ==
            StrCat("Get \"", stub.Url(), "\": EOF"));
    refused = stub.Url();
  }
  REQUIRE(ErrorOf({.url = refused}).find("connection refused") !=
          std::string::npos);

  HttpStub hanging(
      [](const std::string&) { return std::string(HttpStub::kHang); });
  auto got = Get({.url = hanging.Url(), .timeout = Milliseconds(80)});
  REQUIRE(absl::IsDeadlineExceeded(got.status()));
  REQUIRE(Message(got.status()) ==
          StrCat("Get \"", hanging.Url(), "\": context deadline exceeded"));

  REQUIRE(absl::IsInvalidArgument(Get({.url = "ftp://127.0.0.1/"}).status()));
  REQUIRE_FALSE(Get({.url = "http://"}).ok());
  REQUIRE_FALSE(Get({.url = std::string("http://\x01\xff")}).ok());
}

TEST_CASE_METHOD(ClientLab, "servers that lie or never end are bounded",
                 "[scrape][http]") {
  // Fewer bytes than promised, and more.
  HttpStub liar([](const std::string& request) {
    const bool few = request.find("GET /few") == 0;
    return StrCat("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
                  "Content-Length: ", few ? "1000" : "3",
                  "\r\nConnection: close\r\n\r\nup 1\nup 2\n");
  });
  REQUIRE(Get({.url = liar.Url("/few"), .timeout = Milliseconds(300)})
              .status()
              .ok() == false);
  auto more = Get({.url = liar.Url("/more")});
  REQUIRE(more.ok());
  REQUIRE(more->body == "up ");

  // A megabyte of zeros in a thousand bytes, over and over; the limit counts
  // what comes out.
  std::string packed;
  Compress(Compression::kGzip, std::string(64 << 20, 'a'), packed);
  REQUIRE(packed.size() < 200'000);
  HttpStub bomb([&](const std::string&) {
    return HttpStub::Reply("200 OK", "text/plain", packed,
                           "Content-Encoding: gzip\r\n");
  });
  REQUIRE(ErrorOf({.url = bomb.Url(), .body_limit = 1 << 20}) ==
          "body size limit exceeded");

  // No end, and no length: whatever was sent, then the timeout.
  HttpStub endless([](const std::string&) {
    return std::string(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n");
  });
  REQUIRE(absl::IsDeadlineExceeded(
      Get({.url = endless.Url(), .timeout = Milliseconds(300)}).status()));
  // Not gzip at all.
  HttpStub garbage([](const std::string&) {
    return HttpStub::Reply("200 OK", "text/plain", "up 1\n",
                           "Content-Encoding: gzip\r\n");
  });
  REQUIRE_FALSE(Get({.url = garbage.Url()}).ok());
}

TEST_CASE_METHOD(ClientLab,
                 "redirects are followed if they may be, not for ever",
                 "[scrape][http]") {
  HttpStub stub([](const std::string& request) {
    if (request.find("GET /loop") == 0) {
      return HttpStub::Reply("302 Found", "text/plain", "",
                             "Location: /loop\r\n");
    }
    if (request.find("GET /old") == 0) {
      return HttpStub::Reply("301 Moved Permanently", "text/html", "gone",
                             "Location: /new\r\n");
    }
    return HttpStub::Reply("200 OK", "text/plain", "new 1\n");
  });
  auto got = Get({.url = stub.Url("/old")});
  REQUIRE(got.ok());
  REQUIRE(got->body == "new 1\n");
  REQUIRE(got->content_type == "text/plain");

  auto options = std::make_shared<HttpOptions>();
  options->follow_redirects = false;
  got = Get({.url = stub.Url("/old"), .options = options});
  REQUIRE(got.ok());
  REQUIRE(got->status == 301);

  REQUIRE(
      ErrorOf({.url = stub.Url("/loop")}).find("stopped after 10 redirects") !=
      std::string::npos);
}

TEST_CASE_METHOD(ClientLab, "a request carries its authorization and headers",
                 "[scrape][http]") {
  std::string seen;
  HttpStub stub([&](const std::string& request) {
    seen = request;
    return HttpStub::Reply("200 OK", "text/plain", "");
  });
  auto basic = std::make_shared<HttpOptions>();
  basic->basic_auth_user.value = "user";
  basic->basic_auth_password.value = "pass";
  basic->headers = {{"X-Scope", {.value = "a\r\nInjected: yes"}}};
  REQUIRE(Get({.url = stub.Url(), .options = basic}).ok());
  REQUIRE(seen.find("Authorization: Basic dXNlcjpwYXNz\r\n") !=
          std::string::npos);
  REQUIRE(seen.find("\r\nInjected:") == std::string::npos);

  auto bearer = std::make_shared<HttpOptions>();
  bearer->credentials.value = "token";
  REQUIRE(Get({.url = stub.Url(), .options = bearer}).ok());
  REQUIRE(seen.find("Authorization: Bearer token\r\n") != std::string::npos);

  bearer->credentials.file = "/nonexistent/token";
  REQUIRE(
      absl::IsNotFound(Get({.url = stub.Url(), .options = bearer}).status()));
}

TEST_CASE_METHOD(ClientLab, "a token is fetched once and put into requests",
                 "[scrape][http]") {
  absl::Mutex mu;
  std::vector<std::string> token_requests, requests;
  std::string answer = R"({"access_token":"abc","token_type":"bearer",)"
                       R"("expires_in":3600})";
  HttpStub stub([&](const std::string& request) {
    absl::MutexLock lock(&mu);
    if (request.find("POST /token") != 0) {
      requests.push_back(request);
      return HttpStub::Reply("200 OK", "text/plain", "");
    }
    token_requests.push_back(request);
    // This server wants the credentials in the form.
    if (request.find("client_secret=") == std::string::npos) {
      return HttpStub::Reply("401 Unauthorized", "text/plain", "no");
    }
    return HttpStub::Reply("200 OK", "application/json", answer);
  });
  auto options = std::make_shared<HttpOptions>();
  options->oauth2.emplace();
  options->oauth2->client_id = "me";
  options->oauth2->client_secret.value = "s&t";
  options->oauth2->scopes = {"a", "b"};
  options->oauth2->endpoint_params = {{"audience", "x y"}};
  options->oauth2->token_url = stub.Url("/token");
  for (int i = 0; i < 3; ++i) {
    REQUIRE(Get({.url = stub.Url(), .options = options}).ok());
  }
  absl::MutexLock lock(&mu);
  REQUIRE(requests.size() == 3);
  for (const std::string& request : requests) {
    REQUIRE(request.find("Authorization: Bearer abc\r\n") != std::string::npos);
  }
  REQUIRE(token_requests.size() == 2);
  REQUIRE(token_requests[0].find("Authorization: Basic bWU6cyUyNnQ=\r\n") !=
          std::string::npos);
  REQUIRE(token_requests[1].ends_with(
      "\r\n\r\naudience=x+y&client_id=me&client_secret=s%26t&grant_type="
      "client_credentials&scope=a+b"));
}

TEST_CASE_METHOD(ClientLab, "a token that can't be had fails the request",
                 "[scrape][http]") {
  HttpStub stub([&](const std::string& request) {
    return request.find("POST /token") == 0
               ? HttpStub::Reply("403 Forbidden", "text/plain", "go away")
               : HttpStub::Reply("200 OK", "text/plain", "");
  });
  auto options = std::make_shared<HttpOptions>();
  options->oauth2.emplace();
  options->oauth2->client_id = "me";
  options->oauth2->token_url = stub.Url("/token");
  REQUIRE(ErrorOf({.url = stub.Url("/m"), .options = options}) ==
          "Get \"" + stub.Url("/m") +
              "\": oauth2: cannot fetch token: 403 Forbidden\nResponse: "
              "go away");
  options->oauth2->client_secret.file = "/nonexistent/secret";
  REQUIRE(
      absl::IsNotFound(Get({.url = stub.Url(), .options = options}).status()));
}

TEST_CASE("tokens come as JSON or as forms", "[scrape][http]") {
  const auto read = [](std::string_view body, std::string_view type) {
    auto token = ReadOAuth2Token(body, type);
    return token.ok() ? StrCat(token->authorization, " ", token->lifetime)
                      : std::string(Message(token.status()));
  };
  REQUIRE(read(R"({"access_token":"x","token_type":"MAC","expires_in":"7"})",
               "application/json; charset=utf-8") == "MAC x 7");
  REQUIRE(read("access_token=a%2Bb&token_type=Custom",
               "application/x-www-form-urlencoded") == "Custom a+b 0");
  REQUIRE(read("{}", "application/json") ==
          "oauth2: server response missing access_token");
  REQUIRE(read("[", "application/json") == "oauth2: cannot parse json");
  REQUIRE(read(R"({"error":"bad","error_description":"very"})",
               "application/json") == "oauth2: \"bad\" \"very\"");
}

TEST_CASE("a proxy is taken as Go takes it", "[scrape][http]") {
  ProxyOptions options;
  const auto none = [](const char*) { return std::string(); };
  const auto proxy = [&](std::string_view host, std::string_view port = "80",
                         std::string_view scheme = "http") {
    return ProxyFor(options, scheme, host, port, none);
  };
  REQUIRE(proxy("h").empty());
  options.url = "http://p:3128";
  REQUIRE(proxy("h") == "http://p:3128");
  REQUIRE(proxy("localhost") == "http://p:3128");
  options.no_proxy = "a.org, .b.org,10.0.0.0/8,[::2]:81,c.org:8080,*.d.org";
  REQUIRE(proxy("localhost").empty());
  REQUIRE(proxy("127.0.0.9").empty());
  REQUIRE(proxy("A.org").empty());
  REQUIRE(proxy("x.a.org").empty());
  REQUIRE_FALSE(proxy("xa.org").empty());
  REQUIRE_FALSE(proxy("b.org").empty());
  REQUIRE(proxy("x.b.org").empty());
  REQUIRE(proxy("10.200.3.4").empty());
  REQUIRE_FALSE(proxy("11.0.0.1").empty());
  REQUIRE(proxy("::2", "81").empty());
  REQUIRE_FALSE(proxy("::2", "80").empty());
  REQUIRE(proxy("c.org", "8080").empty());
  REQUIRE_FALSE(proxy("c.org", "80").empty());
  REQUIRE(proxy("x.d.org").empty());
  options.no_proxy = "*";
  REQUIRE(proxy("h").empty());

  options = {};
  options.from_environment = true;
  const auto environment = [](const char* name) -> std::string {
    const std::string_view n = name;
    if (n == "HTTPS_PROXY") return "http://secure";
    if (n == "http_proxy") return "http://plain";
    return n == "NO_PROXY" ? "n.org" : "";
  };
  REQUIRE(ProxyFor(options, "http", "h", "80", environment) == "http://plain");
  REQUIRE(ProxyFor(options, "https", "h", "443", environment) ==
          "http://secure");
  REQUIRE(ProxyFor(options, "https", "n.org", "443", environment).empty());
}

TEST_CASE_METHOD(ClientLab, "a request goes by way of its proxy",
                 "[scrape][http]") {
  std::string seen;
  HttpStub proxy([&](const std::string& request) {
    seen = request;
    return HttpStub::Reply("200 OK", "text/plain", "up 1\n");
  });
  auto options = std::make_shared<HttpOptions>();
  options->proxy.url = proxy.Url("");
  options->proxy.connect_headers = {{"X-Proxy", {.value = "1"}}};
  REQUIRE(
      Get({.url = "http://nowhere.invalid/metrics", .options = options}).ok());
  REQUIRE(seen.starts_with("GET http://nowhere.invalid/metrics HTTP/1.1\r\n"));
  // A tunnel that is refused, but asked for with the header.
  (void)Get({.url = "https://nowhere.invalid/metrics", .options = options});
  REQUIRE(seen.starts_with("CONNECT nowhere.invalid:443 HTTP/1.1\r\n"));
  REQUIRE(seen.find("X-Proxy: 1\r\n") != std::string::npos);
}

TEST_CASE_METHOD(ClientLab, "a POST sends its body", "[scrape][http]") {
  std::string seen;
  HttpStub stub([&](const std::string& request) {
    seen = request;
    return HttpStub::Reply("204 No Content", "text/plain", "");
  });
  auto got = Get({.method = "POST", .url = stub.Url(), .body = "query=up"});
  REQUIRE(got.ok());
  REQUIRE(got->status == 204);
  REQUIRE(seen.ends_with("\r\n\r\nquery=up"));
}

TEST_CASE_METHOD(ClientLab, "what is cancelled, or alive at the end, says so",
                 "[scrape][http]") {
  HttpStub stub(
      [](const std::string&) { return std::string(HttpStub::kHang); });
  absl::Notification cancelled;
  absl::Status status;
  const auto id =
      client_->Send({.url = stub.Url()}, [&](absl::StatusOr<HttpResponse> got) {
        status = got.status();
        cancelled.Notify();
      });
  client_->Cancel(id);
  client_->Cancel(id);
  cancelled.WaitForNotification();
  REQUIRE(absl::IsCancelled(status));

  bool closed = false;
  client_->Send({.url = stub.Url()}, [&](absl::StatusOr<HttpResponse> got) {
    closed = absl::IsCancelled(got.status());
  });
  client_.reset();
  REQUIRE(closed);
}

TEST_CASE("a secret of a manager is valid, but nobody can tell it",
          "[scrape][http]") {
  const Secret ref = {.ref = "r"};
  const auto unusable = [&](auto set) {
    HttpOptions options;
    set(options);
    CHECK(ValidateHttpOptions(options).ok());
    return std::string(Message(CheckSecrets(options)));
  };
  const std::string why = ": cannot use secret ref without manager";
  CHECK(unusable([&](HttpOptions& o) { o.credentials = ref; }) ==
        "unable to use credentials" + why);
  CHECK(unusable([&](HttpOptions& o) { o.basic_auth_user = ref; }) ==
        "unable to use username" + why);
  CHECK(unusable([&](HttpOptions& o) { o.basic_auth_password = ref; }) ==
        "unable to use password" + why);
  CHECK(unusable([&](HttpOptions& o) { o.tls.ca = ref; }) ==
        "unable to use CA cert" + why);
  CHECK(unusable([&](HttpOptions& o) { o.tls.cert = o.tls.key = ref; }) ==
        "unable to use client cert" + why);
  const auto oauth2 = [&](HttpOptions& o) -> OAuth2Options& {
    o.oauth2.emplace();
    o.oauth2->client_id = "me";
    o.oauth2->token_url = "http://t";
    return *o.oauth2;
  };
  CHECK(unusable([&](HttpOptions& o) { oauth2(o).client_secret = ref; }) ==
        "unable to use client secret" + why);
  CHECK(unusable([&](HttpOptions& o) {
          oauth2(o).grant_type = std::string(kJwtBearer);
          o.oauth2->client_certificate_key = ref;
        }) == "unable to use client certificate" + why);
  CHECK(unusable([&](HttpOptions& o) {
          o.tls.min_version = "TLS13";
          o.tls.max_version = "TLS12";
        }) ==
        "tls_config.max_version must be greater than or equal to "
        "tls_config.min_version if both are specified");
  HttpOptions twice;
  twice.basic_auth_password = {.value = "p", .ref = "r"};
  CHECK_FALSE(ValidateHttpOptions(twice).ok());
}

TEST_CASE("options that cannot work are refused", "[scrape][http]") {
  HttpOptions options;
  REQUIRE(ValidateHttpOptions(options).ok());
  options.basic_auth_user.value = "u";
  options.credentials.value = "x";
  REQUIRE_FALSE(ValidateHttpOptions(options).ok());
  options = {};
  options.tls.cert.value = "x";
  REQUIRE_FALSE(ValidateHttpOptions(options).ok());
  options = {};
  options.oauth2.emplace();
  REQUIRE(Message(ValidateHttpOptions(options)) ==
          "oauth2 client_id must be configured");
  options = {};
  options.headers = {{"content-LENGTH", {.value = "1"}}};
  REQUIRE(Message(ValidateHttpOptions(options)) ==
          "setting header \"Content-Length\" is not allowed");
  options = {};
  options.proxy.connect_headers = {{"a", {.value = "b"}}};
  REQUIRE_FALSE(ValidateHttpOptions(options).ok());
  options = {};
  options.tls.min_version = "SSL3";
  REQUIRE(Message(ValidateHttpOptions(options)) == "unknown TLS version: SSL3");
}

TEST_CASE("queries are escaped as Go's url.QueryEscape does",
          "[scrape][http]") {
  REQUIRE(QueryEscape("a b+c/~ä") == "a+b%2Bc%2F~%C3%A4");
}

}  // namespace
}  // namespace narthex::scrape
