// A small HTTP server on a loopback port of the system's choice, for tests of
// clients: every request is shown to a function that says what to send.
//
// The function runs on the stub's threads, one per connection.

#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace narthex::test {

class HttpStub {
 public:
  // Gets the request's head and body, gives the raw answer.  An empty one
  // closes the connection; kHang keeps it open and silent until the stub ends.
  using Answer = std::function<std::string(const std::string& request)>;
  static constexpr std::string_view kHang = "hang";

  explicit HttpStub(Answer answer);
  ~HttpStub();
  HttpStub(const HttpStub&) = delete;
  HttpStub& operator=(const HttpStub&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:<port><path>"
  std::string Url(std::string_view path = "/metrics") const;
  int connections() const { return connections_.load(); }

  // A whole answer: status line, headers, body with its length.
  static std::string Reply(std::string_view status, std::string_view type,
                           std::string_view body,
                           std::string_view more_headers = "");

 private:
  void Accept();
  void Serve(int fd);

  const Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> closing_{false};
  std::atomic<int> connections_{0};
  absl::Mutex mu_;
  std::vector<int> open_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  std::thread acceptor_;
};

}  // namespace narthex::test
