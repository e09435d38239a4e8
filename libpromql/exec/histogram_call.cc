// histogram_quantile and histogram_fraction over classic histograms: which
// series are the buckets of which histogram, and in which order, is settled
// once for all steps.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_format.h"
#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/row_table.h"
#include "libpromql/exec/scope.h"
#include "libpromql/func/quantile.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

// Repairs of one metric's histograms, told in one annotation.
struct Repairs {
  double min_bucket = std::numeric_limits<double>::infinity();
  double max_bucket = -std::numeric_limits<double>::infinity();
  double max_diff = 0;
  int64_t samples = 0;
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = std::numeric_limits<int64_t>::min();

  void Add(const ClassicQuantile& q, int64_t t) {
    min_bucket = std::min(min_bucket, q.min_bucket);
    max_bucket = std::max(max_bucket, q.max_bucket);
    max_diff = std::max(max_diff, q.max_diff);
    ++samples;
    first = std::min(first, t);
    last = std::max(last, t);
  }
  std::string Text(std::string_view metric) const {
    std::string text =
        "input to histogram_quantile needed to be fixed for monotonicity (see "
        "https://prometheus.io/docs/prometheus/latest/querying/functions/"
        "#histogram_quantile)";
    if (!metric.empty()) {
      StrAppend(&text, " for metric name ", GoQuote(metric));
    }
    StrAppend(&text, ", from buckets ", FormatFloat(min_bucket), " to ",
              FormatFloat(max_bucket), ", with a max diff of ",
              absl::StrFormat("%.2g", max_diff), ", over ", samples,
              " samples from ", FormatRfc3339(Timestamp(first / 1000 * 1000)),
              " to ", FormatRfc3339(Timestamp(last / 1000 * 1000)));
    return text;
  }
};

class ClassicHistograms final : public Operator {
 public:
  ClassicHistograms(const CallNode& node, QueryScope& scope,
                    std::vector<OperatorPtr> inputs)
      : Operator(scope),
        node_(node),
        fraction_(node.id == FunctionId::kHistogramFraction),
        vector_(std::move(inputs.back())) {
    inputs.pop_back();
    scalars_ = std::move(inputs);
  }

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    for (OperatorPtr& scalar : scalars_) {
      NARTHEX_ASSIGN_OR_RETURN(std::vector<double> values,
                               DrainScalar(scope(), *scalar, node_.grid.steps));
      params_.push_back(std::move(values));
      scalar->Finish();
    }
    NARTHEX_ASSIGN_OR_RETURN(before_, vector_->Series());
    GroupBuckets();
    prepared_ = true;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_) return false;
    done_ = true;
    const size_t steps = node_.grid.steps;
    NARTHEX_ASSIGN_OR_RETURN(ColumnBlock all, Drain(scope(), *vector_, steps));
    NARTHEX_RETURN_IF_ERROR(CheckInput(all));
    out.Reset(0, rows_.size(), steps);
    repairs_.assign(rows_.size(), {});
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        rows_.size(), 1, [&](size_t begin, size_t end, WorkerScratch&) {
          std::vector<ClassicBucket> buckets;
          for (size_t g = begin; g < end; ++g) {
            EvalHistogram(all, g, buckets, out);
          }
          return absl::OkStatus();
        }));
    TellRepairs();
    vector_->Finish();
    return true;
  }

 private:
  struct Member {
    double upper_bound = 0;
    uint32_t row = 0;
  };

  void GroupBuckets() {
    RowTable table;
    std::vector<LabelPair> pairs;
    bounds_ok_.assign(before_.size(), false);
    for (uint32_t i = 0; i < before_.size(); ++i) {
      const LabelRow row = before_[i].labels;
      const std::string_view le =
          scope().symbols().Text(ValueOf(row, scope().bucket_id()));
      double bound = 0;
      if (!ParseGoFloat(le, bound)) continue;
      bounds_ok_[i] = true;
      pairs.clear();
      for (LabelPair pair : row) {
        if (pair.name != scope().bucket_id()) pairs.push_back(pair);
      }
      const uint32_t group =
          table.Add(pairs, [this](LabelRow r) { return scope().Keep(r); });
      if (group == members_.size()) members_.emplace_back();
      members_[group].push_back({bound, i});
    }
    for (std::vector<Member>& group : members_) {
      std::stable_sort(group.begin(), group.end(),
                       [](const Member& a, const Member& b) {
                         return a.upper_bound < b.upper_bound;
                       });
    }
    const std::span<SeriesRow> rows = scope().NewRows(table.size());
    for (uint32_t g = 0; g < rows.size(); ++g) {
      rows[g].labels = table.row(g);
    }
    rows_ = rows;
  }

  // Warnings about parameters and about rows that are no buckets.
  absl::Status CheckInput(const ColumnBlock& all) {
    const TextRange at = node_.inputs.back()->pos;
    if (!fraction_) {
      for (double q : params_[0]) {
        if (!(q >= 0 && q <= 1)) {
          scope().Warn(BadQuantileText(q), node_.inputs[0]->pos);
        }
      }
    }
    for (uint32_t i = 0; i < all.rows(); ++i) {
      if (all.Empty(i)) continue;
      if (!all.histograms(i).empty()) {
        return Unimplemented(StrCat(node_.call.function->name,
                                    "() of native histograms is not "
                                    "implemented"));
      }
      if (bounds_ok_[i]) continue;
      const LabelRow row = before_[i].labels;
      scope().Warn(
          BadBucketLabelText(
              scope().delayed_names() ? scope().MetricName(row)
                                      : std::string_view(),
              scope().symbols().Text(ValueOf(row, scope().bucket_id()))),
          at);
    }
    return absl::OkStatus();
  }

  void EvalHistogram(const ColumnBlock& all, size_t group,
                     std::vector<ClassicBucket>& buckets, ColumnBlock& out) {
    for (size_t k = 0; k < all.steps(); ++k) {
      buckets.clear();
      for (const Member& member : members_[group]) {
        if (TestBit(all.present(member.row), k)) {
          buckets.push_back({member.upper_bound, all.values(member.row)[k]});
        }
      }
      if (buckets.empty()) continue;
      double value = 0;
      if (fraction_) {
        value = FractionOfBuckets(params_[0][k], params_[1][k], buckets);
      } else {
        const ClassicQuantile q = QuantileOfBuckets(params_[0][k], buckets);
        if (q.forced_monotonic) repairs_[group].Add(q, node_.grid.At(k));
        value = q.value;
      }
      out.values(group)[k] = value;
      SetBit(out.present(group), k);
    }
  }

  void TellRepairs() {
    std::map<std::string_view, Repairs> by_metric;
    for (size_t g = 0; g < rows_.size(); ++g) {
      const Repairs& r = repairs_[g];
      if (r.samples == 0) continue;
      // The name is known here only if it is dropped at the end.
      Repairs& sum = by_metric[scope().delayed_names()
                                   ? scope().MetricName(rows_[g].labels)
                                   : std::string_view()];
      sum.min_bucket = std::min(sum.min_bucket, r.min_bucket);
      sum.max_bucket = std::max(sum.max_bucket, r.max_bucket);
      sum.max_diff = std::max(sum.max_diff, r.max_diff);
      sum.samples += r.samples;
      sum.first = std::min(sum.first, r.first);
      sum.last = std::max(sum.last, r.last);
    }
    for (const auto& [metric, repairs] : by_metric) {
      scope().Info(repairs.Text(metric), node_.inputs.back()->pos);
    }
  }

  const CallNode& node_;
  const bool fraction_;
  OperatorPtr vector_;
  std::vector<OperatorPtr> scalars_;
  std::vector<std::vector<double>> params_;
  SeriesRows before_, rows_;
  std::vector<bool> bounds_ok_;
  std::vector<std::vector<Member>> members_;  // of every histogram, by bound
  std::vector<Repairs> repairs_;
  bool prepared_ = false;
  bool done_ = false;
};

}  // namespace

OperatorPtr NewHistogramFunction(const CallNode& node, QueryScope& scope,
                                 std::vector<OperatorPtr> inputs) {
  // Names go behind: what are the buckets of one histogram depends on them.
  return NewNameDropped(
      scope,
      std::make_unique<ClassicHistograms>(node, scope, std::move(inputs)),
      node.grid);
}

}  // namespace narthex::promql
