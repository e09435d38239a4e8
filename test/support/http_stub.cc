#include "test/support/http_stub.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "narthex/base/status.h"

namespace narthex::test {
namespace {

constexpr int kPollMillis = 20;

// Sends all of `bytes` unless the other side is gone.
void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

size_t BodyLength(const std::string& head) {
  std::string lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  const size_t at = lower.find("content-length:");
  if (at == std::string::npos) return 0;
  return static_cast<size_t>(std::atoi(lower.c_str() + at + 15));
}

}  // namespace

HttpStub::HttpStub(Answer answer) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  listen(listener_, 64);
  socklen_t size = sizeof(address);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

HttpStub::~HttpStub() {
  closing_ = true;
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mu_);
    for (int fd : open_) shutdown(fd, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listener_);
}

std::string HttpStub::Url(std::string_view path) const {
  return StrCat("http://127.0.0.1:", port_, path);
}

std::string HttpStub::Reply(std::string_view status, std::string_view type,
                            std::string_view body,
                            std::string_view more_headers) {
  return StrCat("HTTP/1.1 ", status, "\r\nContent-Type: ", type,
                "\r\nContent-Length: ", body.size(), "\r\n", more_headers,
                "\r\n", body);
}

void HttpStub::Accept() {
  while (!closing_) {
    pollfd ready{listener_, POLLIN, 0};
    if (poll(&ready, 1, kPollMillis) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++connections_;
    absl::MutexLock lock(&mu_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void HttpStub::Serve(int fd) {
  std::string bytes;
  bool open = true;
  while (open && !closing_) {
    const size_t head_end = bytes.find("\r\n\r\n");
    const size_t whole = head_end == std::string::npos
                             ? std::string::npos
                             : head_end + 4 + BodyLength(bytes);
    if (whole != std::string::npos && bytes.size() >= whole) {
      const std::string answer = answer_(bytes.substr(0, whole));
      bytes.erase(0, whole);
      if (answer == kHang) continue;
      if (answer.empty()) break;
      SendAll(fd, answer);
      continue;
    }
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, kPollMillis) <= 0) continue;
    char buffer[4096];
    const ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    open = n > 0;
    if (open) bytes.append(buffer, static_cast<size_t>(n));
  }
  absl::MutexLock lock(&mu_);
  std::erase(open_, fd);
  close(fd);
}

}  // namespace narthex::test
