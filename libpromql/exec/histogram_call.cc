// histogram_quantile, histogram_quantiles and histogram_fraction, of native
// histograms and of classic ones: which series are the buckets of which
// histogram, and in which order, is settled once for all steps.

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
#include "libpromql/func/histogram_functions.h"
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

// As OpenMetrics writes numbers: never an integer.
std::string LabelOfQuantile(double q) {
  std::string text = FormatFloat(q);
  if (std::isfinite(q) && text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return text;
}

class HistogramCall final : public Operator {
 public:
  HistogramCall(const CallNode& node, QueryScope& scope,
                std::vector<OperatorPtr> inputs)
      : Operator(scope),
        node_(node),
        fraction_(node.id == FunctionId::kHistogramFraction),
        many_(node.id == FunctionId::kHistogramQuantiles),
        vector_at_(many_ ? 0 : node.inputs.size() - 1),
        inputs_(std::move(inputs)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    prepared_ = true;
    const size_t steps = node_.grid.steps;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (i == vector_at_ || inputs_[i] == nullptr) continue;
      NARTHEX_ASSIGN_OR_RETURN(std::vector<double> values,
                               DrainScalar(scope(), *inputs_[i], steps));
      params_.push_back(std::move(values));
      param_at_.push_back(Unwrap(*node_.call.args[i]).pos);
      inputs_[i]->Finish();
    }
    NARTHEX_ASSIGN_OR_RETURN(before_, vector().Series());
    // Which rows have histograms, the values tell.
    NARTHEX_ASSIGN_OR_RETURN(all_, Drain(scope(), vector(), steps));
    CheckQuantiles();
    GroupBuckets();
    if (many_) NameQuantiles();
    MakeRows();
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_) return false;
    done_ = true;
    out.Reset(0, rows_.size(), node_.grid.steps);
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        groups_.size(), 1, [&](size_t begin, size_t end, WorkerScratch&) {
          Memory memory;
          for (size_t g = begin; g < end; ++g) {
            if (g % 16 == 0) NARTHEX_RETURN_IF_ERROR(scope().Check());
            NARTHEX_RETURN_IF_ERROR(EvalGroup(g, memory, out));
          }
          return absl::OkStatus();
        }));
    TellNotes();
    TellRepairs();
    vector().Finish();
    all_ = ColumnBlock();
    return true;
  }

 private:
  struct Member {
    double upper_bound = 0;
    uint32_t row = 0;
  };
  static constexpr uint32_t kNobody = ~uint32_t{0};
  // Series with the same labels but for the bound.
  struct Group {
    std::vector<Member> buckets = {};  // of a classic histogram, by bound
    uint32_t native = kNobody;         // row of a native one
    Repairs repairs = {};
    bool mixed = false;  // classic and native at one step
    bool nan_result = false, nan_skew = false;
  };
  struct Memory {
    std::vector<ClassicBucket> buckets, copy;
    BucketList list;
  };

  Operator& vector() { return *inputs_[vector_at_]; }
  TextRange vector_pos() const {
    return Unwrap(*node_.call.args[vector_at_]).pos;
  }
  // The name is known here only if it is dropped at the end.
  std::string_view NameOf(LabelRow row) {
    return scope().delayed_names() ? scope().MetricName(row)
                                   : std::string_view();
  }

  void CheckQuantiles() {
    if (fraction_) return;
    for (size_t i = 0; i < params_.size(); ++i) {
      for (double q : params_[i]) {
        if (!(q >= 0 && q <= 1)) {
          scope().Warn(BadQuantileText(q), param_at_[i]);
        }
      }
    }
  }

  uint32_t GroupOf(RowTable& table, LabelRow labels) {
    const uint32_t group =
        table.Add(labels, [this](LabelRow r) { return scope().Keep(r); });
    if (group == groups_.size()) groups_.emplace_back();
    return group;
  }

  void GroupBuckets() {
    RowTable table;
    std::vector<LabelPair> pairs;
    for (uint32_t i = 0; i < before_.size(); ++i) {
      const LabelRow row = before_[i].labels;
      bool floats = all_.histograms(i).empty() && !all_.Empty(i);
      if (!all_.histograms(i).empty()) {
        groups_[GroupOf(table, row)].native = i;
        ForEachBit(all_.present(i), all_.words(),
                   [&](size_t k) { floats |= !all_.IsHistogram(i, k); });
      }
      if (!floats) continue;
      const std::string_view le =
          scope().symbols().Text(ValueOf(row, scope().bucket_id()));
      double bound = 0;
      if (!ParseGoFloat(le, bound)) {
        scope().Warn(BadBucketLabelText(NameOf(row), le), vector_pos());
        continue;
      }
      pairs.clear();
      for (LabelPair pair : row) {
        if (pair.name != scope().bucket_id()) pairs.push_back(pair);
      }
      groups_[GroupOf(table, pairs)].buckets.push_back({bound, i});
    }
    for (uint32_t g = 0; g < groups_.size(); ++g) {
      std::vector<Member>& buckets = groups_[g].buckets;
      std::stable_sort(buckets.begin(), buckets.end(),
                       [](const Member& a, const Member& b) {
                         return a.upper_bound < b.upper_bound;
                       });
      labels_.push_back(table.row(g));
    }
  }

  // Every quantile gets a label; a scalar that changes gets several.
  void NameQuantiles() {
    std::map<std::string, uint32_t> numbers;
    quantile_of_.resize(params_.size());
    for (size_t i = 0; i < params_.size(); ++i) {
      for (size_t k = 0; k < params_[i].size(); ++k) {
        const double q = params_[i][k];
        if (k > 0 && q == params_[i][k - 1]) {
          quantile_of_[i].push_back(quantile_of_[i].back());
          continue;
        }
        const auto [it, added] = numbers.try_emplace(
            LabelOfQuantile(q), static_cast<uint32_t>(numbers.size()));
        if (added) quantiles_.push_back(scope().symbols().Intern(it->first));
        quantile_of_[i].push_back(it->second);
      }
    }
  }

  void MakeRows() {
    if (!many_) {
      const std::span<SeriesRow> rows = scope().NewRows(groups_.size());
      for (size_t g = 0; g < rows.size(); ++g) rows[g].labels = labels_[g];
      rows_ = rows;
      return;
    }
    const SymbolId label = scope().symbols().Intern(
        static_cast<const StringNode&>(*node_.inputs[1]).value);
    const std::span<SeriesRow> rows =
        scope().NewRows(groups_.size() * quantiles_.size());
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (size_t q = 0; q < quantiles_.size(); ++q) {
        rows[g * quantiles_.size() + q].labels =
            scope().WithLabel(labels_[g], label, quantiles_[q]);
      }
    }
    rows_ = rows;
  }

  absl::Status EvalGroup(size_t g, Memory& memory, ColumnBlock& out) {
    Group& group = groups_[g];
    for (size_t k = 0; k < out.steps(); ++k) {
      memory.buckets.clear();
      for (const Member& member : group.buckets) {
        if (TestBit(all_.present(member.row), k) &&
            !all_.IsHistogram(member.row, k)) {
          memory.buckets.push_back(
              {member.upper_bound, all_.values(member.row)[k]});
        }
      }
      const bool native = group.native != kNobody &&
                          TestBit(all_.present(group.native), k) &&
                          all_.IsHistogram(group.native, k);
      if (native && !memory.buckets.empty()) {
        group.mixed = true;
        continue;
      }
      if (!native && memory.buckets.empty()) continue;
      if (!many_) {
        out.values(g)[k] = native ? OfNative(group, k, 0, memory)
                                  : OfClassic(group, k, 0, memory.buckets);
        SetBit(out.present(g), k);
        continue;
      }
      for (size_t i = 0; i < params_.size(); ++i) {
        const size_t row = g * quantiles_.size() + quantile_of_[i][k];
        if (TestBit(out.present(row), k)) return DuplicateLabelset();
        if (!native) memory.copy = memory.buckets;
        out.values(row)[k] = native ? OfNative(group, k, i, memory)
                                    : OfClassic(group, k, i, memory.copy);
        SetBit(out.present(row), k);
      }
    }
    return absl::OkStatus();
  }

  // `i`: which quantile.
  double OfNative(Group& group, size_t k, size_t i, Memory& memory) const {
    const HistogramView h = all_.Histogram(group.native, k);
    NanNote note = NanNote::kNone;
    const double value =
        fraction_ ? HistogramFraction(params_[0][k], params_[1][k], h,
                                      memory.list, note)
                  : HistogramQuantile(params_[i][k], h, memory.list, note);
    group.nan_result |= note == NanNote::kResultIsNan;
    group.nan_skew |= note == NanNote::kSkewed;
    return value;
  }

  double OfClassic(Group& group, size_t k, size_t i,
                   std::vector<ClassicBucket>& buckets) const {
    if (fraction_) {
      return FractionOfBuckets(params_[0][k], params_[1][k], buckets);
    }
    const ClassicQuantile q = QuantileOfBuckets(params_[i][k], buckets);
    if (q.forced_monotonic) group.repairs.Add(q, node_.grid.At(k));
    return q.value;
  }

  void TellNotes() {
    for (size_t g = 0; g < groups_.size(); ++g) {
      const Group& group = groups_[g];
      const std::string_view metric = NameOf(labels_[g]);
      if (group.mixed) {
        scope().Warn(MixedClassicNativeText(metric), vector_pos());
      }
      if (group.nan_result) {
        scope().Info(NanQuantileText(metric, /*result_is_nan=*/true),
                     vector_pos());
      }
      if (group.nan_skew) {
        scope().Info(fraction_
                         ? NanFractionText(metric)
                         : NanQuantileText(metric, /*result_is_nan=*/false),
                     vector_pos());
      }
    }
  }

  void TellRepairs() {
    std::map<std::string_view, Repairs> by_metric;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const Repairs& r = groups_[g].repairs;
      if (r.samples == 0) continue;
      Repairs& sum = by_metric[NameOf(labels_[g])];
      sum.min_bucket = std::min(sum.min_bucket, r.min_bucket);
      sum.max_bucket = std::max(sum.max_bucket, r.max_bucket);
      sum.max_diff = std::max(sum.max_diff, r.max_diff);
      sum.samples += r.samples;
      sum.first = std::min(sum.first, r.first);
      sum.last = std::max(sum.last, r.last);
    }
    for (const auto& [metric, repairs] : by_metric) {
      scope().Info(repairs.Text(metric), vector_pos());
    }
  }

  const CallNode& node_;
  const bool fraction_, many_;
  const size_t vector_at_;
  std::vector<OperatorPtr> inputs_;
  std::vector<std::vector<double>> params_;  // scalar arguments, by step
  std::vector<TextRange> param_at_;
  SeriesRows before_, rows_;
  ColumnBlock all_;
  std::vector<Group> groups_;
  std::vector<LabelRow> labels_;  // of every group
  // Of histogram_quantiles: label values, and which of them an argument has at
  // every step.
  std::vector<SymbolId> quantiles_;
  std::vector<std::vector<uint32_t>> quantile_of_;
  bool prepared_ = false;
  bool done_ = false;
};

// histogram_count, _sum, _avg, _stddev, _stdvar: of histograms, a float each.
class HistogramMap final : public Operator {
 public:
  HistogramMap(const CallNode& node, QueryScope& scope, OperatorPtr input)
      : Operator(scope), id_(node.id), input_(std::move(input)) {}

  // Only the name goes, not type and unit.
  absl::StatusOr<SeriesRows> Series() override { return input_->Series(); }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(out));
    input_->Finish();
    if (!more) return false;
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        out.rows(), 16, [&](size_t begin, size_t end, WorkerScratch&) {
          BucketList buckets;
          for (size_t row = begin; row < end; ++row) Map(out, row, buckets);
          return absl::OkStatus();
        }));
    return true;
  }

 private:
  void Map(ColumnBlock& out, size_t row, BucketList& buckets) const {
    double* const v = out.values(row);
    HistogramRow& histograms = out.histograms(row);
    uint32_t number = 0;  // of the histogram at hand
    double value = 0;
    ForEachBit(out.present(row), out.words(), [&](size_t k) {
      if (!histograms.Has(k)) {
        ClearBit(out.present(row), k);
        return;
      }
      if (histograms.Number(k) != number) {
        number = histograms.Number(k);
        value = Of(histograms.View(k), buckets);
      }
      v[k] = value;
    });
    histograms.Clear();
  }

  double Of(const HistogramView& h, BucketList& buckets) const {
    switch (id_) {
      case FunctionId::kHistogramCount:
        return h.count;
      case FunctionId::kHistogramSum:
        return h.sum;
      case FunctionId::kHistogramAvg:
        return h.sum / h.count;
      case FunctionId::kHistogramStddev:
        return std::sqrt(HistogramVariance(h, buckets));
      default:
        return HistogramVariance(h, buckets);
    }
  }

  const FunctionId id_;
  OperatorPtr input_;
};

}  // namespace

OperatorPtr NewHistogramFunction(const CallNode& node, QueryScope& scope,
                                 std::vector<OperatorPtr> inputs) {
  OperatorPtr call =
      std::make_unique<HistogramCall>(node, scope, std::move(inputs));
  if (node.id == FunctionId::kHistogramQuantiles) {
    // The quantile's label may have hidden what told two histograms apart.
    call = NewRelabeled(scope, std::move(call), node.grid,
                        [](SeriesRows rows) -> absl::StatusOr<RelabeledRows> {
                          return RelabeledRows{rows, false};
                        });
  }
  // Names go behind: what are the buckets of one histogram depends on them.
  return NewNameDropped(scope, std::move(call), node.grid);
}

OperatorPtr NewHistogramMap(const CallNode& node, QueryScope& scope,
                            OperatorPtr input) {
  OperatorPtr map =
      std::make_unique<HistogramMap>(node, scope, std::move(input));
  if (scope.delayed_names()) {
    return NewNameDropped(scope, std::move(map), node.grid);
  }
  // Only the name goes, not type and unit [Q].
  return NewRelabeled(
      scope, std::move(map), node.grid,
      [&scope](SeriesRows before) -> absl::StatusOr<RelabeledRows> {
        const std::span<SeriesRow> rows = scope.NewRows(before.size());
        for (size_t i = 0; i < rows.size(); ++i) {
          rows[i] = {scope.WithLabel(before[i].labels, scope.name_id(), 0),
                     true};
        }
        return RelabeledRows{rows, false};
      });
}

}  // namespace narthex::promql
