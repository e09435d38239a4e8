// topk, bottomk, limitk, limit_ratio: some of the operand's elements, with
// their own labels, picked anew at every step.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "libpromql/exec/annotate.h"
#include "libpromql/exec/build.h"
#include "libpromql/exec/group_table.h"
#include "libpromql/exec/scope.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"

namespace narthex::promql {
namespace {

struct Candidate {
  double v = 0;
  uint32_t row = 0;
};

// Worst on top; among equals the arrangement is that of the classic array heap,
// on which the order of ties depends.
template <bool kTop>
class WorstFirstHeap {
 public:
  void Clear() { items_.clear(); }
  size_t size() const { return items_.size(); }
  std::vector<Candidate>& items() { return items_; }

  void Offer(Candidate candidate, size_t k) {
    if (items_.size() < k) {
      items_.push_back(candidate);
      Up(items_.size() - 1);
      return;
    }
    const double worst = items_[0].v;
    const bool better = kTop ? worst < candidate.v : worst > candidate.v;
    if (better || (std::isnan(worst) && !std::isnan(candidate.v))) {
      items_[0] = candidate;
      if (k > 1) Down();
    }
  }

  // NaN is worse than any number, and than NaN.
  static bool Worse(const Candidate& a, const Candidate& b) {
    if (std::isnan(a.v)) return true;
    return kTop ? a.v < b.v : a.v > b.v;
  }

  // Best first, NaN last, ties as the heap has them.
  void SortBestFirst() {
    std::stable_sort(items_.begin(), items_.end(),
                     [](const Candidate& a, const Candidate& b) {
                       if (std::isnan(a.v)) return false;
                       if (std::isnan(b.v)) return true;
                       return kTop ? a.v > b.v : a.v < b.v;
                     });
  }

 private:
  void Up(size_t j) {
    while (j > 0) {
      const size_t i = (j - 1) / 2;
      if (!Worse(items_[j], items_[i])) break;
      std::swap(items_[i], items_[j]);
      j = i;
    }
  }
  void Down() {
    size_t i = 0;
    for (;;) {
      size_t child = 2 * i + 1;
      if (child >= items_.size()) break;
      if (child + 1 < items_.size() &&
          Worse(items_[child + 1], items_[child])) {
        ++child;
      }
      if (!Worse(items_[child], items_[i])) break;
      std::swap(items_[i], items_[child]);
      i = child;
    }
  }

  std::vector<Candidate> items_;
};

class AggregateTop final : public Operator {
 public:
  AggregateTop(const AggregateNode& node, QueryScope& scope, OperatorPtr input,
               OperatorPtr param)
      : Operator(scope),
        node_(node),
        op_(node.aggregate.op),
        input_(std::move(input)),
        param_(std::move(param)) {}

  // Which series are left, and in which order, is known when all is done.
  absl::StatusOr<SeriesRows> Series() override {
    if (prepared_) return rows_;
    prepared_ = true;
    const size_t steps = node_.grid.steps;
    NARTHEX_ASSIGN_OR_RETURN(params_, DrainScalar(scope(), *param_, steps));
    param_->Finish();
    NARTHEX_ASSIGN_OR_RETURN(const SeriesRows before, input_->Series());
    NARTHEX_ASSIGN_OR_RETURN(all_, Drain(scope(), *input_, steps));
    NARTHEX_ASSIGN_OR_RETURN(const bool any, CheckParams());
    if (!any) {
      input_->Finish();
      all_ = ColumnBlock();
      return rows_;
    }
    GroupTable groups(scope(), node_.aggregate.grouping,
                      node_.aggregate.without);
    members_.clear();
    for (size_t i = 0; i < before.size(); ++i) {
      const uint32_t group = groups.Add(before[i].labels);
      if (group == members_.size()) members_.emplace_back();
      members_[group].push_back(static_cast<uint32_t>(i));
    }
    std::vector<uint32_t> order = Pick(before);
    Narrow(before, order);
    input_->Finish();
    return rows_;
  }

 protected:
  absl::StatusOr<bool> Produce(ColumnBlock& out) override {
    if (done_ || rows_.empty()) return false;
    done_ = true;
    out = std::move(picked_);
    return true;
  }

 private:
  // Over all steps, before anything is picked.  False: nothing can be.
  absl::StatusOr<bool> CheckParams() {
    double min = std::numeric_limits<double>::infinity(), max = -min;
    bool nan = false;
    for (double p : params_) {
      nan |= std::isnan(p);
      min = std::min(min, p);
      max = std::max(max, p);
    }
    if (op_ == AggregateOp::kLimitRatio) {
      if (min == 0 && max == 0) return false;
      if (nan) return InvalidArgument("Ratio value is NaN");
      const TextRange at = node_.aggregate.param->pos;
      if (max > 1) scope().Warn(BadRatioText(max, 1), at);
      if (min < -1) scope().Warn(BadRatioText(min, -1), at);
      return true;
    }
    if (!nan && max < 1) return false;
    if (nan) return InvalidArgument("Parameter value is NaN");
    if (min <= -9223372036854775808.0) {
      return InvalidArgument(
          StrCat("Scalar value ", FormatFloat(min), " underflows int64"));
    }
    if (max >= 9223372036854774784.0) {
      return InvalidArgument(
          StrCat("Scalar value ", FormatFloat(max), " overflows int64"));
    }
    return true;
  }

  // Sets kept_'s bits.  Of one step: the rows in order of the result.
  std::vector<uint32_t> Pick(SeriesRows before) {
    kept_.assign(all_.rows() * all_.words(), 0);
    std::vector<uint32_t> order;
    if (op_ == AggregateOp::kLimitRatio) {
      PickRatio(before, order);
      return order;
    }
    for (size_t k = 0; k < all_.steps(); ++k) {
      // Called off: whoever asks for the next block is told.
      if (k % 8 == 0 && !scope().Check().ok()) return order;
      const double param = params_[k];
      const size_t limit =
          param < 1 ? 0
                    : static_cast<size_t>(std::min(
                          std::trunc(param), static_cast<double>(all_.rows())));
      if (limit == 0) continue;
      for (const std::vector<uint32_t>& group : members_) {
        if (op_ == AggregateOp::kLimitK) {
          PickFirst(group, k, limit, order);
        } else if (op_ == AggregateOp::kTopK) {
          PickBest(top_, group, k, limit, order);
        } else {
          PickBest(bottom_, group, k, limit, order);
        }
      }
    }
    return order;
  }

  void Keep(uint32_t row, size_t k, std::vector<uint32_t>& order) {
    SetBit(kept_.data() + row * all_.words(), k);
    if (all_.steps() == 1) order.push_back(row);
  }

  void PickFirst(const std::vector<uint32_t>& group, size_t k, size_t limit,
                 std::vector<uint32_t>& order) {
    size_t n = 0;
    for (uint32_t row : group) {
      if (n == limit) return;
      if (!TestBit(all_.present(row), k)) continue;
      Keep(row, k, order);
      ++n;
    }
  }

  template <typename Heap>
  void PickBest(Heap& heap, const std::vector<uint32_t>& group, size_t k,
                size_t limit, std::vector<uint32_t>& order) {
    heap.Clear();
    for (uint32_t row : group) {
      if (!TestBit(all_.present(row), k)) continue;
      if (all_.IsHistogram(row, k)) {
        scope().Info(IgnoredInAggregationText(Text(op_)), node_.pos);
        continue;
      }
      heap.Offer({all_.values(row)[k], row}, limit);
    }
    if (all_.steps() == 1) heap.SortBestFirst();
    for (const Candidate& c : heap.items()) Keep(c.row, k, order);
  }

  // A sample's luck is in its labels' hash: the same series at every step.
  void PickRatio(SeriesRows before, std::vector<uint32_t>& order) {
    for (const std::vector<uint32_t>& group : members_) {
      for (uint32_t row : group) {
        const double offset =
            static_cast<double>(
                ToLabels(scope().symbols(), before[row].labels).Hash()) /
            static_cast<double>(std::numeric_limits<uint64_t>::max());
        ForEachBit(all_.present(row), all_.words(), [&](size_t k) {
          const double ratio = std::clamp(params_[k], -1.0, 1.0);
          const bool in = ratio >= 0 ? offset < ratio : offset >= 1.0 + ratio;
          if (in && ratio != 0) Keep(row, k, order);
        });
      }
    }
  }

  // What was picked, as the result.
  void Narrow(SeriesRows before, std::vector<uint32_t>& order) {
    if (all_.steps() != 1) {
      for (uint32_t row = 0; row < all_.rows(); ++row) {
        const uint64_t* const bits = kept_.data() + row * all_.words();
        if (std::any_of(bits, bits + all_.words(),
                        [](uint64_t w) { return w != 0; })) {
          order.push_back(row);
        }
      }
    }
    const std::span<SeriesRow> rows = scope().NewRows(order.size());
    picked_.Reset(0, order.size(), all_.steps());
    for (size_t i = 0; i < order.size(); ++i) {
      rows[i] = before[order[i]];
      picked_.CopyRow(i, all_, order[i]);
      std::copy_n(kept_.data() + order[i] * all_.words(), all_.words(),
                  picked_.present(i));
    }
    rows_ = rows;
    all_ = ColumnBlock();
    kept_ = {};
  }

  const AggregateNode& node_;
  const AggregateOp op_;
  OperatorPtr input_, param_;
  std::vector<double> params_;
  std::vector<std::vector<uint32_t>> members_;  // of every group, in order
  ColumnBlock all_, picked_;
  std::vector<uint64_t> kept_;
  WorstFirstHeap<true> top_;
  WorstFirstHeap<false> bottom_;
  SeriesRows rows_;
  bool prepared_ = false;
  bool done_ = false;
};

}  // namespace

OperatorPtr NewAggregateTop(const AggregateNode& node, QueryScope& scope,
                            OperatorPtr input, OperatorPtr param) {
  return std::make_unique<AggregateTop>(node, scope, std::move(input),
                                        std::move(param));
}

}  // namespace narthex::promql
