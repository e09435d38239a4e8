#include <utility>

#include "libnarthex/testing/custom_buckets.h"
#include "libnarthex/testing/series_notation.h"
#include "narthex/base/status.h"
#include "narthex/model/histogram_view.h"
#include "narthex/model/sample.h"
#include "narthex/testing/testing.h"

namespace narthex::testing {
namespace {

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Timestamp NewestOf(const SeriesData& series) {
  Timestamp newest = kMinTime;
  if (!series.floats.empty()) newest = series.floats.back().t;
  if (!series.histograms.empty()) {
    newest = std::max(newest, series.histograms.back().first);
  }
  return newest;
}

// The hint with which a histogram comes back from Prometheus's chunks: what was
// said on the way in is known there only as "begins a chunk" or "goes on".  A
// chunk ends with a reset, a change of layout, a float or a stale marker.
CounterResetHint StoredHint(const FloatHistogram& h,
                            const FloatHistogram* before) {
  if (h.hint == CounterResetHint::kGauge) return h.hint;
  if (before == nullptr || h.hint == CounterResetHint::kReset ||
      before->hint == CounterResetHint::kGauge || IsStale(before->sum)) {
    return CounterResetHint::kUnknown;
  }
  if (IsStale(h.sum)) return CounterResetHint::kNotReset;
  if (h.schema != before->schema ||
      h.zero_threshold != before->zero_threshold ||
      h.custom_values != before->custom_values) {
    return CounterResetHint::kUnknown;
  }
  HistogramColumn both;
  AppendHistogram(0, *before, both);
  AppendHistogram(1, h, both);
  HistogramView now = ViewOf(both, 1);
  now.hint = CounterResetHint::kUnknown;
  return DetectReset(now, ViewOf(both, 0)) ? CounterResetHint::kUnknown
                                           : CounterResetHint::kNotReset;
}

absl::Status Duplicate(const Labels& labels, Timestamp t) {
  return InvalidArgument(StrCat("duplicate sample for timestamp ", t.ms, " of ",
                                labels.ToMetricString()));
}

}  // namespace

absl::Status TestStore::Load(Duration step, std::string_view lines,
                             const LoadOptions& options) {
  NARTHEX_ASSIGN_OR_RETURN(std::vector<SeriesData> read,
                           ReadSeries(Lines(lines), step, options.first_line));
  // Of a series that stands there twice, the last line counts.
  std::map<Labels, SeriesData> unique;
  for (SeriesData& series : read) {
    Labels labels = series.labels;
    unique[std::move(labels)] = std::move(series);
  }
  if (options.with_nhcb) {
    NARTHEX_ASSIGN_OR_RETURN(std::vector<SeriesData> native,
                             ToCustomBuckets(unique));
    for (SeriesData& series : native) {
      NARTHEX_RETURN_IF_ERROR(Append(std::move(series)));
    }
  }
  for (auto& [labels, series] : unique) {
    NARTHEX_RETURN_IF_ERROR(Append(std::move(series)));
  }
  return absl::OkStatus();
}

absl::Status TestStore::Append(SeriesData series) {
  Changed();
  SeriesData& all = series_[series.labels];
  all.labels = series.labels;
  const Timestamp newest = NewestOf(all);
  const size_t old_floats = all.floats.size();
  Timestamp last = newest;
  for (size_t i = 0; i < series.floats.size(); ++i) {
    const Sample& sample = series.floats[i];
    if (sample.t <= last) {
      // Said twice is said once.
      if (old_floats > 0 && sample.t == all.floats[old_floats - 1].t &&
          Bits(sample.v) == Bits(all.floats[old_floats - 1].v)) {
        continue;
      }
      if (sample.t == last) return Duplicate(series.labels, sample.t);
      return InvalidArgument(StrCat("out of order sample at ", sample.t.ms,
                                    " of ", series.labels.ToMetricString()));
    }
    last = sample.t;
    all.floats.push_back(sample);
    if (series.start_times.empty() && all.start_times.empty()) continue;
    all.start_times.resize(all.floats.size());
    if (!series.start_times.empty()) {
      all.start_times.back() = series.start_times[i];
    }
  }
  last = newest;
  for (size_t i = 0; i < series.histograms.size(); ++i) {
    auto& [t, histogram] = series.histograms[i];
    if (t <= last) return Duplicate(series.labels, t);
    if (absl::Status valid = histogram.Validate(); !valid.ok()) return valid;
    last = t;
    const bool follows = !all.histograms.empty() &&
                         (all.floats.empty() || all.floats.back().t > t ||
                          all.floats.back().t < all.histograms.back().first);
    histogram.hint = StoredHint(
        histogram, follows ? &all.histograms.back().second : nullptr);
    all.histograms.emplace_back(t, std::move(histogram));
    if (series.histogram_start_times.empty() &&
        all.histogram_start_times.empty()) {
      continue;
    }
    all.histogram_start_times.resize(all.histograms.size());
    if (!series.histogram_start_times.empty()) {
      all.histogram_start_times.back() = series.histogram_start_times[i];
    }
  }
  return absl::OkStatus();
}

void TestStore::Clear() {
  series_.clear();
  Changed();
}

void TestStore::Changed() {
  absl::MutexLock lock(&mu_);
  view_.reset();
}

absl::StatusOr<std::unique_ptr<Querier>> TestStore::NewQuerier(
    TimeRange range) {
  absl::MutexLock lock(&mu_);
  if (view_ == nullptr) {
    std::vector<SeriesData> rows;
    rows.reserve(series_.size());
    for (const auto& [labels, series] : series_) rows.push_back(series);
    view_ = NewMemoryQueryable(std::move(rows));
  }
  return view_->NewQuerier(range);
}

}  // namespace narthex::testing
