#include "libnarthex/lookup.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "narthex/base/status.h"
#include "narthex/model/merge.h"
#include "narthex/promql/parser.h"

namespace narthex {
namespace {

std::vector<const Matcher*> Borrow(const Matchers& matchers) {
  std::vector<const Matcher*> out;
  for (const MatcherPtr& matcher : matchers) out.push_back(matcher.get());
  return out;
}

template <typename T>
void SortUnique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

using ReadTexts = std::function<absl::StatusOr<std::vector<std::string>>(
    std::span<const Matcher* const>)>;

absl::StatusOr<std::vector<std::string>> UnionOverSelectors(
    std::span<const Matchers> selectors, size_t limit, const ReadTexts& read) {
  if (selectors.empty()) return read({});
  std::vector<std::string> all;
  for (const Matchers& matchers : selectors) {
    NARTHEX_ASSIGN_OR_RETURN(std::vector<std::string> some,
                             read(Borrow(matchers)));
    if (selectors.size() == 1) return some;
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  SortUnique(all);
  if (limit != 0 && all.size() > limit) all.resize(limit);
  return all;
}

}  // namespace

absl::StatusOr<std::vector<Matchers>> ParseSelectors(
    std::span<const std::string> texts) {
  std::vector<Matchers> out;
  for (const std::string& text : texts) {
    NARTHEX_ASSIGN_OR_RETURN(Matchers matchers,
                             promql::ParseMetricSelector(text));
    out.push_back(std::move(matchers));
  }
  for (const Matchers& matchers : out) {
    const bool narrow = std::any_of(
        matchers.begin(), matchers.end(),
        [](const MatcherPtr& matcher) { return !matcher->MatchesEmpty(); });
    if (!narrow) {
      return InvalidArgument(
          "match[] must contain at least one non-empty matcher");
    }
  }
  return out;
}

absl::StatusOr<std::vector<Labels>> LookUpSeries(
    Querier& querier, std::span<const Matchers> selectors, TimeRange range,
    size_t limit, const ReadContext& ctx) {
  std::vector<std::unique_ptr<SeriesSet>> sets;
  for (const Matchers& matchers : selectors) {
    const std::vector<const Matcher*> borrowed = Borrow(matchers);
    SelectRequest request;
    request.matchers = borrowed;
    request.range = range;
    request.limit = limit;
    request.purpose = "series";
    NARTHEX_ASSIGN_OR_RETURN(std::unique_ptr<SeriesSet> set,
                             querier.Select(request, ctx));
    sets.push_back(std::move(set));
  }
  std::vector<Labels> out;
  if (sets.empty()) return out;
  std::unique_ptr<SeriesSet> merged = std::move(sets.front());
  if (sets.size() > 1) {
    sets.front() = std::move(merged);
    merged = MergeSeriesSets(std::move(sets), querier.symbols(),
                             /*sorted=*/true);
  }
  const size_t size =
      limit == 0 ? merged->size() : std::min(limit, merged->size());
  out.reserve(size);
  for (size_t i = 0; i < size; ++i) {
    if (i % 1024 == 0) NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    out.push_back(ToLabels(querier.symbols(), merged->labels(i)));
  }
  return out;
}

absl::StatusOr<std::vector<std::string>> LookUpLabelNames(
    Querier& querier, std::span<const Matchers> selectors, size_t limit,
    const ReadContext& ctx) {
  return UnionOverSelectors(selectors, limit, [&](auto matchers) {
    return querier.LabelNames(matchers, limit, ctx);
  });
}

absl::StatusOr<std::vector<std::string>> LookUpLabelValues(
    Querier& querier, std::string_view name,
    std::span<const Matchers> selectors, size_t limit, const ReadContext& ctx) {
  return UnionOverSelectors(selectors, limit, [&](auto matchers) {
    return querier.LabelValues(name, matchers, limit, ctx);
  });
}

}  // namespace narthex
