// A flag and a deadline that a query or a scrape carries, asked once per series
// read, per 1,024 postings, per tile: never per sample.
//
// Cancel() from any thread; asking is wait-free.  The token must outlive those
// who ask it.

#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "narthex/base/clock.h"
#include "narthex/base/time.h"

namespace narthex {

class CancelToken {
 public:
  enum class State : uint8_t { kRunning, kCancelled, kTimedOut };

  // Without deadline.
  CancelToken() = default;
  // Ends `timeout` from now, by the monotonic clock of `clock` (borrowed).
  CancelToken(const Clock& clock, Duration timeout);
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  State state() const;
  bool stopped() const { return state() != State::kRunning; }
  // OK, kCancelled or kDeadlineExceeded with a short text; callers that know
  // the stage of work word it themselves.
  absl::Status Check() const;

 private:
  std::atomic<bool> cancelled_{false};
  const Clock* clock_ = nullptr;
  int64_t deadline_nanos_ = 0;
};

}  // namespace narthex
