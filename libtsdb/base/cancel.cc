#include "narthex/base/cancel.h"

#include "narthex/base/status.h"

namespace narthex {

CancelToken::CancelToken(const Clock& clock, Duration timeout)
    : clock_(&clock),
      deadline_nanos_(SaturatingAdd(clock.MonotonicNanos(),
                                    SaturatingMul(timeout.ms, 1'000'000))) {}

CancelToken::State CancelToken::state() const {
  if (cancelled_.load(std::memory_order_relaxed)) return State::kCancelled;
  if (clock_ != nullptr && clock_->MonotonicNanos() >= deadline_nanos_) {
    return State::kTimedOut;
  }
  return State::kRunning;
}

absl::Status CancelToken::Check() const {
  switch (state()) {
    case State::kRunning:
      break;
    case State::kCancelled:
      return Cancelled("cancelled");
    case State::kTimedOut:
      return DeadlineExceeded("timed out");
  }
  return absl::OkStatus();
}

}  // namespace narthex
