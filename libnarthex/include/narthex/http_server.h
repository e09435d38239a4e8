// Prometheus's HTTP API over a Narthex: a pure handler that any HTTP server can
// call, and a server for programs that have none.
//
//   narthex::api::Handler handler(*nx);
//   auto server = narthex::HttpServer::Start(
//       [&](const auto& request) { return handler.Handle(request); },
//       {.listen = {"127.0.0.1:9090"}, .executor = &nx->executor()});
//
// Handler::Handle is safe from any thread.  Narthex outlives Handler, Handler
// outlives the server.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/cancel.h"
#include "narthex/base/executor.h"
#include "narthex/base/logger.h"
#include "narthex/base/time.h"

namespace narthex {

class Narthex;

namespace api {

struct Request {
  std::string method = "GET";
  // As on the wire: "/api/v1/query?query=up".
  std::string target = {};
  std::string body = {};
  // Of the headers, what matters.
  std::string content_type = {};
  std::string content_encoding = {};
  std::string accept_encoding = {};
  std::string origin = {};
  // Null: the client waits for ever.
  const CancelToken* cancel = nullptr;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct Options {
  // What /api/v1/status/flags shows.
  std::map<std::string, std::string> flags = {};
  // Origins that scripts may come from; fully anchored.
  std::string cors_origin = ".*";
  // Queries that run at once; more wait for their turn.
  int max_concurrent_queries = 20;
  // What /api/v1/status/runtimeinfo says is kept: "15d", "15d or 1GiB".
  std::string retention = {};
  // /api/v1/admin/tsdb/*: deletion of series, snapshots.
  bool admin_api = false;
  // POST /api/v1/write stores what others send.
  bool remote_write_receiver = false;
  // /-/reload and /-/quit; absent ones are refused.
  std::function<absl::Status()> reload = {};
  std::function<void()> quit = {};
};

class Handler {
 public:
  // Refuses a cors_origin that is no regular expression.
  static absl::StatusOr<std::unique_ptr<Handler>> Make(const Narthex& narthex,
                                                       Options options = {});
  ~Handler();
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  // Answers any request, be it as bad as it may.
  Response Handle(const Request& request) const;

 private:
  struct Impl;
  explicit Handler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace api

struct HttpServerOptions {
  // "host:port" each; an empty host is every address, port 0 any free port.
  std::vector<std::string> listen = {"127.0.0.1:9090"};
  // Connections beyond it wait to be accepted.
  int max_connections = 512;
  // How long a client may take to send a request, or be idle between two.
  Duration read_timeout = Minutes(5);
  size_t max_header_bytes = size_t{1} << 20;
  size_t max_body_bytes = size_t{10} << 20;
  // Where handlers run; null: on the server's own thread.
  Executor* executor = nullptr;
  Logger* logger = nullptr;
};

// One thread that moves bytes; handlers run as the Executor's long jobs.
class HttpServer {
 public:
  using Handle = std::function<api::Response(const api::Request&)>;

  // Listens when it returns.  kUnavailable, naming the address, if it can't.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      Handle handle, HttpServerOptions options = {});
  virtual ~HttpServer() = default;  // Stop()

  // Of each listen address, in their order.
  virtual std::vector<uint16_t> ports() const = 0;
  // Accepts no more, cancels what runs, waits for its answers.  Idempotent.
  virtual void Stop() = 0;
};

}  // namespace narthex
