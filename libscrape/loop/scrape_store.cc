// Storing: samples of known series, and what storage says of them.

#include <algorithm>
#include <utility>
#include <vector>

#include "libscrape/exposition/native_histogram.h"
#include "libscrape/exposition/openmetrics_parser.h"
#include "libscrape/exposition/series_key.h"
#include "libscrape/exposition/text_parser.h"
#include "libscrape/loop/scrape_append.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::scrape {
namespace {

using Entry = ExpositionParser::Entry;

bool ComesBefore(const Exemplar& a, const Exemplar& b) {
  if (a.t != b.t) return a.t < b.t;
  if (a.value != b.value) return a.value < b.value;
  return a.labels < b.labels;
}

}  // namespace

bool PageAppender::Admit(SeriesId id, bool timed) {
  ++counts_.total;
  const bool first = cache_.MarkSeen(id);
  if (cache_.series(id).dropped) return false;
  ++counts_.added;
  if (!first && !timed) {
    ++counts_.duplicates;
    return false;
  }
  return true;
}

bool PageAppender::WithinSampleLimit() {
  if (rules_.sample_limit == 0) return true;
  if (++limited_ <= rules_.sample_limit) return true;
  counts_.over_sample_limit = true;
  return false;
}

// A series counts since `start`: stored once, as each page says so again.
bool PageAppender::WantsZero(SeriesId id, Timestamp t, Timestamp start) {
  if (!rules_.start_zeros || start == Timestamp(0) || start >= t) return false;
  return std::exchange(cache_.series(id).start, start) != start;
}

void PageAppender::PushFloat(SeriesId id, SeriesRef ref, double value,
                             bool timed, Timestamp t, Timestamp start) {
  if (timed && b_.times.empty()) {
    b_.times.assign(b_.refs.size(), at_);
    b_.timed.assign(b_.refs.size(), false);
  }
  const bool has_start = rules_.start_times && start != Timestamp(0);
  if (has_start && b_.start_times.empty()) {
    b_.start_times.assign(b_.refs.size(), Timestamp(0));
  }
  if (has_start || !b_.start_times.empty()) b_.start_times.push_back(start);
  b_.refs.push_back(ref);
  b_.values.push_back(value);
  b_.series.push_back(id);
  if (timed || !b_.times.empty()) {
    b_.times.push_back(t);
    b_.timed.push_back(timed);
  }
}

void PageAppender::TakeFloat(SeriesId id, double value, const When& when) {
  if (!Admit(id, when.timed) || !WithinSampleLimit()) return;
  const Timestamp t = when.timed ? Timestamp(when.time) : at_;
  if (when.timed && t > latest_) {
    ++counts_.out_of_bounds;
    cache_.Unlearn(id);
    return;
  }
  const SeriesRef ref = cache_.series(id).ref;
  if (WantsZero(id, t, when.start)) {
    PushFloat(ScrapeCache::kNone, ref, 0, /*timed=*/true, when.start,
              Timestamp(0));
  }
  PushFloat(id, ref, value, when.timed, t, when.start);
}

template <typename H>
void PageAppender::AppendZeroHistogram(SeriesRef ref, Timestamp t,
                                       const When& when, const H& h) {
  // The same layout: else it would need a chunk of its own.
  H zero;
  zero.hint = CounterResetHint::kReset;
  zero.schema = h.schema;
  zero.zero_threshold = h.zero_threshold;
  zero.custom_values = h.custom_values;
  // Refused ones are no error: the series is older than its start.
  (void)appender_.AppendHistogram(ref, std::min(when.start, t), Timestamp(0),
                                  zero);
}

template <typename H>
absl::Status PageAppender::TakeHistogram(SeriesId id, const H& original, H& h,
                                         const When& when) {
  if (!Admit(id, when.timed)) return absl::OkStatus();
  h = original;
  if (h.schema != kCustomBucketsSchema && h.schema > rules_.max_schema) {
    NARTHEX_RETURN_IF_ERROR(ReduceResolution(h, rules_.max_schema));
  }
  if (rules_.bucket_limit != 0 && !LimitBuckets(h, rules_.bucket_limit).ok()) {
    counts_.over_bucket_limit = true;
    return absl::OkStatus();
  }
  if (!WithinSampleLimit()) return absl::OkStatus();
  const Timestamp t = when.timed ? Timestamp(when.time) : at_;
  const Timestamp start = rules_.start_times ? when.start : Timestamp(0);
  if (WantsZero(id, t, when.start)) {
    AppendZeroHistogram(cache_.series(id).ref, t, when, h);
  }
  Appended outcome =
      appender_.AppendHistogram(cache_.series(id).ref, t, start, h);
  if (outcome == Appended::kUnknownRef) {
    NARTHEX_RETURN_IF_ERROR(ResolveAnew(id));
    outcome = appender_.AppendHistogram(cache_.series(id).ref, t, start, h);
  }
  if (outcome == Appended::kInvalid) {
    --counts_.added;  // it fails the page, and was only scraped
    const absl::Status why = h.Validate();
    return why.ok() ? InvalidArgument("histogram refused by storage") : why;
  }
  Settle(id, outcome, when.timed);
  AppendExemplars(cache_.series(id).ref, t, /*is_histogram=*/true);
  return absl::OkStatus();
}

template absl::Status PageAppender::TakeHistogram(SeriesId, const Histogram&,
                                                  Histogram&, const When&);
template absl::Status PageAppender::TakeHistogram(SeriesId,
                                                  const FloatHistogram&,
                                                  FloatHistogram&, const When&);

void PageAppender::Settle(SeriesId id, Appended outcome, bool timed) {
  switch (outcome) {
    case Appended::kStored:
      ++counts_.stored;
      if (cache_.CountFresh(id)) ++counts_.series_added;
      if (!timed || rules_.track_timestamps_staleness) cache_.Track(id);
      return;
    case Appended::kDuplicate:
      ++counts_.duplicates;
      break;
    case Appended::kOutOfOrder:
      ++counts_.out_of_order;
      break;
    case Appended::kTooOld:
    case Appended::kOutOfBounds:
    case Appended::kInvalid:
    case Appended::kUnknownRef:
      ++counts_.out_of_bounds;
      break;
  }
  cache_.Unlearn(id);
}

absl::Status PageAppender::Store(bool whole) {
  const size_t n = b_.refs.size();
  b_.outcomes.assign(n, Appended::kStored);
  NARTHEX_RETURN_IF_ERROR(
      appender_.AppendFloats({.refs = b_.refs,
                              .values = b_.values,
                              .at = at_,
                              .times = b_.times,
                              .start_times = b_.start_times},
                             b_.outcomes));
  for (size_t i = 0; i < n; ++i) {
    const SeriesId id = b_.series[i];
    if (id == ScrapeCache::kNone) continue;
    if (b_.outcomes[i] == Appended::kUnknownRef) {
      NARTHEX_RETURN_IF_ERROR(ResolveAnew(id));
      b_.refs[i] = cache_.series(id).ref;
      const Timestamp t = b_.times.empty() ? at_ : b_.times[i];
      b_.outcomes[i] = AppendFloat(appender_, b_.refs[i], t, b_.values[i]);
    }
    Settle(id, b_.outcomes[i], !b_.timed.empty() && b_.timed[i]);
  }
  if (whole) StoreExemplars();
  return absl::OkStatus();
}

absl::StatusOr<Labels> PageAppender::LabelsAnew(
    const ScrapeCache::Series& series) {
  if (IsSeriesKey(series.text)) {
    ReadSeriesKey(series.text, b_.label_text, b_.labels);
    return MakeSampleLabels(rules_, b_.labels, b_.builder, nullptr);
  }
  const std::string line = StrCat(series.text, " 0\n");
  const auto read = [&](auto parser) -> absl::StatusOr<Labels> {
    parser.set_type(series.type);
    if (parser.Next() != Entry::kSeries) return parser.status();
    parser.GetLabels(b_.labels);
    return MakeSampleLabels(rules_, b_.labels, b_.builder, nullptr);
  };
  return format_ == PageFormat::kOpenMetrics ? read(OpenMetricsParser(line))
                                             : read(TextParser(line));
}

absl::Status PageAppender::ResolveAnew(SeriesId id) {
  ScrapeCache::Series& series = cache_.series(id);
  NARTHEX_ASSIGN_OR_RETURN(const Labels labels, LabelsAnew(series));
  NARTHEX_ASSIGN_OR_RETURN(series.ref, appender_.Resolve(labels));
  return absl::OkStatus();
}

void PageAppender::StoreExemplars() {
  for (size_t i = 0; i < b_.exemplars.size();) {
    const size_t sample = b_.exemplars[i].first;
    b_.own_exemplars.clear();
    for (; i < b_.exemplars.size() && b_.exemplars[i].first == sample; ++i) {
      b_.own_exemplars.push_back(std::move(b_.exemplars[i].second));
    }
    if (b_.outcomes[sample] == Appended::kUnknownRef) continue;
    AppendExemplars(b_.refs[sample], b_.times.empty() ? at_ : b_.times[sample],
                    /*is_histogram=*/false);
  }
}

void PageAppender::AppendExemplars(SeriesRef ref, Timestamp t,
                                   bool is_histogram) {
  if (b_.own_exemplars.empty()) return;
  if (is_histogram) {
    std::erase_if(b_.own_exemplars,
                  [](const Exemplar& e) { return !e.has_timestamp; });
  }
  for (Exemplar& exemplar : b_.own_exemplars) {
    if (!exemplar.has_timestamp) exemplar.t = t;
  }
  std::sort(b_.own_exemplars.begin(), b_.own_exemplars.end(), ComesBefore);
  size_t late = 0;
  for (const Exemplar& exemplar : b_.own_exemplars) {
    if (appender_.AppendExemplar(ref, exemplar) == Appended::kOutOfOrder) {
      ++late;
    }
  }
  // Some of a set may be known already; only if all are late it is worth a
  // word.
  if (late == b_.own_exemplars.size()) counts_.exemplars_out_of_order += late;
}

absl::Status PageAppender::AppendStaleMarkers(Timestamp at) {
  cache_.FindStale(b_.stale);
  if (b_.stale.empty()) return absl::OkStatus();
  const std::vector<double> markers(b_.stale.size(), StaleNaN());
  // Refused ones are no error: the series went on elsewhere, or is forgotten.
  return appender_.AppendFloats({.refs = b_.stale, .values = markers, .at = at},
                                {});
}

}  // namespace narthex::scrape
