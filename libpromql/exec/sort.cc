// sort, sort_desc, sort_by_label, sort_by_label_desc.  The order of a range
// query's result is that of the labels, so there they only warn.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/natural_order.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class Sort final : public Operator {
 public:
  Sort(const CallNode& node, QueryScope& scope, OperatorPtr input)
      : Operator(scope),
        node_(node),
        by_value_(node.id == FunctionId::kSort ||
                  node.id == FunctionId::kSortDesc),
        descending_(node.id == FunctionId::kSortDesc ||
                    node.id == FunctionId::kSortByLabelDesc),
        input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(rows_, input_->Series());
    prepared_ = true;
    if (node_.grid.steps != 1) {
      scope().Warn(SortInRangeQueryText(), node_.pos);
      return rows_;
    }
    NARTHEX_ASSIGN_OR_RETURN(all_, Drain(scope(), *input_, 1));
    if (by_value_) {
      for (size_t row = 0; row < all_.rows(); ++row) all_.DropHistograms(row);
    }
    order_.resize(rows_.size());
    std::iota(order_.begin(), order_.end(), 0u);
    if (by_value_) {
      SortByValue();
    } else {
      SortByLabels();
    }
    const std::span<SeriesRow> sorted = scope().NewRows(rows_.size());
    for (size_t i = 0; i < sorted.size(); ++i) sorted[i] = rows_[order_[i]];
    rows_ = sorted;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (node_.grid.steps != 1) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(out));
      if (more && by_value_) {
        for (size_t row = 0; row < out.rows(); ++row) out.DropHistograms(row);
      }
      input_->Finish();
      return more;
    }
    if (done_) return false;
    done_ = true;
    out.Reset(0, rows_.size(), 1);
    for (size_t i = 0; i < rows_.size(); ++i) out.CopyRow(i, all_, order_[i]);
    input_->Finish();
    return true;
  }

 private:
  void SortByValue() {
    // NaN comes last in both directions.
    std::stable_sort(order_.begin(), order_.end(),
                     [this](uint32_t a, uint32_t b) {
                       const double va = all_.values(a)[0];
                       const double vb = all_.values(b)[0];
                       if (std::isnan(va)) return false;
                       if (std::isnan(vb)) return true;
                       return descending_ ? va > vb : va < vb;
                     });
  }

  void SortByLabels() {
    Symbols& symbols = scope().symbols();
    std::vector<SymbolId> names;
    for (size_t i = 1; i < node_.inputs.size(); ++i) {
      names.push_back(
          symbols.Find(static_cast<const StringNode&>(*node_.inputs[i]).value));
    }
    auto compare = [&](uint32_t a, uint32_t b) {
      for (SymbolId name : names) {
        if (name == 0) continue;
        const SymbolId va = ValueOf(rows_[a].labels, name);
        const SymbolId vb = ValueOf(rows_[b].labels, name);
        if (va == vb) continue;
        const int order = NaturalCompare(symbols.Text(va), symbols.Text(vb));
        if (order != 0) return order < 0;
      }
      return CompareRows(symbols, rows_[a].labels, rows_[b].labels) < 0;
    };
    std::stable_sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
      return descending_ ? compare(b, a) : compare(a, b);
    });
  }

  const CallNode& node_;
  const bool by_value_;
  const bool descending_;
  OperatorPtr input_;
  SeriesRows rows_;
  ColumnBlock all_;
  std::vector<uint32_t> order_;
  bool prepared_ = false;
  bool done_ = false;
};

}  // namespace

OperatorPtr NewSort(const CallNode& node, QueryScope& scope,
                    OperatorPtr input) {
  return std::make_unique<Sort>(node, scope, std::move(input));
}

}  // namespace narthex::promql
