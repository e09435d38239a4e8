// Labels as numbers within one Querier: equal text <=> equal id, in head and
// blocks alike.  Ids have no order; sorting compares text where ids differ.

#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string_view>

#include "narthex/model/labels.h"

namespace narthex {

using SymbolId = uint32_t;  // 0 is "", which also says "label absent"

struct LabelPair {
  SymbolId name = 0;
  SymbolId value = 0;
  friend bool operator==(LabelPair, LabelPair) = default;
};

// Sorted by the bytes of the names, as on disk.
using LabelRow = std::span<const LabelPair>;

class Symbols {
 public:
  virtual ~Symbols() = default;
  // Wait-free, any thread.  The text lives as long as the Querier.
  virtual std::string_view Text(SymbolId id) const = 0;
  // 0: nobody has it.  Any thread.
  virtual SymbolId Find(std::string_view text) const = 0;
  // For text that queries make (label_replace, count_values).  Takes a mutex.
  virtual SymbolId Intern(std::string_view text) = 0;
};

// The value's id of `name` in `row`; 0 if absent.
SymbolId ValueOf(LabelRow row, SymbolId name);
// As Labels compare: by (name, value) text pairs, the shorter prefix first.
std::strong_ordering CompareRows(const Symbols& symbols, LabelRow a,
                                 LabelRow b);
Labels ToLabels(const Symbols& symbols, LabelRow row);

// A dictionary of its own, empty at first: for sources made of plain rows, and
// as the part of a Querier's dictionary that lies past the lender's ids.
class SymbolTable;

}  // namespace narthex
