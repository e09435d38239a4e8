// The series that a scrape writes about itself: `up` and its company.
//
// One thread, that of the target's scrape.

#pragma once

#include <array>
#include <cstddef>

#include "absl/status/status.h"
#include "narthex/base/time.h"
#include "narthex/model/appender.h"
#include "narthex/model/labels.h"

namespace narthex::scrape {

struct ScrapeReport {
  bool up = false;
  double duration = 0;  // seconds
  size_t scraped = 0;
  size_t post_relabeling = 0;
  size_t series_added = 0;
  // extra_scrape_metrics
  double timeout = 0;  // seconds
  size_t sample_limit = 0;
  double body_bytes = 0;  // -1: over its limit
};

class ScrapeReporter {
 public:
  ScrapeReporter(Labels target_labels, bool extra)
      : target_labels_(std::move(target_labels)), extra_(extra) {}

  absl::Status Append(Appender& appender, const ScrapeReport& report,
                      Timestamp at);
  absl::Status AppendStaleMarkers(Appender& appender, Timestamp at);

 private:
  static constexpr size_t kBasic = 5;
  static constexpr size_t kAll = 8;

  absl::Status AppendValues(Appender& appender,
                            const std::array<double, kAll>& values,
                            Timestamp at);

  const Labels target_labels_;
  const bool extra_;
  std::array<SeriesRef, kAll> refs_ = {};
};

}  // namespace narthex::scrape
