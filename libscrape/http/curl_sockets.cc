#include "libscrape/http/curl_sockets.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr size_t kEventsAtOnce = 256;

}  // namespace

absl::StatusOr<std::unique_ptr<CurlSockets>> CurlSockets::Make(CURLM* multi) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return ErrnoStatus(errno, "open", "epoll");
  const int wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::unique_ptr<CurlSockets> sockets(new CurlSockets(multi, epoll, wakeup));
  if (wakeup < 0) return ErrnoStatus(errno, "open", "eventfd");
  sockets->Watch(wakeup, CURL_POLL_IN);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlSockets::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, sockets.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlSockets::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, sockets.get());
  return sockets;
}

CurlSockets::~CurlSockets() {
  if (wakeup_ >= 0) close(wakeup_);
  close(epoll_);
}

void CurlSockets::Wake() const {
  const uint64_t one = 1;
  // Full means that it is readable, which is all we want.
  (void)!write(wakeup_, &one, sizeof one);
}

int CurlSockets::OnSocket(CURL*, curl_socket_t fd, int what, void* self,
                          void*) {
  static_cast<CurlSockets*>(self)->Watch(fd, what);
  return 0;
}

void CurlSockets::Watch(curl_socket_t fd, int what) const {
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    return;
  }
  epoll_event event = {};
  event.data.fd = fd;
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT) {
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
}

int CurlSockets::OnTimer(CURLM*, long millis, void* self) {
  auto* const sockets = static_cast<CurlSockets*>(self);
  sockets->has_timer_ = millis >= 0;
  sockets->timer_nanos_ = Clock::System()->MonotonicNanos() +
                          static_cast<int64_t>(millis) * kNanosPerMilli;
  return 0;
}

int CurlSockets::WaitMillis() const {
  if (!has_timer_) return -1;
  const int64_t left = timer_nanos_ - Clock::System()->MonotonicNanos();
  // Rounded up: too early would be for nothing.
  const int64_t millis = (left + kNanosPerMilli - 1) / kNanosPerMilli;
  return static_cast<int>(std::clamp<int64_t>(millis, 0, INT32_MAX));
}

void CurlSockets::Run() {
  std::array<epoll_event, kEventsAtOnce> events;
  const int n = epoll_wait(epoll_, events.data(),
                           static_cast<int>(events.size()), WaitMillis());
  int running = 0;
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.fd == wakeup_) {
      uint64_t times = 0;
      (void)!read(wakeup_, &times, sizeof times);
      continue;
    }
    // What is broken shows its error when it is read or written.
    int ready = 0;
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    if (broken || (event.events & EPOLLIN) != 0) ready |= CURL_CSELECT_IN;
    if (broken || (event.events & EPOLLOUT) != 0) ready |= CURL_CSELECT_OUT;
    curl_multi_socket_action(multi_, event.data.fd, ready, &running);
  }
  if (has_timer_ && timer_nanos_ <= Clock::System()->MonotonicNanos()) {
    has_timer_ = false;  // libcurl says what comes next, if anything does
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

}  // namespace narthex::scrape
