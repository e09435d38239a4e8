#include "libscrape/loop/scrape_report.h"

#include <string_view>

#include "libscrape/loop/sample_rules.h"
#include "narthex/base/status.h"
#include "narthex/model/sample.h"

namespace narthex::scrape {
namespace {

constexpr std::string_view kNames[] = {"up",
                                       "scrape_duration_seconds",
                                       "scrape_samples_scraped",
                                       "scrape_samples_post_metric_relabeling",
                                       "scrape_series_added",
                                       "scrape_timeout_seconds",
                                       "scrape_sample_limit",
                                       "scrape_body_size_bytes"};

}  // namespace

absl::Status ScrapeReporter::Append(Appender& appender,
                                    const ScrapeReport& report, Timestamp at) {
  return AppendValues(
      appender,
      {report.up ? 1.0 : 0.0, report.duration,
       static_cast<double>(report.scraped),
       static_cast<double>(report.post_relabeling),
       static_cast<double>(report.series_added), report.timeout,
       static_cast<double>(report.sample_limit), report.body_bytes},
      at);
}

absl::Status ScrapeReporter::AppendStaleMarkers(Appender& appender,
                                                Timestamp at) {
  std::array<double, kAll> values = {};
  values.fill(StaleNaN());
  return AppendValues(appender, values, at);
}

absl::Status ScrapeReporter::AppendValues(
    Appender& appender, const std::array<double, kAll>& values, Timestamp at) {
  for (size_t i = 0; i < (extra_ ? kAll : kBasic); ++i) {
    // Late or double ones are no error: a target may go and come back.
    if (refs_[i] != SeriesRef::kNone &&
        AppendFloat(appender, refs_[i], at, values[i]) !=
            Appended::kUnknownRef) {
      continue;
    }
    NARTHEX_ASSIGN_OR_RETURN(refs_[i], appender.Resolve(MakeReportLabels(
                                           target_labels_, kNames[i])));
    AppendFloat(appender, refs_[i], at, values[i]);
  }
  return absl::OkStatus();
}

}  // namespace narthex::scrape
