#include "libpromql/engine/collect.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/func/interpolation.h"
#include "narthex/base/status.h"
#include "narthex/model/symbols.h"

namespace narthex::promql {
namespace {

absl::Status OverBudget() {
  return ResourceExhausted("the result needs more memory than it may have");
}

// With delayed name removal, names go here; what becomes equal is merged.
OperatorPtr CleanedUp(QueryScope& scope, OperatorPtr root,
                      const StepGrid& grid) {
  if (!scope.delayed_names()) return root;
  return NewRelabeled(
      scope, std::move(root), grid,
      [&scope](SeriesRows before) -> absl::StatusOr<RelabeledRows> {
        const std::span<SeriesRow> rows = scope.NewRows(before.size());
        size_t dropped = 0;
        for (size_t i = 0; i < rows.size(); ++i) {
          rows[i] = before[i];
          if (!rows[i].drop_name) continue;
          ++dropped;
          rows[i].labels = scope.DropMetadata(rows[i].labels);
        }
        const bool distinct = dropped == 0 || (dropped == rows.size() &&
                                               scope.SameMetadata(before));
        return RelabeledRows{rows, distinct};
      });
}

// The first eight bytes in which labels may differ, as a number: most pairs are
// told apart by it.  `at`: the label before which all are the same.
uint64_t SortKey(const Labels& labels, size_t at, size_t prefix) {
  auto it = labels.begin();
  for (; at > 0; --at) ++it;
  uint64_t key = 0;
  const std::string_view value = it->value;
  for (size_t i = 0; i < 8; ++i) {
    const size_t from = prefix + i;
    key = key << 8 |
          (from < value.size() ? static_cast<unsigned char>(value[from]) : 0);
  }
  return key;
}

// How many labels all rows begin with alike; false if the next one's name is
// not the same in all of them.
bool CommonLabels(const Matrix& matrix, size_t& same, size_t& prefix) {
  same = 0;
  const Labels& first = matrix[0].labels;
  const auto last = first.end();
  for (auto it = first.begin(); it != last; ++it, ++same) {
    prefix = it->value.size();
    bool all = true;
    for (const MatrixSeries& series : matrix) {
      auto other = series.labels.begin();
      const auto end = series.labels.end();
      for (size_t i = 0; i < same && other != end; ++i) ++other;
      if (other == end || other->name != it->name) return false;
      all = all && other->value == it->value;
      size_t n = 0;
      while (n < prefix && n < other->value.size() &&
             other->value[n] == it->value[n]) {
        ++n;
      }
      prefix = n;
    }
    if (!all) return true;
  }
  return false;
}

void SortByLabels(Matrix& matrix) {
  const auto less = [](const MatrixSeries& a, const MatrixSeries& b) {
    return a.labels < b.labels;
  };
  if (std::is_sorted(matrix.begin(), matrix.end(), less)) return;
  size_t same = 0, prefix = 0;
  if (matrix.size() < 64 || !CommonLabels(matrix, same, prefix)) {
    std::sort(matrix.begin(), matrix.end(), less);
    return;
  }
  std::vector<std::pair<uint64_t, uint32_t>> order(matrix.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i] = {SortKey(matrix[i].labels, same, prefix), i};
  }
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return matrix[a.second].labels < matrix[b.second].labels;
  });
  Matrix sorted;
  sorted.reserve(matrix.size());
  for (const auto& [key, i] : order) sorted.push_back(std::move(matrix[i]));
  matrix = std::move(sorted);
}

HistogramPtr Copy(const HistogramView& view) {
  auto h = std::make_shared<FloatHistogram>();
  Assign(view, *h);
  return h;
}

// One row of a block as a series.
void FillSeries(const ColumnBlock& block, size_t row, const StepGrid& grid,
                MatrixSeries& out) {
  const double* const values = block.values(row);
  size_t n = 0;
  for (size_t w = 0; w < block.words(); ++w) {
    n += static_cast<size_t>(__builtin_popcountll(block.present(row)[w]));
  }
  const bool mixed = !block.histograms(row).empty();
  const size_t before = out.floats.size();  // of earlier tiles
  if (!mixed && n == block.steps()) {
    out.floats.resize(before + n);
    for (size_t k = 0; k < n; ++k) {
      out.floats[before + k] = {grid.At(k), values[k]};
    }
    return;
  }
  if (!mixed && before == 0) out.floats.reserve(n);
  uint32_t number = 0;  // of the histogram made last
  ForEachBit(block.present(row), block.words(), [&](size_t k) {
    if (mixed && block.IsHistogram(row, k)) {
      const HistogramRow& histograms = block.histograms(row);
      HistogramPtr h = number == histograms.Number(k)
                           ? out.histograms.back().histogram
                           : Copy(histograms.View(k));
      number = histograms.Number(k);
      out.histograms.push_back({grid.At(k), std::move(h)});
    } else {
      out.floats.push_back({grid.At(k), values[k]});
    }
  });
}

void FillVector(QueryScope& scope, const ColumnBlock& block, SeriesRows rows,
                int64_t t, Vector& out) {
  for (size_t row = 0; row < block.rows(); ++row) {
    if (!TestBit(block.present(row), 0)) continue;
    VectorElement& element = out.emplace_back();
    element.labels =
        ToLabels(scope.symbols(), rows[block.first() + row].labels);
    element.t = t;
    if (block.IsHistogram(row, 0)) {
      element.histogram = Copy(block.Histogram(row, 0));
    } else {
      element.v = block.values(row)[0];
    }
  }
}

}  // namespace

Value CollectString(const Plan& plan) {
  return StringValue{plan.grid.start,
                     static_cast<const StringNode&>(*plan.root).value};
}

absl::Status Collector::Add(const Plan& tile) {
  if (tile.grid.steps == 0) return absl::OkStatus();
  const PlanNode& root = *tile.root;
  OperatorPtr op = CleanedUp(scope_, Build(root, scope_), tile.grid);
  NARTHEX_ASSIGN_OR_RETURN(const SeriesRows rows, op->Series());
  if (sink_ == nullptr && tile.range_query && matrix_.empty()) {
    matrix_.reserve(rows.size());
  }
  ColumnBlock block;
  for (;;) {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, op->Next(block));
    if (!more) break;
    if (sink_ == nullptr) {
      bytes_ +=
          block.Count() * sizeof(Sample) + block.rows() * sizeof(MatrixSeries);
      if (!reservation_.GrowTo(bytes_)) return OverBudget();
    }
    if (!tile.range_query) {
      if (root.type == ValueType::kScalar) {
        scalar_ = ScalarValue{tile.grid.start, block.values(0)[0]};
      } else {
        FillVector(scope_, block, rows, tile.grid.start, vector_);
      }
      continue;
    }
    for (size_t row = 0; row < block.rows(); ++row) {
      if (block.Empty(row)) continue;
      NARTHEX_RETURN_IF_ERROR(
          AddRow(tile, block, row, rows[block.first() + row].labels));
    }
    if (scope_.tiled()) points_ += block.Samples();
    // What the sink has taken is not held any more.
    if (sink_ != nullptr) op->Finish();
  }
  if (!scope_.tiled() || sink_ != nullptr) return absl::OkStatus();
  // The tile's operators go, its part of the result stays.
  op->Finish();
  return scope_.Hold(std::exchange(points_, 0));
}

absl::Status Collector::AddRow(const Plan& tile, const ColumnBlock& block,
                               size_t row, LabelRow labels) {
  if (sink_ != nullptr) {
    MatrixSeries series;
    series.labels = ToLabels(scope_.symbols(), labels);
    FillSeries(block, row, tile.grid, series);
    return sink_->Add(std::move(series));
  }
  size_t index = matrix_.size();
  if (scope_.tiled()) {
    // Rows are the query's: they outlive the tile.
    index = series_.Add(labels, [this](LabelRow r) { return scope_.Keep(r); });
  }
  if (index == matrix_.size()) {
    matrix_.emplace_back().labels = ToLabels(scope_.symbols(), labels);
    bytes_ += matrix_.back().labels.packed().size();
  }
  FillSeries(block, row, tile.grid, matrix_[index]);
  return absl::OkStatus();
}

Value Collector::Take() {
  if (scalar_) return Value(*scalar_);
  if (!scope_.plan().range_query) return Value(std::move(vector_));
  SortByLabels(matrix_);
  return Value(std::move(matrix_));
}

absl::StatusOr<Value> CollectSamples(QueryScope& scope) {
  const PlanNode& root = *scope.plan().root;
  const ReadNode* const read = root.kind == NodeKind::kRead
                                   ? static_cast<const ReadNode*>(&root)
                                   : nullptr;
  const bool anchored = read != nullptr && read->selector.selector->anchored;
  const bool smoothed = read != nullptr && read->selector.selector->smoothed;
  SampleSourcePtr source = BuildSource(root, scope);
  NARTHEX_ASSIGN_OR_RETURN(const SeriesRows rows, source->Series());
  Reservation reservation(scope.budget());
  size_t bytes = 0, next = 0;
  Matrix matrix;
  WorkerScratch scratch(scope.budget());
  for (;;) {
    NARTHEX_ASSIGN_OR_RETURN(const size_t n, source->Advance(1024));
    if (n == 0) break;
    for (size_t i = 0; i < n; ++i, ++next) {
      SampleView view;
      NARTHEX_RETURN_IF_ERROR(source->Load(i, scratch, view));
      MatrixSeries series;
      if (anchored || smoothed) {
        if (view.histograms != nullptr) {
          return InvalidArgument(
              StrCat(anchored ? "anchored" : "smoothed",
                     " modifier is not supported with histograms"));
        }
        const int64_t end = read->shift.Apply(read->grid.start);
        series.floats = WithValuesAtEnds(
            view.t, view.v, SaturatingSub(end, read->range), end, smoothed);
        view.t = {};
      }
      for (size_t s = 0; s < view.t.size(); ++s) {
        series.floats.push_back({view.t[s], view.v[s]});
      }
      if (view.histograms != nullptr) {
        for (size_t h = 0; h < view.histograms->points.size(); ++h) {
          series.histograms.push_back(
              {view.histograms->points[h].t,
               std::make_shared<const FloatHistogram>(
                   ToFloatHistogram(*view.histograms, h))});
        }
      }
      size_t size = series.floats.size();
      for (size_t h = 0; h < series.histograms.size(); ++h) {
        const auto& column = *view.histograms;
        size += static_cast<size_t>(
            SampleEquivalent(*column.layouts[column.points[h].layout]));
      }
      if (size == 0) continue;
      NARTHEX_RETURN_IF_ERROR(scope.Hold(static_cast<int64_t>(size)));
      // A subquery's own selectors have counted theirs.
      if (root.kind == NodeKind::kRead) {
        scope.CountQueryable(root, static_cast<int64_t>(size));
        if (scope.counts_steps()) {
          scope.CountAtStep(root, 0, static_cast<int64_t>(size));
        }
      }
      bytes += size * sizeof(Sample) + sizeof(MatrixSeries);
      if (!reservation.GrowTo(bytes)) return OverBudget();
      LabelRow labels = rows[next].labels;
      if (scope.delayed_names() && rows[next].drop_name) {
        labels = scope.DropMetadata(labels);
      }
      series.labels = ToLabels(scope.symbols(), labels);
      matrix.push_back(std::move(series));
    }
  }
  SortByLabels(matrix);
  for (size_t i = 1; i < matrix.size(); ++i) {
    if (matrix[i].labels == matrix[i - 1].labels) return DuplicateLabelset();
  }
  return Value(std::move(matrix));
}

}  // namespace narthex::promql
