// Native histograms in the naive evaluator: buckets by number in a map, one
// plain loop for each operation.  An empty bucket that is there is not the same
// as none, as in the language; spans don't exist.
//
// Values; one thread.  Of the library it takes the bounds of buckets only.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "narthex/model/float_histogram.h"

namespace narthex::promql::naive {

// The sum of Neumaier, as Prometheus has it.
struct Compensated {
  double s = 0, c = 0;
  void Add(double x);
};

struct Bucket {
  double lower = 0, upper = 0, count = 0;
};

struct Hist {
  using Hint = CounterResetHint;
  using Side = std::map<int32_t, double>;

  Hint hint = Hint::kUnknown;
  int32_t schema = 0;
  double zero_threshold = 0, zero_count = 0, count = 0, sum = 0;
  Side positive = {}, negative = {};
  std::vector<double> bounds = {};  // of custom buckets

  static Hist Of(const FloatHistogram& from);
  FloatHistogram ToFloat() const;

  bool custom() const { return schema == kCustomBucketsSchema; }
  double Bound(int32_t index) const;  // upper one of a positive bucket
  Bucket Positive(int32_t index) const;
  Bucket Negative(int32_t index) const;
  // From the lowest to the highest, empty ones too; neighbours of the zero
  // bucket are cut by it.
  std::vector<Bucket> Ascending() const;

  void Scale(double factor);
  void Divide(double by);
  void Compact();
  bool HasInfinity() const;
  // To a lower schema; the hint is lost.
  Hist Coarser(int32_t to) const;
  // Whether there was a reset between `before` and this.
  bool ResetSince(const Hist& before) const;
  // `</` (upper) and `>/`.
  void Trim(double at, bool upper);
};
using HistPtr = std::shared_ptr<const Hist>;

// What an addition or subtraction met.
struct Meeting {
  bool incompatible = false;  // then nothing was done
  bool collision = false;     // of hints
  bool reconciled = false;    // custom bounds
};
Meeting Add(Hist& to, const Hist& other);
Meeting Subtract(Hist& from, const Hist& other);
// With what rounding lost in `lost`, absent at first.
Meeting AddCompensated(Hist& to, const Hist& other, std::optional<Hist>& lost);

// Equal bits and buckets; not the hint.
bool SameHist(const Hist& a, const Hist& b);

}  // namespace narthex::promql::naive
