#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "narthex/base/status.h"
#include "narthex/model/merge.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace narthex {
namespace {

struct Source {
  uint32_t set = 0;
  uint32_t series = 0;
};

// Rows of ids as keys: equal text <=> equal id, so equal bytes <=> equal rows.
struct RowHash {
  size_t operator()(LabelRow row) const {
    return XXH3_64bits(row.data(), row.size_bytes());
  }
};
struct RowEq {
  bool operator()(LabelRow a, LabelRow b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
};

class MergedSet final : public SeriesSet {
 public:
  MergedSet(std::vector<std::unique_ptr<SeriesSet>> sets,
            const Symbols& symbols, bool sorted)
      : sets_(std::move(sets)) {
    if (sorted) {
      MergeSorted(symbols);
    } else {
      MergeUnsorted();
    }
  }

  size_t size() const override { return begins_.size() - 1; }

  LabelRow labels(size_t i) const override {
    const Source& first = sources_[begins_[i]];
    return sets_[first.set]->labels(first.series);
  }

  size_t samples_hint(size_t i) const override {
    size_t sum = 0;
    for (const Source& source : Sources(i)) {
      sum += sets_[source.set]->samples_hint(source.series);
    }
    return sum;
  }

  absl::Status Read(size_t i, TimeRange range, const ReadContext& ctx,
                    SampleColumns& out) const override {
    const std::span<const Source> sources = Sources(i);
    NARTHEX_RETURN_IF_ERROR(
        sets_[sources[0].set]->Read(sources[0].series, range, ctx, out));
    if (sources.size() == 1) return absl::OkStatus();
    SampleColumns more(ctx.budget);
    if (out.mutable_st() != nullptr) {
      NARTHEX_RETURN_IF_ERROR(more.ReserveStartTimes());
    }
    for (const Source& source : sources.subspan(1)) {
      NARTHEX_RETURN_IF_ERROR(
          sets_[source.set]->Read(source.series, range, ctx, more));
      if (!more.empty()) NARTHEX_RETURN_IF_ERROR(MergeColumns(more, out));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ReadLatest(size_t i, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    bool found = false;
    for (const Source& source : Sources(i)) {
      // What is older than the one at hand can't win; nor can its equal.
      TimeRange rest = range;
      if (found) rest.min = out.t + Milliseconds(1);
      if (rest.min > rest.max) break;
      LatestSample sample;
      NARTHEX_ASSIGN_OR_RETURN(
          const bool any,
          sets_[source.set]->ReadLatest(source.series, rest, ctx, sample));
      if (!any) continue;
      found = true;
      out = sample;
    }
    return found;
  }

 private:
  std::span<const Source> Sources(size_t i) const {
    return std::span<const Source>(sources_).subspan(
        begins_[i], begins_[i + 1] - begins_[i]);
  }

  // Few sets: looking at each one's front is as good as a heap, and keeps the
  // sets of equal rows in order.
  void MergeSorted(const Symbols& symbols) {
    std::vector<size_t> at(sets_.size(), 0);
    while (true) {
      LabelRow least;
      bool any = false;
      for (size_t k = 0; k < sets_.size(); ++k) {
        if (at[k] == sets_[k]->size()) continue;
        const LabelRow row = sets_[k]->labels(at[k]);
        if (!any ||
            (!RowEq{}(row, least) && CompareRows(symbols, row, least) < 0)) {
          least = row;
          any = true;
        }
      }
      if (!any) break;
      for (size_t k = 0; k < sets_.size(); ++k) {
        // A set of its own may hold equal rows side by side.
        while (at[k] < sets_[k]->size() &&
               RowEq{}(sets_[k]->labels(at[k]), least)) {
          sources_.push_back(
              {static_cast<uint32_t>(k), static_cast<uint32_t>(at[k]++)});
        }
      }
      begins_.push_back(sources_.size());
    }
  }

  void MergeUnsorted() {
    absl::flat_hash_map<LabelRow, size_t, RowHash, RowEq> index;
    std::vector<std::pair<size_t, Source>> all;  // by place in the result
    for (size_t k = 0; k < sets_.size(); ++k) {
      for (size_t i = 0; i < sets_[k]->size(); ++i) {
        const size_t place =
            index.try_emplace(sets_[k]->labels(i), index.size()).first->second;
        all.push_back(
            {place, {static_cast<uint32_t>(k), static_cast<uint32_t>(i)}});
      }
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
      return a.first < b.first;
    });
    for (size_t i = 0; i < all.size(); ++i) {
      sources_.push_back(all[i].second);
      if (i + 1 == all.size() || all[i + 1].first != all[i].first) {
        begins_.push_back(sources_.size());
      }
    }
  }

  const std::vector<std::unique_ptr<SeriesSet>> sets_;
  std::vector<Source> sources_;
  std::vector<size_t> begins_ = {0};  // series i: [begins_[i], begins_[i + 1])
};

}  // namespace

std::unique_ptr<SeriesSet> MergeSeriesSets(
    std::vector<std::unique_ptr<SeriesSet>> sets, const Symbols& symbols,
    bool sorted) {
  std::erase_if(sets, [](const std::unique_ptr<SeriesSet>& set) {
    return set == nullptr || set->size() == 0;
  });
  if (sets.size() == 1) return std::move(sets[0]);
  return std::make_unique<MergedSet>(std::move(sets), symbols, sorted);
}

}  // namespace narthex
