#include "libtsdb/query/source_querier.h"

#include <algorithm>
#include <utility>

#include "libtsdb/index/select.h"
#include "narthex/base/coding.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"

namespace narthex::tsdb {
namespace {

// Series between two questions to the budget and the cancel token.
constexpr size_t kSeriesPerBatch = 4096;

TimeRange Common(TimeRange a, TimeRange b) {
  return {std::max(a.min, b.min), std::min(a.max, b.max)};
}

// What tells rows apart as a rule: the text of the first label that is not the
// same in all of them, without what its values begin with alike.
class SortKeys {
 public:
  SortKeys(const Symbols& symbols, const SeriesBatch& batch)
      : symbols_(symbols), batch_(batch), first_(batch.Row(batch.series[0])) {
    while (place_ < first_.size() && AllHave(first_[place_])) ++place_;
    if (place_ == first_.size()) return;
    known_ = AllHaveName(first_[place_].name);
    if (!known_) return;
    const std::string_view text = symbols.Text(first_[place_].value);
    prefix_ = text.size();
    for (const SeriesEntry& entry : batch.series) {
      const std::string_view other = TextOf(entry);
      size_t n = 0;
      while (n < prefix_ && n < other.size() && other[n] == text[n]) ++n;
      prefix_ = n;
    }
  }

  // false: there is no such label.
  bool known() const { return known_; }
  // Eight bytes as a number: it orders as the texts do where it differs.
  uint64_t Of(const SeriesEntry& entry) const {
    const std::string_view text = TextOf(entry).substr(prefix_);
    char bytes[8] = {};
    std::copy_n(text.data(), std::min(text.size(), sizeof(bytes)), bytes);
    return LoadBE64(bytes);
  }

 private:
  bool AllHave(LabelPair pair) const {
    return std::all_of(batch_.series.begin(), batch_.series.end(),
                       [&](const SeriesEntry& entry) {
                         const LabelRow row = batch_.Row(entry);
                         return place_ < row.size() && row[place_] == pair;
                       });
  }
  bool AllHaveName(SymbolId name) const {
    return std::all_of(batch_.series.begin(), batch_.series.end(),
                       [&](const SeriesEntry& entry) {
                         const LabelRow row = batch_.Row(entry);
                         return place_ < row.size() && row[place_].name == name;
                       });
  }
  std::string_view TextOf(const SeriesEntry& entry) const {
    return symbols_.Text(batch_.Row(entry)[place_].value);
  }

  const Symbols& symbols_;
  const SeriesBatch& batch_;
  const LabelRow first_;
  size_t place_ = 0;
  size_t prefix_ = 0;  // of the texts
  bool known_ = false;
};

void SortByLabels(const Symbols& symbols, SeriesBatch& batch) {
  const auto less = [&](const SeriesEntry& a, const SeriesEntry& b) {
    return CompareRows(symbols, batch.Row(a), batch.Row(b)) < 0;
  };
  constexpr size_t kFew = 16;
  std::vector<SeriesEntry>& series = batch.series;
  if (series.size() < kFew) {
    std::sort(series.begin(), series.end(), less);
    return;
  }
  const SortKeys keys(symbols, batch);
  if (!keys.known()) {
    std::sort(series.begin(), series.end(), less);
    return;
  }
  std::vector<std::pair<uint64_t, uint32_t>> order(series.size());
  for (uint32_t i = 0; i < order.size(); ++i)
    order[i] = {keys.Of(series[i]), i};
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return less(series[a.second], series[b.second]);
  });
  std::vector<SeriesEntry> sorted;
  sorted.reserve(series.size());
  for (const auto& [key, i] : order) sorted.push_back(series[i]);
  series = std::move(sorted);
}

class SourceSet final : public SeriesSet {
 public:
  SourceSet(std::shared_ptr<const BlockSource> source, TimeRange within,
            MemoryBudget& budget)
      : source_(std::move(source)), within_(within), reserved_(budget) {}

  // Of the series that match `matchers`.
  absl::Status Load(std::span<const SeriesId> ids,
                    std::span<const Matcher* const> matchers,
                    QuerySymbols& symbols, size_t place,
                    const SelectRequest& request, const ReadContext& ctx) {
    const TimeRange range = Common(request.range, within_);
    const bool in_order = source_->ids_in_label_order();
    // Matching and sorting come before cutting to the limit.
    const size_t limit =
        matchers.empty() && (in_order || !request.sorted) ? request.limit : 0;
    for (size_t at = 0; at < ids.size(); at += kSeriesPerBatch) {
      NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
      const size_t n = std::min(kSeriesPerBatch, ids.size() - at);
      NARTHEX_RETURN_IF_ERROR(
          source_->ReadSeries(ids.subspan(at, n), range, batch_));
      if (!reserved_.GrowTo(batch_.labels.capacity() * sizeof(LabelPair) +
                            batch_.series.capacity() * sizeof(SeriesEntry))) {
        return ResourceExhausted(
            "the memory limit was reached while selecting series");
      }
      if (limit != 0 && batch_.series.size() >= limit) break;
    }
    symbols.Translate(place, batch_.labels);
    for (const Matcher* matcher : matchers) {
      const SymbolId name = symbols.Find(matcher->name());
      std::erase_if(batch_.series, [&](const SeriesEntry& entry) {
        return !matcher->Matches(
            symbols.Text(ValueOf(batch_.Row(entry), name)));
      });
    }
    if (request.sorted && !in_order) SortByLabels(symbols, batch_);
    if (request.limit != 0 && batch_.series.size() > request.limit) {
      batch_.series.resize(request.limit);
    }
    return absl::OkStatus();
  }

  size_t size() const override { return batch_.series.size(); }
  LabelRow labels(size_t i) const override {
    return batch_.Row(batch_.series[i]);
  }
  size_t samples_hint(size_t i) const override {
    return batch_.series[i].samples_hint;
  }
  absl::Status Read(size_t i, TimeRange range, const ReadContext& ctx,
                    SampleColumns& out) const override {
    return source_->ReadSamples(batch_.series[i], Common(range, within_), ctx,
                                out);
  }
  absl::StatusOr<bool> ReadLatest(size_t i, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    return source_->ReadLatest(batch_.series[i], Common(range, within_), ctx,
                               out);
  }

 private:
  const std::shared_ptr<const BlockSource> source_;
  const TimeRange within_;
  Reservation reserved_;
  SeriesBatch batch_;
};

// Only the first `limit` series of another set.
class LimitedSet final : public SeriesSet {
 public:
  LimitedSet(std::unique_ptr<SeriesSet> set, size_t limit)
      : set_(std::move(set)), size_(std::min(limit, set_->size())) {}
  size_t size() const override { return size_; }
  LabelRow labels(size_t i) const override { return set_->labels(i); }
  size_t samples_hint(size_t i) const override { return set_->samples_hint(i); }
  absl::Status Read(size_t i, TimeRange range, const ReadContext& ctx,
                    SampleColumns& out) const override {
    return set_->Read(i, range, ctx, out);
  }
  absl::StatusOr<bool> ReadLatest(size_t i, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    return set_->ReadLatest(i, range, ctx, out);
  }

 private:
  const std::unique_ptr<SeriesSet> set_;
  const size_t size_;
};

std::vector<const SymbolSource*> LenderFirst(
    const std::vector<std::shared_ptr<const BlockSource>>& sources,
    std::vector<size_t>& places) {
  // The lender's numbers need no translation: the source with most symbols.
  // (The first is the head if there is one; a head's ids may not be lent by
  // others, as it makes new ones, so it goes before any block.)
  std::vector<const SymbolSource*> order;
  places.assign(sources.size(), 0);
  size_t lender = 0;
  if (!sources.empty() && sources[0]->ids_in_label_order()) {
    for (size_t i = 1; i < sources.size(); ++i) {
      if (sources[i]->meta().stats.series >
          sources[lender]->meta().stats.series) {
        lender = i;
      }
    }
  }
  if (sources.empty()) return order;
  order.push_back(sources[lender].get());
  for (size_t i = 0; i < sources.size(); ++i) {
    if (i == lender) continue;
    places[i] = order.size();
    order.push_back(sources[i].get());
  }
  return order;
}

class SourcesQuerier final : public Querier {
 public:
  SourcesQuerier(std::vector<std::shared_ptr<const BlockSource>> sources,
                 TimeRange range, const ExemplarSource* exemplars)
      : sources_(std::move(sources)),
        range_(range),
        exemplars_(exemplars),
        symbols_(LenderFirst(sources_, places_)) {}

  Symbols& symbols() override { return symbols_; }

  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(
      const SelectRequest& request, const ReadContext& ctx) override {
    std::vector<std::unique_ptr<SeriesSet>> sets;
    for (size_t i = 0; i < sources_.size(); ++i) {
      NARTHEX_ASSIGN_OR_RETURN(
          std::unique_ptr<SeriesSet> set,
          SelectFromSource(sources_[i], symbols_, places_[i], range_, request,
                           ctx));
      if (set->size() != 0) sets.push_back(std::move(set));
    }
    if (sets.size() == 1) return std::move(sets[0]);
    std::unique_ptr<SeriesSet> merged =
        MergeSeriesSets(std::move(sets), symbols_, request.sorted);
    if (request.limit != 0 && merged->size() > request.limit) {
      merged = std::make_unique<LimitedSet>(std::move(merged), request.limit);
    }
    return merged;
  }

  absl::StatusOr<std::vector<std::string>> LabelNames(
      std::span<const Matcher* const> matchers, size_t limit,
      const ReadContext& ctx) override {
    std::vector<std::vector<std::string_view>> lists;
    for (const auto& source : sources_) {
      NARTHEX_ASSIGN_OR_RETURN(
          std::vector<std::string_view> names,
          SelectLabelNames(source->postings(), matchers, ctx.cancel));
      lists.push_back(std::move(names));
    }
    return MergeTexts(std::move(lists), limit);
  }

  absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, std::span<const Matcher* const> matchers,
      size_t limit, const ReadContext& ctx) override {
    std::vector<std::vector<std::string_view>> lists;
    for (const auto& source : sources_) {
      NARTHEX_ASSIGN_OR_RETURN(
          std::vector<std::string_view> values,
          SelectLabelValues(source->postings(), name, matchers, ctx.cancel));
      lists.push_back(std::move(values));
    }
    return MergeTexts(std::move(lists), limit);
  }

  absl::StatusOr<std::vector<ExemplarSeries>> Exemplars(
      std::span<const Matchers> selectors, TimeRange range,
      const ReadContext& ctx) override {
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    std::vector<ExemplarSeries> out;
    if (exemplars_ != nullptr) {
      exemplars_->Select(selectors, Common(range, range_), out);
    }
    return out;
  }

  const Annotations& warnings() const override { return warnings_; }

 private:
  const std::vector<std::shared_ptr<const BlockSource>> sources_;
  const TimeRange range_;
  const ExemplarSource* const exemplars_;  // may be null
  std::vector<size_t> places_;             // of each source in symbols_
  QuerySymbols symbols_;
  Annotations warnings_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SeriesSet>> SelectFromSource(
    std::shared_ptr<const BlockSource> source, QuerySymbols& symbols,
    size_t place, TimeRange within, const SelectRequest& request,
    const ReadContext& ctx) {
  std::vector<const Matcher*> left;
  NARTHEX_ASSIGN_OR_RETURN(
      const std::vector<SeriesId> ids,
      SelectSeries(source->postings(), request.matchers, ctx.cancel, &left));
  auto set = std::make_unique<SourceSet>(std::move(source), within, ctx.budget);
  NARTHEX_RETURN_IF_ERROR(set->Load(ids, left, symbols, place, request, ctx));
  return set;
}

std::unique_ptr<Querier> NewSourcesQuerier(
    std::vector<std::shared_ptr<const BlockSource>> sources, TimeRange range,
    const ExemplarSource* exemplars) {
  return std::make_unique<SourcesQuerier>(std::move(sources), range, exemplars);
}

std::vector<std::string> MergeTexts(
    std::vector<std::vector<std::string_view>> lists, size_t limit) {
  std::vector<std::string_view> all;
  // A source says each text once.
  const bool unique = lists.size() == 1;
  if (unique) {
    all.swap(lists[0]);
    lists.clear();
  }
  for (const std::vector<std::string_view>& list : lists) {
    const size_t middle = all.size();
    all.insert(all.end(), list.begin(), list.end());
    std::inplace_merge(all.begin(),
                       all.begin() + static_cast<ptrdiff_t>(middle), all.end());
  }
  if (!unique) all.erase(std::unique(all.begin(), all.end()), all.end());
  if (limit != 0 && all.size() > limit) all.resize(limit);
  return std::vector<std::string>(all.begin(), all.end());
}

}  // namespace narthex::tsdb
