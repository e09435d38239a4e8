#include "libpromql/exec/join.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "libpromql/exec/build.h"
#include "narthex/base/status.h"

namespace narthex::promql {
namespace {

constexpr uint32_t kNobody = ~uint32_t{0};

bool IsArithmetic(BinaryOp op) { return op <= BinaryOp::kAtan2; }

}  // namespace

Join::Join(const BinaryNode& node, QueryScope& scope, SeriesRows left,
           SeriesRows right)
    : node_(node),
      matching_(*node.binary.matching),
      scope_(scope),
      swapped_(matching_.card == VectorMatching::Card::kOneToMany),
      drops_name_(IsArithmetic(node.binary.op) ||
                  (node.binary.return_bool && !scope.delayed_names())),
      signature_(scope, matching_),
      many_(swapped_ ? right : left),
      one_(swapped_ ? left : right),
      many_signatures_(signature_.OfAll(many_)),
      one_signatures_(signature_.OfAll(one_)) {
  for (const std::string& name : matching_.include) {
    include_.push_back(scope.symbols().Intern(name));
  }
}

LabelRow Join::ResultLabels(LabelRow many, LabelRow one) {
  const bool one_to_one = matching_.card == VectorMatching::Card::kOneToOne;
  std::vector<LabelPair> kept;
  kept.reserve(many.size());
  for (LabelPair pair : many) {
    if (drops_name_ && scope_.IsMetadata(pair.name)) continue;
    if (one_to_one && signature_.IsListed(pair.name) != matching_.on) continue;
    kept.push_back(pair);
  }
  LabelRow row = kept.size() == many.size() ? many : scope_.Keep(kept);
  for (SymbolId name : include_) {
    row = scope_.WithLabel(row, name, ValueOf(one, name));
  }
  return row;
}

BinaryElement& Join::Apply(size_t k, size_t steps, const Element& left,
                           const Element& right) {
  ApplyToElements(node_.binary.op, left, right, element_);
  if (element_.note != BinaryNote::kNone) {
    notes_.Set(k, steps, left, right, element_.note);
  }
  if (!element_.dropped() && node_.binary.return_bool) element_.ToBool();
  return element_;
}

void Join::TellNotes() { notes_.Tell(scope_, node_.binary.op, node_.pos); }

absl::Status Join::DuplicateOnOneSide(uint32_t signature, LabelRow a,
                                      LabelRow b) const {
  const Symbols& symbols = scope_.symbols();
  std::string first = ToLabels(symbols, a).ToString();
  std::string second = ToLabels(symbols, b).ToString();
  if (first > second) std::swap(first, second);
  return InvalidArgument(StrCat(
      "found duplicate series for the match group ",
      ToLabels(symbols, signature_.labels(signature)).ToString(), " on the ",
      swapped_ ? "left" : "right", " hand-side of the operation: [", first,
      ", ", second,
      "];many-to-many matching not allowed: matching labels must be unique on "
      "one side"));
}

// The work of one join by step.
class Join::Stepper {
 public:
  Stepper(Join& join, const ColumnBlock& many, const ColumnBlock& one)
      : join_(join),
        many_(many),
        one_(one),
        active_(join.signatures(), kNobody),
        matched_(join.signatures(), 0) {}

  absl::Status Run() {
    for (size_t k = 0; k < many_.steps(); ++k) {
      if (k % 64 == 0) NARTHEX_RETURN_IF_ERROR(join_.scope_.Check());
      NARTHEX_RETURN_IF_ERROR(Step(k));
    }
    return absl::OkStatus();
  }

  SeriesRows Collect(ColumnBlock& out) {
    const std::span<SeriesRow> rows = join_.scope_.NewRows(results_.size());
    out.Reset(0, rows.size(), many_.steps());
    for (uint32_t i = 0; i < rows.size(); ++i) {
      rows[i] = {results_.row(i), join_.node_.binary.return_bool};
    }
    for (const Point& point : points_) {
      if (point.histogram != kNobody) {
        out.SetHistogram(point.row, point.step,
                         ViewOf(histograms_, point.histogram));
      } else {
        out.values(point.row)[point.step] = point.v;
        SetBit(out.present(point.row), point.step);
      }
    }
    return rows;
  }

 private:
  struct Point {
    uint32_t row = 0;
    uint32_t step = 0;
    double v = 0;
    uint32_t histogram = kNobody;  // index into histograms_
  };

  static bool AnyAt(const ColumnBlock& block, size_t k) {
    for (size_t row = 0; row < block.rows(); ++row) {
      if (TestBit(block.present(row), k)) return true;
    }
    return false;
  }

  absl::Status Step(size_t k) {
    const VectorMatching& matching = join_.matching_;
    const bool any_many = AnyAt(many_, k), any_one = AnyAt(one_, k);
    const bool fills = matching.fill_left || matching.fill_right;
    if (!(any_many && any_one) && !(fills && (any_many || any_one))) {
      return absl::OkStatus();
    }
    std::fill(active_.begin(), active_.end(), kNobody);
    for (size_t i = 0; i < one_.rows(); ++i) {
      if (!TestBit(one_.present(i), k)) continue;
      const uint32_t signature = join_.one_signatures_[i];
      if (active_[signature] != kNobody) {
        return join_.DuplicateOnOneSide(signature, join_.one_[i].labels,
                                        join_.one_[active_[signature]].labels);
      }
      active_[signature] = static_cast<uint32_t>(i);
    }
    for (size_t i = 0; i < many_.rows(); ++i) {
      if (!TestBit(many_.present(i), k)) continue;
      const uint32_t signature = join_.many_signatures_[i];
      const uint32_t one = active_[signature];
      if (one == kNobody && !matching.fill_right) continue;
      NARTHEX_RETURN_IF_ERROR(
          Combine(k, signature, static_cast<uint32_t>(i), one));
    }
    if (!matching.fill_left) return absl::OkStatus();
    for (size_t i = 0; i < one_.rows(); ++i) {
      if (!TestBit(one_.present(i), k)) continue;
      const uint32_t signature = join_.one_signatures_[i];
      if (matched_[signature] == k + 1) continue;
      NARTHEX_RETURN_IF_ERROR(
          Combine(k, signature, kNobody, static_cast<uint32_t>(i)));
    }
    return absl::OkStatus();
  }

  // A partner that is nobody has the fill value and the labels that match.
  absl::Status Combine(size_t k, uint32_t signature, uint32_t many,
                       uint32_t one) {
    Element left = many == kNobody ? Element{*join_.matching_.fill_left, {}}
                                   : ElementAt(many_, many, k);
    Element right = one == kNobody ? Element{*join_.matching_.fill_right, {}}
                                   : ElementAt(one_, one, k);
    if (join_.swapped_) std::swap(left, right);
    BinaryElement& element = join_.Apply(k, many_.steps(), left, right);
    if (element.dropped()) return absl::OkStatus();
    const uint32_t row = ResultRow(signature, many, one);
    if (join_.matching_.card == VectorMatching::Card::kOneToOne) {
      if (matched_[signature] == k + 1) {
        return InvalidArgument(
            "multiple matches for labels: many-to-one matching must be "
            "explicit (group_left/group_right)");
      }
    } else {
      size_t& seen = inserted_[{signature, row}];
      if (seen == k + 1) {
        return InvalidArgument(
            "multiple matches for labels: grouping labels must ensure unique "
            "matches");
      }
      seen = k + 1;
    }
    // Also of pairs that a comparison filters out.
    matched_[signature] = k + 1;
    if (!element.keep && !join_.node_.binary.return_bool) {
      return absl::OkStatus();
    }
    if (emitted_[row] == k + 1) return DuplicateLabelset();
    emitted_[row] = k + 1;
    Point& point = points_.emplace_back();
    point.row = row;
    point.step = static_cast<uint32_t>(k);
    point.v = element.v;
    if (element.is_histogram) {
      if (element.left) Assign(element.left, element.histogram);
      point.histogram = static_cast<uint32_t>(histograms_.points.size());
      AppendHistogram(Timestamp(), element.histogram, histograms_);
    }
    return absl::OkStatus();
  }

  uint32_t ResultRow(uint32_t signature, uint32_t many, uint32_t one) {
    const auto [it, added] = row_of_pair_.try_emplace(std::pair(many, one), 0u);
    if (added) {
      const LabelRow shared = join_.signature_.labels(signature);
      it->second = results_.Add(join_.ResultLabels(
          many == kNobody ? shared : join_.many_[many].labels,
          one == kNobody ? shared : join_.one_[one].labels));
      if (emitted_.size() < results_.size()) emitted_.push_back(0);
    }
    return it->second;
  }

  Join& join_;
  const ColumnBlock& many_;
  const ColumnBlock& one_;
  std::vector<uint32_t> active_;  // of the one side, by signature
  // Steps + 1 in which something happened last.
  std::vector<size_t> matched_;  // by signature
  std::vector<size_t> emitted_;  // by result row
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, size_t> inserted_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> row_of_pair_;
  RowTable results_;
  std::vector<Point> points_;
  HistogramColumn histograms_;
};

absl::StatusOr<SeriesRows> Join::ByStep(const ColumnBlock& many,
                                        const ColumnBlock& one,
                                        ColumnBlock& out) {
  Stepper stepper(*this, many, one);
  NARTHEX_RETURN_IF_ERROR(stepper.Run());
  return stepper.Collect(out);
}

}  // namespace narthex::promql
