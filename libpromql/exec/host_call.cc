#include "libpromql/exec/host_call.h"

#include <exception>
#include <utility>

#include "libpromql/exec/build.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

absl::Status Named(const HostFunction& function, const absl::Status& status) {
  if (status.ok()) return status;
  return Annotate(status, StrCat("function ", function.name));
}

// What a host throws ends here.
template <typename F>
auto Contained(F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& e) {
    return Internal(e.what());
  } catch (...) {
    return Internal("threw something");
  }
}

class HostMap final : public Operator {
 public:
  HostMap(const CallNode& node, QueryScope& scope,
          std::vector<OperatorPtr> inputs)
      : Operator(scope),
        steps_(node.grid.steps),
        function_(*HostFunctionOf(node)),
        inputs_(std::move(inputs)) {}

  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    NARTHEX_ASSIGN_OR_RETURN(rows_, inputs_[0]->Series());
    for (size_t i = 1; i < inputs_.size(); ++i) {
      NARTHEX_ASSIGN_OR_RETURN(std::vector<double> values,
                               DrainScalar(scope(), *inputs_[i], steps_));
      params_.push_back(std::move(values));
    }
    for (const std::vector<double>& values : params_) spans_.push_back(values);
    prepared_ = true;
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    NARTHEX_ASSIGN_OR_RETURN(const bool more, inputs_[0]->Next(out));
    for (OperatorPtr& input : inputs_) input->Finish();
    if (!more) return false;
    NARTHEX_RETURN_IF_ERROR(scope().ForParts(
        out.rows(), 16, [&](size_t begin, size_t end, WorkerScratch&) {
          for (size_t row = begin; row < end; ++row) {
            out.DropHistograms(row);
            if (out.Empty(row)) continue;
            const HostColumn column = {{out.values(row), out.steps()}, spans_};
            NARTHEX_RETURN_IF_ERROR(Named(
                function_, Contained([&] { return function_.map(column); })));
          }
          return absl::OkStatus();
        }));
    return true;
  }

 private:
  const size_t steps_;
  const HostFunction& function_;
  std::vector<OperatorPtr> inputs_;
  std::vector<std::vector<double>> params_;
  std::vector<std::span<const double>> spans_;
  SeriesRows rows_;
  bool prepared_ = false;
};

}  // namespace

absl::Status CallHostWindows(const HostFunction& function,
                             const SeriesWindows& in,
                             std::span<const std::vector<double>> params,
                             WindowOutput& out) {
  std::vector<double> now(params.size());
  for (size_t k = 0; k < in.grid.steps; ++k) {
    const uint32_t lo = in.lo[k], hi = in.hi[k];
    if (lo == hi) continue;
    for (size_t p = 0; p < params.size(); ++p) now[p] = params[p][k];
    const HostWindow window = {in.t.subspan(lo, hi - lo),
                               in.v.subspan(lo, hi - lo), Timestamp(in.End(k)),
                               Duration(in.range), now};
    const absl::StatusOr<std::optional<double>> value =
        Contained([&] { return function.window(window); });
    if (!value.ok()) return Named(function, value.status());
    if (value->has_value()) out.Set(k, **value);
  }
  return absl::OkStatus();
}

OperatorPtr NewHostMap(const CallNode& node, QueryScope& scope,
                       std::vector<OperatorPtr> inputs) {
  const bool keeps_name = HostFunctionOf(node)->keeps_name;
  OperatorPtr map = std::make_unique<HostMap>(node, scope, std::move(inputs));
  if (keeps_name) return map;
  return NewNameDropped(scope, std::move(map), node.grid);
}

}  // namespace narthex::promql
