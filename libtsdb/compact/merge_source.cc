#include "libtsdb/compact/merge_source.h"

#include <algorithm>

#include "narthex/base/status.h"

namespace narthex::tsdb {
namespace {

constexpr size_t kSeriesPerBatch = 4096;
constexpr uint32_t kUnknownSymbol = 0xffffffff;
// Of dividing series by one pair of their labels; a row has a dozen pairs.
constexpr int kMostLevels = 100;

bool RowLess(LabelRow a, LabelRow b) {
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(), [](LabelPair x, LabelPair y) {
        return x.name != y.name ? x.name < y.name : x.value < y.value;
      });
}

bool RowEqual(LabelRow a, LabelRow b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Sorts series by their labels; the first `depth` pairs of all are the same. By
// the next pair into less, equal and greater, and so on: a comparison looks at
// one pair instead of at all that two rows have in common.  After `levels` bad
// divisions it gives up and compares whole rows.
void SortByLabels(const SeriesBatch& batch, std::span<SeriesEntry> series,
                  size_t depth, int levels) {
  constexpr size_t kFew = 8;
  const auto key = [&batch, &depth](const SeriesEntry& entry) -> uint64_t {
    const size_t at = entry.labels_begin + depth;
    if (at >= entry.labels_end) return 0;  // the shorter row is the lesser
    const LabelPair pair = batch.labels[at];
    return (uint64_t{pair.name} << 32 | pair.value) + 1;
  };
  while (series.size() > kFew && levels-- > 0) {
    const uint64_t a = key(series.front());
    const uint64_t b = key(series[series.size() / 2]);
    const uint64_t c = key(series.back());
    const uint64_t pivot =
        std::max(std::min(a, b), std::min(std::max(a, b), c));
    size_t less = 0, at = 0, greater = series.size();
    while (at < greater) {
      const uint64_t k = key(series[at]);
      if (k < pivot) {
        std::swap(series[less++], series[at++]);
      } else if (k > pivot) {
        std::swap(series[at], series[--greater]);
      } else {
        ++at;
      }
    }
    SortByLabels(batch, series.subspan(0, less), depth, levels);
    SortByLabels(batch, series.subspan(greater), depth, levels);
    if (pivot == 0) return;  // equal rows, which no source has
    series = series.subspan(less, greater - less);
    ++depth;
  }
  std::sort(series.begin(), series.end(),
            [&batch](const SeriesEntry& a, const SeriesEntry& b) {
              return RowLess(batch.Row(a), batch.Row(b));
            });
}

}  // namespace

// One source's series, ascending by labels.
class MergeSource::Cursor {
 public:
  Cursor(const BlockSource& source, TimeRange range, const CancelToken& cancel)
      : source_(source), range_(range), cancel_(cancel) {}

  // The series come before the symbols: what a head gets meanwhile is a symbol
  // too many, never one too few.
  absl::Status ReadIds(std::vector<uint32_t>& sorted_symbols) {
    NARTHEX_ASSIGN_OR_RETURN(const PostingsList all, source_.postings().All());
    ids_ = all.ToVector();
    NARTHEX_RETURN_IF_ERROR(source_.SortedSymbols(sorted_symbols));
    numbers_.assign(source_.symbol_bound(), kUnknownSymbol);
    return absl::OkStatus();
  }

  const BlockSource& source() const { return source_; }
  size_t ids() const { return ids_.size(); }
  void SetNumber(uint32_t own, uint32_t number) {
    if (own < numbers_.size()) numbers_[own] = number;
  }

  // The first series, or the end.
  absl::Status Begin() {
    if (source_.ids_in_label_order()) return Advance();
    // All of them, and then sorted: the head's are in the order of their birth.
    while (next_id_ < ids_.size()) NARTHEX_RETURN_IF_ERROR(ReadBatch());
    SortByLabels(batch_, batch_.series, 0, kMostLevels);
    return Advance();
  }

  bool done() const { return done_; }
  LabelRow row() const { return batch_.Row(entry()); }
  const SeriesEntry& entry() const { return batch_.series[at_]; }

  absl::Status Advance() {
    if (started_) ++at_;
    started_ = true;
    while (at_ >= batch_.series.size()) {
      if (next_id_ >= ids_.size()) {
        done_ = true;
        return absl::OkStatus();
      }
      batch_.Clear();
      at_ = 0;
      NARTHEX_RETURN_IF_ERROR(ReadBatch());
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadBatch() {
    NARTHEX_RETURN_IF_ERROR(cancel_.Check());
    const size_t n = std::min(kSeriesPerBatch, ids_.size() - next_id_);
    const size_t old = batch_.labels.size();
    NARTHEX_RETURN_IF_ERROR(source_.ReadSeries(
        std::span(ids_).subspan(next_id_, n), range_, batch_));
    next_id_ += n;
    for (size_t i = old; i < batch_.labels.size(); ++i) {
      LabelPair& pair = batch_.labels[i];
      const auto number = [this](uint32_t own) {
        return own < numbers_.size() ? numbers_[own] : kUnknownSymbol;
      };
      pair = {number(pair.name), number(pair.value)};
      if (pair.name == kUnknownSymbol || pair.value == kUnknownSymbol) {
        return DataLoss(
            StrCat(source_.where(), ": a series has a label without symbol"));
      }
    }
    return absl::OkStatus();
  }

  const BlockSource& source_;
  const TimeRange range_;
  const CancelToken& cancel_;
  std::vector<SeriesId> ids_;
  size_t next_id_ = 0;
  std::vector<uint32_t> numbers_;  // own symbol -> new number
  SeriesBatch batch_;
  size_t at_ = 0;
  bool started_ = false;
  bool done_ = false;
};

MergeSource::MergeSource() = default;
MergeSource::~MergeSource() = default;

absl::StatusOr<std::unique_ptr<MergeSource>> MergeSource::Open(
    std::vector<const BlockSource*> sources, TimeRange range,
    const CancelToken& cancel) {
  std::unique_ptr<MergeSource> merge(new MergeSource);
  std::vector<std::vector<uint32_t>> sorted(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    merge->cursors_.push_back(
        std::make_unique<Cursor>(*sources[i], range, cancel));
    NARTHEX_RETURN_IF_ERROR(merge->cursors_[i]->ReadIds(sorted[i]));
    merge->series_bound_ += merge->cursors_[i]->ids();
  }
  NARTHEX_RETURN_IF_ERROR(merge->MergeSymbols(std::move(sorted)));
  for (auto& cursor : merge->cursors_) {
    NARTHEX_RETURN_IF_ERROR(cursor->Begin());
  }
  return merge;
}

absl::Status MergeSource::MergeSymbols(
    std::vector<std::vector<uint32_t>> sorted) {
  // Few sources: the least of their next texts is found by asking each.
  std::vector<size_t> at(sorted.size());
  std::vector<std::string_view> next(sorted.size());
  const auto load = [&](size_t i) {
    if (at[i] < sorted[i].size()) {
      next[i] = cursors_[i]->source().SymbolText(sorted[i][at[i]]);
    }
  };
  for (size_t i = 0; i < sorted.size(); ++i) load(i);
  for (;;) {
    const std::string_view* least = nullptr;
    for (size_t i = 0; i < sorted.size(); ++i) {
      if (at[i] < sorted[i].size() && (least == nullptr || next[i] < *least)) {
        least = &next[i];
      }
    }
    if (least == nullptr) return absl::OkStatus();
    const std::string_view text = *least;
    const uint32_t number = static_cast<uint32_t>(symbols_.size());
    symbols_.push_back(text);
    for (size_t i = 0; i < sorted.size(); ++i) {
      while (at[i] < sorted[i].size() && next[i] == text) {
        cursors_[i]->SetNumber(sorted[i][at[i]], number);
        ++at[i];
        load(i);
      }
    }
  }
}

absl::StatusOr<bool> MergeSource::Next() {
  for (const Part& part : parts_) {
    for (auto& cursor : cursors_) {
      if (&cursor->source() != part.source) continue;
      NARTHEX_RETURN_IF_ERROR(cursor->Advance());
      break;
    }
  }
  parts_.clear();
  const Cursor* least = nullptr;
  for (const auto& cursor : cursors_) {
    if (cursor->done()) continue;
    if (least == nullptr || RowLess(cursor->row(), least->row())) {
      least = cursor.get();
    }
  }
  if (least == nullptr) return false;
  row_ = least->row();
  for (const auto& cursor : cursors_) {
    if (!cursor->done() && RowEqual(cursor->row(), row_)) {
      parts_.push_back({&cursor->source(), &cursor->entry()});
    }
  }
  return true;
}

}  // namespace narthex::tsdb
