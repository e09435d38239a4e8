// Sums and means of native histograms, compensated number by number in exactly
// Prometheus's order of operations (promql.md 1.11).  Histograms of one layout
// are added column to column; the layout widens as it must.
//
// One thread at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "libpromql/func/kahan.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram_view.h"

namespace narthex::promql {

class HistogramAccumulator {
 public:
  enum class Added : uint8_t {
    kFine,
    kReconciled,    // only custom bounds that both have are left
    kIncompatible,  // exponential and custom buckets: not added
  };

  bool empty() const { return layout_ == nullptr; }
  // Forgets everything but its memory.
  void Clear();

  // For Sum().
  Added Add(const HistogramView& h);
  // For Mean(); not to be mixed with Add().
  Added AddToMean(const HistogramView& h);

  // Empty buckets may remain.  Not of an empty one.
  void Sum(FloatHistogram& out) const;
  void Mean(FloatHistogram& out) const;

  size_t bytes() const {
    return sizeof(*this) + (value_.capacity() + c_.capacity()) * sizeof(double);
  }

 private:
  // One side while layouts are being merged.
  struct Side {
    std::vector<int32_t> index = {};
    std::vector<double> value = {}, c = {};

    void Fill(const std::vector<Span>& spans, const double* values,
              const double* compensation);
    void Coarsen(int32_t from, int32_t to);
    void DropBelow(double threshold, int32_t schema);
    void Merge(const Side& other, size_t first);
    void OntoBounds(const std::vector<double>& own,
                    const std::vector<double>& bounds, Side& sums) const;
  };
  struct Sides {
    Side positive = {}, negative = {};
  };

  void Start(const HistogramView& h);
  void AddNumbers(const HistogramView& h);
  bool Merge(const HistogramView& h);
  static KahanSum ZeroBelow(const Sides& sides, int32_t schema, KahanSum zero,
                            double& threshold);
  void TakeBack(const Sides& sides, int32_t schema, double zero_threshold,
                const std::vector<double>* custom_values);
  bool HasOverflow() const;
  void Scale(double factor);
  void DivideBy(double divisor);
  void Result(double divisor, FloatHistogram& out) const;

  std::shared_ptr<const HistogramLayout> layout_ = nullptr;
  CounterResetHint hint_ = CounterResetHint::kUnknown;
  KahanSum count_, zero_, sum_;
  std::vector<double> value_ = {}, c_ = {};  // positive, then negative

  double n_ = 0;          // histograms in the mean
  double magnitude_ = 0;  // no number in the sum is greater
  bool incremental_ = false;
  bool alone_ = true;  // nothing was lost yet: -0 stays -0
};

}  // namespace narthex::promql
