// count_values(): how often every value occurs; values become label texts.

#include <bit>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/group_table.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

class CountValues final : public Operator {
 public:
  CountValues(const AggregateNode& node, QueryScope& scope, OperatorPtr input)
      : Operator(scope), node_(node), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    prepared_ = true;
    const std::string& label =
        static_cast<const StringNode&>(*node_.inputs[1]).value;
    if (label.empty() || !IsValidUtf8(label)) {
      return InvalidArgument(StrCat("invalid label name ", GoQuote(label)));
    }
    NARTHEX_ASSIGN_OR_RETURN(before_, input_->Series());
    label_ = scope().symbols().Intern(label);
    std::vector<std::string> grouping = node_.aggregate.grouping;
    if (!node_.aggregate.without) grouping.push_back(label);
    groups_ = std::make_unique<GroupTable>(scope(), grouping,
                                           node_.aggregate.without);
    ColumnBlock block;
    for (;;) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(block));
      if (!more) break;
      for (size_t row = 0; row < block.rows(); ++row) CountRow(block, row);
    }
    input_->Finish();
    const std::span<SeriesRow> rows = scope().NewRows(groups_->size());
    for (uint32_t g = 0; g < rows.size(); ++g) {
      rows[g].labels = groups_->labels(g);
    }
    rows_ = rows;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_) return false;
    done_ = true;
    const size_t steps = node_.grid.steps;
    out.Reset(0, rows_.size(), steps);
    for (size_t g = 0; g < rows_.size(); ++g) {
      for (size_t k = 0; k < steps; ++k) {
        if (counts_[g][k] == 0) continue;
        out.values(g)[k] = counts_[g][k];
        SetBit(out.present(g), k);
      }
    }
    counts_ = {};
    return true;
  }

 private:
  void CountRow(const ColumnBlock& block, size_t row) {
    const LabelRow labels = before_[block.first() + row].labels;
    // From a value's bits to its group; a series repeats few values.
    absl::flat_hash_map<uint64_t, uint32_t> group_of_bits;
    ForEachBit(block.present(row), block.words(), [&](size_t k) {
      uint32_t group = 0;
      if (block.IsHistogram(row, k)) {
        group = GroupOf(labels, block.histograms(row)[k]->ToString());
      } else {
        const double v = block.values(row)[k];
        const auto [it, added] =
            group_of_bits.try_emplace(std::bit_cast<uint64_t>(v), 0u);
        if (added) it->second = GroupOf(labels, FormatFloat(v, 'f'));
        group = it->second;
      }
      ++counts_[group][k];
    });
  }

  uint32_t GroupOf(LabelRow labels, const std::string& value) {
    const SymbolId id = scope().symbols().Intern(value);
    const uint32_t group = groups_->Add(scope().WithLabel(labels, label_, id));
    if (group == counts_.size()) {
      counts_.emplace_back(node_.grid.steps, 0u);
    }
    return group;
  }

  const AggregateNode& node_;
  OperatorPtr input_;
  SeriesRows before_, rows_;
  SymbolId label_ = 0;
  std::unique_ptr<GroupTable> groups_;
  std::vector<std::vector<uint32_t>> counts_;  // of every group and step
  bool prepared_ = false;
  bool done_ = false;
};

}  // namespace

OperatorPtr NewCountValues(const AggregateNode& node, QueryScope& scope,
                           OperatorPtr input) {
  return std::make_unique<CountValues>(node, scope, std::move(input));
}

}  // namespace narthex::promql
