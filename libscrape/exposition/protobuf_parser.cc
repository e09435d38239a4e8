// The entries of a page: which series a family's metrics are shown as.

#include "libscrape/exposition/protobuf_parser.h"

#include <cmath>
#include <limits>
#include <protozero/exception.hpp>
#include <protozero/varint.hpp>

#include "libscrape/exposition/native_histogram.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/relabel.h"

namespace narthex::scrape {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::ptrdiff_t kLongestLength = 5;  // bytes of a 32-bit varint

// By the number of the message.
constexpr MetricType kTypes[] = {
    MetricType::kCounter, MetricType::kGauge,     MetricType::kSummary,
    MetricType::kUnknown, MetricType::kHistogram, MetricType::kGaugeHistogram};

}  // namespace

ProtobufParser::Entry ProtobufParser::Fail(std::string_view what) {
  if (status_.ok()) {
    status_ = InvalidArgument(StrCat("byte ", family_, ": ", what));
  }
  at_ = At::kFamily;
  next_ = page_.size();
  return Entry::kEnd;
}

bool ProtobufParser::Refuse(std::string_view what) {
  (void)Fail(what);
  return false;
}

ProtobufParser::Entry ProtobufParser::Next() {
  try {
    return Step();
  } catch (const protozero::exception& e) {
    return Fail(e.what());
  }
}

ProtobufParser::Entry ProtobufParser::Step() {
  next_exemplar_ = 0;
  switch (at_) {
    case At::kFamily:
      return NextFamily();
    case At::kHelp:
      if (!unit_.empty()) {
        at_ = At::kUnit;
        text_ = unit_;
        return Entry::kUnit;
      }
      [[fallthrough]];
    case At::kUnit:
      at_ = At::kType;
      return Entry::kType;
    case At::kType:
      return ShowMetric();
    case At::kNative:
      if (options_.keep_classic_histograms && !metric_.buckets.empty()) {
        return ShowCount();
      }
      return NextMetric();
    case At::kCount:
      at_ = At::kSum;
      key_.Finish(name_, "_sum");
      value_ = metric_.sum;
      return Entry::kSeries;
    case At::kSum:
      part_ = 0;
      if (!is_histogram() && metric_.quantiles.empty()) return AfterClassic();
      return ShowPart();
    case At::kPart: {
      const bool last = is_histogram()
                            ? part_ >= metric_.buckets.size() ||
                                  metric_.buckets[part_].bound == kInfinity
                            : part_ + 1 >= metric_.quantiles.size();
      if (last) return AfterClassic();
      ++part_;
      return ShowPart();
    }
    case At::kMetric:
    case At::kConverted:
    case At::kFloat:
      return NextMetric();
  }
  return Entry::kEnd;
}

ProtobufParser::Entry ProtobufParser::NextFamily() {
  do {
    if (next_ >= page_.size()) return Entry::kEnd;
    family_ = next_;
    const char* p = page_.data() + next_;
    const char* const end = page_.data() + page_.size();
    const char* const start = p;
    const uint64_t length = protozero::decode_varint(&p, end);
    if (p - start > kLongestLength) {
      return Fail("clientpb: invalid varint encountered");
    }
    const auto have = static_cast<uint64_t>(end - p);
    if (length > have) {
      return Fail(
          StrCat("clientpb: insufficient length of buffer, expected "
                 "at least ",
                 static_cast<uint64_t>(p - start) + length, " bytes, got ",
                 end - start, " bytes"));
    }
    next_ += static_cast<size_t>(p - start) + length;
    if (!ReadFamily({p, length})) return Entry::kEnd;
  } while (metrics_.empty());
  metric_index_ = 0;
  if (!ReadMetric(metrics_[0])) return Entry::kEnd;
  if (!IsValidMetricName(name_, NameValidation::kUtf8)) {
    return Fail(StrCat("invalid metric name: ", name_));
  }
  if (!IsValidUtf8(help_)) {
    return Fail(
        StrCat("invalid help for metric ", GoQuote(name_), ": ", help_));
  }
  if (type_number_ < 0 ||
      type_number_ >= static_cast<int32_t>(std::size(kTypes))) {
    return Fail(StrCat("unknown metric type for metric ", GoQuote(name_), ": ",
                       type_number_));
  }
  type_ = kTypes[type_number_];
  at_ = At::kHelp;
  text_ = help_;
  return Entry::kHelp;
}

ProtobufParser::Entry ProtobufParser::NextMetric() {
  if (++metric_index_ >= metrics_.size()) return NextFamily();
  if (!ReadMetric(metrics_[metric_index_])) return Entry::kEnd;
  return ShowMetric();
}

ProtobufParser::Entry ProtobufParser::ShowMetric() {
  if (type_ == MetricType::kSummary) return ShowCount();
  if (!is_histogram()) {
    at_ = At::kFloat;
    key_.Finish(name_, {});
    value_ = metric_.value;
    return Entry::kSeries;
  }
  if (!options_.ignore_native_histograms && metric_.is_native()) {
    return ShowNative();
  }
  if (options_.convert_classic_histograms_to_nhcb &&
      !options_.keep_classic_histograms) {
    return ShowConverted();
  }
  return ShowCount();
}

bool ProtobufParser::CheckSide(std::string_view side,
                               const std::vector<Span>& spans, size_t buckets) {
  uint64_t length = 0;
  for (const Span& span : spans) length += span.length;
  if (length == buckets) return true;
  return Refuse(StrCat("histogram ", GoQuote(name_), ": ", side,
                       " side: spans require ", length, " buckets, have ",
                       buckets));
}

ProtobufParser::Entry ProtobufParser::ShowNative() {
  const Metric& m = metric_;
  is_float_ = m.count_float > 0 || m.zero_count_float > 0;
  const size_t positive =
      is_float_ ? m.positive_counts.size() : m.positive_deltas.size();
  const size_t negative =
      is_float_ ? m.negative_counts.size() : m.negative_deltas.size();
  if (!CheckSide("positive", m.positive_spans, positive) ||
      !CheckSide("negative", m.negative_spans, negative)) {
    return Entry::kEnd;
  }
  CopyNative();
  at_ = At::kNative;
  key_.Finish(name_, {});
  return Entry::kHistogram;
}

void ProtobufParser::CopyNative() {
  const Metric& m = metric_;
  const auto copy_layout = [&](auto& h) {
    h.hint = type_ == MetricType::kGaugeHistogram ? CounterResetHint::kGauge
                                                  : CounterResetHint::kUnknown;
    h.schema = m.schema;
    h.zero_threshold = m.zero_threshold;
    h.sum = m.sum;
    h.positive_spans = m.positive_spans;
    h.negative_spans = m.negative_spans;
    h.custom_values.clear();
  };
  if (is_float_) {
    copy_layout(fh_);
    fh_.count = m.count_float;
    fh_.zero_count = m.zero_count_float;
    fh_.positive_buckets = m.positive_counts;
    fh_.negative_buckets = m.negative_counts;
    CompactHistogram(fh_, 0);
  } else {
    copy_layout(h_);
    h_.count = m.count;
    h_.zero_count = m.zero_count;
    h_.positive_deltas = m.positive_deltas;
    h_.negative_deltas = m.negative_deltas;
    CompactHistogram(h_, 0);
  }
}

ProtobufParser::Entry ProtobufParser::ShowCount() {
  at_ = At::kCount;
  key_.Finish(name_, "_count");
  value_ = metric_.sample_count();
  return Entry::kSeries;
}

ProtobufParser::Entry ProtobufParser::ShowPart() {
  at_ = At::kPart;
  if (!is_histogram()) {
    const Quantile& quantile = metric_.quantiles[part_];
    key_.Finish(name_, {});
    key_.AddQuantile(quantile.quantile);
    value_ = quantile.value;
    return Entry::kSeries;
  }
  key_.Finish(name_, "_bucket");
  if (part_ < metric_.buckets.size()) {
    const Bucket& bucket = metric_.buckets[part_];
    key_.AddBound(bucket.bound);
    value_ = bucket.sample_count();
  } else {
    // The last one may be left out.
    key_.AddBound(kInfinity);
    value_ = metric_.sample_count();
  }
  return Entry::kSeries;
}

ProtobufParser::Entry ProtobufParser::AfterClassic() {
  const bool converts =
      is_histogram() && options_.convert_classic_histograms_to_nhcb &&
      (options_.ignore_native_histograms || !metric_.is_native());
  return converts ? ShowConverted() : NextMetric();
}

ProtobufParser::Entry ProtobufParser::ShowConverted() {
  classic_.Clear();
  classic_.SetCount(metric_.sample_count());
  classic_.SetSum(metric_.sum);
  for (const Bucket& bucket : metric_.buckets) {
    classic_.SetBucket(bucket.bound, bucket.sample_count());
  }
  if (const absl::Status status = classic_.Convert(h_, fh_, is_float_);
      !status.ok()) {
    return Fail(Message(status));
  }
  if (type_ == MetricType::kGaugeHistogram) {
    (is_float_ ? fh_.hint : h_.hint) = CounterResetHint::kGauge;
  }
  at_ = At::kConverted;
  key_.Finish(name_, {});
  return Entry::kHistogram;
}

void ProtobufParser::GetLabels(LabelsScratch& out) {
  ReadSeriesKey(key_.key(), label_text_, out);
}

bool ProtobufParser::GetExemplar(Exemplar& out) {
  std::string_view one;
  switch (at_) {
    case At::kFloat:
      if (type_ == MetricType::kCounter) one = metric_.exemplar;
      break;
    case At::kPart:
      if (is_histogram() && part_ < metric_.buckets.size()) {
        one = metric_.buckets[part_].exemplar;
      }
      break;
    case At::kNative:
    case At::kConverted: {
      // Without a time of their own they are not taken: nobody could tell old
      // ones from new ones.
      const bool own = !metric_.exemplars.empty();
      const size_t n = own ? metric_.exemplars.size() : metric_.buckets.size();
      while (next_exemplar_ < n) {
        const size_t i = next_exemplar_++;
        const std::string_view bytes =
            own ? metric_.exemplars[i] : metric_.buckets[i].exemplar;
        if (bytes.data() != nullptr && ReadExemplar(bytes, out) &&
            out.has_timestamp) {
          return true;
        }
      }
      return false;
    }
    default:
      return false;
  }
  return one.data() != nullptr && next_exemplar_++ == 0 &&
         ReadExemplar(one, out);
}

}  // namespace narthex::scrape
