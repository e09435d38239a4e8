#include "libpromql/func/natural_order.h"

#include <cstddef>

namespace narthex::promql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The run of digits (or of none) at the front of `text`, cut off it.
std::string_view TakeRun(std::string_view& text) {
  size_t n = 1;
  while (n < text.size() && IsDigit(text[n]) == IsDigit(text[0])) ++n;
  const std::string_view run = text.substr(0, n);
  text.remove_prefix(n);
  return run;
}

std::string_view WithoutLeadingZeros(std::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  return digits;
}

}  // namespace

int NaturalCompare(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    std::string_view run_a = TakeRun(a), run_b = TakeRun(b);
    if (IsDigit(run_a[0]) && IsDigit(run_b[0])) {
      run_a = WithoutLeadingZeros(run_a);
      run_b = WithoutLeadingZeros(run_b);
      if (run_a.size() != run_b.size()) {
        return run_a.size() < run_b.size() ? -1 : 1;
      }
    }
    if (const int order = run_a.compare(run_b); order != 0) return order;
  }
  if (a.empty() && b.empty()) return 0;
  return a.empty() ? -1 : 1;
}

}  // namespace narthex::promql
