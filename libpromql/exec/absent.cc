// absent() and absent_over_time(): 1 where no series has a value.

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

class Absent final : public Operator {
 public:
  Absent(const CallNode& node, QueryScope& scope, OperatorPtr input)
      : Operator(scope), node_(node), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (rows_.empty()) {
      const std::span<SeriesRow> rows = scope().NewRows(1);
      rows[0].labels = LabelsOfSelector();
      rows[0].drop_name = node_.id == FunctionId::kAbsentOverTime;
      rows_ = rows;
    }
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_) return false;
    done_ = true;
    NARTHEX_RETURN_IF_ERROR(input_->Series().status());
    const size_t steps = node_.grid.steps;
    out.Reset(0, 1, steps);
    SetAllBits(out.present(0), steps);
    ColumnBlock block;
    for (;;) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(block));
      if (!more) break;
      for (size_t row = 0; row < block.rows(); ++row) {
        for (size_t w = 0; w < block.words(); ++w) {
          out.present(0)[w] &= ~block.present(row)[w];
        }
      }
    }
    input_->Finish();
    std::fill_n(out.values(0), steps, 1.0);
    return true;
  }

 private:
  const Matchers* SelectorMatchers() const {
    const PlanNode* input = node_.inputs[0].get();
    // Once for all or at every step: the labels are the same.
    if (input->kind == NodeKind::kFixed) input = input->inputs[0].get();
    if (input->kind == NodeKind::kScan) {
      return &static_cast<const ScanNode*>(input)->selector.matchers;
    }
    if (input->kind == NodeKind::kRead) {
      return &static_cast<const ReadNode*>(input)->selector.selector->matchers;
    }
    return nullptr;
  }

  // What the selector says of the series that is missing: a label with one
  // equality matcher and no other.
  LabelRow LabelsOfSelector() {
    const Matchers* matchers = SelectorMatchers();
    if (matchers == nullptr) return {};
    LabelRow row;
    std::vector<std::string_view> seen;
    for (const MatcherPtr& matcher : *matchers) {
      if (matcher->name() == kMetricName) continue;
      const bool first =
          std::find(seen.begin(), seen.end(), matcher->name()) == seen.end();
      SymbolId value = 0;
      if (matcher->type() == Matcher::Type::kEqual && first) {
        value = scope().symbols().Intern(matcher->value());
        seen.push_back(matcher->name());
      }
      row = scope().WithLabel(row, scope().symbols().Intern(matcher->name()),
                              value);
    }
    return row;
  }

  const CallNode& node_;
  OperatorPtr input_;
  SeriesRows rows_;
  bool done_ = false;
};

}  // namespace

OperatorPtr NewAbsent(const CallNode& node, QueryScope& scope,
                      OperatorPtr input) {
  return std::make_unique<Absent>(node, scope, std::move(input));
}

}  // namespace narthex::promql
