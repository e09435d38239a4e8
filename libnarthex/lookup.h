// Which series and labels there are: what the facade and the HTTP API have in
// common.
//
// Functions; the Querier's thread.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/model/matcher.h"
#include "narthex/model/querier.h"

namespace narthex {

// PromQL's bare selectors, each with at least one matcher that doesn't match
// the empty text, as the HTTP API's match[] demands.
absl::StatusOr<std::vector<Matchers>> ParseSelectors(
    std::span<const std::string> texts);

// All of these are sorted and without duplicates; `limit` 0: all.

absl::StatusOr<std::vector<Labels>> LookUpSeries(
    Querier& querier, std::span<const Matchers> selectors, TimeRange range,
    size_t limit, const ReadContext& ctx);
// No selectors: of all series.
absl::StatusOr<std::vector<std::string>> LookUpLabelNames(
    Querier& querier, std::span<const Matchers> selectors, size_t limit,
    const ReadContext& ctx);
absl::StatusOr<std::vector<std::string>> LookUpLabelValues(
    Querier& querier, std::string_view name,
    std::span<const Matchers> selectors, size_t limit, const ReadContext& ctx);

}  // namespace narthex
