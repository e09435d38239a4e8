// Functions of vectors and scalars, value by value.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

// A function of every float of inputs[0], further scalars per step.  Histograms
// fall away.
class MapCall final : public Operator {
 public:
  MapCall(const CallNode& node, QueryScope& scope,
          std::vector<OperatorPtr> inputs)
      : Operator(scope),
        node_(node),
        map_(FindMapFunction(node.id)),
        shows_start_times_(scope.options().start_timestamps &&
                           ShowsStartTimes(*node.inputs[0])),
        inputs_(std::move(inputs)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (!prepared_) {
      NARTHEX_ASSIGN_OR_RETURN(rows_, inputs_[0]->Series());
      for (size_t i = 1; i < inputs_.size(); ++i) {
        NARTHEX_ASSIGN_OR_RETURN(
            std::vector<double> values,
            DrainScalar(scope(), *inputs_[i], node_.grid.steps));
        params_.push_back(std::move(values));
      }
      prepared_ = true;
    }
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, inputs_[0]->Next(out));
    if (!more) {
      for (OperatorPtr& input : inputs_) input->Finish();
      return false;
    }
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        out.rows(), 64, [&](size_t begin, size_t end, WorkerScratch&) {
          for (size_t row = begin; row < end; ++row) Apply(out, row);
          return absl::OkStatus();
        }));
    return true;
  }

 private:
  void Apply(ColumnBlock& out, size_t row) const {
    if (node_.id == FunctionId::kTimestamp) {
      StampRow(out, row);
      return;
    }
    if (node_.id == FunctionId::kStartTimestamp) {
      // The scan has put them, if anybody knows them.
      if (!shows_start_times_) ForgetRow(out, row);
      return;
    }
    out.DropHistograms(row);
    if (out.Empty(row)) return;
    double* const v = out.values(row);
    const size_t steps = out.steps();
    if (map_ != nullptr) {
      map_(v, steps);
      return;
    }
    switch (node_.id) {
      case FunctionId::kRound:
        for (size_t k = 0; k < steps; ++k) {
          v[k] = Round(v[k], params_.empty() ? 1.0 : params_[0][k]);
        }
        return;
      case FunctionId::kClamp:
        for (size_t k = 0; k < steps; ++k) {
          if (params_[1][k] < params_[0][k]) ClearBit(out.present(row), k);
          v[k] = Clamp(v[k], params_[0][k], params_[1][k]);
        }
        return;
      case FunctionId::kClampMin:
        for (size_t k = 0; k < steps; ++k) {
          v[k] = Clamp(v[k], params_[0][k],
                       std::numeric_limits<double>::infinity());
        }
        return;
      default:  // kClampMax
        for (size_t k = 0; k < steps; ++k) {
          v[k] = Clamp(v[k], -std::numeric_limits<double>::infinity(),
                       params_[0][k]);
        }
        return;
    }
  }

  // Not any selector: of `+m` there is none to show.
  static bool ShowsStartTimes(const PlanNode& input) {
    return input.kind == NodeKind::kScan &&
           static_cast<const ScanNode&>(input).start_times;
  }

  static void ForgetRow(ColumnBlock& out, size_t row) {
    std::fill_n(out.present(row), out.words(), uint64_t{0});
    out.histograms(row).Clear();
  }

  // Of a bare selector the scan has put the samples' times; of all else it is
  // the time of the step.
  void StampRow(ColumnBlock& out, size_t row) const {
    const PlanNode& input = *node_.inputs[0];
    if (input.kind == NodeKind::kScan &&
        static_cast<const ScanNode&>(input).sample_times) {
      return;
    }
    out.histograms(row).Clear();
    for (size_t k = 0; k < out.steps(); ++k) {
      out.values(row)[k] = static_cast<double>(node_.grid.At(k)) / 1000;
    }
  }

  const CallNode& node_;
  const MapFunction map_;
  const bool shows_start_times_;
  std::vector<OperatorPtr> inputs_;
  std::vector<std::vector<double>> params_;
  SeriesRows rows_;
  bool prepared_ = false;
};

// Made of the step's time and of scalars.
class ScalarCall final : public ScalarOperator {
 public:
  ScalarCall(const CallNode& node, QueryScope& scope,
             std::vector<OperatorPtr> inputs)
      : ScalarOperator(scope, node.grid.steps),
        node_(node),
        inputs_(std::move(inputs)) {}

 protected:
  absl::Status Evaluate(double* values) override {
    std::vector<std::vector<double>> in;
    for (OperatorPtr& input : inputs_) {
      NARTHEX_ASSIGN_OR_RETURN(std::vector<double> column,
                               DrainScalar(scope(), *input, steps()));
      in.push_back(std::move(column));
      input->Finish();
    }
    for (size_t k = 0; k < steps(); ++k) values[k] = At(k, in);
    if (const MapFunction map = FindMapFunction(node_.id)) map(values, steps());
    return absl::OkStatus();
  }

 private:
  double At(size_t k, const std::vector<std::vector<double>>& in) const {
    const int64_t t = node_.grid.At(k);
    switch (node_.id) {
      case FunctionId::kPi:
        return std::numbers::pi;
      case FunctionId::kTime:
        return static_cast<double>(t) / 1000;
      case FunctionId::kMinOf:
        return GoMin(in[0][k], in[1][k]);
      case FunctionId::kMaxOf:
        return GoMax(in[0][k], in[1][k]);
      case FunctionId::kVector:
        return in[0][k];
      default:  // hour() and its like: whole seconds
        return static_cast<double>(t / 1000);
    }
  }

  const CallNode& node_;
  std::vector<OperatorPtr> inputs_;
};

// scalar(v): the only float there is at a step, else NaN.
class ScalarOfVector final : public ScalarOperator {
 public:
  ScalarOfVector(const CallNode& node, QueryScope& scope, OperatorPtr input)
      : ScalarOperator(scope, node.grid.steps), input_(std::move(input)) {}

 protected:
  absl::Status Evaluate(double* values) override {
    NARTHEX_RETURN_IF_ERROR(input_->Series().status());
    std::vector<uint8_t> found(steps(), 0);  // 2: too many
    ColumnBlock block;
    for (;;) {
      NARTHEX_ASSIGN_OR_RETURN(const bool more, input_->Next(block));
      if (!more) break;
      for (size_t row = 0; row < block.rows(); ++row) {
        ForEachBit(block.present(row), block.words(), [&](size_t k) {
          if (block.IsHistogram(row, k)) return;
          if (found[k] < 2) ++found[k];
          values[k] = block.values(row)[k];
        });
      }
    }
    input_->Finish();
    for (size_t k = 0; k < steps(); ++k) {
      if (found[k] != 1) values[k] = std::numeric_limits<double>::quiet_NaN();
    }
    return absl::OkStatus();
  }

 private:
  OperatorPtr input_;
};

// What the types allow and the language has no meaning for.
class Refuse final : public Operator {
 public:
  Refuse(QueryScope& scope, std::string text)
      : Operator(scope), text_(std::move(text)) {}
  absl::StatusOr<SeriesRows> Series() override { return Unimplemented(text_); }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock&) override {
    return Unimplemented(text_);
  }

 private:
  const std::string text_;
};

}  // namespace

OperatorPtr NewRefusal(QueryScope& scope, std::string text) {
  return std::make_unique<Refuse>(scope, std::move(text));
}

OperatorPtr NewCall(const CallNode& node, QueryScope& scope,
                    std::vector<OperatorPtr> inputs) {
  switch (node.id) {
    case FunctionId::kPi:
    case FunctionId::kTime:
    case FunctionId::kMinOf:
    case FunctionId::kMaxOf:
    case FunctionId::kVector:
      return std::make_unique<ScalarCall>(node, scope, std::move(inputs));
    case FunctionId::kScalar:
      return std::make_unique<ScalarOfVector>(node, scope,
                                              std::move(inputs[0]));
    case FunctionId::kRound:
    case FunctionId::kClamp:
    case FunctionId::kClampMin:
    case FunctionId::kClampMax:
    case FunctionId::kTimestamp:
    case FunctionId::kStartTimestamp:
      break;
    default:  // one number to another: hour() without one takes the time
      if (inputs.empty()) {
        return std::make_unique<ScalarCall>(node, scope, std::move(inputs));
      }
      break;
  }
  return NewNameDropped(
      scope, std::make_unique<MapCall>(node, scope, std::move(inputs)),
      node.grid);
}

}  // namespace narthex::promql
