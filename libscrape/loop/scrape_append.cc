#include "libscrape/loop/scrape_append.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::scrape {
namespace {

using Entry = ExpositionParser::Entry;
using SeriesId = ScrapeCache::SeriesId;

}  // namespace

void AppendBuffers::Clear() {
  refs.clear();
  values.clear();
  times.clear();
  series.clear();
  timed.clear();
  outcomes.clear();
  exemplars.clear();
  stale.clear();
}

absl::Status PageAppender::Append(std::string_view page, PageFormat format,
                                  Timestamp at, Timestamp latest) {
  if (page.size() >= std::numeric_limits<uint32_t>::max()) {
    return ResourceExhausted("page of 4 GiB or more");
  }
  at_ = at;
  latest_ = latest;
  format_ = format;
  b_.Clear();
  cache_.BeginPage();
  absl::Status status = ReadAs(page, format);
  if (status.ok() && counts_.over_sample_limit) {
    status = ResourceExhausted("sample limit exceeded");
  }
  const absl::Status stored = Store(/*whole=*/status.ok());
  NARTHEX_RETURN_IF_ERROR(status);
  NARTHEX_RETURN_IF_ERROR(stored);
  return AppendStaleMarkers(at);
}

absl::Status PageAppender::ReadAs(std::string_view page, PageFormat format) {
  if (format == PageFormat::kText) {
    TextParser parser(page);
    return Read(parser, page);
  }
  OpenMetricsParser parser(page);
  return Read(parser, page);
}

template <typename Parser>
absl::Status PageAppender::Read(Parser& parser, std::string_view page) {
  for (;;) {
    // Here the page stands at its begin or behind a sample.
    const size_t begin = parser.next_offset();
    if (const ScrapeCache::Line* line = cache_.expected();
        line != nullptr &&
        parser.TakeExpected(cache_.Literal(*line), line->type)) {
      TakeSample(cache_.TakeExpected(begin), parser.value(), /*timed=*/false,
                 0);
      continue;
    }
    Entry kind = Entry::kComment;
    while (kind != Entry::kSeries) {
      kind = parser.Next();
      switch (kind) {
        case Entry::kEnd:
          return parser.status();
        case Entry::kType:
          cache_.SetType(parser.metric(), parser.type());
          break;
        case Entry::kHelp:
          cache_.SetHelp(parser.metric(), parser.text());
          break;
        case Entry::kUnit:
          cache_.SetUnit(parser.metric(), parser.text());
          break;
        case Entry::kComment:
        case Entry::kSeries:
          break;
      }
    }
    NARTHEX_RETURN_IF_ERROR(TakeSeries(parser, page, begin));
  }
}

template <typename Parser>
absl::Status PageAppender::TakeSeries(Parser& parser, std::string_view page,
                                      size_t begin) {
  const std::string_view text = parser.series();
  SeriesId id = cache_.Find(text);
  if (id == ScrapeCache::kNone) {
    auto learned = Learn(parser);
    if (!learned.ok()) {
      ++counts_.total;  // it was scraped, and fails the page
      return learned.status();
    }
    id = *learned;
    if (id == ScrapeCache::kNone) return absl::OkStatus();
  }
  const auto offset = static_cast<size_t>(text.data() - page.data());
  const char* const text_end = text.data() + text.size();
  const char* const value = SkipBlanks(text_end, page.data() + page.size());
  cache_.Record(id, begin, offset, static_cast<size_t>(value - page.data()),
                parser.type());
  const bool timed = parser.has_timestamp() && rules_.honor_timestamps;
  TakeSample(id, parser.value(), timed, parser.timestamp());
  if constexpr (std::is_same_v<Parser, OpenMetricsParser>) {
    Exemplar exemplar;
    if (!b_.series.empty() && b_.series.back() == id &&
        parser.GetExemplar(exemplar)) {
      b_.exemplars.emplace_back(b_.series.size() - 1, std::move(exemplar));
    }
  }
  return absl::OkStatus();
}

template <typename Parser>
absl::StatusOr<SeriesId> PageAppender::Learn(Parser& parser) {
  parser.GetLabels(b_.labels);
  NARTHEX_ASSIGN_OR_RETURN(const Labels labels,
                           MakeSampleLabels(rules_, b_.labels, b_.builder));
  const bool dropped = labels.empty();
  SeriesRef ref = SeriesRef::kNone;
  if (!dropped) {
    if (rules_.sample_limit != 0 && counts_.added >= rules_.sample_limit) {
      // The page fails; go on counting, without making series for it.
      ++counts_.total;
      ++counts_.added;
      counts_.over_sample_limit = true;
      return ScrapeCache::kNone;
    }
    NARTHEX_ASSIGN_OR_RETURN(ref, appender_.Resolve(labels));
  }
  return cache_.Add(parser.series(), ref, dropped, parser.type());
}

void PageAppender::TakeSample(SeriesId id, double value, bool timed,
                              int64_t time) {
  ++counts_.total;
  const ScrapeCache::Series& series = cache_.series(id);
  const bool first = cache_.MarkSeen(id);
  if (series.dropped) return;
  ++counts_.added;
  if (rules_.sample_limit != 0 && counts_.added > rules_.sample_limit) {
    counts_.over_sample_limit = true;
    return;
  }
  if (!first && !timed) {
    ++counts_.duplicates;
    return;
  }
  if (timed && Timestamp(time) > latest_) {
    ++counts_.out_of_bounds;
    if (first) cache_.Unlearn(id);
    return;
  }
  if (timed && b_.times.empty()) {
    b_.times.assign(b_.refs.size(), at_);
    b_.timed.assign(b_.refs.size(), false);
  }
  b_.refs.push_back(series.ref);
  b_.values.push_back(value);
  b_.series.push_back(id);
  if (timed || !b_.times.empty()) {
    b_.times.push_back(timed ? Timestamp(time) : at_);
    b_.timed.push_back(timed);
  }
}

absl::Status PageAppender::Store(bool whole) {
  const size_t n = b_.refs.size();
  b_.outcomes.assign(n, Appended::kStored);
  NARTHEX_RETURN_IF_ERROR(appender_.AppendFloats(
      {.refs = b_.refs, .values = b_.values, .at = at_, .times = b_.times},
      b_.outcomes));
  for (size_t i = 0; i < n; ++i) {
    const SeriesId id = b_.series[i];
    if (b_.outcomes[i] == Appended::kUnknownRef) {
      NARTHEX_RETURN_IF_ERROR(format_ == PageFormat::kText
                                  ? ResolveAnew<TextParser>(i)
                                  : ResolveAnew<OpenMetricsParser>(i));
    }
    switch (b_.outcomes[i]) {
      case Appended::kStored: {
        ++counts_.stored;
        if (cache_.CountFresh(id)) ++counts_.series_added;
        const bool timed = !b_.timed.empty() && b_.timed[i];
        if (!timed || rules_.track_timestamps_staleness) cache_.Track(id);
        continue;
      }
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
  if (whole) StoreExemplars();
  return absl::OkStatus();
}

// Storage forgot the series since the last page: makes it again, from its text.
template <typename Parser>
absl::Status PageAppender::ResolveAnew(size_t sample) {
  ScrapeCache::Series& series = cache_.series(b_.series[sample]);
  const std::string line = StrCat(series.text, " 0\n");
  Parser parser(line);
  parser.set_type(series.type);
  if (parser.Next() != Entry::kSeries) return parser.status();
  parser.GetLabels(b_.labels);
  NARTHEX_ASSIGN_OR_RETURN(const Labels labels,
                           MakeSampleLabels(rules_, b_.labels, b_.builder));
  NARTHEX_ASSIGN_OR_RETURN(series.ref, appender_.Resolve(labels));
  b_.refs[sample] = series.ref;
  const Timestamp t = b_.times.empty() ? at_ : b_.times[sample];
  b_.outcomes[sample] =
      AppendFloat(appender_, series.ref, t, b_.values[sample]);
  return absl::OkStatus();
}

void PageAppender::StoreExemplars() {
  for (auto& [sample, exemplar] : b_.exemplars) {
    if (b_.outcomes[sample] != Appended::kStored) continue;
    if (!exemplar.has_timestamp) {
      exemplar.t = b_.times.empty() ? at_ : b_.times[sample];
    }
    if (appender_.AppendExemplar(b_.refs[sample], exemplar) ==
        Appended::kOutOfOrder) {
      ++counts_.exemplars_out_of_order;
    }
  }
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
