#include "libpromql/exec/probe.h"

#include <algorithm>
#include <utility>

#include "narthex/base/clock.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

// Adds its own lifetime to a node's time.
class Stopwatch {
 public:
  Stopwatch(NodeWork& work, const Clock& clock)
      : work_(work), clock_(clock), begun_(clock.MonotonicNanos()) {}
  ~Stopwatch() { work_.nanos += clock_.MonotonicNanos() - begun_; }

 private:
  NodeWork& work_;
  const Clock& clock_;
  const int64_t begun_;
};

class Probe final : public Operator {
 public:
  Probe(NodeWork& work, QueryScope& scope, OperatorPtr input)
      : Operator(scope), work_(work), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    const Stopwatch watch(work_, *scope().options().clock);
    auto rows = input_->Series();
    if (rows.ok()) {
      work_.series =
          std::max(work_.series.load(), static_cast<int64_t>(rows->size()));
    }
    return rows;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    const Stopwatch watch(work_, *scope().options().clock);
    auto more = input_->Next(out);
    // Handed on, not held twice.
    input_->Finish();
    if (more.ok() && *more) {
      work_.values += static_cast<int64_t>(out.Count());
      work_.bytes =
          std::max(work_.bytes.load(), static_cast<int64_t>(out.bytes()));
    }
    return more;
  }

 private:
  NodeWork& work_;
  OperatorPtr input_;
};

class SourceProbe final : public SampleSource {
 public:
  SourceProbe(NodeWork& work, QueryScope& scope, SampleSourcePtr input)
      : work_(work), clock_(*scope.options().clock), input_(std::move(input)) {}

  absl::StatusOr<SeriesRows> Series() override {
    const Stopwatch watch(work_, clock_);
    auto rows = input_->Series();
    if (rows.ok()) {
      work_.series =
          std::max(work_.series.load(), static_cast<int64_t>(rows->size()));
    }
    return rows;
  }
  absl::StatusOr<size_t> Advance(size_t max) override {
    const Stopwatch watch(work_, clock_);
    return input_->Advance(max);
  }
  absl::Status Load(size_t i, WorkerScratch& scratch,
                    SampleView& out) override {
    const Stopwatch watch(work_, clock_);
    NARTHEX_RETURN_IF_ERROR(input_->Load(i, scratch, out));
    size_t n = out.t.size();
    if (out.histograms != nullptr) n += out.histograms->points.size();
    work_.values += static_cast<int64_t>(n);
    return absl::OkStatus();
  }
  void Finish() override { input_->Finish(); }

 private:
  NodeWork& work_;
  const Clock& clock_;
  SampleSourcePtr input_;
};

}  // namespace

OperatorPtr NewProbe(const PlanNode& node, QueryScope& scope,
                     OperatorPtr input) {
  return std::make_unique<Probe>(*scope.WorkOf(node), scope, std::move(input));
}

SampleSourcePtr NewSourceProbe(const PlanNode& node, QueryScope& scope,
                               SampleSourcePtr input) {
  return std::make_unique<SourceProbe>(*scope.WorkOf(node), scope,
                                       std::move(input));
}

}  // namespace narthex::promql
