// quantile(): needs all values of a step at once.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/group_table.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/quantile.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class AggregateQuantile final : public Operator {
 public:
  AggregateQuantile(const AggregateNode& node, QueryScope& scope,
                    OperatorPtr input, OperatorPtr param)
      : Operator(scope),
        scope_of_(scope),
        node_(node),
        input_(std::move(input)),
        param_(std::move(param)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(params_,
                             DrainScalar(scope(), *param_, node_.grid.steps));
    param_->Finish();
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows before, input_->Series());
    GroupTable groups(scope(), node_.aggregate.grouping,
                      node_.aggregate.without);
    for (size_t i = 0; i < before.size(); ++i) {
      const uint32_t group = groups.Add(before[i].labels);
      if (group == members_.size()) members_.emplace_back();
      members_[group].push_back(static_cast<uint32_t>(i));
    }
    const std::span<SeriesRow> rows = scope().NewRows(groups.size());
    for (uint32_t g = 0; g < rows.size(); ++g) {
      rows[g].labels = groups.labels(g);
      for (uint32_t i : members_[g]) rows[g].drop_name |= before[i].drop_name;
    }
    rows_ = rows;
    CheckParams();
    prepared_ = true;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_) return false;
    done_ = true;
    const size_t steps = node_.grid.steps;
    NARTHEX_ASSIGN_OR_RETURN(ColumnBlock all, Drain(scope(), *input_, steps));
    for (size_t row = 0; row < all.rows(); ++row) {
      if (!all.DropHistograms(row)) continue;
      scope().Info(IgnoredInAggregationText("quantile"),
                   Unwrap(*node_.aggregate.expr).pos);
    }
    out.Reset(0, rows_.size(), steps);
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        rows_.size(), 1, [&](size_t begin, size_t end, WorkerScratch& scratch) {
          for (size_t g = begin; g < end; ++g) {
            EvalGroup(all, g, scratch.window.values, out);
          }
          return absl::OkStatus();
        }));
    NARTHEX_RETURN_IF_ERROR(scope().Check());
    input_->Finish();
    return true;
  }

 private:
  void CheckParams() {
    double min = std::numeric_limits<double>::infinity(), max = -min;
    bool nan = false;
    for (double q : params_) {
      nan |= std::isnan(q);
      min = std::min(min, q);
      max = std::max(max, q);
    }
    const TextRange at = node_.aggregate.param->pos;
    if (nan) scope().Warn(BadQuantileText(std::nan("")), at);
    if (max > 1) scope().Warn(BadQuantileText(max), at);
    if (min < 0) scope().Warn(BadQuantileText(min), at);
  }

  void EvalGroup(const ColumnBlock& all, size_t group,
                 std::vector<double>& values, ColumnBlock& out) const {
    for (size_t k = 0; k < all.steps(); ++k) {
      // Noticed by the next Next().
      if (k % 8 == 0 && !scope_of_.Check().ok()) return;
      values.clear();
      for (uint32_t row : members_[group]) {
        if (TestBit(all.present(row), k)) values.push_back(all.values(row)[k]);
      }
      if (values.empty()) continue;
      SortForQuantile(values);
      out.values(group)[k] = QuantileOfSorted(params_[k], values);
      SetBit(out.present(group), k);
    }
  }

  const QueryScope& scope_of_;
  const AggregateNode& node_;
  OperatorPtr input_, param_;
  std::vector<double> params_;
  std::vector<std::vector<uint32_t>> members_;  // of every group
  SeriesRows rows_;
  bool prepared_ = false;
  bool done_ = false;
};

}  // namespace

OperatorPtr NewAggregateQuantile(const AggregateNode& node, QueryScope& scope,
                                 OperatorPtr input, OperatorPtr param) {
  return std::make_unique<AggregateQuantile>(node, scope, std::move(input),
                                             std::move(param));
}

}  // namespace narthex::promql
