// The sockets and the timer of one multi handle of libcurl, watched with epoll:
// a wake-up costs what has happened, however many transfers wait.
//
// Wake: any thread.  All else, and whatever is done with the multi handle: one
// thread.  Outlives the handle, whose end still reports sockets.

#pragma once

#include <curl/curl.h>

#include <memory>

#include "absl/status/statusor.h"
#include "narthex/base/clock.h"

namespace narthex::scrape {

class CurlSockets {
 public:
  // Hooks itself into `multi`, which is borrowed.
  static absl::StatusOr<std::unique_ptr<CurlSockets>> Make(CURLM* multi);
  CurlSockets(const CurlSockets&) = delete;
  CurlSockets& operator=(const CurlSockets&) = delete;
  ~CurlSockets();

  // Lets libcurl work on what is ready; if nothing is, waits until something
  // is, or the timer has come, or somebody woke us.
  void Run();
  void Wake() const;

 private:
  CurlSockets(CURLM* multi, int epoll, int wakeup)
      : multi_(multi), epoll_(epoll), wakeup_(wakeup) {}

  static int OnSocket(CURL* easy, curl_socket_t fd, int what, void* self,
                      void* of_socket);
  static int OnTimer(CURLM* multi, long millis, void* self);
  void Watch(curl_socket_t fd, int what) const;
  int WaitMillis() const;  // -1: until something happens

  CURLM* const multi_;
  const int epoll_;
  const int wakeup_;  // an eventfd
  bool has_timer_ = false;
  int64_t timer_nanos_ = 0;  // when: monotonic
};

}  // namespace narthex::scrape
