// The same values under other labels.  As long as all rows stay different this
// costs nothing; rows that become equal are merged.

#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/row_table.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

class Relabeled final : public Operator {
 public:
  Relabeled(QueryScope& scope, OperatorPtr input, const StepGrid& grid,
            Relabel relabel, Collision collision)
      : Operator(scope),
        input_(std::move(input)),
        grid_(grid),
        relabel_(std::move(relabel)),
        collision_(collision) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows before, input_->Series());
    NARTHEX_ASSIGN_OR_RETURN(const RelabeledRows after, relabel_(before));
    rows_ = after.rows;
    prepared_ = true;
    if (collision_ == Collision::kOfSeries && scope().tiled()) {
      seen_ = &scope().NextSeen();
      before_ = before;
    }
    if (after.distinct) return rows_;
    RowTable table;
    table.Reserve(rows_.size());
    targets_.reserve(rows_.size());
    for (const SeriesRow& row : rows_)
      targets_.push_back(table.Add(row.labels));
    if (table.size() == rows_.size()) {
      targets_.clear();
      return rows_;
    }
    const std::span<SeriesRow> merged = scope().NewRows(table.size());
    for (size_t i = rows_.size(); i-- > 0;) merged[targets_[i]] = rows_[i];
    rows_ = merged;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (targets_.empty()) {
      // The values are handed on, not held twice.
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(out));
      input_->Finish();
      return more;
    }
    if (done_) return false;
    done_ = true;
    NARTHEX_ASSIGN_OR_RETURN(const ColumnBlock all,
                             Drain(scope(), *input_, grid_.steps));
    out.Reset(0, rows_.size(), grid_.steps);
    std::vector<bool> taken(rows_.size(), false);
    for (size_t from = 0; from < all.rows(); ++from) {
      const size_t to = targets_[from];
      if (all.Empty(from)) continue;
      NARTHEX_RETURN_IF_ERROR(CheckOtherTiles(from));
      if (!taken[to]) {
        taken[to] = true;
        out.CopyRow(to, all, from);
        continue;
      }
      NARTHEX_RETURN_IF_ERROR(MergeRow(all, from, out, to));
    }
    input_->Finish();
    return true;
  }

 private:
  // Had another series values under these labels, in another tile?
  absl::Status CheckOtherTiles(size_t from) const {
    if (seen_ == nullptr) return absl::OkStatus();
    const LabelRow mine = before_[from].labels;
    const auto [it, added] =
        seen_->try_emplace(RowKey{rows_[targets_[from]].labels}, mine);
    if (added || RowKey{it->second} == RowKey{mine}) return absl::OkStatus();
    return DuplicateLabelset();
  }

  absl::Status MergeRow(const ColumnBlock& all, size_t from, ColumnBlock& out,
                        size_t to) const {
    bool collides = collision_ == Collision::kOfSeries;
    for (size_t w = 0; w < all.words(); ++w) {
      collides |= (out.present(to)[w] & all.present(from)[w]) != 0;
    }
    if (collides) return DuplicateLabelset();
    ForEachBit(all.present(from), all.words(), [&](size_t k) {
      if (all.IsHistogram(from, k)) {
        out.SetHistogram(to, k, all.Histogram(from, k));
        return;
      }
      // What lies there may be a histogram that was filtered out.
      out.histograms(to).Remove(k);
      out.values(to)[k] = all.values(from)[k];
      SetBit(out.present(to), k);
    });
    return absl::OkStatus();
  }

  OperatorPtr input_;
  const StepGrid grid_;
  const Relabel relabel_;
  const Collision collision_;
  QueryScope::SeriesSeen* seen_ = nullptr;
  SeriesRows before_;
  SeriesRows rows_;
  std::vector<uint32_t> targets_;  // empty: all rows differ
  bool prepared_ = false;
  bool done_ = false;
};

}  // namespace

absl::Status DuplicateLabelset() {
  return InvalidArgument(
      "vector cannot contain metrics with the same labelset");
}

OperatorPtr NewRelabeled(QueryScope& scope, OperatorPtr input,
                         const StepGrid& grid, Relabel relabel,
                         Collision collision) {
  return std::make_unique<Relabeled>(scope, std::move(input), grid,
                                     std::move(relabel), collision);
}

OperatorPtr NewNameDropped(QueryScope& scope, OperatorPtr input,
                           const StepGrid& grid, Collision collision) {
  return NewRelabeled(
      scope, std::move(input), grid,
      [&scope](SeriesRows before) -> absl::StatusOr<RelabeledRows> {
        const std::span<SeriesRow> rows = scope.NewRows(before.size());
        for (size_t i = 0; i < rows.size(); ++i) {
          rows[i] = scope.DropName(before[i]);
        }
        // Flagged only, or all without the same: as different as before.
        return RelabeledRows{
            rows, scope.delayed_names() || scope.SameMetadata(before)};
      },
      collision);
}

}  // namespace narthex::promql
