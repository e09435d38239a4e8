// Label rows as keys: equal rows get equal dense numbers, in order of first
// appearance.  Exact: rows are compared pair by pair, never by hash alone.
//
// One thread.  Borrows the rows, which live in the QueryScope.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "narthex/model/symbols.h"

namespace narthex::promql {

struct RowKey {
  LabelRow row = {};

  friend bool operator==(const RowKey& a, const RowKey& b) {
    if (a.row.size() != b.row.size()) return false;
    for (size_t i = 0; i < a.row.size(); ++i) {
      if (!(a.row[i] == b.row[i])) return false;
    }
    return true;
  }
  template <typename H>
  friend H AbslHashValue(H h, const RowKey& key) {
    for (LabelPair pair : key.row) {
      h = H::combine(std::move(h), pair.name, pair.value);
    }
    return H::combine(std::move(h), key.row.size());
  }
};

class RowTable {
 public:
  // The row's number.  `keep` is called if it is new and returns a copy that
  // lives long enough.
  template <typename Keep>
  uint32_t Add(LabelRow row, Keep&& keep) {
    const auto it = numbers_.find(RowKey{row});
    if (it != numbers_.end()) return it->second;
    const LabelRow kept = keep(row);
    const uint32_t number = static_cast<uint32_t>(rows_.size());
    numbers_.emplace(RowKey{kept}, number);
    rows_.push_back(kept);
    return number;
  }
  // The row itself lives long enough.
  uint32_t Add(LabelRow row) {
    return Add(row, [](LabelRow same) { return same; });
  }
  size_t size() const { return rows_.size(); }
  LabelRow row(uint32_t number) const { return rows_[number]; }
  void Reserve(size_t n) {
    numbers_.reserve(n);
    rows_.reserve(n);
  }

 private:
  absl::flat_hash_map<RowKey, uint32_t> numbers_;
  std::vector<LabelRow> rows_;
};

}  // namespace narthex::promql
