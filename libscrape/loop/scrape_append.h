// A page to samples in an Appender: limits, timestamps, exemplars, metadata,
// stale markers.  Does not commit.
//
// One thread.  Borrows everything.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "libscrape/loop/sample_rules.h"
#include "libscrape/loop/scrape_cache.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"
#include "narthex/scrape/exposition.h"

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
  bool over_bucket_limit = false;
  bool over_label_limit = false;
};

// Columns and scratch that are used again from page to page, whichever
// target's.
struct AppendBuffers {
  // Floats to append, in columns.
  std::vector<SeriesRef> refs = {};
  std::vector<double> values = {};
  std::vector<Timestamp> times = {};        // empty: all at the scrape's time
  std::vector<Timestamp> start_times = {};  // empty: none has one
  std::vector<ScrapeCache::SeriesId> series = {};  // kNone: a start's zero
  std::vector<bool> timed = {};  // as long as times: has a time of its own
  std::vector<Appended> outcomes = {};
  std::vector<std::pair<size_t, Exemplar>> exemplars = {};  // by float

  std::vector<Exemplar> own_exemplars = {};  // of one sample
  std::vector<SeriesRef> stale = {};
  std::string keys = {};  // of pages that have no text of their own
  Histogram histogram = {};
  FloatHistogram float_histogram = {};
  LabelsScratch labels = {};
  std::string label_text = {};
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
  // What the cache is to keep of the page that was appended, for EndGood: the
  // page, or texts that were made of it.
  std::string TakeKept(std::string& page) {
    return std::move(keyed_ ? b_.keys : page);
  }
  // For a page that did not come or was bad: marks what it should have shown.
  absl::Status AppendStaleMarkers(Timestamp at);

  const AppendCounts& counts() const { return counts_; }

 private:
  using SeriesId = ScrapeCache::SeriesId;
  // Where a sample stands in time.
  struct When {
    bool timed = false;  // by the page
    int64_t time = 0;
    Timestamp start = 0;  // 0: not known
  };

  // --- Reading: scrape_append.cc.

  absl::Status ReadAs(std::string_view page, PageFormat format);
  // Pages of lines, which the cache may know by heart.
  template <typename Parser>
  absl::Status ReadLines(Parser& parser, std::string_view page);
  template <typename Parser>
  absl::Status TakeLine(Parser& parser, std::string_view page, size_t begin);
  // Pages of any other kind.
  absl::Status ReadKeyed(ExpositionParser& parser);
  absl::Status TakeKeyed(ExpositionParser& parser, bool is_histogram);
  template <typename Parser>
  void TakeMetadata(Parser& parser, ExpositionParser::Entry kind);
  // kNone: not stored, but counted.
  template <typename Parser>
  absl::StatusOr<SeriesId> Learn(Parser& parser, std::string_view text);
  // Labels as they will be stored; empty: dropped.
  template <typename Parser>
  absl::StatusOr<Labels> LabelsOf(Parser& parser);
  template <typename Parser>
  void NoteMetadata(Parser& parser, SeriesId id);

  // --- Storing: scrape_store.cc.

  // false: not to be stored, for a reason that is counted.
  bool Admit(SeriesId id, bool timed);
  bool WithinSampleLimit();
  void TakeFloat(SeriesId id, double value, const When& when);
  void PushFloat(SeriesId id, SeriesRef ref, double value, bool timed,
                 Timestamp t, Timestamp start);
  template <typename H>
  absl::Status TakeHistogram(SeriesId id, const H& original, H& h,
                             const When& when);
  template <typename H>
  void AppendZeroHistogram(SeriesRef ref, Timestamp t, const When& when,
                           const H& h);
  bool WantsZero(SeriesId id, Timestamp t, Timestamp start);
  // `whole`: the page was good to its end; else exemplars are left out.
  absl::Status Store(bool whole);
  // What storage said of a sample.
  void Settle(SeriesId id, Appended outcome, bool timed);
  // Storage forgot the series since the last page: makes it again.
  absl::Status ResolveAnew(SeriesId id);
  absl::StatusOr<Labels> LabelsAnew(const ScrapeCache::Series& series);
  void StoreExemplars();
  // b_.own_exemplars, of a sample at `t`.
  void AppendExemplars(SeriesRef ref, Timestamp t, bool is_histogram);

  const SampleRules& rules_;
  ScrapeCache& cache_;
  Appender& appender_;
  AppendBuffers& b_;
  AppendCounts counts_;
  Timestamp at_;
  Timestamp latest_;
  PageFormat format_ = PageFormat::kText;
  bool keyed_ = false;
  bool metadata_changed_ = false;  // of the family being read
  size_t limited_ = 0;  // what sample_limit counts
};

}  // namespace narthex::scrape
