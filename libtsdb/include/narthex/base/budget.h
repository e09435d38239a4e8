// Bytes that somebody may use, with a parent that is asked too: process ->
// query, scrape, replay.  Reserve in blocks of 64 KiB and more, never per
// sample.
//
// Every method is safe from any thread.  A parent must outlive its children.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace narthex {

class MemoryBudget {
 public:
  static constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

  explicit MemoryBudget(size_t limit = kUnlimited,
                        MemoryBudget* parent = nullptr)
      : limit_(limit), parent_(parent) {}
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // All or nothing, here and in every parent.  false: it would exceed a limit.
  [[nodiscard]] bool TryReserve(size_t bytes);
  void Release(size_t bytes);

  size_t used() const { return used_.load(std::memory_order_relaxed); }
  size_t peak() const { return peak_.load(std::memory_order_relaxed); }
  size_t limit() const { return limit_; }

 private:
  const size_t limit_;
  MemoryBudget* const parent_;
  std::atomic<size_t> used_{0};
  std::atomic<size_t> peak_{0};
};

// Bytes reserved for as long as this lives.  Movable; one thread.
class Reservation {
 public:
  explicit Reservation(MemoryBudget& budget) : budget_(&budget) {}
  Reservation(Reservation&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    if (this != &other) {
      Reset();
      budget_ = other.budget_;
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~Reservation() { Reset(); }

  // Holds at least `bytes` in all afterwards; grows by 64 KiB steps.
  [[nodiscard]] bool GrowTo(size_t bytes);
  void Reset() {
    if (bytes_ != 0) budget_->Release(std::exchange(bytes_, 0));
  }
  size_t bytes() const { return bytes_; }

 private:
  MemoryBudget* budget_;
  size_t bytes_ = 0;
};

}  // namespace narthex
