// Unary minus.

#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/histogram_scale.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class Negate final : public Operator {
 public:
  Negate(QueryScope& scope, OperatorPtr input)
      : Operator(scope), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override { return input_->Series(); }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(out));
    if (!more) return false;
    for (size_t row = 0; row < out.rows(); ++row) {
      double* const values = out.values(row);
      for (size_t k = 0; k < out.steps(); ++k) values[k] = -values[k];
      if (!out.histograms(row).empty()) NegateHistograms(out, row);
    }
    input_->Finish();
    return true;
  }

 private:
  void NegateHistograms(ColumnBlock& out, size_t row) {
    HistogramRow negated;
    ForEachBit(out.present(row), out.words(), [&](size_t k) {
      if (!out.IsHistogram(row, k)) return;
      Assign(out.Histogram(row, k), histogram_);
      Multiply(histogram_, -1);
      negated.Set(k, out.steps(), histogram_);
    });
    out.histograms(row) = std::move(negated);
  }

  OperatorPtr input_;
  FloatHistogram histogram_;
};

}  // namespace

OperatorPtr NewNegate(const NegateNode& node, QueryScope& scope,
                      OperatorPtr input) {
  OperatorPtr negated = std::make_unique<Negate>(scope, std::move(input));
  if (node.type == ValueType::kScalar) return negated;
  return NewNameDropped(scope, std::move(negated), node.grid);
}

}  // namespace narthex::promql
