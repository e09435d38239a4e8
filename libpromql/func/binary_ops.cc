#include "libpromql/func/binary_ops.h"

#include <algorithm>

namespace narthex::promql {

void ApplyArithmetic(BinaryOp op, const double* a, const double* b, double* out,
                     size_t n) {
  WithOperator(op, [&](auto tag) {
    using Op = decltype(tag);
    for (size_t k = 0; k < n; ++k) {
      out[k] = static_cast<double>(Op::Apply(a[k], b[k]));
    }
  });
}

void ApplyFilter(BinaryOp op, const double* a, const double* b,
                 uint64_t* present, size_t n) {
  WithOperator(op, [&](auto tag) {
    using Op = decltype(tag);
    for (size_t begin = 0; begin < n; begin += 64) {
      uint64_t& word = present[begin / 64];
      if (word == 0) continue;
      const size_t end = std::min(n, begin + 64);
      uint64_t keep = 0;
      for (size_t k = begin; k < end; ++k) {
        keep |= uint64_t{static_cast<bool>(Op::Apply(a[k], b[k]))}
                << (k - begin);
      }
      word &= keep;
    }
  });
}

double ApplyOne(BinaryOp op, double a, double b) {
  double out = 0;
  ApplyArithmetic(op, &a, &b, &out, 1);
  return out;
}

}  // namespace narthex::promql
