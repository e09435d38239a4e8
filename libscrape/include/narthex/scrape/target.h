// A target: an endpoint with its labels, as discovery and relabeling made it,
// and how its last scrape went.  What /api/v1/targets prints.
//
// Values; any thread.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "narthex/base/time.h"
#include "narthex/model/labels.h"
#include "narthex/scrape/job.h"
#include "narthex/scrape/relabel.h"

namespace narthex::scrape {

// Labels by which a target says otherwise than its job; booleans in Go's
// spellings.
inline constexpr std::string_view kScrapeNativeHistogramsLabel =
    "__scrape_native_histograms__";
inline constexpr std::string_view kConvertClassicHistogramsLabel =
    "__convert_classic_histograms_to_nhcb__";
inline constexpr std::string_view kAlwaysScrapeClassicHistogramsLabel =
    "__always_scrape_classic_histograms__";

// Fixed once made.
struct Target {
  Labels discovered = {};  // before relabeling
  Labels labels = {};      // after it, the `__` ones included
  std::string url = {};
  Duration interval = Minutes(1);
  Duration timeout = Seconds(10);

  // Without those that begin with `__`: what samples get.
  Labels PublicLabels() const;
  // What the label says; `otherwise` if it is missing or no boolean.
  bool Switch(std::string_view label, bool otherwise) const;
  // Equal for equal targets; spreads the scrapes over the interval.
  uint64_t Hash() const;
};

// What relabeling made of one discovered target.
struct TargetOutcome {
  Target target = {};
  bool dropped = false;  // by a rule; only `discovered` is meaningful then
};

// A target before relabel_configs: its labels, its group's, the job's defaults.
Labels DiscoveredLabels(const Job &job, const Labels &target_labels,
                        const Labels &group_labels);

// Defaults, relabel_configs, checks, as Prometheus's target creation has them.
// `rules` are job.relabel, compiled.  An error is one target's, not the job's.
absl::StatusOr<TargetOutcome> MakeTarget(const Job &job, const Relabeler &rules,
                                         const Labels &target_labels,
                                         const Labels &group_labels);

// What GlobalUrl needs to know of this process.
struct OwnAddress {
  std::string host =
      {};  // "host:port" by which others reach it; empty: unknown
  std::string scheme = "http";
  std::string listen_port = {};
};
// `url` as others would have to write it: localhost becomes our host, and our
// own port the one that others see.
std::string GlobalUrl(std::string_view url, const OwnAddress &own);

enum class TargetHealth : uint8_t { kUnknown, kUp, kDown };
std::string_view TargetHealthName(TargetHealth health);  // "unknown", "up", ...

struct TargetStatus {
  Labels discovered_labels = {};
  Labels labels = {};  // public ones
  std::string scrape_pool = {};
  std::string scrape_url = {};
  std::string global_url = {};
  std::string last_error = {};
  Timestamp last_scrape = 0;        // 0: never
  double last_scrape_duration = 0;  // seconds
  TargetHealth health = TargetHealth::kUnknown;
  Duration scrape_interval = {};
  Duration scrape_timeout = {};
};

struct DroppedTarget {
  Labels discovered_labels = {};
  std::string scrape_pool = {};
};

}  // namespace narthex::scrape
