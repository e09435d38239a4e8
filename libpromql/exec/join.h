// Vector matching: which series of two vectors belong together, under which
// labels their result goes, and, where that changes from step to step, the join
// itself with Prometheus's rules about duplicates.
//
// One thread, once per query.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libpromql/exec/binary_element.h"
#include "libpromql/exec/column_block.h"
#include "libpromql/exec/match_signature.h"
#include "libpromql/exec/operator.h"
#include "libpromql/plan/plan.h"

namespace narthex::promql {

class Join {
 public:
  Join(const BinaryNode& node, QueryScope& scope, SeriesRows left,
       SeriesRows right);

  // group_right: the left side is the "one" side.
  bool swapped() const { return swapped_; }
  SeriesRows many() const { return many_; }
  SeriesRows one() const { return one_; }
  const std::vector<uint32_t>& many_signatures() const {
    return many_signatures_;
  }
  const std::vector<uint32_t>& one_signatures() const {
    return one_signatures_;
  }
  size_t signatures() const { return signature_.size(); }

  LabelRow ResultLabels(LabelRow many, LabelRow one);

  // The operator itself at step k of `steps`, left and right as written; `bool`
  // is applied.  Good until the next call.
  BinaryElement& Apply(size_t k, size_t steps, const Element& left,
                       const Element& right);
  // What Apply() noticed, as annotations.
  void TellNotes();

  // Step by step; `out` gets all rows.
  absl::StatusOr<SeriesRows> ByStep(const ColumnBlock& many,
                                    const ColumnBlock& one, ColumnBlock& out);

 private:
  class Stepper;

  absl::Status DuplicateOnOneSide(uint32_t signature, LabelRow a,
                                  LabelRow b) const;

  const BinaryNode& node_;
  const VectorMatching& matching_;
  QueryScope& scope_;
  const bool swapped_;
  const bool drops_name_;
  MatchSignature signature_;
  SeriesRows many_, one_;
  std::vector<uint32_t> many_signatures_, one_signatures_;
  std::vector<SymbolId> include_;
  BinaryElement element_;
  BinaryNotes notes_;
};

}  // namespace narthex::promql
