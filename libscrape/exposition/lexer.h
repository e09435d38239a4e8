// What the two text formats have in common: a cursor over a page, the entry
// that it stands on, series with their labels, errors with line and column.
//
// Base of TextParser and OpenMetricsParser, without virtual functions: the
// parsers are called once per sample.  One thread; borrows the page.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libscrape/exposition/page_grammar.h"
#include "libscrape/exposition/scan.h"
#include "narthex/base/status.h"
#include "narthex/model/labels_builder.h"
#include "narthex/model/metadata.h"
#include "narthex/model/sample.h"
#include "narthex/scrape/exposition.h"

namespace narthex::scrape {

// Blanks between the parts of a series, line ends in values, loose commas: the
// text format allows them, OpenMetrics does not.
enum class Strictness : uint8_t { kLoose, kStrict };

class PageLexer {
 public:
  using Entry = ExpositionParser::Entry;

  PageLexer(std::string_view page, PageGrammar grammar,
            const ParserOptions& options)
      : grammar_(grammar),
        begin_(page.data()),
        p_(begin_),
        end_(begin_ + page.size()),
        start_times_(options.start_times) {}

  const absl::Status& status() const { return status_; }
  std::string_view series() const { return series_; }
  double value() const { return value_; }
  bool has_timestamp() const { return has_timestamp_; }
  int64_t timestamp() const { return timestamp_; }
  std::string_view metric() const { return metric_; }
  MetricType type() const { return type_; }
  std::string_view text() const { return text_; }
  // The text formats have neither.
  const Histogram* histogram() const { return nullptr; }
  const FloatHistogram* float_histogram() const { return nullptr; }

  void GetLabels(LabelsScratch& out);

  // Where the entry begins, and where the next one will.
  size_t offset() const { return static_cast<size_t>(entry_ - begin_); }
  size_t next_offset() const { return static_cast<size_t>(p_ - begin_); }
  size_t LineAt(size_t offset) const;

  // If the page goes on with `literal`, a number and a line end, takes them and
  // says true: then value() is the number, and nothing else of the entry is
  // known.  Else nothing changes.  What stands in `literal` was parsed before,
  // as part of another page; `type` is the type that held after it.
  bool TakeExpected(std::string_view literal, MetricType type) {
    const size_t n = literal.size();
    if (static_cast<size_t>(end_ - p_) <= n ||
        std::memcmp(p_, literal.data(), n) != 0) {
      return false;
    }
    const char* q = ParseShortDecimal(p_ + n, end_, value_);
    if (q == nullptr) q = ParseLongValue(p_ + n);
    if (q == nullptr || q == end_ || *q != '\n') return false;
    entry_ = p_;
    p_ = q + 1;
    type_ = type;
    return true;
  }
  // For a page that is entered in its midst.
  void set_type(MetricType type) { type_ = type; }

 protected:
  struct RawLabel {
    std::string_view name = {};  // without quotes, escapes as they are
    std::string_view value = {};
  };

  // Where, and in Prometheus's words what.  `what`: how it is said if the slow
  // grammar finds nothing wrong.
  Entry Fail(const char* at, std::string_view what);

  // From the name or the `{` at p_; sets series_, name_ and labels_, and leaves
  // p_ behind it.  false: failed.
  template <Strictness strictness>
  bool ParseSeries();
  // The same, if the series is written like the one before but for its values:
  // in a family nearly all are.  false: it is not, and nothing is known.
  template <Strictness strictness>
  bool ParseLikeLast();
  void RememberShape();
  // From behind the `{`.  `named`: a quoted text alone is the metric's name.
  template <Strictness strictness>
  bool ParseLabels(std::vector<RawLabel>& labels, bool named);
  // From behind the opening quote, past the closing one.
  template <bool line_ends>
  bool ParseQuoted(std::string_view& text, bool& ascii);
  // The whole of `token` as a number, by the slow and complete way.
  bool ParseValue(std::string_view token, double& out);
  // A number that ParseShortDecimal leaves to others, up to its line end; null:
  // it is none, or more than a number stands there.
  const char* ParseLongValue(const char* start);
  // The name after HELP, TYPE or UNIT, maybe quoted, into metric_.  There may
  // be line ends between the quotes: then `line_end` is the one behind them,
  // and `plain` is about what stands before it.
  bool ParseMetricName(std::string_view keyword, const char*& line_end,
                       bool& plain);
  // `text` with `\\` and `\n` (and `\"`) resolved, in a buffer of its own.
  std::string_view UnescapeText(std::string_view text, bool quotes);

  PageGrammar grammar_;
  const char* begin_;
  const char* p_;
  const char* end_;
  const char* entry_ = nullptr;
  // The sample that ended before its line did: with what is left of the line
  // the next entry fails.
  const char* cut_entry_ = nullptr;

  std::string_view series_;
  double value_ = 0;
  bool has_timestamp_ = false;
  int64_t timestamp_ = 0;
  std::string_view metric_;
  std::string_view text_;
  MetricType type_ = MetricType::kUnknown;  // by the last TYPE line
  absl::Status status_;
  std::string_view name_;  // of the series, escapes as they are
  std::vector<RawLabel> labels_;
  bool start_times_ = false;  // `_created` lines are no series

 private:
  // What stands before, between and behind the values of the last series that
  // had some and no escapes; empty: there is none.
  std::vector<std::string_view> shape_;
  bool has_name_ = false;
  bool escapes_ = false;     // the series holds a backslash
  std::string label_texts_;  // of GetLabels
  std::string line_text_;    // of UnescapeText
  std::string name_text_;    // of ParseMetricName
};

// Go's rendering of a bucket bound in OpenMetrics: "1.0", "0.005", "+Inf".
std::string FormatOpenMetricsFloat(double v);

}  // namespace narthex::scrape
