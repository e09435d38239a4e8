// What flows between operators: some series, each a column of values over the
// step grid with a bitmap that says where there is a value.  Inside the engine
// NaN is just a value, and absence just a bit.
//
// One thread fills and hands on; while a block is worked on in parallel, every
// row belongs to one worker.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "libpromql/func/function.h"
#include "narthex/base/budget.h"

namespace narthex::promql {

class ColumnBlock {
 public:
  // Rows for the series [first, first + rows), all absent.  Keeps memory.
  void Reset(size_t first, size_t rows, size_t steps) {
    first_ = first;
    rows_ = rows;
    steps_ = steps;
    words_ = (steps + 63) / 64;
    // A row begins on a whole word of bits, and is padded to it.
    stride_ = words_ == 1 ? steps : words_ * 64;
    if (values_ == nullptr || capacity_ < rows * stride_) {
      // Lanes without a bit may hold anything that was there: no zeroing.
      capacity_ = rows * stride_;
      values_.reset(new double[capacity_]);
    }
    present_.assign(rows * words_, 0);
    for (HistogramRow& row : histograms_) row.Clear();
    histograms_.resize(rows);
  }

  size_t first() const { return first_; }
  size_t rows() const { return rows_; }
  size_t steps() const { return steps_; }
  size_t words() const { return words_; }
  // Between the values of one row and those of the next.
  size_t stride() const { return stride_; }

  double* values(size_t row) { return values_.get() + row * stride_; }
  const double* values(size_t row) const {
    return values_.get() + row * stride_;
  }
  uint64_t* present(size_t row) { return present_.data() + row * words_; }
  const uint64_t* present(size_t row) const {
    return present_.data() + row * words_;
  }

  // Steps that it has are histograms, the others floats.
  HistogramRow& histograms(size_t row) { return histograms_[row]; }
  const HistogramRow& histograms(size_t row) const { return histograms_[row]; }
  bool IsHistogram(size_t row, size_t k) const {
    return histograms_[row].Has(k);
  }
  HistogramView Histogram(size_t row, size_t k) const {
    return histograms_[row].View(k);
  }
  // A HistogramView or a FloatHistogram.
  template <typename Histogram>
  void SetHistogram(size_t row, size_t k, const Histogram& h) {
    histograms_[row].Set(k, steps_, h);
    values(row)[k] = 0;
    SetBit(present(row), k);
  }
  // Removes the row's histograms; true if there were any.
  bool DropHistograms(size_t row) {
    HistogramRow& column = histograms_[row];
    if (column.empty()) return false;
    bool any = false;
    for (size_t k = 0; k < steps_; ++k) {
      if (column.Has(k) && TestBit(present(row), k)) {
        ClearBit(present(row), k);
        any = true;
      }
    }
    column.Clear();
    return any;
  }

  bool Empty(size_t row) const {
    const uint64_t* bits = present(row);
    return std::all_of(bits, bits + words_, [](uint64_t w) { return w == 0; });
  }
  // Values in the block.
  size_t Count() const {
    size_t n = 0;
    for (size_t i = 0; i < rows_ * words_; ++i) {
      n += static_cast<size_t>(__builtin_popcountll(present_[i]));
    }
    return n;
  }
  // As Prometheus counts them: a histogram is worth several.
  int64_t Samples() const {
    auto n = static_cast<int64_t>(Count());
    for (size_t row = 0; row < rows_; ++row) {
      if (histograms_[row].empty()) continue;
      ForEachBit(present(row), words_, [&](size_t k) {
        if (histograms_[row].Has(k)) n += histograms_[row].Samples(k) - 1;
      });
    }
    return n;
  }
  size_t bytes() const {
    size_t n = capacity_ * sizeof(double) +
               present_.capacity() * sizeof(uint64_t) +
               histograms_.capacity() * sizeof(HistogramRow);
    for (const HistogramRow& row : histograms_) {
      if (!row.empty()) n += row.bytes();
    }
    return n;
  }

  // Counts its memory with `budget` from now on; false: too much.
  bool Charge(MemoryBudget& budget) {
    if (!reservation_) reservation_.emplace(budget);
    return reservation_->GrowTo(bytes());
  }

  // Takes over one row of another block with the same steps.
  void CopyRow(size_t row, const ColumnBlock& from, size_t from_row) {
    std::copy_n(from.values(from_row), steps_, values(row));
    std::copy_n(from.present(from_row), words_, present(row));
    histograms_[row] = from.histograms_[from_row];
  }

 private:
  size_t first_ = 0, rows_ = 0, steps_ = 0, words_ = 0, stride_ = 0;
  std::unique_ptr<double[]> values_;
  size_t capacity_ = 0;
  std::vector<uint64_t> present_;
  std::vector<HistogramRow> histograms_;
  std::optional<Reservation> reservation_;
};

}  // namespace narthex::promql
