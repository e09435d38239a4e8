// OpenMetrics 1.0 (and 0.0.1) text.
//
// One thread; borrows the page.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libscrape/exposition/lexer.h"
#include "narthex/model/exemplar.h"

namespace narthex::scrape {

class OpenMetricsParser : public PageLexer {
 public:
  explicit OpenMetricsParser(std::string_view page, const ParserOptions& options = {})
      : PageLexer(page, PageGrammar::kOpenMetrics, options) {}

  Entry Next();
  // Once.
  bool GetExemplar(Exemplar& out);
  // What the `_created` line of the series' metric says, if it stands below the
  // series and the metric is of a type that has one; else 0.  Asked for with
  // ParserOptions::start_times.
  Timestamp start_time();

 private:
  // A `_created` line further down.
  struct Created {
    size_t offset = 0;
    std::string metric = {};  // what identifies it
    Timestamp start = 0;
  };

  bool type_has_start() const {
    return type_ == MetricType::kCounter || type_ == MetricType::kSummary ||
           type_ == MetricType::kHistogram;
  }
  // The labels without bounds and quantiles, then `name`.
  void IdentifyMetric(std::string_view name, std::string& out) const;
  // Reads on to the end of the family.
  void FindCreated();

  Entry NextSeries();
  Entry NextComment();
  // A blank and a word of other bytes, which it returns; empty: failed.
  std::string_view ParseWord(std::string_view what);
  bool ParseSeconds(std::string_view what, int64_t& millis);
  bool ParseExemplar();

  bool has_exemplar_ = false;
  std::vector<RawLabel> exemplar_labels_;
  double exemplar_value_ = 0;
  bool exemplar_has_timestamp_ = false;
  int64_t exemplar_timestamp_ = 0;

  std::vector<Created> created_;
  size_t next_created_ = 0;
  size_t created_begin_ = 0;  // of the part of the page that created_ is about
  size_t created_end_ = 0;
  std::string metric_identity_;
};

}  // namespace narthex::scrape
