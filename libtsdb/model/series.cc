#include "narthex/model/series.h"

#include <algorithm>
#include <set>

#include "libtsdb/model/symbols.h"
#include "narthex/base/status.h"

namespace narthex {

SampleKind SampleIterator::Next() {
  const auto t = columns_.t();
  const std::vector<HistogramColumn::Point>& points =
      columns_.histograms().points;
  if (f_ < t.size() && (h_ == points.size() || t[f_] <= points[h_].t)) {
    t_ = t[f_];
    v_ = columns_.v()[f_];
    ++f_;
    return SampleKind::kFloat;
  }
  if (h_ < points.size()) {
    t_ = points[h_].t;
    ++h_;
    return SampleKind::kHistogram;
  }
  return SampleKind::kNone;
}

FloatHistogram SampleIterator::histogram() const {
  return ToFloatHistogram(columns_.histograms(), h_ - 1);
}

namespace {

std::span<const Sample> FloatsIn(const SeriesData& row, TimeRange range) {
  const auto begin = std::partition_point(
      row.floats.begin(), row.floats.end(),
      [range](const Sample& sample) { return sample.t < range.min; });
  const auto end = std::partition_point(
      begin, row.floats.end(),
      [range](const Sample& sample) { return sample.t <= range.max; });
  return {begin, end};
}

using Rows = std::shared_ptr<const std::vector<SeriesData>>;

class MemorySet final : public SeriesSet {
 public:
  MemorySet(Rows rows, std::vector<size_t> chosen,
            std::vector<std::vector<LabelPair>> labels, bool start_times)
      : rows_(std::move(rows)),
        chosen_(std::move(chosen)),
        labels_(std::move(labels)),
        start_times_(start_times) {}

  size_t size() const override { return chosen_.size(); }
  LabelRow labels(size_t i) const override { return labels_[i]; }
  size_t samples_hint(size_t i) const override {
    return Row(i).floats.size() + Row(i).histograms.size();
  }

  absl::Status Read(size_t i, TimeRange range, const ReadContext& ctx,
                    SampleColumns& out) const override {
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    out.Clear();
    const SeriesData& row = Row(i);
    // The reader's columns may hold another series' start times.
    const bool with_start = start_times_ && (!row.start_times.empty() ||
                                             out.mutable_st() != nullptr);
    const std::span<const Sample> floats = FloatsIn(row, range);
    const auto first = static_cast<size_t>(floats.data() - row.floats.data());
    NARTHEX_RETURN_IF_ERROR(out.Reserve(floats.size()));
    if (with_start) NARTHEX_RETURN_IF_ERROR(out.ReserveStartTimes());
    for (size_t k = 0; k < floats.size(); ++k) {
      out.mutable_t()[k] = floats[k].t;
      out.mutable_v()[k] = floats[k].v;
      if (!with_start) continue;
      out.mutable_st()[k] =
          row.start_times.empty() ? Timestamp(0) : row.start_times[first + k];
    }
    out.SetSize(floats.size());
    HistogramColumn& histograms = out.mutable_histograms();
    for (size_t k = 0; k < row.histograms.size(); ++k) {
      const auto& [t, h] = row.histograms[k];
      if (!range.Contains(t)) continue;
      AppendHistogram(t, h, histograms);
      if (start_times_ && !row.histogram_start_times.empty()) {
        histograms.points.back().st = row.histogram_start_times[k];
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ReadLatest(size_t i, TimeRange range,
                                  const ReadContext& ctx,
                                  LatestSample& out) const override {
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    bool found = false;
    const std::span<const Sample> floats = FloatsIn(Row(i), range);
    if (!floats.empty()) {
      out = {floats.back().t, floats.back().v, false};
      found = true;
    }
    for (const auto& [t, h] : Row(i).histograms) {
      if (!range.Contains(t) || (found && t <= out.t)) continue;
      out = {t, 0, true};
      found = true;
    }
    return found;
  }

 private:
  const SeriesData& Row(size_t i) const { return (*rows_)[chosen_[i]]; }

  const Rows rows_;
  const std::vector<size_t> chosen_;
  const std::vector<std::vector<LabelPair>> labels_;
  const bool start_times_;
};

bool MatchesAll(const Labels& labels,
                std::span<const Matcher* const> matchers) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher* matcher) {
                       return matcher->Matches(labels.Get(matcher->name()));
                     });
}

template <typename Set>
std::vector<std::string> Take(const Set& set, size_t limit) {
  std::vector<std::string> out;
  for (const auto& text : set) {
    if (limit != 0 && out.size() == limit) break;
    out.emplace_back(text);
  }
  return out;
}

class MemoryQuerier final : public Querier {
 public:
  MemoryQuerier(Rows rows, TimeRange range)
      : rows_(std::move(rows)), range_(range) {}

  Symbols& symbols() override { return symbols_; }

  absl::StatusOr<std::unique_ptr<SeriesSet>> Select(
      const SelectRequest& request, const ReadContext& ctx) override {
    NARTHEX_RETURN_IF_ERROR(ctx.cancel.Check());
    std::vector<size_t> chosen;
    for (size_t i = 0; i < rows_->size(); ++i) {
      if (request.limit != 0 && chosen.size() == request.limit) break;
      const SeriesData& row = (*rows_)[i];
      if (MatchesAll(row.labels, request.matchers) &&
          HasSamples(row, request.range)) {
        chosen.push_back(i);
      }
    }
    std::vector<std::vector<LabelPair>> labels;
    labels.reserve(chosen.size());
    for (const size_t i : chosen) {
      std::vector<LabelPair>& pairs = labels.emplace_back();
      for (const Label& label : (*rows_)[i].labels) {
        pairs.push_back({symbols_.InternBorrowed(label.name),
                         symbols_.InternBorrowed(label.value)});
      }
    }
    return std::make_unique<MemorySet>(rows_, std::move(chosen),
                                       std::move(labels), request.start_times);
  }

  absl::StatusOr<std::vector<std::string>> LabelNames(
      std::span<const Matcher* const> matchers, size_t limit,
      const ReadContext&) override {
    std::set<std::string_view> names;
    for (const SeriesData& row : *rows_) {
      if (!MatchesAll(row.labels, matchers) || !HasSamples(row, range_)) {
        continue;
      }
      for (const Label& label : row.labels) names.insert(label.name);
    }
    return Take(names, limit);
  }

  absl::StatusOr<std::vector<std::string>> LabelValues(
      std::string_view name, std::span<const Matcher* const> matchers,
      size_t limit, const ReadContext&) override {
    std::set<std::string_view> values;
    for (const SeriesData& row : *rows_) {
      const std::string_view value = row.labels.Get(name);
      if (value.empty() || !MatchesAll(row.labels, matchers) ||
          !HasSamples(row, range_)) {
        continue;
      }
      values.insert(value);
    }
    return Take(values, limit);
  }

  absl::StatusOr<std::vector<ExemplarSeries>> Exemplars(
      std::span<const Matchers>, TimeRange, const ReadContext&) override {
    return std::vector<ExemplarSeries>();  // plain rows have none
  }

  const Annotations& warnings() const override { return warnings_; }

 private:
  static bool HasSamples(const SeriesData& row, TimeRange range) {
    return !FloatsIn(row, range).empty() ||
           std::any_of(row.histograms.begin(), row.histograms.end(),
                       [&](const auto& h) { return range.Contains(h.first); });
  }

  const Rows rows_;
  const TimeRange range_;
  QuerierSymbols symbols_;
  Annotations warnings_;
};

class MemoryQueryable final : public Queryable {
 public:
  explicit MemoryQueryable(std::vector<SeriesData> rows) {
    std::sort(rows.begin(), rows.end(),
              [](const SeriesData& a, const SeriesData& b) {
                return a.labels < b.labels;
              });
    rows_ = std::make_shared<const std::vector<SeriesData>>(std::move(rows));
  }
  absl::StatusOr<std::unique_ptr<Querier>> NewQuerier(
      TimeRange range) override {
    return std::make_unique<MemoryQuerier>(rows_, range);
  }

 private:
  Rows rows_;
};

}  // namespace

std::unique_ptr<Queryable> NewMemoryQueryable(std::vector<SeriesData> rows) {
  return std::make_unique<MemoryQueryable>(std::move(rows));
}

}  // namespace narthex
