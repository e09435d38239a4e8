// A text parser whose classic histograms come out as native ones with custom
// buckets, behind the samples that they were made of (or in their place).
//
// Wraps TextParser or OpenMetricsParser.  What belongs to one histogram stands
// together, below its TYPE line; whatever else comes ends it.  One thread;
// borrows the page.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "libscrape/exposition/classic_histogram.h"
#include "libscrape/exposition/openmetrics_parser.h"
#include "libscrape/exposition/series_key.h"
#include "libscrape/exposition/text_parser.h"
#include "narthex/model/exemplar.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

template <typename Inner>
class NhcbParser {
 public:
  using Entry = ExpositionParser::Entry;

  NhcbParser(std::string_view page, const ParserOptions& options)
      : inner_(page, options),
        keep_classic_(options.keep_classic_histograms),
        start_times_(options.start_times) {}

  Entry Next();
  const absl::Status& status() const { return inner_.status(); }

  std::string_view series() const {
    return emitting_ ? key_.key() : inner_.series();
  }
  double value() const { return inner_.value(); }
  // Of a histogram too it is that of the sample read last, as in Prometheus.
  bool has_timestamp() const { return inner_.has_timestamp(); }
  int64_t timestamp() const { return inner_.timestamp(); }
  const Histogram* histogram() const { return is_float_ ? nullptr : &h_; }
  const FloatHistogram* float_histogram() const {
    return is_float_ ? &fh_ : nullptr;
  }
  void GetLabels(LabelsScratch& out);
  bool GetExemplar(Exemplar& out);
  Timestamp start_time();

  std::string_view metric() const { return inner_.metric(); }
  MetricType type() const { return inner_.type(); }
  std::string_view text() const { return inner_.text(); }
  size_t offset() const { return inner_.offset(); }
  size_t LineAt(size_t offset) const { return inner_.LineAt(offset); }

 private:
  enum class Part : uint8_t { kNone, kBucket, kSum, kCount };

  // Which part of the histogram that TYPE announced the sample is; sets bound_,
  // group_ and same_metric_.
  Part PartOfHistogram();
  // Adds the sample, unless it is no part.
  bool Collect(Part part);
  // Ends the histogram that was being gathered.  true: it is one.
  bool Convert();

  Inner inner_;
  const bool keep_classic_;
  const bool start_times_;
  Entry entry_ = Entry::kEnd;  // of inner_
  bool collecting_ = false;
  bool emitting_ = false;   // the entry is the histogram; entry_ comes next
  bool collected_ = false;  // the entry is a part of a histogram

  std::string family_;  // of the last TYPE line
  double bound_ = 0;
  bool same_metric_ = false;  // as that being gathered
  std::string group_;         // labels of the sample but for its bound
  std::string own_group_;     // of the histogram being gathered
  ClassicHistogram classic_;
  Timestamp own_start_ = 0;
  std::vector<Exemplar> own_exemplars_;

  // What is emitted.
  SeriesKeyBuilder own_key_, key_;
  Timestamp start_ = 0;
  std::vector<Exemplar> exemplars_;
  size_t next_exemplar_ = 0;
  bool is_float_ = false;
  Histogram h_;
  FloatHistogram fh_;
  LabelsScratch labels_;
  std::string label_text_;
};

extern template class NhcbParser<TextParser>;
extern template class NhcbParser<OpenMetricsParser>;

}  // namespace narthex::scrape
