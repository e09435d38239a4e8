// by(...) and without(...): which group every series belongs to, and what the
// group's labels are.  Groups are numbered in order of first appearance.
//
// One thread, once per query.

#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "libpromql/exec/row_table.h"
#include "libpromql/exec/scope.h"
#include "narthex/promql/ast.h"

namespace narthex::promql {

class GroupTable {
 public:
  // After the Series() of the operand.
  GroupTable(QueryScope& scope, const std::vector<std::string>& grouping,
             bool without)
      : scope_(scope), without_(without) {
    for (const std::string& name : grouping) {
      const SymbolId id = scope.symbols().Find(name);
      if (id != 0) names_.push_back(id);
    }
    if (without) names_.push_back(scope.name_id());
  }

  uint32_t Add(LabelRow row) {
    pairs_.clear();
    if (without_ || !names_.empty()) {
      for (LabelPair pair : row) {
        const bool listed =
            std::find(names_.begin(), names_.end(), pair.name) != names_.end();
        if (listed != without_) pairs_.push_back(pair);
      }
    }
    return table_.Add(pairs_, [this](LabelRow r) { return scope_.Keep(r); });
  }

  size_t size() const { return table_.size(); }
  LabelRow labels(uint32_t group) const { return table_.row(group); }

 private:
  QueryScope& scope_;
  const bool without_;
  std::vector<SymbolId> names_;
  std::vector<LabelPair> pairs_;
  RowTable table_;
};

}  // namespace narthex::promql
