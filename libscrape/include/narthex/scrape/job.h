// A Job: what a scrape_config says, as a struct with Prometheus's defaults.
//
// Plain data.  Fields that Prometheus has and that are absent here do not work
// yet; whoever reads a configuration refuses them.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "narthex/base/time.h"
#include "narthex/scrape/discovery.h"
#include "narthex/scrape/discovery_kinds.h"
#include "narthex/scrape/exposition.h"
#include "narthex/scrape/http.h"
#include "narthex/scrape/relabel.h"
#include "narthex/scrape/source.h"

namespace narthex::scrape {

struct Job {
  // `job_name`; unique; not empty.
  std::string name = {};

  // --- Whom to scrape.

  // "host:port" each; more elaborate ones are in static_groups.
  std::vector<std::string> targets = {};
  std::vector<TargetGroup> static_groups = {};     // static_configs
  std::vector<FileDiscovery> file_discovery = {};  // file_sd_configs
  std::vector<HttpDiscovery> http_discovery = {};  // http_sd_configs
  std::vector<DnsDiscovery> dns_discovery = {};    // dns_sd_configs
  std::vector<KubernetesDiscovery> kubernetes_discovery =
      {};  // kubernetes_sd_configs
  std::vector<RelabelRule> relabel = {};           // relabel_configs
  // Asked instead of the network; whoever the target is then is only a name,
  // "in-process" if the job says nothing else.
  std::shared_ptr<Source> source = nullptr;
  size_t target_limit = 0;          // 0: none; exceeded: all of them fail
  size_t keep_dropped_targets = 0;  // 0: all

  // --- How, and how often.

  Duration interval = Minutes(1);
  Duration timeout = Seconds(10);  // not above interval
  std::string metrics_path = "/metrics";
  std::string scheme = "http";  // or "https"
  std::map<std::string, std::vector<std::string>> params = {};
  HttpOptions http = {};
  bool enable_compression = true;
  std::vector<ScrapeProtocol> protocols = DefaultScrapeProtocols();
  // For an answer whose Content-Type says nothing usable; none: the scrape
  // fails.
  std::optional<ScrapeProtocol> fallback_protocol = std::nullopt;
  // What servers are asked to do with names that are no plain identifiers;
  // kAllowUtf8 needs name_validation kUtf8.  None: as that has it, kAllowUtf8
  // or kUnderscores.
  std::optional<NameEscaping> name_escaping = std::nullopt;

  // --- What is made of a page.

  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  std::vector<RelabelRule> metric_relabel = {};  // metric_relabel_configs
  NameValidation name_validation = NameValidation::kUtf8;
  bool extra_scrape_metrics = false;
  // Three that a target may have otherwise, by labels that relabeling gave it.
  bool scrape_native_histograms =
      false;  // false: they are read as classic ones
  bool convert_classic_histograms_to_nhcb = false;
  bool always_scrape_classic_histograms = false;  // beside native ones

  // --- Limits; 0: none.  A page that exceeds one is a failed scrape.

  uint64_t body_size_limit = 0;  // bytes after decompression
  size_t sample_limit = 0;       // after relabeling
  size_t label_limit = 0;
  size_t label_name_length_limit = 0;
  size_t label_value_length_limit = 0;
  // Histograms with more buckets get coarser ones.
  size_t native_histogram_bucket_limit = 0;
  // Of one bucket's bound to the next; histograms with smaller steps get
  // coarser ones.
  double native_histogram_min_bucket_factor = 0;

  // Gets a line of JSON for every scrape that fails; empty: nobody does.
  std::string scrape_failure_log_file = {};

  friend bool operator==(const Job &, const Job &) = default;
};

// The ways in which the job finds targets, `targets` and `static_groups` as one
// of them.
std::vector<DiscoveryConfig> DiscoveryConfigs(const Job &job);

// What Prometheus would refuse: no name, a timeout above the interval, no or
// doubled protocols, bad relabel rules...
absl::Status ValidateJob(const Job &job);

}  // namespace narthex::scrape
