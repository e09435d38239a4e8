// A page to samples in an Appender: limits, timestamps, exemplars, stale
// markers.  Does not commit.
//
// One thread.  Borrows everything.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "libscrape/exposition/openmetrics_parser.h"
#include "libscrape/exposition/text_parser.h"
#include "libscrape/loop/sample_rules.h"
#include "libscrape/loop/scrape_cache.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"

namespace narthex::scrape {

// What a scrape counts, of a page or of all pages.
struct AppendCounts {
  size_t total = 0;         // samples of the page
  size_t added = 0;         // left after relabeling
  size_t series_added = 0;  // new ones
  size_t stored = 0;
  size_t duplicates = 0;
  size_t out_of_order = 0;
  size_t out_of_bounds = 0;
  size_t exemplars_out_of_order = 0;
  bool over_sample_limit = false;
};

// Columns and scratch that are used again from page to page, whichever
// target's.
struct AppendBuffers {
  std::vector<SeriesRef> refs = {};
  std::vector<double> values = {};
  std::vector<Timestamp> times = {};  // empty: all at the scrape's time
  std::vector<ScrapeCache::SeriesId> series = {};
  std::vector<bool> timed = {};  // as long as times: has a time of its own
  std::vector<Appended> outcomes = {};
  std::vector<std::pair<size_t, Exemplar>> exemplars = {};  // by sample
  std::vector<SeriesRef> stale = {};
  LabelsScratch labels = {};
  LabelsBuilder builder = {};

  void Clear();
};

class PageAppender {
 public:
  PageAppender(const SampleRules& rules, ScrapeCache& cache, Appender& appender,
               AppendBuffers& buffers)
      : rules_(rules), cache_(cache), appender_(appender), b_(buffers) {}

  // Reads the page and appends its samples at `at`, none later than `latest`,
  // then the stale markers.  After an error the Appender holds the samples
  // before it and must be rolled back; `counts` and what is tracked for
  // staleness are right as far as the page was read.
  absl::Status Append(std::string_view page, PageFormat format, Timestamp at,
                      Timestamp latest);
  // For a page that did not come or was bad: marks what it should have shown.
  absl::Status AppendStaleMarkers(Timestamp at);

  const AppendCounts& counts() const { return counts_; }

 private:
  absl::Status ReadAs(std::string_view page, PageFormat format);
  template <typename Parser>
  absl::Status Read(Parser& parser, std::string_view page);
  template <typename Parser>
  absl::Status TakeSeries(Parser& parser, std::string_view page, size_t begin);
  void TakeSample(ScrapeCache::SeriesId id, double value, bool timed,
                  int64_t time);
  // kNone: not stored, but counted.
  template <typename Parser>
  absl::StatusOr<ScrapeCache::SeriesId> Learn(Parser& parser);
  // `whole`: the page was good to its end; else exemplars are left out.
  absl::Status Store(bool whole);
  template <typename Parser>
  absl::Status ResolveAnew(size_t sample);
  void StoreExemplars();

  const SampleRules& rules_;
  ScrapeCache& cache_;
  Appender& appender_;
  AppendBuffers& b_;
  AppendCounts counts_;
  Timestamp at_;
  Timestamp latest_;
  PageFormat format_ = PageFormat::kText;
};

}  // namespace narthex::scrape
