// Reading: from a page to samples of known series.

#include "libscrape/loop/scrape_append.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "libscrape/exposition/openmetrics_parser.h"
#include "libscrape/exposition/text_parser.h"
#include "libscrape/loop/metric_family.h"
#include "narthex/base/status.h"

namespace narthex::scrape {
namespace {

using Entry = ExpositionParser::Entry;

}  // namespace

void AppendBuffers::Clear() {
  refs.clear();
  values.clear();
  times.clear();
  start_times.clear();
  series.clear();
  timed.clear();
  outcomes.clear();
  exemplars.clear();
  own_exemplars.clear();
  stale.clear();
  keys.clear();
}

absl::Status PageAppender::Append(std::string_view page, PageFormat format,
                                  Timestamp at, Timestamp latest) {
  if (page.size() >= std::numeric_limits<uint32_t>::max()) {
    return ResourceExhausted("page of 4 GiB or more");
  }
  at_ = at;
  latest_ = latest;
  format_ = format;
  keyed_ = format == PageFormat::kProtobuf ||
           rules_.parser.convert_classic_histograms_to_nhcb ||
           rules_.parser.start_times;
  b_.Clear();
  cache_.BeginPage();
  absl::Status status = ReadAs(page, format);
  if (status.ok() && counts_.over_sample_limit) {
    status = ResourceExhausted("sample limit exceeded");
  }
  if (status.ok() && counts_.over_bucket_limit) {
    status = ResourceExhausted("histogram bucket limit exceeded");
  }
  const absl::Status stored = Store(/*whole=*/status.ok());
  NARTHEX_RETURN_IF_ERROR(status);
  NARTHEX_RETURN_IF_ERROR(stored);
  return AppendStaleMarkers(at);
}

absl::Status PageAppender::ReadAs(std::string_view page, PageFormat format) {
  if (keyed_) {
    b_.keys.reserve(cache_.last_page_size());
    ExpositionParser parser(page, format, rules_.parser);
    return ReadKeyed(parser);
  }
  if (format == PageFormat::kText) {
    TextParser parser(page);
    return ReadLines(parser, page);
  }
  OpenMetricsParser parser(page);
  return ReadLines(parser, page);
}

template <typename Parser>
void PageAppender::TakeMetadata(Parser& parser, Entry kind) {
  switch (kind) {
    case Entry::kType:
      metadata_changed_ = cache_.SetType(parser.metric(), parser.type());
      break;
    case Entry::kHelp:
      metadata_changed_ = cache_.SetHelp(parser.metric(), parser.text());
      break;
    case Entry::kUnit:
      metadata_changed_ = cache_.SetUnit(parser.metric(), parser.text());
      break;
    default:
      break;
  }
}

template <typename Parser>
absl::Status PageAppender::ReadLines(Parser& parser, std::string_view page) {
  for (;;) {
    // Here the page stands at its begin or behind a sample.
    const size_t begin = parser.next_offset();
    // Where metadata changed, all samples below must be looked at.
    if (const ScrapeCache::Line* line = cache_.expected();
        line != nullptr && !(metadata_changed_ && rules_.append_metadata) &&
        parser.TakeExpected(cache_.Literal(*line), line->type)) {
      TakeFloat(cache_.TakeExpected(begin), parser.value(), {});
      continue;
    }
    for (Entry kind = parser.Next(); kind != Entry::kSeries;
         kind = parser.Next()) {
      if (kind == Entry::kEnd) return parser.status();
      TakeMetadata(parser, kind);
    }
    NARTHEX_RETURN_IF_ERROR(TakeLine(parser, page, begin));
  }
}

template <typename Parser>
absl::Status PageAppender::TakeLine(Parser& parser, std::string_view page,
                                    size_t begin) {
  const std::string_view text = parser.series();
  SeriesId id = cache_.Find(text);
  if (id == ScrapeCache::kNone) {
    NARTHEX_ASSIGN_OR_RETURN(id, Learn(parser, text));
    if (id == ScrapeCache::kNone) return absl::OkStatus();
  }
  const auto offset = static_cast<size_t>(text.data() - page.data());
  const char* const text_end = text.data() + text.size();
  const char* const value = SkipBlanks(text_end, page.data() + page.size());
  cache_.Record(id, begin, offset, static_cast<size_t>(value - page.data()),
                parser.type());
  NoteMetadata(parser, id);
  const bool timed = parser.has_timestamp() && rules_.honor_timestamps;
  const size_t before = b_.refs.size();
  TakeFloat(id, parser.value(), {.timed = timed, .time = parser.timestamp()});
  if constexpr (std::is_same_v<Parser, OpenMetricsParser>) {
    Exemplar exemplar;
    if (b_.refs.size() > before && parser.GetExemplar(exemplar)) {
      b_.exemplars.emplace_back(b_.refs.size() - 1, std::move(exemplar));
    }
  }
  return absl::OkStatus();
}

absl::Status PageAppender::ReadKeyed(ExpositionParser& parser) {
  for (;;) {
    const Entry kind = parser.Next();
    switch (kind) {
      case Entry::kEnd:
        return parser.status();
      case Entry::kSeries:
      case Entry::kHistogram:
        NARTHEX_RETURN_IF_ERROR(TakeKeyed(parser, kind == Entry::kHistogram));
        break;
      default:
        TakeMetadata(parser, kind);
    }
  }
}

absl::Status PageAppender::TakeKeyed(ExpositionParser& parser,
                                     bool is_histogram) {
  // The cache will point into the keys: put this one there first.
  const std::string_view key = parser.series();
  std::string& keys = b_.keys;
  const size_t offset = keys.size();
  if (keys.capacity() - keys.size() < key.size()) {
    if (offset + key.size() >= std::numeric_limits<uint32_t>::max()) {
      return ResourceExhausted("labels of 4 GiB or more");
    }
    std::string longer;
    longer.reserve(2 * (keys.size() + key.size()));
    longer.append(keys);
    cache_.MovePage(keys.data(), longer.data());
    keys.swap(longer);
  }
  keys.append(key);
  const std::string_view text = std::string_view(keys).substr(offset);
  SeriesId id = cache_.FindText(text);
  if (id == ScrapeCache::kNone) {
    NARTHEX_ASSIGN_OR_RETURN(id, Learn(parser, text));
    if (id == ScrapeCache::kNone) return absl::OkStatus();
  }
  cache_.Record(id, offset, offset, offset + text.size(), parser.type());
  NoteMetadata(parser, id);
  When when;
  if (const auto t = parser.timestamp(); t && rules_.honor_timestamps) {
    when.timed = true;
    when.time = t->ms;
  }
  if (rules_.parser.start_times) when.start = parser.start_time();

  b_.own_exemplars.clear();
  if (!cache_.series(id).dropped) {
    Exemplar exemplar;
    while (parser.GetExemplar(exemplar)) {
      if (is_histogram && !exemplar.has_timestamp) continue;
      b_.own_exemplars.push_back(std::move(exemplar));
    }
  }
  if (is_histogram) {
    if (const FloatHistogram* h = parser.float_histogram()) {
      return TakeHistogram(id, *h, b_.float_histogram, when);
    }
    return TakeHistogram(id, *parser.histogram(), b_.histogram, when);
  }
  const size_t before = b_.refs.size();
  TakeFloat(id, parser.value(), when);
  if (b_.refs.size() == before) return absl::OkStatus();
  for (Exemplar& exemplar : b_.own_exemplars) {
    b_.exemplars.emplace_back(b_.refs.size() - 1, std::move(exemplar));
  }
  return absl::OkStatus();
}

template <typename Parser>
absl::StatusOr<Labels> PageAppender::LabelsOf(Parser& parser) {
  parser.GetLabels(b_.labels);
  return MakeSampleLabels(rules_, b_.labels, b_.builder,
                          &counts_.over_label_limit);
}

template <typename Parser>
absl::StatusOr<ScrapeCache::SeriesId> PageAppender::Learn(
    Parser& parser, std::string_view text) {
  auto labels = LabelsOf(parser);
  if (!labels.ok()) {
    ++counts_.total;  // it was scraped, and fails the page
    return labels.status();
  }
  const bool dropped = labels->empty();
  SeriesRef ref = SeriesRef::kNone;
  if (!dropped) {
    if (rules_.sample_limit != 0 && limited_ >= rules_.sample_limit) {
      // The page fails; go on counting, without making series for it.
      ++counts_.total;
      ++counts_.added;
      counts_.over_sample_limit = true;
      return ScrapeCache::kNone;
    }
    NARTHEX_ASSIGN_OR_RETURN(ref, appender_.Resolve(*labels));
  }
  return cache_.Add(text, ref, dropped, parser.type());
}

// For new series, and for those whose family says something else than before.
template <typename Parser>
void PageAppender::NoteMetadata(Parser& parser, SeriesId id) {
  if (!rules_.append_metadata) return;
  const ScrapeCache::Series& series = cache_.series(id);
  if (series.dropped || !(series.fresh || metadata_changed_)) return;
  const Metadata* const metadata = cache_.last_metadata();
  if (metadata == nullptr) return;
  const auto labels = LabelsOf(parser);
  if (!labels.ok() ||
      !IsPartOfFamily(labels->name(), cache_.last_metric(), metadata->type)) {
    return;
  }
  // Metadata that is not stored costs no sample.
  (void)appender_.SetMetadata(series.ref, *metadata);
}

}  // namespace narthex::scrape
