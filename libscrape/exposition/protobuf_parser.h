// Pages of io.prometheus.client.MetricFamily messages, each behind its length:
// the one format that carries native histograms.
//
// One metric is decoded at a time, into memory that is used again; texts are
// views into the page.  A metric gives the series that the text formats would
// show for it: `_count`, `_sum`, then buckets or quantiles.  Which of a
// histogram's two shapes are shown is Options' matter.  One thread; borrows the
// page.  Errors say at which byte the family begins.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libscrape/exposition/classic_histogram.h"
#include "libscrape/exposition/series_key.h"
#include "narthex/model/exemplar.h"
#include "narthex/model/float_histogram.h"
#include "narthex/model/histogram.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/metadata.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

class ProtobufParser {
 public:
  using Entry = ExpositionParser::Entry;

  ProtobufParser(std::string_view page, const ParserOptions& options)
      : page_(page), options_(options) {}

  Entry Next();
  const absl::Status& status() const { return status_; }

  std::string_view series() const { return key_.key(); }
  double value() const { return value_; }
  bool has_timestamp() const { return metric_.timestamp != 0; }
  int64_t timestamp() const { return metric_.timestamp; }
  const Histogram* histogram() const { return is_float_ ? nullptr : &h_; }
  const FloatHistogram* float_histogram() const {
    return is_float_ ? &fh_ : nullptr;
  }
  void GetLabels(LabelsScratch& out);
  bool GetExemplar(Exemplar& out);
  Timestamp start_time() const { return metric_.start; }

  std::string_view metric() const { return name_; }
  MetricType type() const { return type_; }
  std::string_view text() const { return text_; }
  size_t offset() const { return family_; }
  size_t LineAt(size_t) const { return 0; }  // there are none

 private:
  struct Bucket {
    double bound = 0;
    uint64_t count = 0;
    double count_float = 0;
    std::string_view exemplar = {};  // undecoded; data() is null: none

    double sample_count() const {
      return count_float != 0 ? count_float : static_cast<double>(count);
    }
  };
  struct Quantile {
    double quantile = 0;
    double value = 0;
  };
  // A Metric message, whichever kind it is.
  struct Metric {
    int64_t timestamp = 0;
    Timestamp start = 0;
    double value = 0;
    std::string_view exemplar = {};  // of a counter
    uint64_t count = 0;
    double count_float = 0;
    double sum = 0;
    std::vector<Quantile> quantiles = {};
    std::vector<Bucket> buckets = {};
    int32_t schema = 0;
    double zero_threshold = 0;
    uint64_t zero_count = 0;
    double zero_count_float = 0;
    std::vector<Span> positive_spans = {}, negative_spans = {};
    std::vector<int64_t> positive_deltas = {}, negative_deltas = {};
    std::vector<double> positive_counts = {}, negative_counts = {};
    std::vector<std::string_view> exemplars = {};  // of a native histogram

    void Clear();
    double sample_count() const {
      return count_float != 0 ? count_float : static_cast<double>(count);
    }
    bool is_native() const {
      return !positive_spans.empty() || !negative_spans.empty() ||
             zero_threshold > 0 || zero_count > 0;
    }
  };
  // What the entry is about.
  enum class At : uint8_t {
    kFamily,  // the next one
    kHelp,
    kUnit,
    kType,
    kMetric,  // the next one
    kNative,
    kCount,
    kSum,
    kPart,  // part_: a bucket or quantile
    kConverted,
    kFloat  // of a metric that is one number
  };

  Entry Step();
  Entry NextFamily();
  Entry NextMetric();
  Entry ShowMetric();
  Entry ShowNative();
  Entry ShowCount();
  Entry ShowPart();
  Entry ShowConverted();
  Entry AfterClassic();
  Entry Fail(std::string_view what);
  bool Refuse(std::string_view what);  // Fail, for readers
  void CopyNative();

  // Decode; what they meet that can't be is thrown by the library they use and
  // caught in Next().  false: failed.
  bool ReadFamily(std::string_view bytes);
  bool ReadMetric(std::string_view bytes);
  bool ReadLabel(std::string_view bytes);
  // What the metric is: the message in `field` of a Metric.
  bool ReadBody(uint32_t field, std::string_view bytes);
  bool ReadNumber(std::string_view bytes);
  bool ReadCounter(std::string_view bytes);
  bool ReadSummary(std::string_view bytes);
  bool ReadHistogram(std::string_view bytes);
  bool ReadBucket(std::string_view bytes);
  bool ReadSpan(std::string_view bytes, std::vector<Span>& out);
  bool ReadExemplar(std::string_view bytes, Exemplar& out) const;
  bool CheckSide(std::string_view side, const std::vector<Span>& spans,
                 size_t buckets);
  bool is_histogram() const {
    return type_ == MetricType::kHistogram ||
           type_ == MetricType::kGaugeHistogram;
  }

  const std::string_view page_;
  const ParserOptions options_;
  size_t next_ = 0;    // offset of the next family
  size_t family_ = 0;  // offset of this one
  At at_ = At::kFamily;

  std::string_view name_;
  std::string_view help_;
  std::string_view unit_;
  std::string_view text_;
  MetricType type_ = MetricType::kUnknown;
  int32_t type_number_ = 0;
  std::vector<std::string_view> metrics_;
  size_t metric_index_ = 0;

  Metric metric_;
  SeriesKeyBuilder key_;
  size_t part_ = 0;
  size_t next_exemplar_ = 0;
  double value_ = 0;
  bool is_float_ = false;
  Histogram h_;
  FloatHistogram fh_;
  ClassicHistogram classic_;
  std::string label_text_;
  absl::Status status_;
};

}  // namespace narthex::scrape
