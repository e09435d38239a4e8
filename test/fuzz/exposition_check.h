// What must hold of any page, whatever its bytes: shared by the fuzz targets of
// the exposition parsers.

#pragma once

#include <string>
#include <string_view>

#include "libscrape/exposition/page_grammar.h"
#include "narthex/base/status.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/exposition.h"
#include "test/support/fuzz_target.h"

namespace narthex::test {

inline std::string LabelsText(scrape::ExpositionParser& parser) {
  LabelsScratch scratch;
  parser.GetLabels(scratch);
  std::string text;
  for (const Label& label : scratch.pairs()) {
    StrAppend(&text, label.name, "\x1f", label.value, "\x1e");
  }
  return text;
}

// The series' text with a number behind it, as a page of its own.
inline void CheckSeriesAlone(std::string_view series, scrape::PageFormat format,
                             const std::string& labels) {
  const std::string line = StrCat(series, " 0\n");
  scrape::ExpositionParser alone(line, format);
  NARTHEX_FUZZ_CHECK(alone.Next() == scrape::ExpositionParser::Entry::kSeries &&
                         alone.series() == series,
                     line + std::string(Message(alone.status())));
  // Bounds of buckets are rewritten only under their TYPE.
  if (labels.find("le\x1f") == std::string::npos &&
      labels.find("quantile\x1f") == std::string::npos) {
    NARTHEX_FUZZ_CHECK(LabelsText(alone) == labels, line);
  }
}

inline void CheckPage(std::string_view page, scrape::PageFormat format,
                      const scrape::ParserOptions& options) {
  using Entry = scrape::ExpositionParser::Entry;
  scrape::ExpositionParser parser(page, format, options);
  const bool lines = format != scrape::PageFormat::kProtobuf &&
                     !options.convert_classic_histograms_to_nhcb;
  Exemplar exemplar;
  // A byte can't make more than a few entries.
  size_t left = 64 + 16 * page.size();
  for (;;) {
    const Entry entry = parser.Next();
    if (entry == Entry::kEnd) break;
    NARTHEX_FUZZ_CHECK(left-- > 0, "more entries than bytes could make");
    NARTHEX_FUZZ_CHECK(parser.offset() <= page.size(), "beyond the page");
    if (entry == Entry::kSeries || entry == Entry::kHistogram) {
      NARTHEX_FUZZ_CHECK(!parser.series().empty(), "a series without text");
      const std::string labels = LabelsText(parser);
      size_t exemplars = page.size();
      while (parser.GetExemplar(exemplar)) {
        NARTHEX_FUZZ_CHECK(exemplars-- > 0, "exemplars without end");
      }
      (void)parser.start_time();
      if (entry == Entry::kHistogram) {
        NARTHEX_FUZZ_CHECK((parser.histogram() == nullptr) !=
                               (parser.float_histogram() == nullptr),
                           "a histogram of no kind or of both");
      } else if (lines) {
        CheckSeriesAlone(parser.series(), format, labels);
      }
    } else if (entry != Entry::kComment) {
      (void)parser.metric();
      (void)parser.text();
    }
  }
  // A slower reader of the same grammar has the same opinion; of bytes that
  // Prometheus takes for the end of a page neither is to be trusted.
  if (lines && page.find('\0') == std::string_view::npos) {
    const std::string error = scrape::PageError(
        page, format == scrape::PageFormat::kText
                  ? scrape::PageGrammar::kText
                  : scrape::PageGrammar::kOpenMetrics);
    const std::string said(Message(parser.status()));
    NARTHEX_FUZZ_CHECK(said.empty() == error.empty() && said.ends_with(error),
                       StrCat("fast: ", said, "\nslow: ", error));
  }
  // The end stays the end.
  NARTHEX_FUZZ_CHECK(parser.Next() == Entry::kEnd, "goes on behind the end");
}

}  // namespace narthex::test
