#include "narthex/base/budget.h"

namespace narthex {
namespace {

constexpr size_t kStep = 64 * 1024;

}  // namespace

MemoryBudget::~MemoryBudget() {
  // What somebody forgot here must not stay reserved above for ever.
  const size_t left = used();
  if (parent_ != nullptr && left != 0) parent_->Release(left);
}

bool MemoryBudget::TryReserve(size_t bytes) {
  size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || used > limit_ - bytes) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes,
                                        std::memory_order_relaxed));
  if (parent_ != nullptr && !parent_->TryReserve(bytes)) {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  const size_t now = used + bytes;
  size_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak &&
         !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
  return true;
}

void MemoryBudget::Release(size_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->Release(bytes);
}

bool Reservation::GrowTo(size_t bytes) {
  if (bytes <= bytes_) return true;
  const size_t more = bytes - bytes_;
  const size_t steps = more / kStep + (more % kStep != 0 ? 1 : 0);
  const size_t rounded = steps * kStep;
  // Close to the limit a whole step may be too much where the need is not.
  if (rounded >= more && budget_->TryReserve(rounded)) {
    bytes_ += rounded;
    return true;
  }
  if (!budget_->TryReserve(more)) return false;
  bytes_ += more;
  return true;
}

}  // namespace narthex
