// Which samples every step's window holds, by two indices that only move
// forward: shared by all functions over ranges.
//
// Pure; any thread.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libpromql/func/function.h"
#include "libpromql/plan/plan.h"

namespace narthex::promql {

// The ends of the windows of a node's steps.
struct WindowEnds {
  int64_t first = 0;
  int64_t step = 0;  // 0: pinned, all the same

  WindowEnds(const StepGrid& grid, const TimeShift& shift)
      : first(shift.Apply(grid.start)), step(shift.pinned ? 0 : grid.step) {}
  int64_t At(size_t k) const {
    // An offset may lead beyond the ends of time.
    return SaturatingAdd(first, static_cast<int64_t>(k) * step);
  }
};

// The first of [begin, n) after `t`: usually near, seldom far.
template <typename TimeOf>
size_t FirstAfter(size_t begin, size_t n, int64_t t, TimeOf& time_of) {
  // By one, as a rule: steps are as far from each other as samples, about.
  // Without a branch, as more or less by one is what jitter makes of it.
  if (n - begin >= 2) {
    begin += time_of(begin) <= t ? 1 : 0;
    begin += time_of(begin) <= t ? 1 : 0;
  }
  if (begin == n || time_of(begin) > t) return begin;
  constexpr size_t kNear = 8;
  const size_t near = n - begin < kNear ? n : begin + kNear;
  while (begin < near && time_of(begin) <= t) ++begin;
  if (begin < near || begin == n) return begin;
  // Strides that double, then halves.
  size_t stride = kNear;
  while (n - begin > stride && time_of(begin + stride) <= t) {
    begin += stride + 1;
    stride *= 2;
  }
  size_t end = n - begin > stride ? begin + stride : n;
  while (begin < end) {
    const size_t middle = begin + (end - begin) / 2;
    if (time_of(middle) <= t) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

// Window k is (end - range, end + ahead]: samples [lo[k], hi[k]) of the `n`
// whose times `time_of(i)` gives in ascending order.  Returns the size of the
// largest.
template <typename TimeOf>
size_t FindWindows(size_t n, TimeOf&& time_of, const WindowEnds& ends,
                   int64_t range, size_t steps, std::vector<uint32_t>& lo,
                   std::vector<uint32_t>& hi, int64_t ahead = 0) {
  lo.resize(steps);
  hi.resize(steps);
  size_t begin = 0, end = 0, largest = 0;
  for (size_t k = 0; k < steps; ++k) {
    const int64_t end_of_range = ends.At(k);
    const int64_t last = SaturatingAdd(end_of_range, ahead);
    const int64_t before = SaturatingSub(end_of_range, range);
    end = FirstAfter(end, n, last, time_of);
    begin = FirstAfter(begin, end, before, time_of);
    lo[k] = static_cast<uint32_t>(begin);
    hi[k] = static_cast<uint32_t>(end);
    if (end - begin > largest) largest = end - begin;
  }
  return largest;
}

}  // namespace narthex::promql
