// The head's inverted index: for every label pair the series that have it, in
// the order of their birth, as varint differences in blocks that never move.
//
// Add and Remove: one writer at a time (the caller's index lock).  Readers
// don't take that lock: a list publishes how many ids it has with a release
// store and never changes what it published; what Remove replaces lives on
// until its last reader goes.  Ids must be added in ascending order.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "libtsdb/index/postings.h"
#include "libtsdb/index/select.h"
#include "libtsdb/index/symbols.h"
#include "narthex/model/symbols.h"

namespace narthex::tsdb {

class MemPostings {
 public:
  // `texts` says what the numbers in rows mean; borrowed.
  explicit MemPostings(const SymbolSource &texts);
  ~MemPostings();
  MemPostings(const MemPostings &) = delete;
  MemPostings &operator=(const MemPostings &) = delete;

  // --- The writer.

  // `id` is greater than all before it.
  void Add(SeriesId id, LabelRow row);
  // Forgets the series for which `dead` says so, and the pairs that are left
  // without one.  Readers that began before keep what they saw.
  void Remove(absl::FunctionRef<bool(SeriesId)> dead);

  // --- Readers, any thread.

  // One view: its lists live as long as it does.
  std::unique_ptr<PostingsIndex> NewReader() const;
  // Names and values of all pairs, ascending by text, with 0 ("") first.
  std::vector<SymbolId> SortedSymbols() const;
  size_t pairs() const;  // distinct
  size_t bytes() const;  // held

  // For status pages.
  struct PairCount {
    SymbolId name = 0;
    SymbolId value = 0;
    uint64_t series = 0;
  };
  std::vector<PairCount> PairCounts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace narthex::tsdb
