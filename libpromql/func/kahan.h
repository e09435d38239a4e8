// Compensated (Neumaier) summation, in exactly Prometheus's order of
// operations: results are compared bit by bit.
//
// Values; any thread.

#pragma once

#include <cmath>

namespace narthex::promql {

struct KahanSum {
  double sum = 0;
  double c = 0;

  void Add(double x) {
    const double t = sum + x;
    if (std::isinf(t)) {
      c = 0;
    } else if (std::fabs(sum) >= std::fabs(x)) {
      c += (sum - t) + x;
    } else {
      c += (x - t) + sum;
    }
    sum = t;
  }
};

// The mean of values in order: a compensated sum as long as it is finite, from
// then on an incremental mean.
class KahanMean {
 public:
  void Add(double x) {
    ++count_;
    if (count_ == 1) {
      direct_.sum = x;
      return;
    }
    if (!incremental_) {
      KahanSum next = direct_;
      next.Add(x);
      if (!std::isinf(next.sum)) {
        direct_ = next;
        return;
      }
      incremental_ = true;
      mean_.sum = direct_.sum / (count_ - 1);
      mean_.c = direct_.c / (count_ - 1);
    }
    const double q = (count_ - 1) / count_;
    mean_.sum = q * mean_.sum;
    mean_.c = q * mean_.c;
    mean_.Add(x / count_);
  }
  double count() const { return count_; }
  double Mean() const {
    if (incremental_) return mean_.sum + mean_.c;
    return direct_.sum / count_ + direct_.c / count_;
  }

 private:
  KahanSum direct_;
  KahanSum mean_;
  double count_ = 0;
  bool incremental_ = false;
};

}  // namespace narthex::promql
