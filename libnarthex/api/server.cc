// The HTTP server: one thread moves bytes (Boost.Beast, callbacks), handlers
// run on the Executor.  The only file that names the server library.
//
// Everything of a Session happens on the I/O thread, except the handler, which
// owns its request and hands its answer back by posting.

#include <utility>  // Boost 1.74's Asio forgets it

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <charconv>
#include <ctime>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "narthex/base/status.h"
#include "narthex/http_server.h"

namespace narthex {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr auto kWriteTimeout = std::chrono::minutes(5);

// "Sat, 21 Nov 2026 12:38:32 GMT"
std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[64];
  const size_t n =
      std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return std::string(text, n);
}

// A request at its handler, shared by the session and the job.
struct Exchange {
  api::Request request;
  CancelToken cancel;
};

class Session;

// What sessions share with the server that made them.
struct Shared {
  HttpServer::Handle handle;
  HttpServerOptions options;
  asio::io_context io{1};
  std::set<Session*> sessions;      // I/O thread only
  std::function<void()> on_closed;  // I/O thread only: room for one more
  bool stopping = false;            // I/O thread only
};

class Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Shared> shared, tcp::socket socket)
      : shared_(std::move(shared)), stream_(std::move(socket)) {
    shared_->sessions.insert(this);
  }
  ~Session() {
    shared_->sessions.erase(this);
    if (shared_->on_closed && !shared_->stopping) shared_->on_closed();
  }

  void Start() {
    error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
    ReadNext();
  }

  // Nothing more is read; what is at work is cancelled and answered.
  void Stop() {
    closing_ = true;
    if (exchange_ != nullptr) {
      exchange_->cancel.Cancel();
    } else if (!writing_) {
      Close();
    }
  }

 private:
  void ReadNext() {
    parser_.emplace();
    const HttpServerOptions& options = shared_->options;
    parser_->header_limit(static_cast<std::uint32_t>(options.max_header_bytes));
    parser_->body_limit(options.max_body_bytes);
    stream_.expires_after(std::chrono::milliseconds(options.read_timeout.ms));
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, size_t) {
          self->OnHeader(error);
        });
  }

  void OnHeader(error_code error) {
    if (error) return OnRead(error);
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(kGoOn.data(), kGoOn.size()),
                        [self = shared_from_this()](error_code failed, size_t) {
                          if (failed) return self->Close();
                          self->ReadBody();
                        });
      return;
    }
    ReadBody();
  }

  void ReadBody() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, size_t) {
                       self->OnRead(error);
                     });
  }

  void OnRead(error_code error) {
    if (error == http::error::body_limit) {
      return Refuse(http::status::payload_too_large, "request too large\n");
    }
    if (error == http::error::header_limit) {
      return Refuse(http::status::request_header_fields_too_large,
                    "request header too large\n");
    }
    const bool gone = error == http::error::end_of_stream ||
                      error == http::error::partial_message;
    static const auto& kSyntax =
        http::make_error_code(http::error::bad_method).category();
    if (error && error.category() == kSyntax && !gone) {
      return Refuse(http::status::bad_request, "400 Bad Request\n");
    }
    if (error || closing_) return Close();
    Dispatch(parser_->release());
  }

  void Dispatch(http::request<http::string_body> message) {
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    head_ = message.method() == http::verb::head;
    exchange_ = std::make_shared<Exchange>();
    api::Request& request = exchange_->request;
    auto text = [](beast::string_view s) { return std::string(s); };
    request.method = text(message.method_string());
    request.target = text(message.target());
    request.content_type = text(message[http::field::content_type]);
    request.content_encoding = text(message[http::field::content_encoding]);
    request.accept_encoding = text(message[http::field::accept_encoding]);
    request.origin = text(message[http::field::origin]);
    request.body = std::move(message.body());
    request.cancel = &exchange_->cancel;
    WatchForHangUp();

    stream_.expires_never();
    // The guard keeps the I/O thread until the answer is posted.
    auto job = [self = shared_from_this(), exchange = exchange_,
                shared = shared_,
                guard = asio::make_work_guard(shared_->io)]() mutable {
      auto response =
          std::make_shared<api::Response>(shared->handle(exchange->request));
      asio::post(shared->io, [self = std::move(self), response] {
        self->Answer(std::move(*response));
      });
    };
    if (shared_->options.executor == nullptr) {
      job();
    } else {
      shared_->options.executor->RunLong(std::move(job));
    }
  }

  // While the handler works, a client that goes away cancels it.
  void WatchForHangUp() {
    stream_.socket().async_wait(
        tcp::socket::wait_read,
        [self = shared_from_this(), exchange = exchange_](error_code error) {
          if (error || self->exchange_ != exchange) return;
          char byte;
          error_code peek;
          self->stream_.socket().non_blocking(true, peek);
          const size_t n = self->stream_.socket().receive(
              asio::buffer(&byte, 1), tcp::socket::message_peek, peek);
          if (n == 0 && peek != asio::error::would_block) {
            exchange->cancel.Cancel();
          }
        });
  }

  void Answer(api::Response response) {
    exchange_.reset();
    error_code ignored;
    stream_.socket().cancel(ignored);  // the watch
    Write(std::move(response));
  }

  void Refuse(http::status status, const char* text) {
    keep_alive_ = false;
    version_ = 11;
    api::Response response;
    response.status = static_cast<int>(status);
    response.content_type = "text/plain; charset=utf-8";
    response.body = text;
    Write(std::move(response));
  }

  void Write(api::Response response) {
    writing_ = true;
    http::response<http::string_body> message;
    message.version(version_);
    message.result(static_cast<unsigned>(response.status));
    if (response.status == 499) message.reason("Client Closed Request");
    for (auto& [name, value] : response.headers) message.insert(name, value);
    message.set(http::field::date, HttpDate());
    if (response.status != 204) {
      message.set(http::field::content_type, response.content_type);
      message.content_length(response.body.size());
      if (!head_) message.body() = std::move(response.body);
    }
    message.keep_alive(keep_alive_ && !closing_);
    message_ = std::move(message);
    serializer_.emplace(message_);
    stream_.expires_after(kWriteTimeout);
    auto done = [self = shared_from_this()](error_code error, size_t) {
      self->OnWritten(error);
    };
    if (head_) {
      http::async_write_header(stream_, *serializer_, std::move(done));
    } else {
      http::async_write(stream_, *serializer_, std::move(done));
    }
  }

  void OnWritten(error_code error) {
    writing_ = false;
    const bool more = !error && keep_alive_ && !closing_;
    serializer_.reset();
    message_ = {};
    head_ = false;
    if (!more) return Close();
    ReadNext();
  }

  void Close() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

  const std::shared_ptr<Shared> shared_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::shared_ptr<Exchange> exchange_;  // while the handler works
  http::response<http::string_body> message_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  bool keep_alive_ = false;
  bool head_ = false;
  bool closing_ = false;
  bool writing_ = false;
  unsigned version_ = 11;
};

absl::StatusOr<tcp::endpoint> Resolve(asio::io_context& io,
                                      const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return InvalidArgument(
        StrCat("listen address \"", address, "\" has no port"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  uint16_t port = 0;
  const char* begin = address.data() + colon + 1;
  const char* end = address.data() + address.size();
  if (std::from_chars(begin, end, port).ptr != end || begin == end) {
    return InvalidArgument(
        StrCat("listen address \"", address, "\" has no valid port"));
  }
  if (host.empty()) return tcp::endpoint(tcp::v6(), port);
  error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, std::to_string(port),
                                      tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Unavailable(
        StrCat("can't resolve \"", host, "\": ", error.message()));
  }
  // "localhost" is two addresses; listen where most clients look first.
  for (const auto& entry : found) {
    if (entry.endpoint().address().is_v4()) return entry.endpoint();
  }
  return found.begin()->endpoint();
}

class BeastServer final : public HttpServer {
 public:
  BeastServer(Handle handle, HttpServerOptions options)
      : shared_(std::make_shared<Shared>()) {
    shared_->handle = std::move(handle);
    shared_->options = std::move(options);
    shared_->on_closed = [this] { AcceptWaiting(); };
  }
  ~BeastServer() override { Stop(); }

  absl::Status Listen() {
    for (const std::string& address : shared_->options.listen) {
      NARTHEX_ASSIGN_OR_RETURN(tcp::endpoint endpoint,
                               Resolve(shared_->io, address));
      auto& acceptor = acceptors_.emplace_back(shared_->io);
      error_code error;
      acceptor.socket.open(endpoint.protocol(), error);
      if (error == asio::error::address_family_not_supported &&
          endpoint.address().is_unspecified()) {
        endpoint = tcp::endpoint(tcp::v4(), endpoint.port());
        acceptor.socket.open(endpoint.protocol(), error);
      }
      if (!error) {
        acceptor.socket.set_option(tcp::acceptor::reuse_address(true), error);
      }
      if (!error) acceptor.socket.bind(endpoint, error);
      if (!error)
        acceptor.socket.listen(tcp::acceptor::max_listen_connections, error);
      if (error) {
        return Unavailable(
            StrCat("can't listen on ", address, ": ", error.message()));
      }
      ports_.push_back(acceptor.socket.local_endpoint().port());
    }
    return absl::OkStatus();
  }

  void Run() {
    for (Acceptor& acceptor : acceptors_) Accept(acceptor);
    thread_ = std::thread([shared = shared_] { shared->io.run(); });
  }

  std::vector<uint16_t> ports() const override { return ports_; }

  void Stop() override {
    if (!thread_.joinable()) return;
    asio::post(shared_->io, [this] {
      shared_->stopping = true;
      for (Acceptor& acceptor : acceptors_) acceptor.socket.close();
      // Stop may destroy its session.
      const std::vector<Session*> sessions(shared_->sessions.begin(),
                                           shared_->sessions.end());
      for (Session* session : sessions) {
        if (shared_->sessions.count(session) != 0) session->Stop();
      }
    });
    thread_.join();
  }

 private:
  struct Acceptor {
    explicit Acceptor(asio::io_context& io) : socket(io) {}
    tcp::acceptor socket;
    bool waiting = false;  // for a connection to end
  };

  void Accept(Acceptor& acceptor) {
    if (static_cast<int>(shared_->sessions.size()) >=
        shared_->options.max_connections) {
      acceptor.waiting = true;
      return;
    }
    acceptor.socket.async_accept(
        [this, &acceptor](error_code error, tcp::socket socket) {
          if (shared_->stopping || error == asio::error::operation_aborted) {
            return;
          }
          if (error) {
            Log(shared_->options.logger, LogLevel::kWarn,
                "can't accept a connection", {{"err", error.message()}});
          } else {
            std::make_shared<Session>(shared_, std::move(socket))->Start();
          }
          Accept(acceptor);
        });
  }

  void AcceptWaiting() {
    for (Acceptor& acceptor : acceptors_) {
      if (std::exchange(acceptor.waiting, false)) Accept(acceptor);
    }
  }

  const std::shared_ptr<Shared> shared_;
  std::list<Acceptor> acceptors_;
  std::vector<uint16_t> ports_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    Handle handle, HttpServerOptions options) {
  auto server =
      std::make_unique<BeastServer>(std::move(handle), std::move(options));
  NARTHEX_RETURN_IF_ERROR(server->Listen());
  server->Run();
  return server;
}

}  // namespace narthex
