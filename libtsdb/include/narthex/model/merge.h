// Joins several sources into one.

#pragma once

#include <memory>
#include <vector>

#include "narthex/model/columns.h"
#include "narthex/model/querier.h"
#include "narthex/model/symbols.h"

namespace narthex {

// One set out of many over the same Symbols, each sorted by labels if `sorted`;
// equal rows become one series whose samples are merged by time, the first set
// winning ties.  Takes the sets; borrows `symbols`.
std::unique_ptr<SeriesSet> MergeSeriesSets(
    std::vector<std::unique_ptr<SeriesSet>> sets, const Symbols& symbols,
    bool sorted);

// Adds `from` to `into`, by time; of equal times the sample of `into` stays.
// Chains without comparing where the times don't overlap.
absl::Status MergeColumns(const SampleColumns& from, SampleColumns& into);

}  // namespace narthex
