#include "libscrape/exposition/openmetrics_parser.h"

#include <cmath>
#include <limits>
#include <utility>

#include "narthex/model/labels.h"

namespace narthex::scrape {
namespace {

constexpr double kFarthest = 9.2e18;  // milliseconds
constexpr std::string_view kCreated = "_created";

bool TypeFromText(std::string_view text, MetricType& out) {
  constexpr struct {
    std::string_view text;
    MetricType type;
  } kTypes[] = {
      {"counter", MetricType::kCounter},
      {"gauge", MetricType::kGauge},
      {"histogram", MetricType::kHistogram},
      {"gaugehistogram", MetricType::kGaugeHistogram},
      {"summary", MetricType::kSummary},
      {"info", MetricType::kInfo},
      {"stateset", MetricType::kStateset},
      {"unknown", MetricType::kUnknown},
  };
  for (const auto& [name, type] : kTypes) {
    if (text == name) {
      out = type;
      return true;
    }
  }
  return false;
}

}  // namespace

PageLexer::Entry OpenMetricsParser::Next() {
  has_exemplar_ = false;
  entry_ = p_;
  if (p_ == end_) {
    if (!status_.ok()) return Entry::kEnd;
    return Fail(p_, "data does not end with # EOF");
  }
  if (Is(*p_, kNameStart) || *p_ == '{') {
    Entry entry = NextSeries();
    while (start_times_ && entry == Entry::kSeries && type_has_start() &&
           name_.ends_with(kCreated)) {
      entry_ = p_;
      has_exemplar_ = false;
      // The next line is a series too, or the family ends.
      if (p_ == end_ || (!Is(*p_, kNameStart) && *p_ != '{')) return Next();
      entry = NextSeries();
    }
    return entry;
  }
  if (*p_ == '#') return NextComment();
  return Fail(p_, "expected a valid start token");
}

PageLexer::Entry OpenMetricsParser::NextComment() {
  const std::string_view rest(p_, static_cast<size_t>(end_ - p_));
  if (rest.starts_with("# EOF")) {
    p_ += 5;
    if (p_ < end_ && *p_ == '\n') ++p_;
    if (p_ != end_) return Fail(p_, "unexpected data after # EOF");
    // The end stays the end: nothing moves p_ from here, and `# EOF` is read
    // again by whoever asks again.
    p_ = entry_;
    return Entry::kEnd;
  }
  Entry kind = Entry::kHelp;
  if (rest.starts_with("# TYPE ")) {
    kind = Entry::kType;
  } else if (rest.starts_with("# UNIT ")) {
    kind = Entry::kUnit;
  } else if (!rest.starts_with("# HELP ")) {
    return Fail(p_, "expected a valid start token");
  }
  const std::string_view keyword = rest.substr(2, 4);
  bool plain = true;
  const char* line_end = FindLineEnd(p_, end_, plain);
  if (line_end == end_) {
    return Fail(end_, StrCat("expected text in ", keyword));
  }
  p_ += 7;
  if (!ParseMetricName(keyword, line_end, plain)) return Entry::kEnd;
  if (line_end == end_) {
    return Fail(end_, StrCat("expected text in ", keyword));
  }
  if (*p_ != ' ') return Fail(p_, StrCat("expected text in ", keyword));
  const char* const text = p_ + 1;
  text_ = {text, static_cast<size_t>(line_end - text)};
  switch (kind) {
    case Entry::kType:
      if (!TypeFromText(text_, type_)) {
        return Fail(text, StrCat("invalid metric type ", GoQuote(text_)));
      }
      break;
    case Entry::kUnit:
      if (!text_.empty() &&
          (metric_.size() <= text_.size() || !metric_.ends_with(text_) ||
           metric_[metric_.size() - text_.size() - 1] != '_')) {
        return Fail(text, StrCat("unit ", GoQuote(text_),
                                 " not a suffix of metric ", GoQuote(metric_)));
      }
      break;
    default:
      if (plain) break;
      if (!IsAscii(text_) && !IsValidUtf8(text_)) {
        return Fail(text, "help text is not a valid utf8 string");
      }
      text_ = UnescapeText(text_, /*quotes=*/true);
      break;
  }
  p_ = line_end + 1;
  return kind;
}

std::string_view OpenMetricsParser::ParseWord(std::string_view what) {
  if (p_ == end_ || *p_ != ' ') {
    Fail(p_, what);
    return {};
  }
  const char* const start = ++p_;
  while (p_ < end_ && *p_ != ' ' && *p_ != '\n' && *p_ != '\0') ++p_;
  if (p_ == start) Fail(p_, what);
  return {start, static_cast<size_t>(p_ - start)};
}

bool OpenMetricsParser::ParseSeconds(std::string_view what, int64_t& millis) {
  const std::string_view word = ParseWord(what);
  if (!status_.ok()) return false;
  double seconds = 0;
  if (!ParseValue(word, seconds)) return false;
  if (!std::isfinite(seconds)) {
    Fail(word.data(), "invalid timestamp");
    return false;
  }
  // Too far away for an int64 becomes the least, as on Go's amd64: it is out
  // of bounds wherever it is stored.
  const double ms = seconds * 1000;
  millis = std::fabs(ms) < 0x1p63 ? static_cast<int64_t>(ms)
                                  : std::numeric_limits<int64_t>::min();
  return true;
}

PageLexer::Entry OpenMetricsParser::NextSeries() {
  if (!ParseSeries<Strictness::kStrict>()) return Entry::kEnd;
  has_timestamp_ = false;
  if (p_ < end_ && *p_ == ' ') {
    const char* const number = ParseShortDecimal(p_ + 1, end_, value_);
    if (number != nullptr && number < end_ && *number == '\n') {
      p_ = number + 1;
      return Entry::kSeries;
    }
  }
  const std::string_view word = ParseWord("expected value after metric");
  if (!status_.ok() || !ParseValue(word, value_)) return Entry::kEnd;
  std::string_view rest(p_, static_cast<size_t>(end_ - p_));
  const bool word_follows =
      rest.size() > 1 && rest[0] == ' ' && rest[1] != ' ' && rest[1] != '\n';
  if (word_follows && !rest.starts_with(" # {")) {
    if (!ParseSeconds("expected timestamp", timestamp_)) return Entry::kEnd;
    has_timestamp_ = true;
    rest = {p_, static_cast<size_t>(end_ - p_)};
  }
  if (rest.starts_with(" # {")) {
    p_ += 4;
    if (!ParseExemplar()) return Entry::kEnd;
  }
  if (p_ == end_) return Fail(p_, "data does not end with # EOF");
  if (*p_ == '\n') {
    ++p_;
  } else if (has_timestamp_ || has_exemplar_) {
    return Fail(p_, "expected next entry after timestamp");
  }
  // Else the sample counts, as in Prometheus, and the next entry fails: blanks
  // begin none.
  if (p_[-1] != '\n') cut_entry_ = entry_;
  return Entry::kSeries;
}

bool OpenMetricsParser::ParseExemplar() {
  exemplar_labels_.clear();
  if (!ParseLabels<Strictness::kStrict>(exemplar_labels_, /*named=*/false)) {
    return false;
  }
  const std::string_view word =
      ParseWord("expected value after exemplar labels");
  if (!status_.ok() || !ParseValue(word, exemplar_value_)) return false;
  exemplar_has_timestamp_ = p_ < end_ && *p_ == ' ';
  if (exemplar_has_timestamp_ &&
      !ParseSeconds("expected exemplar timestamp", exemplar_timestamp_)) {
    return false;
  }
  has_exemplar_ = true;
  return true;
}

bool OpenMetricsParser::GetExemplar(Exemplar& out) {
  if (!std::exchange(has_exemplar_, false)) return false;
  std::vector<Label> pairs;
  pairs.reserve(exemplar_labels_.size());
  for (const RawLabel& label : exemplar_labels_) {
    pairs.push_back({label.name, label.value});
  }
  out.labels = Labels::FromPairs(pairs);
  out.value = exemplar_value_;
  out.has_timestamp = exemplar_has_timestamp_;
  out.t = exemplar_has_timestamp_ ? exemplar_timestamp_ : 0;
  return true;
}

void OpenMetricsParser::IdentifyMetric(std::string_view name,
                                       std::string& out) const {
  const std::string_view left_out = type_ == MetricType::kHistogram ? "le"
                                    : type_ == MetricType::kSummary ? "quantile"
                                                                    : "";
  out.clear();
  for (const RawLabel& label : labels_) {
    if (!left_out.empty() && label.name == left_out) continue;
    out += label.name;
    out += '\0';
    out += label.value;
    out += '\0';
  }
  out += name;
}

void OpenMetricsParser::FindCreated() {
  created_.clear();
  next_created_ = 0;
  created_begin_ = offset();
  OpenMetricsParser ahead(*this);
  ahead.start_times_ = false;
  while (ahead.Next() == Entry::kSeries) {
    if (!ahead.name_.ends_with(kCreated)) continue;
    Created& line = created_.emplace_back();
    line.offset = ahead.offset();
    const std::string_view name = ahead.name_;
    ahead.IdentifyMetric(name.substr(0, name.size() - kCreated.size()),
                         line.metric);
    const double ms = ahead.value_ * 1000;
    line.start =
        std::fabs(ms) < kFarthest ? static_cast<int64_t>(ms) : int64_t{0};
  }
  // Where the family ends, or the page goes wrong.
  created_end_ = ahead.offset();
}

Timestamp OpenMetricsParser::start_time() {
  if (!type_has_start()) return 0;
  if (offset() < created_begin_ || offset() >= created_end_) FindCreated();
  while (next_created_ < created_.size() &&
         created_[next_created_].offset < offset()) {
    ++next_created_;
  }
  if (next_created_ == created_.size()) return 0;
  IdentifyMetric(name_.substr(0, metric_.size()), metric_identity_);
  const Created& line = created_[next_created_];
  return line.metric == metric_identity_ ? line.start : Timestamp(0);
}

}  // namespace narthex::scrape
