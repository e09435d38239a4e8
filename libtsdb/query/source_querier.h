// Selecting from one BlockSource: matchers to series, series to columns.  A
// Querier over several sources merges these sets.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libtsdb/block/block_source.h"
#include "libtsdb/query/query_symbols.h"
#include "narthex/model/querier.h"

namespace narthex::tsdb {

// Series of `source` that match, with samples in request.range cut to `within`
// (the Querier's own range).  `symbols` and `place` (the source's place in it)
// translate its labels; both outlive the set, which keeps `source` alive.
absl::StatusOr<std::unique_ptr<SeriesSet>> SelectFromSource(
    std::shared_ptr<const BlockSource> source, QuerySymbols &symbols,
    size_t place, TimeRange within, const SelectRequest &request,
    const ReadContext &ctx);

// A whole Querier over sources in the order of their right to win ties (the
// head first, then the youngest block): SelectFromSource of each, merged.
// `exemplars`, if given, outlives it.
std::unique_ptr<Querier> NewSourcesQuerier(
    std::vector<std::shared_ptr<const BlockSource>> sources, TimeRange range,
    const ExemplarSource *exemplars = nullptr);

// Sorted texts of several sources, without duplicates, at most `limit` (0:
// all).
std::vector<std::string> MergeTexts(
    std::vector<std::vector<std::string_view>> lists, size_t limit);

}  // namespace narthex::tsdb
