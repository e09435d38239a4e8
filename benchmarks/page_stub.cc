// page-stub: a great many scrape targets in one small process.  Answers every
// GET with a page of metrics whose numbers move from scrape to scrape; the
// pages are made beforehand, so that little is measured but their receiver.
//
//   page-stub SERIES      prints its port, serves until it is killed
//
// Listens on every loopback address: 127.0.0.1, 127.0.0.2, ... are targets of
// their own.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

constexpr int kVersions = 64;

// Counters, gauges and histograms as an exporter has them, about 90 bytes a
// line.
std::string MakePage(int series, int version) {
  static constexpr const char* kPaths[] = {"/", "/api/v1/query", "/static/app",
                                           "/healthz"};
  std::string page;
  char line[256];
  for (int i = 0; i < series; ++i) {
    const int family = i / 10;
    const uint64_t count =
        static_cast<uint64_t>(i) * 7919 + static_cast<uint64_t>(version) * 13;
    if (i % 10 == 0) {
      std::snprintf(line, sizeof line,
                    "# HELP app_metric_%d What it counts.\n"
                    "# TYPE app_metric_%d %s\n",
                    family, family, family % 3 == 1 ? "gauge" : "counter");
      page += line;
    }
    if (family % 3 == 1) {
      std::snprintf(line, sizeof line,
                    "app_metric_%d{zone=\"eu-west-%d\",queue=\"q%d\"} %.3f\n",
                    family, i % 3, i % 10,
                    static_cast<double>(count % 100'000) / 7);
    } else {
      std::snprintf(line, sizeof line,
                    "app_metric_%d{method=\"get\",code=\"%d\",path=\"%s\","
                    "worker=\"w%d\"} %llu\n",
                    family, 200 + i % 5, kPaths[i % 4], i % 10,
                    static_cast<unsigned long long>(count));
    }
    page += line;
  }
  return page;
}

struct Connection {
  std::string request = {};
  const std::string* answer = nullptr;  // what is left of it: from `sent` on
  size_t sent = 0;
  int next = 0;  // version
};

class Stub {
 public:
  explicit Stub(int series) {
    for (int v = 0; v < kVersions; ++v) {
      const std::string page = MakePage(series, v);
      answers_.push_back(
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
          "Content-Length: " +
          std::to_string(page.size()) + "\r\n\r\n" + page);
    }
  }

  int Run() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, generic, size) != 0 ||
        listen(listener_, 4096) != 0 ||
        getsockname(listener_, generic, &size) != 0) {
      std::perror("page-stub");
      return 1;
    }
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    Watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
    std::vector<epoll_event> events(256);
    for (;;) {
      const int n = epoll_wait(epoll_, events.data(),
                               static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<size_t>(i)].data.fd;
        if (fd == listener_) {
          Accept();
        } else if (!Serve(fd)) {
          connections_.erase(fd);
          close(fd);
        }
      }
    }
  }

 private:
  void Watch(int fd, uint32_t what, int operation) {
    epoll_event event = {};
    event.events = what;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void Accept() {
    for (;;) {
      const int fd =
          accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[fd] = {};
      Watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  // false: it is at its end.
  bool Serve(int fd) {
    Connection& c = connections_[fd];
    if (c.answer == nullptr) {
      char buffer[4096];
      const ssize_t n = read(fd, buffer, sizeof buffer);
      if (n <= 0) return n < 0 && errno == EAGAIN;
      c.request.append(buffer, static_cast<size_t>(n));
      if (c.request.find("\r\n\r\n") == std::string::npos) {
        return c.request.size() < 65536;
      }
      c.request.clear();
      c.answer = &answers_[static_cast<size_t>(c.next++ % kVersions)];
      c.sent = 0;
    }
    while (c.sent < c.answer->size()) {
      const ssize_t n = send(fd, c.answer->data() + c.sent,
                             c.answer->size() - c.sent, MSG_NOSIGNAL);
      if (n < 0) {
        if (errno != EAGAIN) return false;
        Watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
        return true;
      }
      c.sent += static_cast<size_t>(n);
    }
    c.answer = nullptr;
    Watch(fd, EPOLLIN, EPOLL_CTL_MOD);
    return true;
  }

  std::vector<std::string> answers_;
  std::unordered_map<int, Connection> connections_;
  int listener_ = -1;
  int epoll_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  const int series = argc == 2 ? std::atoi(argv[1]) : 0;
  if (series <= 0) {
    std::fputs("usage: page-stub SERIES\n", stderr);
    return 2;
  }
  return Stub(series).Run();
}
