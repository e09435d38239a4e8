#include "narthex/base/budget.h"

#include <catch2/catch.hpp>

namespace narthex {
namespace {

TEST_CASE("a child asks its parent, and gives back what that refuses") {
  MemoryBudget parent(1000);
  {
    MemoryBudget child(600, &parent);
    CHECK(child.TryReserve(600));
    CHECK(!child.TryReserve(1));
    MemoryBudget other(MemoryBudget::kUnlimited, &parent);
    CHECK(!other.TryReserve(401));
    CHECK(other.used() == 0);
    CHECK(other.TryReserve(400));
    CHECK(parent.used() == 1000);
    child.Release(600);
    CHECK(child.peak() == 600);
  }
  CHECK(parent.used() == 0);
  CHECK(!parent.TryReserve(MemoryBudget::kUnlimited));
}

TEST_CASE("a reservation grows in steps, and exactly where the limit is near") {
  MemoryBudget budget(100 * 1024);
  Reservation r(budget);
  CHECK(r.GrowTo(1));
  CHECK(r.bytes() == 64 * 1024);
  CHECK(r.GrowTo(70 * 1024));
  CHECK(r.bytes() == 70 * 1024);
  CHECK(!r.GrowTo(101 * 1024));
  Reservation moved = std::move(r);
  CHECK(budget.used() == 70 * 1024);
  moved.Reset();
  CHECK(budget.used() == 0);
}

}  // namespace
}  // namespace narthex
