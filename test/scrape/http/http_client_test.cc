#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
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
  basic->basic_auth_user = "user";
  basic->basic_auth_password.value = "pass";
  basic->headers = {{"X-Scope", "a\r\nInjected: yes"}};
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

TEST_CASE("options that cannot work are refused", "[scrape][http]") {
  HttpOptions options;
  REQUIRE(ValidateHttpOptions(options).ok());
  options.basic_auth_user = "u";
  options.credentials.value = "x";
  REQUIRE_FALSE(ValidateHttpOptions(options).ok());
  options = {};
  options.tls.cert.value = "x";
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
