// What decides which elements of two vectors belong together: on(...) or
// ignoring(...), as a number per series that both sides share.
//
// One thread, once per query.

#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "libpromql/exec/row_table.h"
#include "libpromql/exec/scope.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

class MatchSignature {
 public:
  // After the Series() of both sides, which may make new texts.
  MatchSignature(QueryScope& scope, const VectorMatching& matching)
      : scope_(scope), on_(matching.on) {
    for (const std::string& name : matching.labels) {
      const SymbolId id = scope.symbols().Find(name);
      if (id != 0) names_.push_back(id);
    }
  }

  uint32_t Of(LabelRow row) {
    Extract(row);
    return table_.Add(pairs_, [this](LabelRow r) { return scope_.Keep(r); });
  }
  std::vector<uint32_t> OfAll(SeriesRows rows) {
    std::vector<uint32_t> signatures;
    signatures.reserve(rows.size());
    for (const SeriesRow& row : rows) signatures.push_back(Of(row.labels));
    return signatures;
  }
  size_t size() const { return table_.size(); }
  // The labels that match, of any row with this signature.
  LabelRow labels(uint32_t signature) const { return table_.row(signature); }

  bool IsListed(SymbolId name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
  }

 private:
  void Extract(LabelRow row) {
    pairs_.clear();
    for (LabelPair pair : row) {
      const bool listed = IsListed(pair.name);
      if (on_ ? listed : !listed && pair.name != scope_.name_id()) {
        pairs_.push_back(pair);
      }
    }
  }

  QueryScope& scope_;
  const bool on_;
  std::vector<SymbolId> names_;
  std::vector<LabelPair> pairs_;
  RowTable table_;
};

}  // namespace narthex::promql
