// count_values(): how often every value occurs; values become label texts.

#include <algorithm>
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
      for (size_t row = 0; row < block.rows(); ++row) {
        NARTHEX_RETURN_IF_ERROR(CountRow(block, row));
      }
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
    if (next_ >= rows_.size()) return false;
    const size_t rows =
        std::min(rows_.size() - next_, scope().RowsPerBlock(node_.grid.steps));
    out.Reset(next_, rows, node_.grid.steps);
    for (size_t row = 0; row < rows; ++row) {
      for (const Count& count : counts_[next_ + row]) {
        double& v = out.values(row)[count.step];
        v = TestBit(out.present(row), count.step) ? v + count.n : count.n;
        SetBit(out.present(row), count.step);
      }
    }
    next_ += rows;
    return true;
  }

 private:
  // A value may be there at few steps of many: what is counted is kept as a
  // list.
  struct Count {
    uint32_t step = 0;
    uint32_t n = 0;
  };

  absl::Status CountRow(const ColumnBlock& block, size_t row) {
    const LabelRow labels = before_[block.first() + row].labels;
    // From a value's bits to its group; a series repeats few values.
    group_of_bits_.clear();
    int64_t more = 0;
    ForEachBit(block.present(row), block.words(), [&](size_t k) {
      uint32_t group = 0;
      if (block.IsHistogram(row, k)) {
        group = GroupOf(labels, Text(block.Histogram(row, k)));
      } else {
        const double v = block.values(row)[k];
        const auto [it, added] =
            group_of_bits_.try_emplace(std::bit_cast<uint64_t>(v), 0u);
        if (added) it->second = GroupOf(labels, FormatFloat(v, 'f'));
        group = it->second;
      }
      std::vector<Count>& counts = counts_[group];
      if (!counts.empty() && counts.back().step == k) {
        ++counts.back().n;
      } else {
        counts.push_back({static_cast<uint32_t>(k), 1});
        ++more;
      }
    });
    return scope().CheckRoom(more);
  }

  static std::string Text(const HistogramView& h) {
    FloatHistogram histogram;
    Assign(h, histogram);
    return histogram.ToString();
  }

  uint32_t GroupOf(LabelRow labels, const std::string& value) {
    const SymbolId id = scope().symbols().Intern(value);
    const uint32_t group = groups_->Add(scope().WithLabel(labels, label_, id));
    if (group == counts_.size()) counts_.emplace_back();
    return group;
  }

  const AggregateNode& node_;
  OperatorPtr input_;
  SeriesRows before_, rows_;
  SymbolId label_ = 0;
  std::unique_ptr<GroupTable> groups_;
  std::vector<std::vector<Count>> counts_;  // of every group
  absl::flat_hash_map<uint64_t, uint32_t> group_of_bits_;
  bool prepared_ = false;
  size_t next_ = 0;
};

}  // namespace

OperatorPtr NewCountValues(const AggregateNode& node, QueryScope& scope,
                           OperatorPtr input) {
  return std::make_unique<CountValues>(node, scope, std::move(input));
}

}  // namespace narthex::promql
