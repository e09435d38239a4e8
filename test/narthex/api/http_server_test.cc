#include "narthex/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "absl/synchronization/notification.h"
#include "narthex/base/status.h"

namespace narthex {
namespace {

// A client that says exactly what it is told to.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address),
                    sizeof(address)) == 0);
  }
  ~RawClient() { Close(); }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has had enough
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // Until the text is there, or the server hangs up.
  std::string ReadUntil(std::string_view text) {
    std::string out;
    char buffer[4096];
    while (text.empty() || out.find(text) == std::string::npos) {
      const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      out.append(buffer, static_cast<size_t>(n));
    }
    return out;
  }
  std::string ReadAll() { return ReadUntil(""); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Lab {
  explicit Lab(HttpServer::Handle handle, HttpServerOptions options = {}) {
    options.listen = {"127.0.0.1:0"};
    options.executor = &pool;
    auto started = HttpServer::Start(std::move(handle), std::move(options));
    INFO(started.status().ToString());
    REQUIRE(started.ok());
    server = *std::move(started);
  }
  uint16_t port() const { return server->ports().front(); }

  ThreadPool pool{2};
  std::unique_ptr<HttpServer> server;
};

api::Response Echo(const api::Request& request) {
  api::Response response;
  response.content_type = "text/plain";
  response.body = StrCat(request.method, " ", request.target, " ",
                         request.body.size(), "\n");
  return response;
}

TEST_CASE("the server answers one request after the other",
          "[narthex][server]") {
  Lab lab(Echo);
  RawClient client(lab.port());
  client.Send("GET /a?b=%2F HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string first = client.ReadUntil("GET /a?b=%2F 0\n");
  CHECK(first.substr(0, 15) == "HTTP/1.1 200 OK");
  CHECK(first.find("Content-Length: 15\r\n") != std::string::npos);
  CHECK(first.find(" GMT\r\n") != std::string::npos);
  client.Send(
      "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
      "Connection: close\r\n\r\nabc");
  CHECK(client.ReadAll().find("POST /form 3\n") != std::string::npos);
}

TEST_CASE("two requests in one packet get two answers", "[narthex][server]") {
  Lab lab(Echo);
  RawClient client(lab.port());
  client.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.0\r\n\r\n");
  const std::string answers = client.ReadAll();
  CHECK(answers.find("GET /1 0\n") != std::string::npos);
  CHECK(answers.find("GET /2 0\n") != std::string::npos);
}

TEST_CASE("HEAD gets the header alone", "[narthex][server]") {
  Lab lab(Echo);
  RawClient client(lab.port());
  client.Send("HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadAll();
  CHECK(answer.find("Content-Length: 10\r\n") != std::string::npos);
  CHECK(answer.substr(answer.size() - 4) == "\r\n\r\n");
}

TEST_CASE("a client that waits for leave to send gets it",
          "[narthex][server]") {
  Lab lab(Echo);
  RawClient client(lab.port());
  client.Send(
      "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
      "Expect: 100-continue\r\n\r\n");
  CHECK(client.ReadUntil("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hello");
  CHECK(client.ReadUntil("POST /x 5\n").find("200 OK") != std::string::npos);
}

TEST_CASE("what is no request or too large is refused", "[narthex][server]") {
  HttpServerOptions options;
  options.max_body_bytes = 10;
  options.max_header_bytes = 1000;
  Lab lab(Echo, options);
  RawClient client(lab.port());
  SECTION("garbage") {
    client.Send("\x16\x03\x01garbage\r\n\r\n");
    CHECK(client.ReadAll().find(" 400 ") != std::string::npos);
  }
  SECTION("a long body") {
    client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
    CHECK(client.ReadAll().find(" 413 ") != std::string::npos);
  }
  SECTION("a long header") {
    client.Send("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
    CHECK(client.ReadAll().find(" 431 ") != std::string::npos);
  }
  SECTION("and the next client is served") {}
  RawClient next(lab.port());
  next.Send("GET /n HTTP/1.0\r\n\r\n");
  CHECK(next.ReadAll().find("GET /n 0\n") != std::string::npos);
}

TEST_CASE("a client that goes away cancels its request", "[narthex][server]") {
  absl::Notification begun, cancelled;
  Lab lab([&](const api::Request& request) {
    begun.Notify();
    while (!request.cancel->stopped()) std::this_thread::yield();
    cancelled.Notify();
    return api::Response{};
  });
  RawClient client(lab.port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(begun.WaitForNotificationWithTimeout(absl::Seconds(10)));
  client.Close();
  CHECK(cancelled.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

TEST_CASE("stopping cancels what runs and waits for its answer",
          "[narthex][server]") {
  absl::Notification begun;
  Lab lab([&](const api::Request& request) {
    begun.Notify();
    while (!request.cancel->stopped()) std::this_thread::yield();
    api::Response response;
    response.body = "cut short";
    return response;
  });
  RawClient idle(lab.port());
  RawClient client(lab.port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(begun.WaitForNotificationWithTimeout(absl::Seconds(10)));
  lab.server->Stop();
  const std::string answer = client.ReadAll();
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(answer.find("cut short") != std::string::npos);
  CHECK(idle.ReadAll().empty());
}

TEST_CASE("beyond the limit of connections, clients wait",
          "[narthex][server]") {
  HttpServerOptions options;
  options.max_connections = 1;
  Lab lab(Echo, options);
  RawClient first(lab.port());
  first.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  first.ReadUntil("GET /1 0\n");
  RawClient second(lab.port());
  second.Send("GET /2 HTTP/1.0\r\n\r\n");
  first.Close();
  CHECK(second.ReadAll().find("GET /2 0\n") != std::string::npos);
}

TEST_CASE("addresses that can't be listened on are told", "[narthex][server]") {
  Lab lab(Echo);
  HttpServerOptions options;
  options.listen = {StrCat("127.0.0.1:", lab.port())};
  auto taken = HttpServer::Start(Echo, options);
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.status().code() == absl::StatusCode::kUnavailable);
  CHECK(StdView(taken.status().message()).find(options.listen.front()) !=
        std::string_view::npos);
  options.listen = {"no port"};
  CHECK_FALSE(HttpServer::Start(Echo, options).ok());
}

}  // namespace
}  // namespace narthex
