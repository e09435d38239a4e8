// count_values(): how often every value occurs; values become label texts.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
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
    bases_ = std::make_unique<GroupTable>(scope(), node_.aggregate.grouping,
                                          node_.aggregate.without);
    // Grouping comes behind: without (the label) takes it away again.
    hidden_ = node_.aggregate.without &&
              (label == kMetricName ||
               std::find(node_.aggregate.grouping.begin(),
                         node_.aggregate.grouping.end(),
                         label) != node_.aggregate.grouping.end());
    ColumnBlock block;
    for (;;) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(block));
      if (!more) break;
      for (size_t row = 0; row < block.rows(); ++row) {
        NARTHEX_RETURN_IF_ERROR(CountRow(block, row));
      }
    }
    input_->Finish();
    const std::span<SeriesRow> rows = scope().NewRows(labels_.size());
    for (uint32_t g = 0; g < rows.size(); ++g) rows[g].labels = labels_[g];
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
      for (uint32_t i = newest_[next_ + row]; i != kNone;
           i = counts_[i].older) {
        const Count& count = counts_[i];
        double& v = out.values(row)[count.step];
        v = TestBit(out.present(row), count.step) ? v + count.n : count.n;
        SetBit(out.present(row), count.step);
      }
    }
    next_ += rows;
    return true;
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  // A value may be there at few steps of many: what is counted is kept as a
  // list, the newest first.
  struct Count {
    uint32_t step = 0;
    uint32_t n = 0;
    uint32_t older = kNone;
  };

  absl::Status CountRow(const ColumnBlock& block, size_t row) {
    SetBase(before_[block.first() + row].labels);
    const size_t before = counts_.size();
    // Most series repeat their values.
    uint64_t last_bits = 0;
    uint32_t last_group = kNone;
    ForEachBit(block.present(row), block.words(), [&](size_t k) {
      uint32_t group = 0;
      if (block.IsHistogram(row, k)) {
        group = GroupOfText(Text(block.Histogram(row, k)));
      } else {
        const double v = block.values(row)[k];
        const uint64_t bits = std::bit_cast<uint64_t>(v);
        if (last_group == kNone || bits != last_bits) {
          last_bits = bits;
          last_group = GroupOfFloat(v);
        }
        group = last_group;
      }
      uint32_t& newest = newest_[group];
      if (newest != kNone && counts_[newest].step == k) {
        ++counts_[newest].n;
        return;
      }
      counts_.push_back({static_cast<uint32_t>(k), 1, newest});
      newest = static_cast<uint32_t>(counts_.size() - 1);
    });
    return scope().CheckRoom(static_cast<int64_t>(counts_.size() - before));
  }

  static std::string Text(const HistogramView& h) {
    FloatHistogram histogram;
    Assign(h, histogram);
    return histogram.ToString();
  }

  // The group's labels of one series, with room where the value's label goes.
  void SetBase(LabelRow labels) {
    const LabelRow base = bases_->labels(bases_->Add(labels));
    const Symbols& symbols = scope().symbols();
    const std::string_view name = symbols.Text(label_);
    pairs_.clear();
    place_ = base.size();
    if (hidden_) {
      pairs_.assign(base.begin(), base.end());
      base_ = groups_.Add(base);  // the base table's, which lives on
      return;
    }
    for (LabelPair pair : base) {
      if (pair.name == label_) continue;
      if (place_ == base.size() && symbols.Text(pair.name) > name) {
        place_ = pairs_.size();
        pairs_.push_back({label_, 0});
      }
      pairs_.push_back(pair);
    }
    if (place_ == base.size()) {
      place_ = pairs_.size();
      pairs_.push_back({label_, 0});
    }
    base_ = groups_.Add(pairs_, [this](LabelRow r) { return scope().Keep(r); });
  }

  // Of the series at hand and a value.  No two numbers are written alike, but
  // every NaN is; no histogram is written as a number is.
  uint32_t GroupOfFloat(double v) {
    if (hidden_) return GroupOfText({});
    if (std::isnan(v)) v = std::numeric_limits<double>::quiet_NaN();
    const auto [it, added] = group_of_float_.try_emplace(
        std::pair(std::bit_cast<uint64_t>(v), base_), NextGroup());
    if (added) AddGroup(scope().symbols().Intern(FormatFloat(v, 'f')));
    return it->second;
  }
  uint32_t GroupOfText(std::string_view text) {
    const SymbolId value = hidden_ ? 0 : scope().symbols().Intern(text);
    const auto [it, added] =
        group_of_text_.try_emplace(std::pair(value, base_), NextGroup());
    if (added) AddGroup(value);
    return it->second;
  }
  uint32_t NextGroup() const { return static_cast<uint32_t>(newest_.size()); }
  void AddGroup(SymbolId value) {
    if (!hidden_) pairs_[place_].value = value;
    labels_.push_back(scope().Keep(pairs_));
    newest_.push_back(kNone);
  }

  const AggregateNode& node_;
  OperatorPtr input_;
  SeriesRows before_, rows_;
  SymbolId label_ = 0;
  std::unique_ptr<GroupTable> bases_;  // by the grouping
  RowTable groups_;                    // with room for the value's label
  uint32_t base_ = 0;                  // the row of the series at hand
  bool hidden_ = false;
  std::vector<LabelPair> pairs_;  // of the series at hand
  size_t place_ = 0;              // of the value among them
  std::vector<Count> counts_;
  std::vector<uint32_t> newest_;  // of every group, in counts_
  std::vector<LabelRow> labels_;  // of every group
  // By value and row.
  absl::flat_hash_map<std::pair<uint64_t, uint32_t>, uint32_t> group_of_float_;
  absl::flat_hash_map<std::pair<SymbolId, uint32_t>, uint32_t> group_of_text_;
  bool prepared_ = false;
  size_t next_ = 0;
};

}  // namespace

OperatorPtr NewCountValues(const AggregateNode& node, QueryScope& scope,
                           OperatorPtr input) {
  return std::make_unique<CountValues>(node, scope, std::move(input));
}

}  // namespace narthex::promql
